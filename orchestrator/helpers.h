/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts our other programs: each gets just the descriptors on its command line, an empty
 * environment and a session of its own (Ctrl-C must not end a transaction half-way).
 */
#ifndef KMODBOX_ORCHESTRATOR_HELPERS_H
#define KMODBOX_ORCHESTRATOR_HELPERS_H

#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "orchestrator/orchestrator.h"

#define HELPER_ARGUMENTS 1024 /* two per kernel */

/* A command line under construction; holds the texts, borrows the descriptors. */
struct helper {
	const char *name; /* "kmodbox-signer" */
	char *arguments[HELPER_ARGUMENTS];
	size_t argument_count;
	int fds[HELPER_ARGUMENTS];
	size_t fd_count;
	bool failed;
};

void helper_flag(struct helper *helper, const char *option);
void helper_text(struct helper *helper, const char *option, const char *value);
void helper_number(struct helper *helper, const char *option, unsigned long value);
/* Nothing is added for -1. */
void helper_fd(struct helper *helper, const char *option, int fd);
/* "--kernel RELEASE=FD". Nothing is added for -1. */
void helper_named_fd(struct helper *helper, const char *option, const char *name, int fd);
int helper_start(struct helper *helper, pid_t *ret_pid, struct error **error) must_check;
void helper_clear(struct helper *helper);
#define cleanup_helper cleanup(helper_clear)

/*
 * Opens a program of ours ("kmodbox-checker") or a file of profiles ("build.seccomp"): beside the
 * running executable (a build tree), else where it was installed.
 */
int helper_open_program(const char *name, int *ret_fd, struct error **error) must_check;
int helper_open_profile(const char *name, int *ret_fd, struct error **error) must_check;
/*
 * This process becomes a program of ours, with its arguments and environment. Returns only where it
 * cannot; error_code() EXIT_INFRASTRUCTURE.
 */
int helper_become(const char *name, char **argv, struct error **error) must_check;
/* A policy's text ("network.seccomp"), and behind it the text of the one that it extends. */
int helper_read_policy(const char *file, struct text *policy, struct error **error) must_check;

#endif
