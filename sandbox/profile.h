/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A profile: what a sandbox may do, as INI text; kmodbox-profile(5). Trusted text, of ours or of
 * root's. Here is its language alone; where profiles and their system call policies are found is
 * the business of who runs sandboxes.
 *
 *	[profile]
 *	description = what a build needs
 *	extend = strict				; all that is not said here is as there
 *	seccomp = build.seccomp
 *	network = no				; yes: the host's network, not hermetic then
 *	source = read-only			; writable: the build has a copy to write to
 *	optional = own /proc, landlock		; layers that may be absent; none
 *	[limits]
 *	wall = 1h				; and all others of limit_text.h
 */
#ifndef KMODBOX_SANDBOX_PROFILE_H
#define KMODBOX_SANDBOX_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/sandbox.h"

/* What a profile may leave to the one that it extends. */
enum profile_choice { PROFILE_UNSAID, PROFILE_NO, PROFILE_YES };

struct profile {
	char *description; /* printable */
	char *extend;	   /* a safe name, or NULL */
	unsigned extend_line;
	char *seccomp; /* a file's safe name, or NULL where it is unsaid */
	unsigned seccomp_line;
	enum profile_choice network;
	enum profile_choice writable_source;
	bool optional_said;
	unsigned optional;	      /* bits of enum sandbox_optional */
	struct sandbox_limits limits; /* 0: unsaid */
};

/* "PATH:LINE: reason" where it is none. */
int profile_parse(const char *path, const char *bytes, size_t length, struct profile *ret_profile,
		  struct error **error) must_check;
/* Takes from base what profile leaves unsaid; the description is its own. */
int profile_inherit(struct profile *profile, const struct profile *base,
		    struct error **error) must_check;
/* What is unsaid in the end is the strictest there is, and sandbox_limits_default(). */
void profile_complete(struct profile *profile);
/* The same INI, all that is said. */
int profile_format(const struct profile *profile, struct text *text) must_check;
void profile_clear(struct profile *profile);
#define cleanup_profile cleanup(profile_clear)

/* One key of its section [limits], for other files that have it too. */
struct ini_entry;
int profile_take_limit(struct sandbox_limits *limits, const struct ini_entry *entry,
		       struct error **error) must_check;
/* "read-only" or "writable". */
int profile_take_source(enum profile_choice *ret_writable, const char *value,
			struct error **error) must_check;

#endif
