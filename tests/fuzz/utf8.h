/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A decoder of UTF-8 for promises, by bits where the project's own go by tables. */
#ifndef KMODBOX_TESTS_UTF8_H
#define KMODBOX_TESTS_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/promise.h"

/* That a character is there, whole and in its one valid form. Returns its length. */
static inline size_t promise_utf8(const uint8_t *bytes, size_t length, uint32_t *ret_character)
{
	size_t ones = (size_t)__builtin_clz(~((uint32_t)bytes[0] << 24));
	uint32_t character = ones == 0 ? bytes[0] : bytes[0] & (0x7fu >> ones);

	promise(ones != 1 && ones <= 4 && ones <= length);
	for (size_t i = 1; i < ones; i++) {
		promise(bytes[i] >> 6 == 2);
		character = character << 6 | (bytes[i] & 0x3f);
	}
	/* The shortest form, and no surrogate. */
	promise(ones == 0 || character >> (ones == 2 ? 7 : 5 * ones - 4) != 0);
	promise(character <= 0x10ffff && character >> 11 != 0xd800 >> 11);
	*ret_character = character;
	return ones == 0 ? 1 : ones;
}

#endif
