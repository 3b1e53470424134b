/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that change what a kernel can load: install, uninstall, unbuild and remove. */
#include <string.h>

#include "orchestrator/boot_test.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/script.h"

/* What an uninstallation did not touch, because it is not what was installed. */
static void warn_left(const struct orchestrator *orchestrator, const struct target *target,
		      const struct installer_installed *installed)
{
	if (installed->left > 0)
		log_warning(
			orchestrator->log,
			"%u file%s in the module tree of %s left alone: changed since they were "
			"installed",
			installed->left, installed->left == 1 ? "" : "s", target->release);
}

int install_target(struct orchestrator *orchestrator, const struct package *package,
		   const struct target *target, struct error **error)
{
	const struct options *options = orchestrator->options;
	cleanup_scripts struct scripts scripts = { .source = SOURCE_INITIAL };
	struct installer_installed installed;
	enum state state;
	int r = package_state(orchestrator, package, target, &state, error);

	if (r < 0)
		return r;
	if (state == STATE_INSTALLED && !options->force) {
		log_info(orchestrator->log,
			 "Module %s/%s is already installed on kernel %s (%s): skipped. --force "
			 "installs "
			 "it again.",
			 package->module, package->version, target->release, target->architecture);
		return 0;
	}
	/* As dkms: --force installs again what is built, and does not build it again. */
	if (state < STATE_BUILT)
		r = build_target(orchestrator, package, target, error);
	if (r == 0)
		r = boot_test_demanded(orchestrator, package, target, error);
	if (r == 0)
		r = scripts_open(orchestrator, package, target, &scripts, error);
	if (r == 0)
		r = script_run(&scripts, RECIPE_PRE_INSTALL, error);
	if (r == 0)
		r = installer_client_request(orchestrator, INSTALLER_INSTALL, package, target,
					     &installed, error);
	if (r < 0)
		return r;
	warn_left(orchestrator, target, &installed);
	log_info(orchestrator->log, "Installed %s/%s on kernel %s: %u module%s%s%s",
		 package->module, package->version, target->release, installed.files,
		 installed.files == 1 ? "" : "s",
		 installed.originals ? ", the module that was there kept aside" : "",
		 installed.depmod ? ", module index made anew" : "");
	script_run_after(&scripts, RECIPE_POST_INSTALL);
	return 0;
}

int verb_install(struct orchestrator *orchestrator, struct error **error)
{
	int r = add_if_absent(orchestrator, error);

	return r < 0 ? r : for_each_target(orchestrator, install_target, error);
}

/* POST_REMOVE must not keep anybody from getting rid of a package, however broken it is. */
static void run_post_remove(const struct orchestrator *orchestrator, const struct package *package,
			    const struct target *target)
{
	cleanup_scripts struct scripts scripts = { .source = SOURCE_INITIAL };
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	if (scripts_open(orchestrator, package, target, &scripts, &error) == 0) {
		script_run_after(&scripts, RECIPE_POST_REMOVE);
		return;
	}
	text = error_describe(error);
	log_warning(orchestrator->log, "a POST_REMOVE, if there is one, was not run: %s",
		    text ? text : "out of memory");
}

static int uninstall_target(struct orchestrator *orchestrator, const struct package *package,
			    const struct target *target, struct error **error)
{
	struct installer_installed removed;
	int r = installer_client_request(orchestrator, INSTALLER_UNINSTALL, package, target,
					 &removed, error);

	if (r < 0)
		return r;
	warn_left(orchestrator, target, &removed);
	log_info(orchestrator->log, "Uninstalled %s/%s from kernel %s%s%s", package->module,
		 package->version, target->release,
		 removed.originals ? ", the module that was there before is back" : "",
		 removed.depmod ? ", module index made anew" : "");
	run_post_remove(orchestrator, package, target);
	return r;
}

/* Takes one build down to what keep allows. */
static int take_down(struct orchestrator *orchestrator, const struct package *package,
		     const struct target *target, enum state keep, struct error **error)
{
	enum state state;
	int r = package_state(orchestrator, package, target, &state, error);

	if (r == 0 && state == STATE_INSTALLED)
		r = uninstall_target(orchestrator, package, target, error);
	if (r == 0 && state >= STATE_BUILT && keep < STATE_BUILT) {
		r = installer_client_request(orchestrator, INSTALLER_UNBUILD, package, target, NULL,
					     error);
		if (r == 0)
			log_info(orchestrator->log, "Removed the build of %s/%s for kernel %s",
				 package->module, package->version, target->release);
	}
	return r;
}

/* Every build of -m/-v, with --all; else the kernels of the command line that are at least enough.
 */
static int for_builds(struct orchestrator *orchestrator, enum state enough, enum state keep,
		      const char *what, struct error **error)
{
	const struct options *options = orchestrator->options;
	const struct state_trees trees = { .dkms_fd = orchestrator->places.dkms_tree_fd,
					   .source_fd = -1,
					   .install_fd = -1 };
	struct state_list list = { 0 };
	bool found = false;
	int r = 0;

	if (!options->all) {
		for (size_t i = 0; r == 0 && i < orchestrator->target_count; i++) {
			enum state state;

			r = package_state(orchestrator, &orchestrator->package,
					  &orchestrator->targets[i], &state, error);
			/* As dkms: the wished-for end is there already. */
			if (r == 0 && state < enough)
				log_info(orchestrator->log,
					 "Module %s/%s is not %s for kernel %s (%s): skipped",
					 orchestrator->package.module,
					 orchestrator->package.version, what,
					 orchestrator->targets[i].release,
					 orchestrator->targets[i].architecture);
			else if (r == 0)
				r = take_down(orchestrator, &orchestrator->package,
					      &orchestrator->targets[i], keep, error);
		}
		return r;
	}
	r = state_list_load(&trees, orchestrator->package.module, orchestrator->package.version,
			    NULL, NULL, &list, error);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		found = found || (list.entries[i].kernel && list.entries[i].state >= enough);
	if (r == 0 && !found)
		log_info(orchestrator->log, "Module %s/%s is not %s for any kernel: skipped",
			 orchestrator->package.module, orchestrator->package.version, what);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		const struct target target = { .release = list.entries[i].kernel,
					       .architecture = list.entries[i].architecture };

		if (target.release && list.entries[i].state >= enough)
			r = take_down(orchestrator, &orchestrator->package, &target, keep, error);
	}
	state_list_clear(&list);
	return r;
}

static int require_added(struct orchestrator *orchestrator, struct error **error)
{
	enum state state;
	int r = package_state(orchestrator, &orchestrator->package, NULL, &state, error);

	if (r == 0 && state == STATE_ABSENT)
		r = error_refuse(error, EXIT_STATE, ENOENT,
				 "%s/%s is not in the DKMS tree: see kmodbox status",
				 orchestrator->package.module, orchestrator->package.version);
	return r;
}

int verb_uninstall(struct orchestrator *orchestrator, struct error **error)
{
	int r = require_added(orchestrator, error);

	return r < 0 ? r
		     : for_builds(orchestrator, STATE_INSTALLED, STATE_BUILT, "installed", error);
}

int verb_unbuild(struct orchestrator *orchestrator, struct error **error)
{
	int r = require_added(orchestrator, error);

	return r < 0 ? r : for_builds(orchestrator, STATE_BUILT, STATE_ADDED, "built", error);
}

static int has_builds(const struct orchestrator *orchestrator, bool *ret_has, struct error **error)
{
	const struct state_trees trees = { .dkms_fd = orchestrator->places.dkms_tree_fd,
					   .source_fd = -1,
					   .install_fd = -1 };
	struct state_list list = { 0 };
	int r = state_list_load(&trees, orchestrator->package.module, orchestrator->package.version,
				NULL, NULL, &list, error);

	if (r < 0)
		return r;
	*ret_has = false;
	for (size_t i = 0; i < list.count; i++)
		*ret_has = *ret_has || list.entries[i].kernel;
	state_list_clear(&list);
	return 0;
}

/* As dkms: what was only added goes as a whole; so does a version whose last build went. */
int verb_remove(struct orchestrator *orchestrator, struct error **error)
{
	bool built = false;
	int r = require_added(orchestrator, error);

	if (r == 0)
		r = has_builds(orchestrator, &built, error);
	if (r == 0 && built) {
		r = for_builds(orchestrator, STATE_BUILT, STATE_ADDED, "built", error);
		if (r == 0)
			r = has_builds(orchestrator, &built, error);
	}
	if (r < 0 || built)
		return r;
	r = installer_client_request(orchestrator, INSTALLER_REMOVE, &orchestrator->package, NULL,
				     NULL, error);
	if (r == 0)
		log_info(orchestrator->log, "Removed %s/%s from the DKMS tree",
			 orchestrator->package.module, orchestrator->package.version);
	return r;
}
