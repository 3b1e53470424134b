/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dkms.conf as builds evaluate it, see build_evaluate.h. */
#include "orchestrator/build_evaluate.h"

#include <string.h>

static int evaluate(const struct orchestrator *orchestrator, const struct package *package,
		    const struct source *source, const struct target *target,
		    const struct module_settings *settings, const struct dependencies *dependencies,
		    struct recipe **ret_recipe, struct error **error)
{
	const struct source_view view = {
		.mounts = dependencies->mounts,
		.mount_count = dependencies->mount_count,
		.environment = (const char *const *)settings->environment,
		.environment_count = settings->environment_count,
	};

	return source_evaluate(orchestrator, package, source, target, &view, ret_recipe, error);
}

/* With those trees that are there, of the packages that the settings name. */
static int evaluate_first(const struct orchestrator *orchestrator, const struct package *package,
			  const struct source *source, const struct target *target,
			  const struct module_settings *settings, struct recipe **ret_recipe,
			  struct error **error)
{
	cleanup_dependencies struct dependencies seen = { 0 };
	int r = dependencies_glance(orchestrator, target, settings, &seen, error);

	return r < 0 ? r
		     : evaluate(orchestrator, package, source, target, settings, &seen, ret_recipe,
				error);
}

int build_evaluate(const struct orchestrator *orchestrator, const struct package *package,
		   const struct source *source, const struct target *target,
		   struct recipe **ret_recipe, struct error **error)
{
	cleanup_module_settings struct module_settings settings = { 0 };
	int r = 0;

	/* Of an archive the name is not known yet. */
	if (package->module)
		r = module_settings_load(&orchestrator->places, package->module, &settings, error);
	return r < 0 ? r
		     : evaluate_first(orchestrator, package, source, target, &settings, ret_recipe,
				      error);
}

static bool same_depends(const struct recipe *one, const struct recipe *other)
{
	if (one->depend_count != other->depend_count)
		return false;
	for (size_t i = 0; i < one->depend_count; i++) {
		if (!string_equal(one->depends[i], other->depends[i]))
			return false;
	}
	return true;
}

/* Once more, with the trees of what it said that it depends on. */
static int evaluate_again(const struct orchestrator *orchestrator, const struct package *package,
			  const struct source *source, const struct target *target,
			  const struct module_settings *settings,
			  const struct dependencies *dependencies, struct recipe **recipe,
			  struct error **error)
{
	struct recipe *again = NULL;
	int r;

	if ((*recipe)->depend_count == 0)
		return 0;
	r = evaluate(orchestrator, package, source, target, settings, dependencies, &again, error);
	if (r < 0)
		return r;
	if (!same_depends(*recipe, again))
		r = error_refuse(error, EXIT_BAD_CONF, EINVAL,
				 "BUILD_DEPENDS of %s changes with what dkms.conf sees of other "
				 "packages; it must be the same however often it is evaluated",
				 package->module);
	/* What it asked for only the first time was asked for, too. */
	if (!again->denied)
		again->denied = TAKE_PTR((*recipe)->denied);
	(void)recipe_free(*recipe);
	*recipe = again;
	return r;
}

/* A name that is mistyped leaves nothing out. Once a run, not for each kernel. */
static void warn_of_strangers(const struct orchestrator *orchestrator, const struct target *target,
			      const struct module_settings *settings, const struct recipe *recipe)
{
	for (size_t i = 0; target == &orchestrator->targets[0] && i < settings->left_out_count;
	     i++) {
		bool known = false;

		for (size_t j = 0; !known && j < recipe->module_count; j++)
			known = string_equal(settings->left_out[i], recipe->modules[j].built_name);
		if (!known)
			log_warning(orchestrator->log,
				    "leave_out '%s' in modules.d is no module of %s/%s, whose "
				    "dkms.conf calls none so (BUILT_MODULE_NAME)",
				    settings->left_out[i], recipe->package_name,
				    recipe->package_version);
	}
}

/* The modules that root does without, as if BUILD_EXCLUSIVE_* had said so. */
static int leave_out(const struct module_settings *settings, struct recipe *recipe,
		     struct error **error)
{
	size_t rest = 0;

	for (size_t i = 0; i < recipe->module_count; i++) {
		struct recipe_module *module = &recipe->modules[i];

		for (size_t j = 0; !module->excluded && j < settings->left_out_count; j++) {
			if (!string_equal(settings->left_out[j], module->built_name))
				continue;
			module->excluded = strdup("leave_out in modules.d says so");
			if (!module->excluded)
				return error_set_errno(error, ENOMEM, "modules of the package");
		}
		rest += !module->excluded;
	}
	return rest > 0 ? 0
			: error_refuse(error, EXIT_USAGE, EINVAL,
				       "leave_out in modules.d leaves no module of %s/%s",
				       recipe->package_name, recipe->package_version);
}

int build_evaluate_required(const struct orchestrator *orchestrator, const struct package *package,
			    const struct source *source, const struct target *target,
			    const struct module_settings *settings, struct recipe **ret_recipe,
			    struct dependencies *ret_dependencies, struct error **error)
{
	cleanup_dependencies struct dependencies dependencies = { 0 };
	struct recipe *recipe = NULL;
	int r = evaluate_first(orchestrator, package, source, target, settings, &recipe, error);

	if (r == 0)
		r = recipe_check_exclusive(recipe, target->kernel, error);
	if (r == 0) {
		r = dependencies_require(orchestrator, target, settings, recipe, &dependencies,
					 error);
		if (r < 0)
			r = error_context(error, "%s/%s", package->module, package->version);
	}
	if (r == 0)
		r = evaluate_again(orchestrator, package, source, target, settings, &dependencies,
				   &recipe, error);
	if (r == 0) {
		warn_of_strangers(orchestrator, target, settings, recipe);
		r = leave_out(settings, recipe, error);
	}
	if (r < 0) {
		(void)recipe_free(recipe);
		return r;
	}
	*ret_recipe = recipe;
	*ret_dependencies = dependencies;
	dependencies = (struct dependencies){ 0 };
	return 0;
}
