/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A system call in words: its name, and the argument that a policy looks at. */
#ifndef KMODBOX_SANDBOX_CALL_WORDS_H
#define KMODBOX_SANDBOX_CALL_WORDS_H

#include <stdint.h>

#define CALL_WORDS 80
#define CALL_ARGUMENTS 6

/*
 * "socket AF_INET", "ptrace PTRACE_ATTACH", "mkdir with S_ISUID", "mount", "system call 999", of
 * the host's own architecture. Pointers are not followed: what they point to may change under us.
 */
void call_describe(int number, const uint64_t arguments[static CALL_ARGUMENTS],
		   char ret_words[static CALL_WORDS]);

#endif
