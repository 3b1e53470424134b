/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layers that a host's kernel may not give: each is an error, unless who describes a sandbox says
 * that it may be absent. Their names are those of sandbox_result.layers.
 */
#ifndef KMODBOX_SANDBOX_OPTIONAL_H
#define KMODBOX_SANDBOX_OPTIONAL_H

/* Bits, from the first on without a gap. */
enum sandbox_optional {
	SANDBOX_OPTIONAL_PROC = 1 << 0,
	SANDBOX_OPTIONAL_LANDLOCK = 1 << 1,
	SANDBOX_OPTIONAL_DENIED = 1 << 2,
	SANDBOX_OPTIONAL_WATCHDOG = 1 << 3,
	SANDBOX_OPTIONAL_NESTING = 1 << 4,
	SANDBOX_OPTIONAL_CGROUP = 1 << 5,
	SANDBOX_OPTIONAL_ALL = (1 << 6) - 1,
};

/* "landlock", of one bit; NULL behind the last one. */
const char *sandbox_optional_name(unsigned bit);
/* The bit of a layer; 0: it may never be absent. */
unsigned sandbox_optional_find(const char *name);

#endif
