/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module's source in a run: one snapshot of it, and what its dkms.conf says for a kernel. */
#ifndef KMODBOX_ORCHESTRATOR_SOURCE_H
#define KMODBOX_ORCHESTRATOR_SOURCE_H

#include "lib/recipes/recipe.h"
#include "orchestrator/orchestrator.h"

struct source {
	int snapshot_fd; /* owned */
	struct digest digest;
	bool foreign; /* came from an archive or another directory: not yet in the source tree */
};

#define SOURCE_INITIAL ((struct source){ .snapshot_fd = -1 })

/* What the command line names: an archive, a directory, or SOURCETREE/M-V. */
int source_read_named(const struct orchestrator *orchestrator, struct source *ret_source,
		      struct error **error) must_check;
/* Of a module version that is added: what its link in the DKMS tree leads to. */
int source_read_added(const struct orchestrator *orchestrator, const struct package *package,
		      struct source *ret_source, struct error **error) must_check;
int source_evaluate(const struct orchestrator *orchestrator, const struct package *package,
		    const struct source *source, const struct target *target,
		    struct recipe **ret_recipe, struct error **error) must_check;
void source_clear(struct source *source);
#define cleanup_source cleanup(source_clear)

#endif
