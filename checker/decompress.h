/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A compressed module as its bytes: gzip, xz or zstd, told apart by their first bytes. What is read
 * is hostile, so this runs in the checker's jail alone, where a decoder that is taken over has
 * nothing to take.
 */
#ifndef KMODBOX_CHECKER_DECOMPRESS_H
#define KMODBOX_CHECKER_DECOMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/cleanup.h"

/* With that, what unpacking needs, and tables of it a reader stays within its memory. */
#define UNPACKED_MAXIMUM (UINT64_C(160) << 20)

/*
 * 0: *ret_bytes is the module: new memory, or bytes itself where that is not compressed. -EBADMSG:
 * damaged, or with something behind its end. -EFBIG: larger than UNPACKED_MAXIMUM, or with a
 * dictionary for which there is no room, which says nothing of what is in it. -ENOMEM.
 */
int decompress(const uint8_t *bytes, size_t size, const uint8_t **ret_bytes,
	       size_t *ret_size) must_check;

#endif
