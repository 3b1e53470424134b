/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `strip -g` of what a build left, in a sandbox of its own. See build_step.h. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/files.h"
#include "orchestrator/build_step.h"

#define NAME_WIDTH 24 /* "4294967295.ko" and more */

static bool is_stripped(const struct build *build, size_t index)
{
	return build->recipe->modules[index].strip && !build->recipe->modules[index].excluded;
}

/* The modules under numbers, so that no name of theirs reaches a command line. */
static int fill_modules(void *context, int directory_fd, struct error **error)
{
	const struct build *build = context;
	int r = 0;

	for (size_t i = 0; r == 0 && i < build->recipe->module_count; i++) {
		cleanup_free char *name = format_string("%zu.ko", i);
		cleanup_close int fd = -1;

		if (!is_stripped(build, i))
			continue;
		if (!name)
			return error_set_errno(error, ENOMEM, "strip");
		r = open_beneath(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644, &fd, error);
		if (r == 0)
			r = copy_bytes(fd, build->artifacts[i].fd, build->artifacts[i].size, error);
	}
	return r;
}

static int take_stripped(struct build *build, const struct sandbox_result *result,
			 struct error **error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < build->recipe->module_count; i++) {
		cleanup_free char *name = format_string("%zu.ko", i);
		struct artifact stripped = { .fd = -1 };

		if (!is_stripped(build, i))
			continue;
		if (!name)
			return error_set_errno(error, ENOMEM, "strip");
		r = collect_file(result->tree_fds[0], name, build_module_maximum(build, i),
				 &stripped, error);
		if (r < 0)
			return r;
		artifact_clear(&build->artifacts[i]);
		build->artifacts[i] = stripped;
	}
	return r;
}

/* "/usr/bin/strip: 0.ko: file truncated": which module that is, and why. */
static void explain_strip(const struct build *build, struct error **error)
{
	for (size_t i = 0; error && i < build->recipe->module_count; i++) {
		cleanup_free char *number = format_string(": %zu.ko: ", i);
		const char *reason = number ? strstr(build->log.last_line, number) : NULL;

		if (reason)
			(void)error_context(error, "%s.ko is no module that can be stripped: %s",
					    build->recipe->modules[i].built_name,
					    reason + strlen(number));
	}
}

/* Why it came to nothing. */
static int judge(struct build *build, const struct sandbox_result *result, struct error **error)
{
	cleanup_free char *ended = sandbox_result_describe(result);
	int code = EXIT_NO_MODULE;

	(void)snprintf(build->limit, sizeof(build->limit), "%s", result->limit);
	(void)error_set(error, ECHILD, "strip %s", ended ? ended : "failed");
	if (result->end == SANDBOX_LIMIT)
		code = EXIT_LIMIT;
	else if (result->end == SANDBOX_CANCELLED)
		code = EXIT_INTERRUPTED;
	else
		explain_strip(build, error);
	if (error)
		error_set_code(*error, code);
	return -ECHILD;
}

int build_step_strip(struct build *build, struct error **error)
{
	static const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	const size_t count = build->recipe->module_count;
	const struct sandbox_tree tree = {
		.path = "/strip", .writable = true, .fill = fill_modules, .context = build
	};
	cleanup_free const char **argv = calloc(count + 3, sizeof(*argv));
	cleanup_text struct text names = { 0 };
	struct sandbox_spec spec = build->orchestrator->sandbox;
	struct sandbox_result result;
	size_t arguments = 0;
	int r;

	if (!argv)
		return error_set_errno(error, ENOMEM, "strip");
	argv[arguments++] = build->target->kernel->clang ? "/usr/bin/llvm-strip" : "/usr/bin/strip";
	argv[arguments++] = "-g";
	for (size_t i = 0; i < count; i++) {
		/* Fixed width, so that the texts do not move while they grow. */
		char name[NAME_WIDTH] = { 0 };

		(void)snprintf(name, sizeof(name), "%zu.ko", i);
		if (text_append(&names, name, sizeof(name)) < 0)
			return error_set_errno(error, ENOMEM, "strip");
	}
	for (size_t i = 0; i < count; i++) {
		if (is_stripped(build, i))
			argv[arguments++] = names.data + i * NAME_WIDTH;
	}
	if (arguments == 2)
		return 0;
	spec.argv = argv;
	spec.environment = environment;
	spec.directory = "/strip";
	spec.trees = &tree;
	spec.tree_count = 1;
	spec.toolchain_only = true;
	spec.output = build_log_output;
	spec.output_context = &build->log;
	r = sandbox_run(&spec, &result, error);
	if (r < 0)
		return r;
	build->strip_denied = TAKE_PTR(result.denied);
	if (result.end != SANDBOX_EXITED || result.status != 0)
		r = judge(build, &result, error);
	else
		r = take_stripped(build, &result, error);
	sandbox_result_clear(&result);
	return r;
}
