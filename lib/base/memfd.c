/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking sealed memory files. What arrives from another process is believed only once its seals are
 * seen.
 */
#include "lib/base/memfd.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

int memfd_require_sealed(int fd, uint64_t maximum, uint64_t *ret_size, struct error **error)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat status;

	/* A memfd's alone can be had: a file on a tmpfs has F_SEAL_SEAL, others give EINVAL. */
	if (seals < 0 || (seals & MEMFD_SEALS) != MEMFD_SEALS)
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
