/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a build that fails may have run into by being sealed off, told from the words of its log,
 * and the setting that would let it. Hostile words: they choose a hint, no more.
 */
#ifndef KMODBOX_ORCHESTRATOR_BUILD_HINT_H
#define KMODBOX_ORCHESTRATOR_BUILD_HINT_H

#include <stdbool.h>

enum build_hint {
	HINT_NONE,
	HINT_NETWORK, /* it wanted the network */
	HINT_SOURCE,  /* it wanted to write to /usr/src/M-V */
	HINT_HOST,    /* it wanted to write to the host */
	HINT_SCRATCH, /* its build directory was full */
	/* A limit of one process was in its way, perhaps: the kernel told nobody else. */
	HINT_OPEN_FILES,
	HINT_PROCESSES,
	HINT_MEMORY,
	HINT_FILE,
	HINT_OUTPUT,	/* it printed more than it may */
	HINT_LEAVE_OUT, /* one of several modules would not load */
};

/* What a line of the log tells; source is "/usr/src/M-V". */
enum build_hint build_hint_find(const char *line, const char *source);
/*
 * The end of a message, to be freed: "; 'profile = network' in [build] of FILE would let it". Empty
 * for HINT_NONE; NULL if memory is out. directive: what ran ("MAKE"); settings: FILE.
 */
char *build_hint_text(enum build_hint hint, const char *directive, const char *settings);

#endif
