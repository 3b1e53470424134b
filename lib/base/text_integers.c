/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Little-endian integers for fixed layouts: the writing side, for who issues tickets. */
#include "lib/base/text.h"

static int append_little_endian(struct text *text, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	return text_append(text, bytes, size);
}

int text_append_u16(struct text *text, uint16_t value)
{
	return append_little_endian(text, value, sizeof(value));
}

int text_append_u32(struct text *text, uint32_t value)
{
	return append_little_endian(text, value, sizeof(value));
}

int text_append_u64(struct text *text, uint64_t value)
{
	return append_little_endian(text, value, sizeof(value));
}
