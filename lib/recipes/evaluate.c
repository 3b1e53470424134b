/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Has bash evaluate dkms.conf in a sandbox of its own, in which nothing of value can be seen or
 * written, and takes what comes back on one pipe. Believed is only that bash ran.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/recipes/output_tail.h"
#include "lib/recipes/recipe_internal.h"
#include "lib/recipes/snapshot.h"

#define CONF_MAXIMUM 1048576u
#define REPORT_MAXIMUM 262144u

/*
 * Arguments: the file, the kernel's release, the architecture, then the directives to tell. Fd 3 is
 * closed while the file is read: what it prints there by accident would spoil the answer. What it
 * does on purpose it may, the answer is not believed. The patterns are matched as DKMS matches
 * them.
 */
static const char script[] =
	"readonly kmodbox_conf=\"$1\" kmodbox_release=\"$2\" kmodbox_architecture=\"$3\"\n"
	"shift 3\n"
	"readonly -a kmodbox_directives=(\"$@\")\n"
	"set --\n"
	"source \"$kmodbox_conf\" 3>&-\n"
	"set +efux\n"
	"shopt -u nocasematch\n"
	"IFS=$' \\t\\n'\n"
	"kmodbox_print() {\n"
	"	local -n kmodbox_values=$1\n"
	"	local kmodbox_index\n"
	"	for kmodbox_index in \"${!kmodbox_values[@]}\"; do\n"
	"		builtin printf '%s\\0%s\\0%s\\0' \"$1\" \"$kmodbox_index\" "
	"\"${kmodbox_values[$kmodbox_index]}\" >&3\n"
	"	done\n"
	"}\n"
	"for kmodbox_directive in \"${kmodbox_directives[@]}\"; do\n"
	"	kmodbox_print \"$kmodbox_directive\"\n"
	"done\n"
	"[[ $kmodbox_release =~ $BUILD_EXCLUSIVE_KERNEL ]]\n"
	"builtin printf '" RECIPE_KERNEL_VERDICT "\\0000\\0%s\\0' $? >&3\n"
	"[[ $kmodbox_architecture =~ $BUILD_EXCLUSIVE_ARCH ]]\n"
	"builtin printf '" RECIPE_ARCH_VERDICT "\\0000\\0%s\\0' $? >&3\n"
	"builtin printf '" RECIPE_END "\\0000\\0\\0' >&3\n"
	"exit 0\n";

/* One evaluation: every string that the sandbox's description borrows. */
struct evaluation {
	const struct recipe_request *request;
	struct text conf; /* with the line ends of Unix */
	bool conf_changed;
	char *source;	     /* "/usr/src/M-V" */
	char *source_link;   /* "/var/lib/dkms/M/V/source" */
	char *conf_path;     /* below source_link */
	char *kernel_build;  /* "/usr/lib/modules/K/build", or NULL */
	char *kernel_source; /* the same of "source", or NULL */
	char *environment[14];
	size_t environment_count;
	struct sandbox_symlink symlinks[3];
	struct sandbox_mount *mounts;
	const char *argv[RECIPE_DIRECTIVES + 16];
	struct sandbox_tree tree;
};

static void evaluation_clear(struct evaluation *evaluation)
{
	text_clear(&evaluation->conf);
	free(evaluation->source);
	free(evaluation->source_link);
	free(evaluation->conf_path);
	free(evaluation->kernel_build);
	free(evaluation->kernel_source);
	for (size_t i = 0; i < evaluation->environment_count; i++)
		free(evaluation->environment[i]);
	free(evaluation->mounts);
}

static int out_of_memory(const struct evaluation *evaluation, struct error **error)
{
	return recipe_refuse(evaluation->request, error, ENOMEM, EXIT_INFRASTRUCTURE,
			     "out of memory");
}

/* The file's bytes without the carriage return of a DOS line end. */
static int read_conf(struct evaluation *evaluation, struct error **error)
{
	const struct recipe_request *request = evaluation->request;
	cleanup_close int fd = -1;
	const uint8_t *bytes;
	size_t size, start = 0;
	int r = snapshot_read_file(request->snapshot_fd, "dkms.conf", CONF_MAXIMUM, &fd, NULL);

	if (r == -ENOENT)
		return recipe_refuse(request, error, ENOENT, EXIT_NO_CONF,
				     "there is no regular file of this name at the top of the "
				     "source; a DKMS package must have one");
	if (r == -EFBIG)
		return recipe_refuse(request, error, EFBIG, EXIT_BAD_CONF,
				     "it is larger than 1 MiB");
	if (r < 0)
		return recipe_refuse(request, error, -r, EXIT_INFRASTRUCTURE,
				     "it cannot be read from the snapshot: %s", strerror(-r));
	r = memfd_map(fd, CONF_MAXIMUM, &bytes, &size, error);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < size; i++) {
		if (bytes[i] != '\r' || (i + 1 < size && bytes[i + 1] != '\n'))
			continue;
		r = text_append(&evaluation->conf, bytes + start, i - start);
		start = i + 1;
		evaluation->conf_changed = true;
	}
	if (r == 0)
		r = text_append(&evaluation->conf, bytes + start, size - start);
	memfd_unmap(bytes, size);
	return r < 0 ? out_of_memory(evaluation, error) : 0;
}

/* Runs in the sandbox's trusted set-up. */
static int fill_source(void *context, int directory_fd, struct error **error)
{
	const struct evaluation *evaluation = context;
	cleanup_close int fd = -1;
	int r = snapshot_unpack(evaluation->request->snapshot_fd, directory_fd, error);

	if (r < 0 || !evaluation->conf_changed)
		return r;
	/* The sandbox's private copy, at the path it is known by: $BASH_SOURCE stays what it is. */
	r = open_beneath(directory_fd, "dkms.conf", O_WRONLY | O_TRUNC | O_NOFOLLOW, 0, &fd, error);
	if (r < 0)
		return r;
	r = write_all(fd, evaluation->conf.data, evaluation->conf.length);
	return r < 0 ? error_set_errno(error, -r, "cannot write dkms.conf") : 0;
}

static int set_variable(struct evaluation *evaluation, const char *name, const char *value)
{
	char *variable = format_string("%s=%s", name, value);

	if (!variable || evaluation->environment_count + 1 >= ARRAY_SIZE(evaluation->environment)) {
		free(variable);
		return -ENOMEM;
	}
	evaluation->environment[evaluation->environment_count++] = variable;
	return 0;
}

/* The variables that DKMS documents for dkms.conf, and a fixed rest. */
static int set_environment(struct evaluation *evaluation, const char *release)
{
	const struct recipe_request *request = evaluation->request;
	cleanup_free char *headers =
		*release ? format_string("/lib/modules/%s/build", release) : strdup("");
	cleanup_free char *config =
		*release ? format_string("/lib/modules/%s/build/.config", release) : strdup("");
	const struct {
		const char *name;
		const char *value;
	} variables[] = {
		{ "PATH", "/usr/sbin:/usr/bin:/sbin:/bin" },
		{ "LC_ALL", "C" },
		{ "kernelver", release },
		{ "arch", request->architecture ? request->architecture : "" },
		{ "kernel_source_dir", headers },
		{ "kernel_config", config },
		{ "dkms_tree", "/var/lib/dkms" },
		{ "source_tree", "/usr/src" },
		{ "install_tree", "/lib/modules" },
		{ "module", request->module ? request->module : "" },
		{ "module_version", request->version ? request->version : "" },
	};
	int r = headers && config ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(variables); i++)
		r = set_variable(evaluation, variables[i].name, variables[i].value);
	return r;
}

/* Where things are in the sandbox: the source as DKMS has it, the headers as the kernel has them.
 */
static int set_view(struct evaluation *evaluation, struct sandbox_spec *spec, const char *release)
{
	const struct recipe_request *request = evaluation->request;
	const struct kernel *kernel = request->kernel;
	const char *module = request->module ? request->module : "unknown";
	const char *version = request->version ? request->version : "0";

	evaluation->source = format_string("/usr/src/%s-%s", module, version);
	evaluation->source_link = format_string("/var/lib/dkms/%s/%s/source", module, version);
	evaluation->conf_path =
		format_string("/var/lib/dkms/%s/%s/source/dkms.conf", module, version);
	if (!evaluation->source || !evaluation->source_link || !evaluation->conf_path)
		return -ENOMEM;
	evaluation->tree = (struct sandbox_tree){ .path = evaluation->source,
						  .bytes = SNAPSHOT_BYTES,
						  .fill = fill_source,
						  .context = evaluation };
	spec->trees = &evaluation->tree;
	spec->tree_count = 1;
	evaluation->symlinks[0] =
		(struct sandbox_symlink){ evaluation->source_link, evaluation->source };
	spec->symlinks = evaluation->symlinks;
	spec->symlink_count = 1;
	if (!kernel)
		return 0;
	evaluation->mounts = calloc(kernel->mount_count + 1, sizeof(*evaluation->mounts));
	evaluation->kernel_build = format_string("/usr/lib/modules/%s/build", release);
	evaluation->kernel_source = format_string("/usr/lib/modules/%s/source", release);
	if (!evaluation->mounts || !evaluation->kernel_build || !evaluation->kernel_source)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->mount_count; i++)
		evaluation->mounts[i] =
			(struct sandbox_mount){ .source = kernel->mounts[i].source,
						.target = kernel->mounts[i].target };
	spec->mounts = evaluation->mounts;
	spec->mount_count = kernel->mount_count;
	evaluation->symlinks[spec->symlink_count++] =
		(struct sandbox_symlink){ evaluation->kernel_build, kernel->build };
	if (kernel->source)
		evaluation->symlinks[spec->symlink_count++] =
			(struct sandbox_symlink){ evaluation->kernel_source, kernel->source };
	return 0;
}

static void set_arguments(struct evaluation *evaluation, const char *release)
{
	const struct recipe_request *request = evaluation->request;
	const char *const head[] = { "/bin/bash",
				     "--norc",
				     "--noprofile",
				     "-c",
				     script,
				     "bash",
				     evaluation->conf_path,
				     release,
				     request->architecture ? request->architecture : "" };
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		evaluation->argv[count++] = head[i];
	for (size_t i = 0; recipe_directive(i); i++)
		evaluation->argv[count++] = recipe_directive(i);
	evaluation->argv[count] = NULL;
}

/*
 * bash goes on behind a syntax error with what it had read until there: half a file. It says so in
 * these words (LC_ALL=C), of which the second stands for a quote that is not closed.
 */
static bool has_syntax_error(const struct evaluation *evaluation, const struct text *output)
{
	size_t length = strlen(evaluation->conf_path);

	for (const char *line = output->data; line && *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, evaluation->conf_path, length) == 0 &&
		    (memmem(line, (size_t)(end - line), ": syntax error", 14) ||
		     memmem(line, (size_t)(end - line), ": unexpected EOF while looking for", 34)))
			return true;
		line = *end ? end + 1 : NULL;
	}
	return false;
}

/* What bash's end means. */
static int check_end(const struct evaluation *evaluation, const struct sandbox_result *result,
		     const struct text *output, struct error **error)
{
	const struct recipe_request *request = evaluation->request;
	cleanup_free char *how = sandbox_result_describe(result);
	cleanup_free char *line = output_last_line(output);
	const char *said = line ? line : "nothing";

	if (!how)
		return out_of_memory(evaluation, error);
	if (result->end == SANDBOX_CANCELLED)
		return recipe_refuse(request, error, ECANCELED, EXIT_INTERRUPTED, "interrupted");
	if (result->end == SANDBOX_LIMIT)
		return recipe_refuse(request, error, ETIMEDOUT, EXIT_LIMIT,
				     "its evaluation %s; it may only set variables", how);
	if (has_syntax_error(evaluation, output))
		return recipe_refuse(request, error, EINVAL, EXIT_BAD_CONF,
				     "it is not valid shell; bash said: %s", said);
	if (result->end != SANDBOX_EXITED || result->status != 0 ||
	    !recipe_report_is_whole(result->report.data, result->report.length))
		return recipe_refuse(
			request, error, EINVAL, EXIT_BAD_CONF,
			"it ended the shell before its end (%s, last words: %s); it must "
			"not call exit or exec",
			how, said);
	return 0;
}

static int run(struct evaluation *evaluation, struct recipe **ret_recipe, struct error **error)
{
	const struct recipe_request *request = evaluation->request;
	const char *release = request->kernel		? request->kernel->release
			      : request->kernel_release ? request->kernel_release
							: "";
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	cleanup_text struct text output = { 0 };
	struct sandbox_result result;
	int r;

	spec.userns_fd = request->base->userns_fd;
	spec.seccomp = request->base->seccomp;
	spec.cancel_fd = request->base->cancel_fd;
	if (set_environment(evaluation, release) < 0 || set_view(evaluation, &spec, release) < 0)
		return out_of_memory(evaluation, error);
	set_arguments(evaluation, release);
	spec.argv = evaluation->argv;
	spec.environment = (const char *const *)evaluation->environment;
	spec.directory = evaluation->source_link;
	spec.toolchain_only = true;
	spec.limits = (struct sandbox_limits){ .wall_milliseconds = 10000,
					       .cpu_seconds = 1,
					       .processes = 64,
					       .log_bytes = 65536,
					       .scratch_bytes = 16 << 20,
					       .scratch_inodes = SNAPSHOT_ENTRIES + 16 };
	spec.report_maximum = REPORT_MAXIMUM;
	spec.output = output_keep;
	spec.output_context = &output;
	r = sandbox_run(&spec, &result, error);
	if (r < 0)
		return r;
	r = check_end(evaluation, &result, &output, error);
	if (r == 0)
		r = recipe_validate(request, result.report.data, result.report.length, ret_recipe,
				    error);
	sandbox_result_clear(&result);
	return r;
}

int recipe_evaluate(const struct recipe_request *request, struct recipe **ret_recipe,
		    struct error **error)
{
	cleanup(evaluation_clear) struct evaluation evaluation = { .request = request };
	const char *const names[] = { request->module, request->version, request->kernel_release,
				      request->architecture };
	int r;

	/* They become paths and variables here; empty or NULL means not known. */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *shown = names[i] ? sanitised(names[i]) : NULL;

		if (names[i] && (i < 2 || *names[i]) && !name_is_safe(names[i]))
			return error_set(error, EINVAL, "'%s' is not a valid name",
					 shown ? shown : "?");
	}
	r = read_conf(&evaluation, error);
	return r < 0 ? r : run(&evaluation, ret_recipe, error);
}
