/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parsed form of a policy, between its reader (seccomp.c) and its compiler (bpf.c). */
#ifndef KMODBOX_SANDBOX_SECCOMP_INTERNAL_H
#define KMODBOX_SANDBOX_SECCOMP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/seccomp.h"

#define SECCOMP_CONDITIONS 4
#define SECCOMP_SYSCALLS 1024 /* numbers at and beyond it are unknown: ENOSYS */

enum seccomp_test {
	SECCOMP_IS,
	SECCOMP_HAS,
	SECCOMP_LACKS,
};

struct seccomp_condition {
	unsigned argument; /* 0 to 5 */
	enum seccomp_test test;
	uint32_t value;
};

/* One line about one call; all its conditions must hold. */
struct seccomp_rule {
	uint32_t action; /* SECCOMP_RET_* */
	struct seccomp_condition conditions[SECCOMP_CONDITIONS];
	size_t condition_count;
	const char *file; /* where it stands, for messages */
	size_t line;
};

struct seccomp_call {
	struct seccomp_rule *rules; /* owned, in order; the last is unconditional; NULL: unknown */
	size_t rule_count;
	bool final; /* decided by who extends: the extended policy's lines are not for it */
};

struct seccomp_policy {
	struct seccomp_call calls[SECCOMP_SYSCALLS]; /* by number on the host's architecture */
};

int seccomp_emit(const struct seccomp_policy *policy, struct seccomp_program *ret_program,
		 struct error **error) must_check;

#endif
