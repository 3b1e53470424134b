/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb shell: a build's sandbox, its steps run in it until one fails, and then a shell there,
 * or a command. Nothing of it is taken out: not signed, not published, not kept. What is printed in
 * it is hostile and goes to a person's terminal only through the filter of terminal_filter.h; into
 * a file or a pipe as it is.
 */
#include <string.h>

#include "lib/base/files.h"
#include "orchestrator/build_evaluate.h"
#include "orchestrator/build_step.h"
#include "orchestrator/helpers.h"
#include "orchestrator/printer.h"
#include "orchestrator/terminal.h"

#define OWN_POLICY "shell.seccomp"
#define EXTEND "\nextend "

/* What terminals need more than a build, before the policy of the module's profile. */
static int load_policy(const struct loaded_profile *profile, struct seccomp_program *ret_program,
		       struct error **error)
{
	cleanup_text struct text policy = { 0 };
	const char *extend;
	int r = helper_read_policy(OWN_POLICY, &policy, error);

	if (r < 0)
		return r;
	extend = strstr(policy.data, EXTEND);
	policy.length = extend ? (size_t)(extend - policy.data) + 1 : policy.length;
	if (text_append(&policy, profile->policy.data, profile->policy.length) < 0)
		return error_set_errno(error, ENOMEM, "profile");
	return seccomp_compile(OWN_POLICY, policy.data, policy.length, ret_program, error);
}

/* The name of a terminal's type, as the person's own environment has it. */
static const char *terminal_type(const struct orchestrator *orchestrator)
{
	const char *type = secure_getenv("TERM");

	if (orchestrator->terminal_fd < 0)
		return "";
	return type && name_is_safe(type) ? type : "dumb";
}

/* A MAKE can kill the shell that runs it, and so the one that would have come after it. */
static void tell_missing_shell(const struct orchestrator *orchestrator,
			       const struct sandbox_result *result)
{
	static const char begun[] = "shell 0 begun\n"; /* build.sh tells it last */
	const struct text *report = &result->report;
	cleanup_free char *ended = sandbox_result_describe(result);

	if (report->length < strlen(begun) ||
	    memcmp(report->data + report->length - strlen(begun), begun, strlen(begun)) != 0)
		log_warning(orchestrator->log,
			    "there was no shell: the build's own %s before its end",
			    ended ? ended : "ended");
}

static int judge(struct orchestrator *orchestrator, const struct sandbox_result *result,
		 struct error **error)
{
	switch (result->end) {
	case SANDBOX_EXITED:
		tell_missing_shell(orchestrator, result);
		orchestrator->exit_status = result->status;
		return 0;
	case SANDBOX_SIGNALLED:
		tell_missing_shell(orchestrator, result);
		orchestrator->exit_status = 128 + result->status;
		return 0;
	case SANDBOX_LIMIT:
		return error_refuse(error, EXIT_LIMIT, ECHILD,
				    "the shell was ended: it hit the limit of %s", result->limit);
	case SANDBOX_CANCELLED:
	default:
		return error_refuse(error, EXIT_INTERRUPTED, ECANCELED,
				    "the shell was interrupted");
	}
}

static void tell_denied(const struct orchestrator *orchestrator,
			const struct sandbox_result *result)
{
	cleanup_text struct text text = { 0 };

	if (orchestrator->options->verbose && result->denied &&
	    denied_append_summary(result->denied, &text) == 0)
		log_warning(orchestrator->log, "what ran there tried, and was refused: %s",
			    text.data);
}

static int run(struct orchestrator *orchestrator, struct build *build,
	       const struct seccomp_program *policy, struct error **error)
{
	struct printer printer = printer_begin(STDOUT_FILENO);
	const struct build_shell shell = {
		.command = (const char *const *)orchestrator->options->command,
		.terminal_type = terminal_type(orchestrator),
		.seccomp = policy,
		.terminal_fd = orchestrator->terminal_fd,
		.output = printer_output,
		.output_context = &printer,
	};
	int r;

	(void)fflush(NULL);
	terminal_begin(orchestrator->terminal_socket);
	r = build_step_shell(build, &shell, error);
	terminal_end(&orchestrator->terminal_fd, &orchestrator->terminal_socket);
	printer_end(&printer);
	if (r < 0)
		return r;
	tell_denied(orchestrator, &build->result);
	return judge(orchestrator, &build->result, error);
}

/* With all that a build takes into account. */
static int run_evaluated(struct orchestrator *orchestrator, struct build *build,
			 struct error **error)
{
	cleanup_overlay struct overlay overlay = { 0 };
	struct seccomp_program policy = { 0 };
	cleanup_loaded_profile struct loaded_profile loaded = { 0 };
	int r = overlay_load(&orchestrator->places, build->recipe, &overlay, error);

	build->overlay = &overlay;
	if (r == 0)
		r = build_choose_profile(build, &loaded, error);
	if (r == 0)
		r = load_policy(build->profile, &policy, error);
	if (r == 0)
		r = run(orchestrator, build, &policy, error);
	seccomp_program_clear(&policy);
	build_clear(build);
	return r;
}

int verb_shell(struct orchestrator *orchestrator, struct error **error)
{
	const struct package *package = &orchestrator->package;
	const struct target *target = &orchestrator->targets[0];
	cleanup_module_settings struct module_settings settings = { 0 };
	cleanup_dependencies struct dependencies dependencies = { 0 };
	cleanup_source struct source source = SOURCE_INITIAL;
	struct recipe *recipe = NULL;
	int r = target_require_headers(target, error);

	if (r == 0)
		r = module_settings_load(&orchestrator->places, package->module, &settings, error);
	if (r == 0)
		r = source_read_added(orchestrator, package, &source, error);
	if (r == 0)
		r = build_evaluate_required(orchestrator, package, &source, target, &settings,
					    &recipe, &dependencies, error);
	if (r == 0) {
		struct build build = { .orchestrator = orchestrator,
				       .package = package,
				       .target = target,
				       .recipe = recipe,
				       .settings = &settings,
				       .dependencies = &dependencies,
				       .snapshot_fd = source.snapshot_fd,
				       .source = source.digest,
				       .log = { .fd = -1 } };

		r = run_evaluated(orchestrator, &build, error);
	}
	(void)recipe_free(recipe);
	return r;
}
