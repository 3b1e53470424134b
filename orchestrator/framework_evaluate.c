/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Has bash evaluate framework.conf. Its words are root's, but what it calls is not ours to know:
 * so in a sandbox, made by a child that has given root up, and the answer comes through a pipe.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "orchestrator/framework_internal.h"
#include "orchestrator/launcher.h"
#include "orchestrator/profiles.h"
#include "sandbox/slot.h"

/*
 * Arguments: the number of files and they, the number of settings and they, then the kernels. Fd 3,
 * the answer, is closed while a file is read. Each kernel has a shell of its own, whose answer ends
 * with the kernel: one that a file ended earlier has none. Each file is read by a function one
 * deeper than the last: a loop over the files would end by the `break` of one.
 */
static const char script[] =
	"files=(\"${@:2:$1}\")\n"
	"shift $(($1 + 1))\n"
	"names=(\"${@:2:$1}\")\n"
	"shift $(($1 + 1))\n"
	"for file in \"${files[@]}\"; do\n"
	"	if ! said=$(bash -n \"$file\" 2>&1 3>&-); then\n"
	"		printf '@syntax\\0%s\\0@end\\0' \"${said%%$'\\n'*}\" >&3\n"
	"		exit 0\n"
	"	fi\n"
	"done\n"
	"answer() {\n"
	"	readonly -a kmodbox_files=(\"${files[@]}\") kmodbox_names=(\"${names[@]}\")\n"
	"	readonly kmodbox_kernel=$1\n"
	"	unset file files names said\n"
	"	kernelver=$1\n"
	"	kmodbox_next=0\n"
	"	kmodbox_read\n"
	"}\n"
	"kmodbox_read() {\n"
	"	if ((kmodbox_next < ${#kmodbox_files[@]})); then\n"
	"		builtin printf '@file\\0%s\\0' "
	"\"${kmodbox_files[kmodbox_next]#/etc/dkms/}\" "
	">&3\n"
	"		source \"${kmodbox_files[kmodbox_next++]}\" 3>&-\n"
	"		kmodbox_read\n"
	"	fi\n"
	"	set +efux\n"
	"	for kmodbox_name in \"${kmodbox_names[@]}\"; do\n"
	"		[[ ! -v $kmodbox_name && $kmodbox_name != build_environment ]] ||\n"
	"			builtin printf '%s\\0%s\\0' \"$kmodbox_name\" \"${!kmodbox_name}\" "
	">&3\n"
	"	done\n"
	"	builtin printf '@kernel\\0%s\\0' \"$kmodbox_kernel\" >&3\n"
	"	exit 77\n"
	"}\n"
	"for kernel; do\n"
	"	(answer \"$kernel\")\n"
	"	[[ $? == 77 ]] || exit 0\n"
	"done\n"
	"printf '@end\\0' >&3\n";

/* What DKMS has set before it reads them. */
static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
					   "LC_ALL=C",
					   "source_tree=/usr/src",
					   "dkms_tree=/var/lib/dkms",
					   "install_tree=/lib/modules",
					   "tmp_location=/tmp",
					   NULL };

static int fill(void *context, int directory_fd, struct error **error)
{
	const struct framework *framework = context;
	int r = make_directories(directory_fd, "framework.conf.d", 0755, error);

	for (size_t i = 0; r == 0 && i < framework->count; i++) {
		const struct framework_file *file = &framework->files[i];

		r = write_file_atomically(directory_fd, file->name, file->text.data,
					  file->text.length, 0644, error);
	}
	return r;
}

/* Before the answer, what was refused. */
static int tell_denied(const struct denied_calls *calls, struct text *answer)
{
	int r = text_append(answer, "@denied", sizeof("@denied"));

	if (r == 0)
		r = denied_append_summary(calls, answer);
	return r < 0 ? r : text_append(answer, "", 1);
}

static int run_sandbox(const struct framework *framework, const struct sandbox_spec *base,
		       const char *const *argv, struct text *ret_answer, struct error **error)
{
	const struct sandbox_tree tree = { .path = "/etc/dkms",
					   .bytes = 16 << 20,
					   .fill = fill,
					   .context = (void *)(uintptr_t)framework };
	struct sandbox_spec spec = *base;
	struct sandbox_result result;
	int r;

	spec.argv = argv;
	spec.environment = environment;
	spec.trees = &tree;
	spec.tree_count = 1;
	spec.limits = (struct sandbox_limits){ .wall_milliseconds = 10000,
					       .cpu_seconds = 2,
					       .processes = 64,
					       .log_bytes = 65536,
					       .scratch_bytes = 16 << 20 };
	spec.report_maximum = FRAMEWORK_ANSWER;
	r = sandbox_run(&spec, &result, error);
	if (r < 0)
		return r;
	if (result.end == SANDBOX_EXITED) {
		r = result.denied ? tell_denied(result.denied, ret_answer) : 0;
		if (r == 0)
			r = text_append(ret_answer, result.report.data, result.report.length);
		if (r < 0)
			r = error_set_errno(error, -r, "framework.conf");
	} else {
		cleanup_free char *how = sandbox_result_describe(&result);

		r = error_refuse(error, EXIT_USAGE, EINVAL,
				 "framework.conf: its evaluation %s; it may only set variables",
				 how ? how : "failed");
	}
	sandbox_result_clear(&result);
	return r;
}

static int run_bash(const struct framework *framework, const struct options *options,
		    const struct sandbox_spec *base, struct text *ret_answer, struct error **error)
{
	const size_t kernels = options->kernel_count ? options->kernel_count : 1;
	cleanup_free const char **argv =
		calloc(framework->count + FRAMEWORK_NAMES + kernels + 9, sizeof(*argv));
	char *paths[FRAMEWORK_FILES] = { NULL };
	char number[2][16];
	struct utsname running;
	size_t count = 0;
	int r = argv ? 0 : -ENOMEM;

	if (r < 0 || uname(&running) < 0)
		return error_set_errno(error, r < 0 ? -r : errno, "framework.conf");
	(void)snprintf(number[0], sizeof(number[0]), "%zu", framework->count);
	(void)snprintf(number[1], sizeof(number[1]), "%d", FRAMEWORK_NAMES);
	argv[count++] = "/bin/bash";
	argv[count++] = "--norc";
	argv[count++] = "--noprofile";
	argv[count++] = "-c";
	argv[count++] = script;
	argv[count++] = "bash";
	argv[count++] = number[0];
	for (size_t i = 0; i < framework->count; i++) {
		paths[i] = format_string("/etc/dkms/%s", framework->files[i].name);
		argv[count++] = paths[i] ? paths[i] : "/nonexistent";
		r = paths[i] ? r : -ENOMEM;
	}
	argv[count++] = number[1];
	for (size_t i = 0; i < FRAMEWORK_NAMES; i++)
		argv[count++] = framework_name(i);
	for (size_t i = 0; i < kernels; i++)
		argv[count++] = options->kernel_count ? options->kernels[i] : running.release;
	r = r < 0 ? error_set_errno(error, -r, "framework.conf")
		  : run_sandbox(framework, base, argv, ret_answer, error);
	for (size_t i = 0; i < framework->count; i++)
		free(paths[i]);
	return r;
}

static int evaluate(const struct framework *framework, const struct options *options,
		    struct text *ret_answer, struct error **error)
{
	struct sandbox_spec base = SANDBOX_SPEC_INITIAL;
	/* Where root's own are, is not known before. */
	const struct places shipped = PLACES_INITIAL;
	cleanup_loaded_profile struct loaded_profile profile = { 0 };
	struct accounts accounts = { 0 };
	int r = accounts_choose(&accounts, error);

	if (r == 0)
		r = profiles_load(&shipped, PROFILE_DEFAULT, &profile, error);
	if (r == 0 && accounts.separate)
		r = slot_new(accounts.own, accounts.own_slot, &base.slot, error);
	if (r == 0 && accounts.separate)
		r = accounts_become(&accounts, accounts.own, error);
	base.seccomp = &profile.program;
	base.optional = profile.settings.optional;
	if (r == 0)
		r = run_bash(framework, options, &base, ret_answer, error);
	slot_clear(&base.slot);
	return r;
}

/* In the child: the answer, or what went wrong, goes into the pipe. */
static _Noreturn void answer_or_reason(const struct framework *framework,
				       const struct options *options, int fd)
{
	struct error *error = NULL;
	struct text answer = { 0 };
	cleanup_free char *reason = NULL;
	int code = 0;

	if (evaluate(framework, options, &answer, &error) == 0) {
		ignore_result(write_all(fd, answer.data, answer.length));
	} else {
		code = error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
		if (code == EXIT_SANDBOX)
			(void)error_context(
				&error, "framework.conf holds more than lines of NAME=VALUE, so a "
					"sandbox has to evaluate it");
		reason = error_describe(error);
		if (reason)
			ignore_result(write_all(fd, reason, strlen(reason)));
	}
	_exit(code);
}

int framework_evaluate(const struct framework *framework, const struct options *options,
		       struct text *ret_answer, struct error **error)
{
	cleanup_text struct text answer = { 0 };
	int ends[2];
	int status = 0;
	pid_t child;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "framework.conf: pipe");
	(void)fflush(NULL);
	child = fork();
	if (child == 0)
		answer_or_reason(framework, options, ends[1]);
	(void)close_fd(ends[1]);
	r = child < 0 ? error_set_errno(error, errno, "framework.conf: fork")
		      : read_fd(ends[0], FRAMEWORK_ANSWER + FRAMEWORK_DENIED, &answer, error);
	(void)close_fd(ends[0]);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return error_refuse(
			error, WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_INFRASTRUCTURE, EIO,
			"%s", answer.length ? answer.data : "framework.conf: its evaluation died");
	*ret_answer = answer;
	answer = (struct text){ 0 };
	return 0;
}
