/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reference module of a kernel: one made of nothing, on the way of every build: same profile,
 * same sandbox, same limits. What it says of the kernel (vermagic, size of struct module, marks of
 * hardening, compiler) others are held against. Where it cannot be made no module can, and that is
 * the kernel's matter, not each driver's. It is kept in STATE/cache, a file per kernel, place and
 * profile, under the digest of all that it is made of; what is found there is examined like one
 * just made.
 */
#ifndef KMODBOX_ORCHESTRATOR_REFERENCE_H
#define KMODBOX_ORCHESTRATOR_REFERENCE_H

#include "checker/checker.h"
#include "lib/base/digest.h"

struct build;
struct orchestrator;
struct target;

/* Of one target, as far as a run knows it: the last that was asked for. */
struct reference {
	struct digest key;    /* of all that it is made of; all zero: none was asked for */
	int module_fd;	      /* sealed memfd; -1: there is none */
	struct digest digest; /* of that */
	struct checker_verdict verdict;
	bool kept;     /* it is in the cache */
	bool handed;   /* the signer has it */
	char *failure; /* why it could not be made; owned, NULL: it could */
	char *log;     /* where the log of that is; owned, NULL: nowhere */
	bool told;     /* that nothing can be built for this kernel */
};

struct reference *reference_new(void) must_check;
struct reference *reference_free(struct reference *reference);
/*
 * For what is about to be built: target->reference is filled, from this run, from the cache, or by
 * a build of its own, and the signer has it. Needs build->inputs, toolchain and profile.
 * error_code(): 10 it cannot be made (the log of that is in the place of build->log), 30 no
 * sandbox, 33 the signer will not have it, 130 interrupted.
 */
int reference_obtain(struct build *build, struct error **error) must_check;
/*
 * When it is known whether headers or toolchain changed meanwhile: what was made of both sorts is
 * forgotten, what is good is kept.
 */
void reference_settle(const struct build *build, bool changed);
/*
 * The same for who builds nothing: under the default profile. Where there is none, checks are
 * without it. error_code() as above.
 */
int reference_require(const struct orchestrator *orchestrator, const struct target *target,
		      struct error **error) must_check;
/* What modules are held against; NULL: there is none. */
const struct checker_verdict *reference_verdict(const struct target *target);

#endif
