/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of versions, see version.h. */
#include "lib/recipes/version.h"

#include <ctype.h>
#include <string.h>

/* As `sort -V` ranks them: '~' before the end, then digits and the end, letters, all else. */
static int version_rank(char byte)
{
	if (byte == '~')
		return -1;
	if (byte == '\0' || isdigit((unsigned char)byte))
		return 0;
	return isalpha((unsigned char)byte) ? (unsigned char)byte : (unsigned char)byte + 256;
}

int version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		size_t a_digits, b_digits;
		int order;

		while ((*a && !isdigit((unsigned char)*a)) || (*b && !isdigit((unsigned char)*b))) {
			if (version_rank(*a) != version_rank(*b))
				return version_rank(*a) - version_rank(*b);
			a++; /* equal ranks that are not 0: neither is at its end */
			b++;
		}
		a += strspn(a, "0");
		b += strspn(b, "0");
		a_digits = strspn(a, "0123456789");
		b_digits = strspn(b, "0123456789");
		if (a_digits != b_digits)
			return a_digits < b_digits ? -1 : 1;
		order = strncmp(a, b, a_digits);
		if (order != 0)
			return order;
		a += a_digits;
		b += b_digits;
	}
	return 0;
}
