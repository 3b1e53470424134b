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

/* What dkms.conf sees beside its own source and the headers; all borrowed. */
struct source_view {
	const struct sandbox_mount *mounts; /* trees of packages that it depends on */
	size_t mount_count;
	const char *const *environment; /* NAME=VALUE of the module's settings */
	size_t environment_count;
};

/*
 * More of one source than this is not kept in memory: it is read, evaluated and built on disk. A
 * build directory becomes several times as large, and is to leave half of what is available.
 */
uint64_t source_memory_maximum(void);
/* Where trees of this source go: the place on disk, or NULL for memory. Also NULL without a place.
 */
const char *source_place(const struct orchestrator *orchestrator, int snapshot_fd);
/*
 * What the command line names: an archive, a directory, or SOURCETREE/M-V. Of a git checkout what
 * its HEAD commit has; of an archive that mktarball made the source.
 */
int source_read_named(const struct orchestrator *orchestrator, struct source *ret_source,
		      struct error **error) must_check;
/*
 * Of a module version that is added: what its link in the DKMS tree leads to. Where it is large,
 * the snapshot is a nameless file on disk, which no other process takes.
 */
int source_read_added(const struct orchestrator *orchestrator, const struct package *package,
		      struct source *ret_source, struct error **error) must_check;
/* view: NULL for nothing more. Reads root's override files of this module, version and kernel. */
int source_evaluate(const struct orchestrator *orchestrator, const struct package *package,
		    const struct source *source, const struct target *target,
		    const struct source_view *view, struct recipe **ret_recipe,
		    struct error **error) must_check;
/* A directory of an archive that was unpacked; "" is all of it. error_code() 9. */
int source_from_part(int snapshot_fd, const char *directory, struct source *ret_source,
		     struct error **error) must_check;
void source_clear(struct source *source);
#define cleanup_source cleanup(source_clear)

#endif
