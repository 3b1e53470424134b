/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A digest read from its hexadecimal form, which may be anybody's. */
#include <string.h>

#include "lib/base/digest.h"

static int hex_value(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

int digest_from_hex(const char *hex, struct digest *ret_digest)
{
	struct digest digest;

	if (!hex || strnlen(hex, DIGEST_HEX_SIZE) != DIGEST_HEX_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		digest.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_digest = digest;
	return 0;
}
