/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a package's code sees when it is run, as DKMS's users expect it: its source at /usr/src/M-V,
 * the DKMS tree's paths, the kernel's headers, trees of packages that it depends on; and DKMS's
 * variables. Nothing of it is the host's to write to.
 */
#ifndef KMODBOX_ORCHESTRATOR_BUILD_VIEW_H
#define KMODBOX_ORCHESTRATOR_BUILD_VIEW_H

#include "orchestrator/build_step.h"

#define BUILD_VIEW_ENVIRONMENT 96
#define BUILD_VIEW_PATHS 12
#define BUILD_SHELL_ARGUMENTS 11

/* Trees by their place in the spec, and so in the result; a script has the first two. */
enum build_tree { TREE_SOURCE, TREE_OWN, TREE_BUILD, TREE_MODULE, BUILD_TREES };

struct build_view {
	struct sandbox_tree trees[BUILD_TREES];
	size_t tree_count; /* TREE_MODULE is there only with a POST_BUILD */
	struct sandbox_mount *mounts;
	size_t mount_count;
	struct sandbox_symlink symlinks[3];
	size_t symlink_count;
	char *environment[BUILD_VIEW_ENVIRONMENT + 1];
	size_t environment_count;
	char *paths[BUILD_VIEW_PATHS]; /* owned texts of the above */
	size_t path_count;
	const char *shell[BUILD_SHELL_ARGUMENTS]; /* build.sh, up to its first five arguments */
	char *module_path;			  /* "/var/lib/dkms/M/V/K/A/module"; of paths */
	char *source_link;			  /* "/var/lib/dkms/M/V/source"; of paths */
};

/* For build->recipe in build->target, as build->settings and build->dependencies have it. */
int build_view_make(struct build *build, struct build_view *view, struct error **error) must_check;
/*
 * The same for a script that is no part of a build: the source, read-only. tell_kernel: with DKMS's
 * variables.
 */
int build_view_make_script(struct build *build, struct build_view *view, bool tell_kernel,
			   struct error **error) must_check;
/* Puts it into a description; both are borrowed until the sandbox has run. */
void build_view_apply(const struct build_view *view, struct sandbox_spec *spec);
void build_view_clear(struct build_view *view);
#define cleanup_build_view cleanup(build_view_clear)

#endif
