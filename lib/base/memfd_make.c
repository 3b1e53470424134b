/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making sealed memory files; apart from taking them, which is all that some programs do. */
#include <fcntl.h>
#include <sys/mman.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int memfd_new(const char *name, int *ret_fd, struct error **error)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_set_errno(error, errno, "cannot make a memory file for %s", name);
	*ret_fd = fd;
	return 0;
}

int memfd_seal(int fd, struct error **error)
{
	if (fcntl(fd, F_ADD_SEALS, MEMFD_SEALS) < 0)
		return error_set_errno(error, errno, "cannot seal a memory file");
	return 0;
}

int memfd_from_bytes(const char *name, const void *bytes, size_t length, int *ret_fd,
		     struct error **error)
{
	cleanup_close int fd = -1;
	int r = memfd_new(name, &fd, error);

	if (r < 0)
		return r;
	r = write_all(fd, bytes, length);
	if (r < 0)
		return error_set_errno(error, -r, "cannot fill the memory file of %s", name);
	r = memfd_seal(fd, error);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

int memfd_from_file(const char *name, int source_fd, uint64_t size, int *ret_fd,
		    struct error **error)
{
	cleanup_close int fd = -1;
	int r = memfd_new(name, &fd, error);

	if (r == 0)
		r = copy_bytes(fd, source_fd, size, error);
	if (r == 0)
		r = memfd_seal(fd, error);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}
