/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System call policies as text (profiles/NAME.seccomp) and the filter programs made of them.
 * The text is trusted (root's or ours); the language is described at the head of each profile.
 */
#ifndef KMODBOX_SANDBOX_SECCOMP_H
#define KMODBOX_SANDBOX_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

struct seccomp_program {
	struct sock_filter *instructions; /* owned */
	unsigned short count;
	bool can_report; /* sendmsg() is allowed: a supervisor can be handed its listener */
};

/*
 * The policy that this one extends by its last line: that one's text belongs behind it before it is
 * compiled. *ret_name is NULL where there is none.
 */
int seccomp_extended(const char *text, size_t length, char **ret_name,
		     struct error **error) must_check;
/* Compiles a policy's text; name is for messages ("build.seccomp:12: unknown system call 'x'"). */
int seccomp_compile(const char *name, const char *text, size_t length,
		    struct seccomp_program *ret_program, struct error **error) must_check;
/*
 * A program and the text it was compiled of, as bytes of a file; and back. -ESTALE: it is none, or
 * it was made of another text, by another version or for another architecture; compile then.
 */
int seccomp_stored_make(const struct seccomp_program *program, const char *text, size_t length,
			struct text *stored) must_check;
int seccomp_stored_read(const char *stored, size_t stored_length, const char *text, size_t length,
			struct seccomp_program *ret_program) must_check;
/*
 * Installs it in this process, which must have no_new_privs set. Where ret_listener is given,
 * refused calls wait for whoever serves that descriptor (sandbox/denied.h): close-on-exec; to be
 * sent away by sendmsg(2) alone, as any refused call before that would wait for ever. It is -1, and
 * the filter refuses by itself, where that cannot be had: another supervisor is there already.
 */
int seccomp_install(const struct seccomp_program *program, int *ret_listener,
		    struct error **error) must_check;
void seccomp_program_clear(struct seccomp_program *program);

#endif
