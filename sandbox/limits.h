/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits: what holds where a description says nothing, and the words for each that is hit. Internal
 * to sandbox/.
 */
#ifndef KMODBOX_SANDBOX_LIMITS_H
#define KMODBOX_SANDBOX_LIMITS_H

#include "sandbox/sandbox.h"

enum limit {
	LIMIT_WALL,
	LIMIT_SILENCE,
	LIMIT_CPU,
	LIMIT_MEMORY,	    /* of one process */
	LIMIT_TOTAL_MEMORY, /* of all of them, with what lies in scratch */
	LIMIT_PROCESSES,
	LIMIT_OPEN_FILES,
	LIMIT_FILE,
	LIMIT_SCRATCH,
	LIMIT_OUTPUT,
};

/* The same without zeros. */
struct sandbox_limits limits_complete(const struct sandbox_limits *given);
/* "wall time (600 s)", as sandbox_result.limit has it. */
void limits_describe(const struct sandbox_limits *limits, enum limit limit, char *text,
		     size_t size);
/* So near that it was in the way: the kernel tells nobody but who asked for too much. */
bool limits_is_near(uint64_t value, uint64_t limit);

#endif
