/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The build itself: MAKE in a fresh sandbox as DKMS's users expect it (paths, variables, working
 * directory, the rewriting of `make`), then the declared modules out of its scratch, stripped.
 */
#ifndef KMODBOX_ORCHESTRATOR_BUILD_STEP_H
#define KMODBOX_ORCHESTRATOR_BUILD_STEP_H

#include "lib/artifacts/collect.h"
#include "lib/kernels/toolchain.h"
#include "lib/recipes/recipe.h"
#include "orchestrator/build_log.h"
#include "orchestrator/orchestrator.h"

struct build {
	const struct orchestrator *orchestrator;
	const struct package *package;
	const struct target *target;
	const struct recipe *recipe;
	const struct toolchain *toolchain;
	int snapshot_fd;
	struct digest source;
	struct build_log log;
	char *command; /* what was run; owned */
	unsigned jobs;
	struct sandbox_result result; /* of the build sandbox */
	struct artifact *artifacts;   /* per module of the recipe; owned */
	uint64_t started;	      /* seconds since 1970 */
	uint64_t finished;
};

/*
 * error_code(): 10 make failed (the message carries the line that says why), 7 a declared module is
 * missing or is no regular file, 31 a limit, 30 no sandbox, 130 interrupted.
 */
int build_step_run(struct build *build, struct error **error) must_check;
int build_step_strip(struct build *build, struct error **error) must_check;
void build_clear(struct build *build);

#endif
