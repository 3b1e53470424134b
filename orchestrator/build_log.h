/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * make.log as DKMS's users know it, and the one line of it that says what went wrong. What a build
 * prints is hostile: the file keeps it as it came, what is shown of it is sanitised. Of a log that
 * is larger than its maximum the beginning and the end are kept; memory does not grow with it.
 */
#ifndef KMODBOX_ORCHESTRATOR_BUILD_LOG_H
#define KMODBOX_ORCHESTRATOR_BUILD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/artifacts/build_files.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "orchestrator/build_hint.h"

#define BUILD_LOG_LINE 512
#define BUILD_LOG_FACTOR 16 /* so many times its maximum are taken, more ends a build */

struct build_log {
	int fd;			   /* memfd; owned */
	uint64_t maximum;	   /* of bytes that are kept: BUILD_LOG_MAXIMUM; may be made less */
	uint64_t head;		   /* bytes in the file: three quarters at most */
	char *tail;		   /* a ring of the last quarter, when the head is full; owned */
	uint64_t behind_head;	   /* bytes that have gone through the ring */
	char line[BUILD_LOG_LINE]; /* the line that is coming in, cut at this length */
	size_t length;
	char first_error[BUILD_LOG_LINE]; /* first line that reads like a compiler's error; raw */
	char last_line[BUILD_LOG_LINE];
	enum build_hint hint;	     /* what the first line that tells one tells */
	char source[BUILD_LOG_LINE]; /* "/usr/src/M-V" */
	const struct log *echo; /* --verbose: lines are shown as they come, sanitised; NULL: not */
	bool write_failed;
	bool sealed; /* what is noted from then on is lost */
};

/* Starts one with its head: which module, kernel and architecture, and when. */
int build_log_open(struct build_log *log, const char *module, const char *version,
		   const char *kernel, const char *architecture, struct error **error) must_check;
/* A heading of ours: "# command: make -j2 ...". */
void build_log_note(struct build_log *log, const char *format, ...) printf_like(2, 3);
/* Output of the sandbox; context is a struct build_log. */
void build_log_output(void *context, const void *bytes, size_t length);
/* The line to show for a failure, sanitised, to be freed; NULL where the log says nothing. */
char *build_log_reason(const struct build_log *log);
/* Seals it, so that it can be handed over. */
int build_log_seal(struct build_log *log, struct error **error) must_check;
void build_log_close(struct build_log *log);

#endif
