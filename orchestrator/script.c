/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scripts that are no part of a build, see script.h. */
#include "orchestrator/script.h"

#include <string.h>

#include "orchestrator/build_evaluate.h"
#include "orchestrator/build_view.h"

#define LINE_MAXIMUM 512
#define WALL_MILLISECONDS 120000
#define OUTPUT_MAXIMUM (UINT64_C(1) << 20) /* all of it goes to the terminal */

/* Its output, a line at a time. */
struct output {
	const struct log *log;
	char line[LINE_MAXIMUM];
	size_t length;
};

const char *script_name(enum recipe_script script)
{
	static const char *const names[RECIPE_SCRIPTS] = {
		[RECIPE_PRE_BUILD] = "PRE_BUILD",     [RECIPE_POST_BUILD] = "POST_BUILD",
		[RECIPE_PRE_INSTALL] = "PRE_INSTALL", [RECIPE_POST_INSTALL] = "POST_INSTALL",
		[RECIPE_POST_ADD] = "POST_ADD",	      [RECIPE_POST_REMOVE] = "POST_REMOVE",
	};

	return names[script];
}

static void end_line(struct output *output)
{
	output->line[output->length] = '\0';
	if (output->length > 0)
		log_info(output->log, "  %s", output->line);
	output->length = 0;
}

/* Hostile bytes; log_info() sanitises. */
static void take_output(void *context, const void *bytes, size_t length)
{
	struct output *output = context;
	const char *at = bytes;

	for (size_t i = 0; i < length; i++) {
		if (at[i] == '\n')
			end_line(output);
		else if (at[i] && output->length < sizeof(output->line) - 1)
			output->line[output->length++] = at[i];
	}
}

static int run(struct build *build, enum recipe_script script, struct sandbox_result *ret_result,
	       struct error **error)
{
	bool tell_kernel = script == RECIPE_PRE_INSTALL || script == RECIPE_POST_INSTALL;
	const char *argv[BUILD_SHELL_ARGUMENTS + 4] = { 0 };
	struct sandbox_spec spec = build->orchestrator->sandbox;
	cleanup_build_view struct build_view view = { 0 };
	struct output output = { .log = build->orchestrator->log };
	int r = build_view_make_script(build, &view, tell_kernel, error);

	if (r < 0)
		return r;
	build_view_apply(&view, &spec);
	memcpy(argv, view.shell, sizeof(view.shell));
	argv[BUILD_SHELL_ARGUMENTS] = "script";
	argv[BUILD_SHELL_ARGUMENTS + 1] = script_name(script);
	argv[BUILD_SHELL_ARGUMENTS + 2] = build->recipe->scripts[script];
	spec.argv = argv;
	spec.directory = view.source_link;
	spec.limits.wall_milliseconds = WALL_MILLISECONDS;
	spec.limits.log_bytes = OUTPUT_MAXIMUM;
	spec.report_maximum = 64;
	spec.output = take_output;
	spec.output_context = &output;
	r = sandbox_run(&spec, ret_result, error);
	end_line(&output);
	return r;
}

/* One line for the one who runs kmodbox: what came of it, and that it changed nothing here. */
static void warn(const struct scripts *scripts, enum recipe_script script,
		 const struct sandbox_result *result, const char *ended)
{
	const struct orchestrator *orchestrator = scripts->orchestrator;
	const struct recipe *recipe = scripts->recipe;
	const char *words = recipe->scripts[script];
	const int length = (int)strcspn(words, " ");

	if (result->report.data && string_ends_with(result->report.data, " skipped\n"))
		log_warning(orchestrator->log,
			    "%s/%s: %s was not run: its script %.*s is not executable",
			    recipe->package_name, recipe->package_version, script_name(script),
			    length, words);
	else
		log_warning(orchestrator->log,
			    "%s/%s: %s %s; sealed off, it changed nothing on this host: review "
			    "%s/%s-%s/%.*s, and do by hand what is needed of it",
			    recipe->package_name, recipe->package_version, script_name(script),
			    ended, orchestrator->places.source_tree, recipe->package_name,
			    recipe->package_version, length, words);
}

static int judge(const struct scripts *scripts, enum recipe_script script,
		 const struct sandbox_result *result, struct error **error)
{
	const struct recipe *recipe = scripts->recipe;
	cleanup_free char *ended = sandbox_result_describe(result);
	bool good = result->end == SANDBOX_EXITED && result->status == 0;

	if (!ended)
		return error_set(error, ENOMEM, "out of memory");
	if (result->end == SANDBOX_CANCELLED)
		return error_refuse(error, EXIT_INTERRUPTED, ECANCELED, "%s was interrupted",
				    script_name(script));
	if (!good && script == RECIPE_PRE_INSTALL && !scripts->orchestrator->options->force)
		return error_refuse(error, EXIT_PRE_INSTALL, ECHILD,
				    "PRE_INSTALL of %s/%s (%s) %s: nothing is installed; --force "
				    "installs all the same",
				    recipe->package_name, recipe->package_version,
				    recipe->scripts[script], ended);
	warn(scripts, script, result, good ? "was run" : ended);
	return 0;
}

int script_run(const struct scripts *scripts, enum recipe_script script, struct error **error)
{
	static const struct module_settings settings;
	static const struct dependencies dependencies;
	const struct recipe *recipe = scripts->recipe;
	cleanup_overlay struct overlay overlay = { 0 };
	struct sandbox_result result;
	struct build build = { .orchestrator = scripts->orchestrator,
			       .target = scripts->target,
			       .recipe = recipe,
			       .settings = &settings,
			       .dependencies = &dependencies,
			       .overlay = &overlay,
			       .jobs = build_jobs(scripts->orchestrator->options),
			       .snapshot_fd = scripts->source.snapshot_fd };
	int r;

	if (!recipe || !recipe->scripts[script])
		return 0;
	r = overlay_load(&scripts->orchestrator->places, recipe, &overlay, error);
	if (r == 0)
		r = run(&build, script, &result, error);
	if (r < 0)
		return r;
	r = judge(scripts, script, &result, error);
	sandbox_result_clear(&result);
	return r;
}

void script_run_after(const struct scripts *scripts, enum recipe_script script)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	if (script_run(scripts, script, &error) == 0)
		return;
	text = error_describe(error);
	log_warning(scripts->orchestrator->log, "%s was not run: %s", script_name(script),
		    text ? text : "out of memory");
}

int scripts_open(const struct orchestrator *orchestrator, const struct package *package,
		 const struct target *target, struct scripts *ret_scripts, struct error **error)
{
	cleanup_scripts struct scripts scripts = { .orchestrator = orchestrator,
						   .target = target,
						   .source = SOURCE_INITIAL };
	int r = source_read_added(orchestrator, package, &scripts.source, NULL);

	/* What is gone, or cannot be read, has no scripts. */
	if (r == 0) {
		r = build_evaluate(orchestrator, package, &scripts.source, target, &scripts.recipe,
				   error);
		if (r < 0)
			return r;
	}
	*ret_scripts = scripts;
	scripts = (struct scripts){ .source = SOURCE_INITIAL };
	return 0;
}

void scripts_close(struct scripts *scripts)
{
	scripts->recipe = recipe_free(scripts->recipe);
	source_clear(&scripts->source);
}
