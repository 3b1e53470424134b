/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of layers that may be absent, see optional.h. */
#include "sandbox/optional.h"

#include <stddef.h>

#include "lib/base/text.h"

const char *sandbox_optional_name(unsigned bit)
{
	switch (bit) {
	case SANDBOX_OPTIONAL_PROC:
		return "own /proc";
	case SANDBOX_OPTIONAL_LANDLOCK:
		return "landlock";
	case SANDBOX_OPTIONAL_DENIED:
		return "refused calls are seen";
	case SANDBOX_OPTIONAL_WATCHDOG:
		return "limits of all processes";
	case SANDBOX_OPTIONAL_NESTING:
		return "no nested user namespaces";
	case SANDBOX_OPTIONAL_CGROUP:
		return "cgroup";
	default:
		return NULL;
	}
}

unsigned sandbox_optional_find(const char *name)
{
	for (unsigned bit = 1; sandbox_optional_name(bit); bit <<= 1) {
		if (string_equal(name, sandbox_optional_name(bit)))
			return bit;
	}
	return 0;
}
