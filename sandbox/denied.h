/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a payload tried and was refused: the supervisor's end of seccomp's user notification
 * (seccomp_unotify(2), Linux 5.0). It only ever answers EPERM, so nothing that the payload can
 * change between being asked and being answered matters.
 */
#ifndef KMODBOX_SANDBOX_DENIED_H
#define KMODBOX_SANDBOX_DENIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "sandbox/call_words.h"

#define DENIED_CALLS 64
#define DENIED_PROGRAM 16 /* TASK_COMM_LEN */

struct denied_call {
	char what[CALL_WORDS];	      /* "socket AF_INET" */
	char program[DENIED_PROGRAM]; /* as the payload calls itself: hostile; "" where unknown */
	uint64_t count;
};

struct denied_calls {
	struct denied_call list[DENIED_CALLS]; /* in the order in which they first came */
	size_t count;
	uint64_t total; /* those too for which the list had no place */
};

struct denied; /* a supervisor at work */

/* Takes listener_fd over. */
int denied_new(int listener_fd, struct denied **ret_denied, struct error **error) must_check;
/*
 * What to wait for with poll(2), and how long at most: the listener, or -1 where there is none (any
 * more), and while a payload that asks without end is made to wait. Each caller of a refused call
 * sleeps until it is answered, so a flood costs the flooder. denied may be NULL.
 */
int denied_poll_fd(const struct denied *denied, uint64_t now_milliseconds,
		   int *timeout_milliseconds) must_check;
/* One that was asked about, by a program whose name for itself begins with these bytes. */
struct seccomp_data;
void denied_note(struct denied_calls *calls, const struct seccomp_data *data, const char *program,
		 size_t length);
/* Answers what is there to answer. */
void denied_serve(struct denied *denied, uint64_t now_milliseconds);
const struct denied_calls *denied_calls(const struct denied *denied);
struct denied *denied_free(struct denied *denied);

/* "connect AF_INET x3, ptrace PTRACE_ATTACH x1": sanitised, appended; nothing where none were. */
int denied_append_summary(const struct denied_calls *calls, struct text *text) must_check;

#endif
