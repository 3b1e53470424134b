/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dkms.conf as the builds of a package evaluate it: with the environment of its settings, and the
 * trees of the packages that it depends on.
 */
#ifndef KMODBOX_ORCHESTRATOR_BUILD_EVALUATE_H
#define KMODBOX_ORCHESTRATOR_BUILD_EVALUATE_H

#include "orchestrator/dependencies.h"
#include "orchestrator/module_settings.h"
#include "orchestrator/source.h"

/* For all that is not yet, or no longer, a build: with what there is of the trees. */
int build_evaluate(const struct orchestrator *orchestrator, const struct package *package,
		   const struct source *source, const struct target *target,
		   struct recipe **ret_recipe, struct error **error) must_check;
/*
 * For a build: what it depends on is required (error_code() 13), and seen by dkms.conf too.
 * Settings are those of the package.
 */
int build_evaluate_required(const struct orchestrator *orchestrator, const struct package *package,
			    const struct source *source, const struct target *target,
			    const struct module_settings *settings, struct recipe **ret_recipe,
			    struct dependencies *ret_dependencies, struct error **error) must_check;

#endif
