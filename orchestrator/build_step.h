/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The build itself, as DKMS's users expect it: patches, PRE_BUILD, MAKE and POST_BUILD in one fresh
 * sandbox, then what is declared out of its trees, stripped.
 */
#ifndef KMODBOX_ORCHESTRATOR_BUILD_STEP_H
#define KMODBOX_ORCHESTRATOR_BUILD_STEP_H

#include "lib/artifacts/collect.h"
#include "lib/kernels/inputs.h"
#include "lib/recipes/recipe.h"
#include "orchestrator/build_log.h"
#include "orchestrator/build_parts.h"
#include "orchestrator/build_progress.h"
#include "orchestrator/dependencies.h"
#include "orchestrator/module_settings.h"
#include "orchestrator/orchestrator.h"
#include "orchestrator/overlay.h"

struct build {
	const struct orchestrator *orchestrator;
	const struct package *package;
	const struct target *target;
	const struct recipe *recipe;
	const struct module_settings *settings;
	const struct dependencies *dependencies;
	const struct overlay *overlay;
	const struct toolchain *toolchain;
	struct inputs *inputs; /* headers and toolchain; owned */
	const struct loaded_profile *profile;
	int snapshot_fd;
	struct digest source;
	struct build_log log;
	char *command; /* MAKE as it was run; owned */
	unsigned jobs;
	bool writable_source;	      /* the profile or the settings say so */
	struct sandbox_limits limits; /* of the build sandbox */
	bool on_disk;		      /* its build directory was */
	struct sandbox_result result;
	struct denied_calls *strip_denied; /* what strip tried; owned, NULL: nothing */
	char limit[SANDBOX_LIMIT_TEXT];	   /* that a sandbox of it hit; "" */
	const char *step;		   /* that it is at: "collect" */
	struct build_progress progress;
	struct artifact *artifacts; /* per module of the recipe, fd -1 for excluded ones; owned */
	struct artifact *data;	    /* Module.symvers, extra_outputs; owned */
	size_t data_count;
	struct build_parts parts;
	uint64_t started; /* seconds since 1970 */
	uint64_t finished;
};

/*
 * What it may do: the profile that its settings name, which is loaded for it, or the default one;
 * limits and source of the settings come first. error_code() 1: FILE:LINE of what is wrong; 31: it
 * has more modules than the limits let it have.
 */
int build_choose_profile(struct build *build, struct loaded_profile *loaded,
			 struct error **error) must_check;
/* -j, or as many as there are processors. */
unsigned build_jobs(const struct options *options);
/*
 * error_code(): 5 a patch is missing, 6 one does not apply, 10 make failed (the message carries the
 * line that says why), 31 a limit, 30 no sandbox, 130 interrupted.
 */
int build_step_run(struct build *build, struct error **error) must_check;
/* What `kmodbox shell` runs behind the build's steps, in the same sandbox. */
struct build_shell {
	const char *const *command; /* NULL-terminated; NULL: bash */
	const char *terminal_type;  /* TERM, for that command alone; "" */
	const struct seccomp_program *seccomp;
	int terminal_fd; /* the sandbox's pty; -1: there is none */
	void (*output)(void *context, const void *bytes, size_t length); /* where there is none */
	void *output_context;
};
/*
 * Runs the steps until one fails, then the command; build->result is how that ended. Nothing is
 * written to build->log. error_code(): 30.
 */
int build_step_shell(struct build *build, const struct build_shell *shell,
		     struct error **error) must_check;
/*
 * Adds to *error what may have led to it, and the setting that would let it. Returns -errno of what
 * *error holds, as error_context() does.
 */
int build_step_suggest(const struct build *build, enum build_hint hint,
		       struct error **error) must_check;
/*
 * Takes the modules, then the data. error_code() 7: a declared module is missing or is no regular
 * file, or a file of extra_outputs is.
 */
int build_step_collect(struct build *build, struct error **error) must_check;
/*
 * What module index may have beside the others. Holes in a file cost scratch nothing, but here they
 * do.
 */
uint64_t build_module_maximum(const struct build *build, size_t index);
int build_step_strip(struct build *build, struct error **error) must_check;
void build_clear(struct build *build);

#endif
