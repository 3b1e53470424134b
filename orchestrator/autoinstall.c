/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb autoinstall: of every module that is added the highest version, unless it is installed
 * or does not ask for it. What is told at the end is what DKMS tells; so is the exit code.
 */
#include <fcntl.h>
#include <string.h>

#include "lib/recipes/version.h"
#include "orchestrator/plan.h"
#include "orchestrator/weak.h"

#define SWITCHED_OFF "no-autoinstall"

/* The packages are sorted by name: versions of one module stand together. */
static int find_latest(struct plan *plan, struct error **error)
{
	const struct orchestrator *orchestrator = plan->orchestrator;

	for (size_t i = 0; i < orchestrator->package_count; i++) {
		const struct package *package = &orchestrator->packages[i];
		struct plan_item *last = plan->count ? &plan->items[plan->count - 1] : NULL;
		enum state state;
		int r = package_state(orchestrator, package, NULL, &state, error);

		if (r < 0)
			return r;
		if (state < STATE_ADDED) {
			log_warning(orchestrator->log,
				    "%s/%s is broken and left out: its source is gone; remove it, "
				    "or put the source back",
				    package->module, package->version);
			continue;
		}
		if (!last || !string_equal(last->package->module, package->module))
			plan->items[plan->count++].package = package;
		else if (version_compare(package->version, last->package->version) > 0)
			last->package = package;
	}
	return 0;
}

static int is_present(const struct plan *plan, const struct package *package, bool *ret_present,
		      struct error **error)
{
	const struct places *places = &plan->orchestrator->places;
	enum state state;
	int r = package_state(plan->orchestrator, package, plan->target, &state, error);

	if (r < 0)
		return r;
	*ret_present = state == STATE_INSTALLED;
	return *ret_present
		       ? 0
		       : weak_is_installed(places->dkms_tree_fd, places->install_tree_fd,
					   package->module, package->version, plan->target->release,
					   plan->target->architecture, ret_present, error);
}

/* Only those to be installed keep their recipe. */
static int choose(struct plan *plan, struct error **error)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_item *item = &plan->items[i];
		bool present;
		int r = is_present(plan, item->package, &present, error);

		if (r < 0)
			return r;
		if (present) {
			item->outcome = PLAN_PRESENT;
			continue;
		}
		plan_evaluate(plan, item);
		if (item->recipe && !item->recipe->autoinstall)
			item->recipe = recipe_free(item->recipe);
	}
	return 0;
}

static int conclude(const struct plan *plan, struct error **error)
{
	static const char *const words[PLAN_OUTCOMES] = {
		[PLAN_PRESENT] = "installed before",
		[PLAN_INSTALLED] = "installed",
		[PLAN_SKIPPED] = "not meant for it",
		[PLAN_DEFERRED] = "deferred",
	};
	const char *release = plan->target->release;
	cleanup_text struct text failed = { 0 };
	int r = plan_summarise(plan, PLAN_FAILED, &failed);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(words); i++) {
		cleanup_text struct text text = { 0 };

		if (!words[i])
			continue;
		r = plan_summarise(plan, (enum plan_outcome)i, &text);
		if (r == 0 && text.length > 0)
			log_info(plan->orchestrator->log, "Autoinstall on kernel %s, %s:%s",
				 release, words[i], text.data);
	}
	if (r < 0)
		return error_set_errno(error, -r, "autoinstall");
	return failed.length == 0 ? 0
				  : error_refuse(error, EXIT_AUTOINSTALL, EIO,
						 "autoinstall on kernel %s failed for:%s; each "
						 "reason is told above",
						 release, failed.data);
}

int verb_autoinstall(struct orchestrator *orchestrator, struct error **error)
{
	const struct places *places = &orchestrator->places;
	cleanup_plan struct plan plan = { 0 };
	int r;

	if (places->dkms_config_fd >= 0 &&
	    faccessat(places->dkms_config_fd, SWITCHED_OFF, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		log_info(orchestrator->log,
			 "Nothing is installed: %s/" SWITCHED_OFF " switches autoinstall off",
			 places->dkms_config);
		return 0;
	}
	r = plan_init(&plan, orchestrator, &orchestrator->targets[0], orchestrator->package_count,
		      error);
	if (r == 0)
		r = find_latest(&plan, error);
	if (r == 0)
		r = choose(&plan, error);
	if (r == 0)
		r = plan_run(&plan, true, error);
	return r < 0 ? r : conclude(&plan, error);
}
