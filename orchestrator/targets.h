/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels of a run: loaded by the launcher, one after another worked on by the orchestrator. */
#ifndef KMODBOX_ORCHESTRATOR_TARGETS_H
#define KMODBOX_ORCHESTRATOR_TARGETS_H

#include "orchestrator/orchestrator.h"

/*
 * Those of -k, or the running one; for ldtarball and doctor without -k that and all others that
 * have a directory of modules. Headers that are missing are the target's failure.
 */
int targets_load(const struct verb_row *row, const struct options *options,
		 const struct places *places, struct target **ret_targets, size_t *ret_count,
		 struct error **error) must_check;
void targets_clear(struct target *targets, size_t count);

#endif
