/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealed memory files: what travels between stages. Once sealed, neither the giver nor the taker
 * can change a byte (memfd_create(2), fcntl(2) F_ADD_SEALS), so what was checked is what is used.
 */
#ifndef KMODBOX_BASE_MEMFD_H
#define KMODBOX_BASE_MEMFD_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/cleanup.h"
#include "lib/base/error.h"

/* The kernel may add more (F_SEAL_EXEC of MFD_NOEXEC_SEAL): compare by mask. */
#define MEMFD_SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* An empty, unsealed one, close-on-exec, not executable where the kernel can say so (6.3). */
int memfd_new(const char *name, int *ret_fd, struct error **error) must_check;
/* F_SEAL_WRITE|GROW|SHRINK|SEAL. Fails with -EBUSY while a writable mapping exists. */
int memfd_seal(int fd, struct error **error) must_check;
/* A sealed one with these bytes. */
int memfd_from_bytes(const char *name, const void *bytes, size_t length, int *ret_fd,
		     struct error **error) must_check;
/* A sealed copy of the first size bytes of a regular file; -EIO if it is shorter. */
int memfd_from_file(const char *name, int source_fd, uint64_t size, int *ret_fd,
		    struct error **error) must_check;
/* Refuses (-EINVAL) all but a fully sealed memfd of at most maximum bytes (-EFBIG). */
int memfd_require_sealed(int fd, uint64_t maximum, uint64_t *ret_size,
			 struct error **error) must_check;
/* Maps a sealed memfd read-only. An empty one gives a non-NULL pointer and size 0. */
int memfd_map(int fd, uint64_t maximum, const uint8_t **ret_bytes, size_t *ret_size,
	      struct error **error) must_check;
void memfd_unmap(const uint8_t *bytes, size_t size);

#endif
