/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes in slices, as a pipe cuts them: a fuzz target's first byte says how. */
#ifndef KMODBOX_TESTS_SLICED_H
#define KMODBOX_TESTS_SLICED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slices {
	const uint8_t *data; /* what is left */
	size_t size;
	uint32_t random;
};

/* The next one, of 1 to 16 bytes, or about a thousand now and then. */
static inline bool next_slice(struct slices *slices, const uint8_t **ret_data, size_t *ret_size)
{
	size_t size;

	slices->random = slices->random * 1103515245u + 12345u;
	size = 1 + (slices->random >> 16) % 16;
	if ((slices->random >> 24) % 8 == 0)
		size *= 64;
	if (size > slices->size)
		size = slices->size;
	*ret_data = slices->data;
	*ret_size = size;
	slices->data += size;
	slices->size -= size;
	return size > 0;
}

#endif
