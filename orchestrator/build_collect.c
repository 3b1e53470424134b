/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is taken out of a build whose processes are all dead: modules and data. See build_step.h. */
#include <string.h>

#include "orchestrator/build_view.h"

#define DATA_MAXIMUM (UINT64_C(64) << 20) /* as the installer has it */

uint64_t build_module_maximum(const struct build *build, size_t index)
{
	uint64_t rest = build->limits.artifact_bytes;

	for (size_t i = 0; i < build->recipe->module_count; i++)
		rest -= i == index ? 0 : build->artifacts[i].size;
	return rest < BUILD_MODULE_MAXIMUM ? rest : BUILD_MODULE_MAXIMUM;
}

/* Which limit a file of -EFBIG hit; how large it is the error says. */
static int explain_limit(const struct build *build, int result, uint64_t maximum,
			 struct error **error)
{
	const uint64_t all = build->limits.artifact_bytes;
	const bool whole = all % (UINT64_C(1) << 20) == 0;

	if (result != -EFBIG)
		return result;
	if (maximum == BUILD_MODULE_MAXIMUM)
		return error_context(error, "the build hit a limit: size of one module (%llu MiB)",
				     (unsigned long long)(maximum >> 20));
	return error_context(error,
			     "the build hit a limit: size of all modules (%llu %s), "
			     "'artifact_bytes' in [limits] of modules.d/%s.conf",
			     (unsigned long long)(whole ? all >> 20 : all), whole ? "MiB" : "bytes",
			     build->recipe->package_name);
}

/* From where the build left it; with a POST_BUILD, from the copy that it may have worked on. */
static int collect_module(struct build *build, size_t index, bool copied, struct error **error)
{
	const struct recipe_module *module = &build->recipe->modules[index];
	const int *fds = build->result.tree_fds;
	cleanup_free char *path =
		copied ? format_string("module/%s.ko", module->dest_name)
		       : format_string("%s%s.ko", module->built_location, module->built_name);
	struct artifact *artifact = &build->artifacts[index];
	const uint64_t maximum = build_module_maximum(build, index);
	int r;

	if (!path)
		return error_set_errno(error, ENOMEM, "artifacts");
	r = collect_file(fds[copied ? TREE_MODULE : TREE_BUILD], path, maximum, artifact, error);
	r = explain_limit(build, r, maximum, error);
	/* strip would fail on it without a word. */
	if (r == 0 && artifact->size == 0)
		r = error_refuse(error, EXIT_NO_MODULE, ENODATA,
				 "the build left %s empty; see its log", path);
	return r;
}

static int collect_modules(struct build *build, struct error **error)
{
	const struct recipe *recipe = build->recipe;
	bool copied = build->progress.copied && build->result.tree_fds[TREE_MODULE] >= 0;
	int r = 0;

	build->artifacts = calloc(recipe->module_count, sizeof(*build->artifacts));
	if (!build->artifacts)
		return error_set_errno(error, ENOMEM, "artifacts");
	for (size_t i = 0; i < recipe->module_count; i++)
		build->artifacts[i].fd = -1;
	for (size_t i = 0; r == 0 && i < recipe->module_count; i++) {
		if (!recipe->modules[i].excluded)
			r = collect_module(build, i, copied, error);
	}
	if (r == 0 && recipe->scripts[RECIPE_POST_BUILD] && !copied)
		r = error_refuse(error, EXIT_NO_MODULE, EIO,
				 "the modules could not be copied for POST_BUILD; see the log");
	return r;
}

static int add_data(struct build *build, int tree_fd, const char *path, struct error **error)
{
	struct artifact *artifact = &build->data[build->data_count];
	const char *slash = strrchr(path, '/');
	char *name;
	int r;

	*artifact = (struct artifact){ .fd = -1 };
	r = collect_file(tree_fd, path, DATA_MAXIMUM, artifact, error);
	if (r < 0)
		return r;
	name = strdup(slash ? slash + 1 : path);
	if (!name) {
		artifact_clear(artifact);
		return error_set_errno(error, ENOMEM, "data of the build");
	}
	free(artifact->name);
	artifact->name = name;
	build->data_count++;
	return 0;
}

/* What kbuild says that the modules export, as DKMS keeps it; believed by nobody here. */
static int collect_symvers(struct build *build, struct error **error)
{
	static const char name[] = "Module.symvers";
	const struct recipe *recipe = build->recipe;
	cleanup_error struct error *reason = NULL;
	cleanup_free char *beside = NULL;
	size_t first = 0;
	int r = add_data(build, build->result.tree_fds[TREE_BUILD], name, &reason);

	while (first < recipe->module_count && recipe->modules[first].excluded)
		first++;
	if (r == -ENOENT && first < recipe->module_count &&
	    recipe->modules[first].built_location[0]) {
		reason = error_free(reason);
		beside = format_string("%s%s", recipe->modules[first].built_location, name);
		r = beside ? add_data(build, build->result.tree_fds[TREE_BUILD], beside, &reason)
			   : -ENOMEM;
	}
	if (r == -ENOMEM)
		return error_set_errno(error, ENOMEM, "data of the build");
	if (r < 0 && r != -ENOENT) {
		cleanup_free char *text = error_describe(reason);

		build_log_note(&build->log, "# %s is not kept: %s", name, text ? text : "");
	}
	return 0;
}

static int collect_output(struct build *build, const char *path, struct error **error)
{
	const int *fds = build->result.tree_fds;
	cleanup_error struct error *reason = NULL;
	cleanup_free char *text = NULL;
	int r = -ENOENT;

	if (fds[TREE_MODULE] >= 0)
		r = add_data(build, fds[TREE_MODULE], path, NULL);
	if (r == -ENOENT)
		r = add_data(build, fds[TREE_BUILD], path, &reason);
	if (r == 0)
		return 0;
	if (r == -ENOENT)
		return error_refuse(error, EXIT_NO_MODULE, ENOENT,
				    "the build made no %s, which 'extra_outputs' of the module's "
				    "settings names; correct the setting, or see the log",
				    path);
	text = error_describe(reason);
	return error_refuse(error, r == -EFBIG ? EXIT_LIMIT : EXIT_NO_MODULE, -r,
			    "%s, which 'extra_outputs' of the module's settings names, cannot be "
			    "taken: %s",
			    path, text ? text : "it is no regular file");
}

int build_step_collect(struct build *build, struct error **error)
{
	const struct module_settings *settings = build->settings;
	int r = collect_modules(build, error);

	if (r < 0)
		return r;
	build->data = calloc(settings->extra_output_count + 1, sizeof(*build->data));
	if (!build->data)
		return error_set_errno(error, ENOMEM, "data of the build");
	r = collect_symvers(build, error);
	for (size_t i = 0; r == 0 && i < settings->extra_output_count; i++)
		r = collect_output(build, settings->extra_outputs[i], error);
	return r;
}
