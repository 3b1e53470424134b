/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The build itself, see build_step.h; its shell is build.sh. */
#include "orchestrator/build_step.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "orchestrator/build_view.h"

#define ARGUMENTS_FIXED (BUILD_SHELL_ARGUMENTS + 10)
#define SHELL_MILLISECONDS (UINT64_C(7) * 24 * 3600 * 1000) /* a person may think for long */

static int out_of_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "build");
}

/* A leading "make" gets the jobs and the kernel; 'make' in quotes is left alone. As DKMS. */
static char *rewrite_make(const struct build *build)
{
	const char *make = build->recipe->make;
	const char *llvm = build->target->kernel->clang ? " LLVM=1" : "";

	if (!string_starts_with(make, "make"))
		return format_string("%s%s", make, llvm);
	return format_string("make -j%u KERNELRELEASE=%s%s%s", build->jobs, build->target->release,
			     make + strlen("make"), llvm);
}

unsigned build_jobs(const struct options *options)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (options->jobs_given && options->jobs > 0)
		return options->jobs;
	return processors > 0 ? (unsigned)processors : 1;
}

/* What build.sh is called with. */
struct arguments {
	const char **argv;
	char **owned;
	size_t count;
	size_t owned_count;
};

static void arguments_clear(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->owned_count; i++)
		free(arguments->owned[i]);
	free(arguments->owned);
	free(arguments->argv);
}

static int add(struct arguments *arguments, char *text)
{
	if (!text)
		return -ENOMEM;
	arguments->owned[arguments->owned_count++] = text;
	arguments->argv[arguments->count++] = text;
	return 0;
}

/* Of `kmodbox shell`: what comes before the build's own arguments. */
static int add_shell(struct arguments *arguments, const struct build_shell *shell, size_t count)
{
	arguments->argv[arguments->count++] = "shell";
	arguments->argv[arguments->count++] = shell->terminal_type;
	for (size_t i = 0; i < count; i++)
		arguments->argv[arguments->count + 1 + i] = shell->command[i];
	if (add(arguments, format_string("%zu", count)) < 0)
		return -ENOMEM;
	arguments->count += count;
	return 0;
}

static int fill_arguments(const struct build *build, const struct build_view *view,
			  const struct build_shell *shell, struct arguments *arguments)
{
	const struct recipe *recipe = build->recipe;
	const char *const *scripts = (const char *const *)recipe->scripts;
	const char *const fixed[] = {
		"build",
		build->command,
		scripts[RECIPE_PRE_BUILD] ? scripts[RECIPE_PRE_BUILD] : "",
		scripts[RECIPE_POST_BUILD] ? scripts[RECIPE_POST_BUILD] : "",
		view->module_path,
	};
	size_t command_count = 0, most;
	int r = 0;

	while (shell && shell->command && shell->command[command_count])
		command_count++;
	most = ARGUMENTS_FIXED + command_count + recipe->patch_count + 2 * recipe->module_count;
	arguments->argv = calloc(most, sizeof(*arguments->argv));
	arguments->owned = calloc(most, sizeof(*arguments->owned));
	if (!arguments->argv || !arguments->owned)
		return -ENOMEM;
	for (size_t i = 0; i < BUILD_SHELL_ARGUMENTS; i++)
		arguments->argv[arguments->count++] = view->shell[i];
	if (shell)
		r = add_shell(arguments, shell, command_count);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		arguments->argv[arguments->count++] = fixed[i];
	r = r ? r : add(arguments, format_string("%zu", recipe->patch_count));
	for (size_t i = 0; i < recipe->patch_count; i++)
		arguments->argv[arguments->count++] = recipe->patches[i];
	for (size_t i = 0; r == 0 && i < recipe->module_count; i++) {
		const struct recipe_module *module = &recipe->modules[i];

		if (module->excluded)
			continue;
		r = add(arguments,
			format_string("%s%s.ko", module->built_location, module->built_name));
		r = r ? r : add(arguments, format_string("%s.ko", module->dest_name));
	}
	return r;
}

/* "PRE_BUILD exited with 2", of a script that does not end a build; NULL: nothing to tell. */
static char *describe_script(const struct build *build, enum build_stage stage,
			     enum recipe_script script)
{
	const struct build_progress *progress = &build->progress;
	const char *words = build->recipe->scripts[script];

	if (!words)
		return NULL;
	if (progress->ends[stage] == STAGE_NOT_EXECUTABLE)
		return format_string("%s was not run: its script %.*s is not executable",
				     build_stage_name(stage), (int)strcspn(words, " "), words);
	if (progress->ends[stage] == STAGE_EXITED && progress->statuses[stage] != 0)
		return format_string("%s exited with %d", build_stage_name(stage),
				     progress->statuses[stage]);
	return NULL;
}

static char *make_hint(const struct build *build, enum build_hint hint, enum build_stage stage)
{
	cleanup_free char *settings =
		module_settings_path(&build->orchestrator->places, build->recipe->package_name);

	return settings ? build_hint_text(hint, build_stage_name(stage), settings) : NULL;
}

int build_step_suggest(const struct build *build, enum build_hint hint, struct error **error)
{
	/* As in judge_make(): where PRE_BUILD came to nothing, that is what to look at. */
	cleanup_free char *before = describe_script(build, STAGE_PRE_BUILD, RECIPE_PRE_BUILD);
	cleanup_free char *words =
		make_hint(build, hint, before ? STAGE_PRE_BUILD : build->progress.last);
	cleanup_free char *text = error ? error_describe(*error) : NULL;
	int code, number;

	if (!words || !text)
		return error_context(error, "%s", build_stage_name(build->progress.last));
	code = error_code(*error);
	number = error_number(*error);
	*error = error_free(*error);
	return error_refuse(error, code, number, "%s%s", text, words);
}

/* Beside what a build has: time, and a terminal or somebody who reads. */
static void describe_shell(const struct build_shell *shell, struct sandbox_spec *spec)
{
	spec->seccomp = shell->seccomp;
	spec->limits.wall_milliseconds = SHELL_MILLISECONDS;
	spec->limits.silence_milliseconds = SHELL_MILLISECONDS;
	spec->terminal_fd = shell->terminal_fd;
	spec->output = shell->output;
	spec->output_context = shell->output_context;
}

/* shell: NULL for a build. */
static int run(struct build *build, const struct build_view *view, const struct build_shell *shell,
	       struct error **error)
{
	cleanup(arguments_clear) struct arguments arguments = { 0 };
	struct sandbox_spec spec = build->orchestrator->sandbox;
	int r;

	if (fill_arguments(build, view, shell, &arguments) < 0)
		return out_of_memory(error);
	build_view_apply(view, &spec);
	spec.argv = arguments.argv;
	spec.directory = view->trees[TREE_BUILD].path;
	spec.seccomp = &build->profile->program;
	spec.network = build->profile->settings.network == PROFILE_YES;
	spec.optional = build->profile->settings.optional;
	spec.limits = build->limits;
	build->log.maximum = build->limits.log_bytes;
	spec.limits.log_bytes *= BUILD_LOG_FACTOR;
	spec.report_maximum = BUILD_PROGRESS_MAXIMUM;
	spec.output = build_log_output;
	spec.output_context = &build->log;
	if (shell)
		describe_shell(shell, &spec);
	r = sandbox_run(&spec, &build->result, error);
	return r < 0 && error && error_code(*error) == EXIT_LIMIT
		       ? build_step_suggest(build, HINT_SCRATCH, error)
		       : r;
}

static int judge_patch(const struct build *build, const char *reason, struct error **error)
{
	const struct recipe *recipe = build->recipe;
	const struct build_progress *progress = &build->progress;
	const char *patch = recipe->patches[progress->patch];

	if (progress->ends[STAGE_PATCH] == STAGE_MISSING)
		return error_refuse(error, EXIT_ALREADY_INSTALLED, ENOENT,
				    "patch %s of dkms.conf is neither in patches/ of the source "
				    "nor in %s/%s/patches",
				    patch, build->orchestrator->places.dkms_config,
				    recipe->package_name);
	return error_refuse(error, EXIT_INSTALL_ABORTED, ECHILD, "patch %s does not apply: %s",
			    patch, reason ? reason : "patch(1) failed");
}

/* Why make failed, and what may have led to it. */
static int judge_make(struct build *build, const char *reason, const char *ended,
		      struct error **error)
{
	cleanup_free char *before = describe_script(build, STAGE_PRE_BUILD, RECIPE_PRE_BUILD);
	/* A script's failure is no end, but what comes to nothing by it is. */
	cleanup_free char *hint =
		make_hint(build, build->log.hint, before ? STAGE_PRE_BUILD : build->progress.last);

	if (!hint)
		return out_of_memory(error);
	/* Nobody was left who could say why; who just had the word may have written anything. */
	if (build->result.end == SANDBOX_SIGNALLED && !*build->log.first_error)
		reason = NULL;
	return error_refuse(error, EXIT_MAKE_FAILED, ECHILD, "%s%s%s%s%s%s",
			    reason ? reason : build_stage_name(build->progress.last),
			    reason ? "" : " ", reason ? "" : ended, before ? "; before that, " : "",
			    before ? before : "", hint);
}

/* Turns how the sandbox ended into the error that the user reads. */
static int judge(struct build *build, struct error **error)
{
	cleanup_free char *ended = sandbox_result_describe(&build->result);
	cleanup_free char *reason = build_log_reason(&build->log);
	const char *stage = build_stage_name(build->progress.last);

	if (build->result.end == SANDBOX_EXITED && build->result.status == 0)
		return 0;
	if (!ended)
		return out_of_memory(error);
	if (build->result.end == SANDBOX_LIMIT) {
		const char *limit = build->result.limit;
		enum build_hint which = string_starts_with(limit, "scratch")  ? HINT_SCRATCH
					: string_starts_with(limit, "output") ? HINT_OUTPUT
									      : HINT_NONE;
		cleanup_free char *hint = make_hint(build, which, build->progress.last);

		return error_refuse(error, EXIT_LIMIT, ECHILD, "%s %s%s", stage, ended,
				    hint ? hint : "");
	}
	if (build->result.end == SANDBOX_CANCELLED)
		return error_refuse(error, EXIT_INTERRUPTED, ECHILD, "%s %s", stage, ended);
	if (build->progress.last == STAGE_ENVIRONMENT)
		return error_refuse(error, EXIT_MAKE_FAILED, ECHILD,
				    "the build_environment of framework.conf %s: it may only set "
				    "variables",
				    ended);
	if (build->progress.last == STAGE_PATCH)
		return judge_patch(build, reason, error);
	return judge_make(build, reason, ended, error);
}

/* DKMS lets a build go on where a script fails, or is none. So do we, but not without a word. */
static void warn_of_scripts(const struct build *build)
{
	static const struct {
		enum build_stage stage;
		enum recipe_script script;
	} rows[] = { { STAGE_PRE_BUILD, RECIPE_PRE_BUILD },
		     { STAGE_POST_BUILD, RECIPE_POST_BUILD } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = describe_script(build, rows[i].stage, rows[i].script);

		if (text)
			log_warning(build->orchestrator->log,
				    "%s/%s: %s; the build went on, as under dkms",
				    build->recipe->package_name, build->recipe->package_version,
				    text);
	}
}

/* What it was refused stands at the log's end, where who looks for a failure's reason looks. */
static void note_denied(struct build *build, const char *who, const struct denied_calls *calls)
{
	cleanup_text struct text text = { 0 };

	if (calls && denied_append_summary(calls, &text) == 0)
		build_log_note(&build->log, "# %s tried, and was refused: %s", who, text.data);
}

static int prepare(struct build *build, struct build_view *view, struct error **error)
{
	build->jobs = build_jobs(build->orchestrator->options);
	if (build->limits.processors && build->limits.processors < build->jobs)
		build->jobs = (unsigned)build->limits.processors;
	build->command = rewrite_make(build);
	if (!build->command)
		return out_of_memory(error);
	return build_view_make(build, view, error);
}

int build_step_shell(struct build *build, const struct build_shell *shell, struct error **error)
{
	cleanup_build_view struct build_view view = { 0 };
	int r = prepare(build, &view, error);

	return r < 0 ? r : run(build, &view, shell, error);
}

int build_step_run(struct build *build, struct error **error)
{
	cleanup_build_view struct build_view view = { 0 };
	int r = prepare(build, &view, error);

	if (r < 0)
		return r;
	build->started = (uint64_t)time(NULL);
	r = run(build, &view, NULL, error);
	build->finished = (uint64_t)time(NULL);
	if (r < 0)
		return r;
	build->progress = build_progress_read(
		build->result.report.data, build->result.report.length, build->recipe->patch_count);
	(void)snprintf(build->limit, sizeof(build->limit), "%s", build->result.limit);
	if (build->result.end == SANDBOX_LIMIT)
		build_log_note(&build->log, "\n# limit: %s", build->result.limit);
	note_denied(build, "dkms.conf", build->recipe->denied);
	note_denied(build, "this build", build->result.denied);
	build_log_note(&build->log, "# exit code: %d",
		       build->result.end == SANDBOX_EXITED ? build->result.status : -1);
	r = judge(build, error);
	if (r == 0)
		warn_of_scripts(build);
	return r;
}

void build_clear(struct build *build)
{
	for (size_t i = 0; build->artifacts && i < build->recipe->module_count; i++)
		artifact_clear(&build->artifacts[i]);
	for (size_t i = 0; i < build->data_count; i++)
		artifact_clear(&build->data[i]);
	free(build->artifacts);
	free(build->data);
	free(build->command);
	free(build->strip_denied);
	build->inputs = inputs_free(build->inputs);
	if (build->result.end)
		sandbox_result_clear(&build->result);
	build_log_close(&build->log);
}
