/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealed memory files. What arrives from another process is believed only once its seals are seen.
 */
#include "lib/base/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/files.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* The kernel may add more (F_SEAL_EXEC of MFD_NOEXEC_SEAL): compare by mask. */
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

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
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
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

int memfd_require_sealed(int fd, uint64_t maximum, uint64_t *ret_size, struct error **error)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat status;

	/* F_GET_SEALS works on memfds alone (EINVAL, EBADF for O_PATH): fcntl(2). */
	if (seals < 0 || (seals & SEALS) != SEALS)
		return error_set(error, EINVAL, "the file that was handed over is not sealed");
	if (fstat(fd, &status) < 0)
		return error_set_errno(error, errno, "cannot examine a memory file");
	if ((uint64_t)status.st_size > maximum)
		return error_set(error, EFBIG,
				 "the file that was handed over has %lld bytes, at most %llu",
				 (long long)status.st_size, (unsigned long long)maximum);
	*ret_size = (uint64_t)status.st_size;
	return 0;
}

int memfd_map(int fd, uint64_t maximum, const uint8_t **ret_bytes, size_t *ret_size,
	      struct error **error)
{
	uint64_t size = 0;
	void *bytes;
	int r = memfd_require_sealed(fd, maximum < SIZE_MAX ? maximum : SIZE_MAX, &size, error);

	if (r < 0)
		return r;
	if (size == 0) {
		*ret_bytes = (const uint8_t *)"";
		*ret_size = 0;
		return 0;
	}
	bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return error_set_errno(error, errno, "cannot map a memory file of %llu bytes",
				       (unsigned long long)size);
	*ret_bytes = bytes;
	*ret_size = (size_t)size;
	return 0;
}

void memfd_unmap(const uint8_t *bytes, size_t size)
{
	if (size > 0)
		(void)munmap((void *)bytes, size);
}
