/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A set-up that was killed: hosts whose filter of system calls kills (SIGSYS) instead of refusing,
 * as systemd's SystemCallFilter= does. Such a call becomes an EPERM with the step that asked for
 * it.
 */
#ifndef KMODBOX_SANDBOX_KILLED_H
#define KMODBOX_SANDBOX_KILLED_H

#include "lib/base/cleanup.h"
#include "lib/base/error.h"

/* What kmodbox asks for itself, not a child whose end can be explained. Bits. */
enum killed_call {
	KILLED_OPEN = 1 << 0,	    /* openat2 */
	KILLED_LANDLOCK = 1 << 1,   /* which version there is */
	KILLED_MOUNTS = 1 << 2,	    /* mounts of root's own */
	KILLED_NAMESPACES = 1 << 3, /* of a sandbox without a slot */
	KILLED_PIDFD = 1 << 4,
	KILLED_SECCOMP = 1 << 5, /* what a supervisor must know */
};

/* The error of a child that this signal ended while it did this: "host name", ... -errno. */
int killed_explain(int signal, const char *what, struct error **error);
/* Has a child ask for these first, where there is a filter at all. Its error has a remedy_part. */
int killed_try(unsigned wanted, struct error **error) must_check;

#endif
