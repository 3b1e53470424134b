/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The packages that the build of another one needs: BUILD_DEPENDS of its dkms.conf, and `depends`
 * of its settings. Their trees are shown to the build, what they built is given to the signer, and
 * which they were goes into the record.
 */
#ifndef KMODBOX_ORCHESTRATOR_DEPENDENCIES_H
#define KMODBOX_ORCHESTRATOR_DEPENDENCIES_H

#include "lib/recipes/recipe.h"
#include "orchestrator/module_settings.h"
#include "orchestrator/orchestrator.h"
#include "orchestrator/signer_client.h"

struct dependency {
	char *module;
	char *version;
	/*
	 * The ticket of its build for this kernel, a sealed memfd; -1: it was not built by kmodbox.
	 * Read, not verified: the signer takes none that is not its own.
	 */
	int ticket_fd;
	struct digest ticket;
	struct digest source;
	char **file_names; /* "compat_xtables.ko.xz" */
	int *file_fds;	   /* sealed memfds */
	size_t file_count;
};

struct dependencies {
	struct dependency *list;
	size_t count;
	struct sandbox_mount *mounts; /* /var/lib/dkms/M and /usr/src/M-V of each */
	size_t mount_count;
	char **paths; /* that mounts borrow */
	size_t path_count;
};

/*
 * For the build of recipe: what dkms.conf names must be installed for target, what the settings
 * name at least built; error_code() 13 with what is missing, and how to get it. A mount stands
 * once, however often a package is named.
 */
int dependencies_require(const struct orchestrator *orchestrator, const struct target *target,
			 const struct module_settings *settings, const struct recipe *recipe,
			 struct dependencies *ret_dependencies, struct error **error) must_check;
/* For evaluation, before the recipe is known: what there is of those that the settings name. */
int dependencies_glance(const struct orchestrator *orchestrator, const struct target *target,
			const struct module_settings *settings,
			struct dependencies *ret_dependencies, struct error **error) must_check;
/* All files as the signer takes them; to be freed. NULL where memory is out. */
struct signer_dependency *dependencies_files(const struct dependencies *dependencies,
					     size_t *ret_count) must_check;
void dependencies_clear(struct dependencies *dependencies);
#define cleanup_dependencies cleanup(dependencies_clear)

#endif
