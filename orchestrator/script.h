/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scripts of a dkms.conf that are no part of a build: POST_ADD, PRE_INSTALL, POST_INSTALL and
 * POST_REMOVE. Hostile, so they run in a sandbox, in which nothing of the host can be written: they
 * can look and refuse, not change anything. What they were meant to do is root's to review.
 */
#ifndef KMODBOX_ORCHESTRATOR_SCRIPT_H
#define KMODBOX_ORCHESTRATOR_SCRIPT_H

#include "lib/recipes/recipe.h"
#include "orchestrator/orchestrator.h"
#include "orchestrator/source.h"

/* A source and what its dkms.conf says, for as long as its scripts may be needed. */
struct scripts {
	const struct orchestrator *orchestrator;
	const struct target *target;
	struct source source;  /* owned unless borrowed */
	struct recipe *recipe; /* owned; NULL: there is no source any more */
};

/*
 * Reads the source of a package that is added. Where the source is gone there are no scripts; that
 * is no error.
 */
int scripts_open(const struct orchestrator *orchestrator, const struct package *package,
		 const struct target *target, struct scripts *ret_scripts,
		 struct error **error) must_check;
void scripts_close(struct scripts *scripts);
#define cleanup_scripts cleanup(scripts_close)

/*
 * Runs one of them, if it is set, and warns that it cannot change the host. 0 also where it failed,
 * with a warning; but of PRE_INSTALL, without --force: error_code() 101.
 */
int script_run(const struct scripts *scripts, enum recipe_script script,
	       struct error **error) must_check;
/* For what is done already, and holds whatever becomes of the script: a failure is a warning. */
void script_run_after(const struct scripts *scripts, enum recipe_script script);
const char *script_name(enum recipe_script script); /* "PRE_INSTALL" */

#endif
