/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Has bash evaluate dkms.conf in a sandbox of its own, in which nothing of value can be seen or
 * written, and takes what comes back on one pipe. Believed is only that bash ran.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/recipes/output_tail.h"
#include "lib/recipes/recipe_internal.h"
#include "lib/recipes/snapshot.h"

#define CONF_MAXIMUM 1048576u
#define OVERRIDES RECIPE_OVERRIDES_SHOWN

/* A list that ends with NULL, as execve(2) wants it. */
struct strings {
	char **list;
	size_t count;
};

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
	struct strings environment;
	struct strings argv;
	struct sandbox_symlink symlinks[3];
	struct sandbox_mount *mounts;
	struct sandbox_tree trees[2];
};

static void strings_clear(struct strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->list[i]);
	free(strings->list);
}

/* Adds a string, which it owns from now on; NULL is "out of memory". */
static int strings_add(struct strings *strings, char *string)
{
	char **list = string ? realloc(strings->list, (strings->count + 2) * sizeof(*list)) : NULL;

	if (!list) {
		free(string);
		return -ENOMEM;
	}
	list[strings->count++] = string;
	list[strings->count] = NULL;
	strings->list = list;
	return 0;
}

static void evaluation_clear(struct evaluation *evaluation)
{
	text_clear(&evaluation->conf);
	free(evaluation->source);
	free(evaluation->source_link);
	free(evaluation->conf_path);
	free(evaluation->kernel_build);
	free(evaluation->kernel_source);
	strings_clear(&evaluation->environment);
	strings_clear(&evaluation->argv);
	free(evaluation->mounts);
}

static int out_of_memory(const struct evaluation *evaluation, struct error **error)
{
	return recipe_out_of_memory(evaluation->request, error);
}

/* Without the carriage return of DOS line ends. Tells if there was one. */
static int append_unix(struct text *text, const uint8_t *bytes, size_t size, bool *ret_changed)
{
	size_t start = 0;
	int r = 0;

	*ret_changed = false;
	for (size_t i = 0; r == 0 && i < size; i++) {
		if (bytes[i] != '\r' || (i + 1 < size && bytes[i + 1] != '\n'))
			continue;
		r = text_append(text, bytes + start, i - start);
		start = i + 1;
		*ret_changed = true;
	}
	return r < 0 ? r : text_append(text, bytes + start, size - start);
}

static int read_conf(struct evaluation *evaluation, struct error **error)
{
	const struct recipe_request *request = evaluation->request;
	cleanup_close int fd = -1;
	const uint8_t *bytes;
	size_t size;
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
	r = append_unix(&evaluation->conf, bytes, size, &evaluation->conf_changed);
	memfd_unmap(bytes, size);
	return r < 0 ? out_of_memory(evaluation, error) : 0;
}

/* Runs in the sandbox's trusted set-up. */
static int fill_source(void *context, int directory_fd, struct error **error)
{
	const struct evaluation *evaluation = context;
	cleanup_close int fd = -1;
	int r = snapshot_unpack(evaluation->request->snapshot_fd, directory_fd, true, error);

	if (r < 0 || !evaluation->conf_changed)
		return r;
	/* The sandbox's private copy, at the path it is known by: $BASH_SOURCE stays what it is. */
	r = open_beneath(directory_fd, "dkms.conf", O_WRONLY | O_TRUNC | O_NOFOLLOW, 0, &fd, error);
	if (r < 0)
		return r;
	r = write_all(fd, evaluation->conf.data, evaluation->conf.length);
	return r < 0 ? error_set_errno(error, -r, "cannot write dkms.conf") : 0;
}

/* Root's files, as they are in /etc/dkms; in the sandbox's trusted set-up too. */
static int fill_overrides(void *context, int directory_fd, struct error **error)
{
	const struct evaluation *evaluation = context;
	const struct recipe_request *request = evaluation->request;

	for (size_t i = 0; i < request->override_count; i++) {
		const struct recipe_override *override = &request->overrides[i];
		cleanup_text struct text text = { 0 };
		cleanup_close int fd = -1;
		bool ignored;
		int r = append_unix(&text, (const uint8_t *) override->text.data,
				    override->text.length, &ignored);

		if (r < 0)
			return error_set_errno(error, -r, "%s", override->name);
		r = open_beneath(directory_fd, override->name, O_WRONLY | O_CREAT | O_EXCL, 0644,
				 &fd, error);
		if (r < 0)
			return r;
		r = write_all(fd, text.data, text.length);
		if (r < 0)
			return error_set_errno(error, -r, "cannot write %s", override->name);
	}
	return 0;
}

static int set_variable(struct evaluation *evaluation, const char *name, const char *value)
{
	return strings_add(&evaluation->environment, format_string("%s=%s", name, value));
}

/* DKMS prefers the configuration as kbuild wrote it for make. */
static const char *config_name(const struct kernel *kernel)
{
	return kernel && kernel->build_fd >= 0 &&
			       faccessat(kernel->build_fd, "include/config/auto.conf", F_OK, 0) == 0
		       ? "include/config/auto.conf"
		       : ".config";
}

/* The variables that DKMS documents for dkms.conf, and a fixed rest. */
static int set_environment(struct evaluation *evaluation, const char *release)
{
	const struct recipe_request *request = evaluation->request;
	cleanup_free char *headers =
		*release ? format_string("/lib/modules/%s/build", release) : strdup("");
	cleanup_free char *config = *release ? format_string("/lib/modules/%s/build/%s", release,
							     config_name(request->kernel))
					     : strdup("");
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
	if (r == 0 && request->jobs > 0)
		r = strings_add(&evaluation->environment,
				format_string("parallel_jobs=%u", request->jobs));
	for (size_t i = 0; r == 0 && i < request->environment_count; i++)
		r = strings_add(&evaluation->environment, strdup(request->environment[i]));
	return r;
}

/* The headers, and what the caller shows beside. */
static int set_mounts(struct evaluation *evaluation, struct sandbox_spec *spec)
{
	const struct recipe_request *request = evaluation->request;
	const struct kernel *kernel = request->kernel;
	const size_t count = (kernel ? kernel->mount_count : 0) + request->mount_count;

	evaluation->mounts = calloc(count + 1, sizeof(*evaluation->mounts));
	if (!evaluation->mounts)
		return -ENOMEM;
	for (size_t i = 0; kernel && i < kernel->mount_count; i++)
		evaluation->mounts[spec->mount_count++] =
			(struct sandbox_mount){ .source = kernel->mounts[i].source,
						.target = kernel->mounts[i].target };
	for (size_t i = 0; i < request->mount_count; i++)
		evaluation->mounts[spec->mount_count++] = request->mounts[i];
	spec->mounts = evaluation->mounts;
	return 0;
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
	evaluation->trees[spec->tree_count++] = (struct sandbox_tree){ .path = evaluation->source,
								       .bytes = SNAPSHOT_BYTES,
								       .place = request->place,
								       .fill = fill_source,
								       .context = evaluation };
	if (request->override_count > 0)
		evaluation->trees[spec->tree_count++] = (struct sandbox_tree){
			.path = OVERRIDES, .fill = fill_overrides, .context = evaluation
		};
	spec->trees = evaluation->trees;
	evaluation->symlinks[0] =
		(struct sandbox_symlink){ evaluation->source_link, evaluation->source };
	spec->symlinks = evaluation->symlinks;
	spec->symlink_count = 1;
	if (set_mounts(evaluation, spec) < 0)
		return -ENOMEM;
	if (!kernel)
		return 0;
	evaluation->kernel_build = format_string("/usr/lib/modules/%s/build", release);
	evaluation->kernel_source = format_string("/usr/lib/modules/%s/source", release);
	if (!evaluation->kernel_build || !evaluation->kernel_source)
		return -ENOMEM;
	evaluation->symlinks[spec->symlink_count++] =
		(struct sandbox_symlink){ evaluation->kernel_build, kernel->build };
	if (kernel->source)
		evaluation->symlinks[spec->symlink_count++] =
			(struct sandbox_symlink){ evaluation->kernel_source, kernel->source };
	return 0;
}

/* As evaluate.sh takes them. */
static int set_arguments(struct evaluation *evaluation, const char *release)
{
	const struct recipe_request *request = evaluation->request;
	struct strings *argv = &evaluation->argv;
	const char *const head[] = {
		"/bin/bash",   "--norc",
		"--noprofile", "-c",
		recipe_script, "bash",
		release,       request->architecture ? request->architecture : "",
	};
	const size_t numbers[] = { RECIPE_MODULES, RECIPE_VALUE, RECIPE_UNKNOWN,
				   request->override_count + 1 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(head); i++)
		r = strings_add(argv, strdup(head[i]));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(numbers); i++)
		r = strings_add(argv, format_string("%zu", numbers[i]));
	if (r == 0)
		r = strings_add(argv, strdup(evaluation->conf_path));
	for (size_t i = 0; r == 0 && i < request->override_count; i++)
		r = strings_add(argv, format_string(OVERRIDES "/%s", request->overrides[i].name));
	if (r == 0)
		r = strings_add(argv, format_string("%zu", request->directive_count));
	for (size_t i = 0; r == 0 && i < request->directive_count; i++)
		r = strings_add(argv, strdup(request->directives[i]));
	for (size_t i = 0; r == 0 && i < DIRECTIVES; i++)
		r = strings_add(argv, strdup(recipe_answer_name(i)));
	return r;
}

/*
 * bash goes on behind a syntax error with what it had read until there: half a file. It says so in
 * these words (LC_ALL=C), of which the second stands for a quote that is not closed.
 */
static bool is_syntax_error(const char *line, size_t length)
{
	static const char *const words[] = { ": syntax error",
					     ": unexpected EOF while looking for" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (memmem(line, length, words[i], strlen(words[i])))
			return true;
	}
	return false;
}

/* The first line that is one: behind it bash repeats the words that it stumbled over. NULL: none.
 */
static char *find_syntax_error(const struct evaluation *evaluation, const struct text *output)
{
	for (const char *line = output->data; line && *line;) {
		const char *end = strchrnul(line, '\n');
		const bool override = string_starts_with(line, OVERRIDES "/");

		if ((override || string_starts_with(line, evaluation->conf_path)) &&
		    is_syntax_error(line, (size_t)(end - line))) {
			/* An override by its name on the host. */
			const char *from = override ? line + strlen(OVERRIDES) : line;
			const char *place = recipe_overrides_directory(evaluation->request);
			cleanup_text struct text text = { 0 };

			if (text_append_string(&text, override ? place : "") < 0 ||
			    text_append_sanitised(&text, from, (size_t)(end - from), false) < 0)
				return strdup("syntax error");
			return text_take(&text);
		}
		line = *end ? end + 1 : NULL;
	}
	return NULL;
}

/*
 * bash 5 complains of itself when a file that it reads in a function calls exit. That is not the
 * file's last word.
 */
static void forget_complaint(struct text *output)
{
	static const char complaint[] = "pop_var_context: head of shell_variables not a function";
	const char *found = output->length > 0 ? strstr(output->data, complaint) : NULL;

	if (!found)
		return;
	while (found > output->data && found[-1] != '\n')
		found--;
	output->length = (size_t)(found - output->data);
	output->data[output->length] = '\0';
}

/* Of dkms.conf "it", as messages begin with its name; NULL if memory is out. */
static char *name_last_file(const struct recipe_request *request, const struct text *report)
{
	size_t file = report->length > 0 ? recipe_report_file(report->data, report->length) : 0;

	return file > 0 && file <= request->override_count
		       ? format_string("%s/%s", recipe_overrides_directory(request),
				       request->overrides[file - 1].name)
		       : strdup("it");
}

/* What bash's end means. */
static int check_end(const struct evaluation *evaluation, const struct sandbox_result *result,
		     const struct text *output, struct error **error)
{
	const struct recipe_request *request = evaluation->request;
	cleanup_free char *how = sandbox_result_describe(result);
	cleanup_free char *line = output_last_line(output);
	cleanup_free char *syntax = find_syntax_error(evaluation, output);
	cleanup_free char *file = name_last_file(request, &result->report);
	const char *said = line ? line : "nothing";

	if (!how || !file)
		return out_of_memory(evaluation, error);
	if (result->end == SANDBOX_CANCELLED)
		return recipe_refuse(request, error, ECANCELED, EXIT_INTERRUPTED, "interrupted");
	if (result->end == SANDBOX_LIMIT)
		return recipe_refuse(request, error, ETIMEDOUT, EXIT_LIMIT,
				     "its evaluation %s; it should set variables and no more: work "
				     "belongs into PRE_BUILD or MAKE",
				     how);
	if (syntax)
		return recipe_refuse(request, error, EINVAL, EXIT_BAD_CONF,
				     "it is not valid shell; bash said: %s", syntax);
	if (result->end != SANDBOX_EXITED || result->status != 0 ||
	    !recipe_report_is_whole(result->report.data, result->report.length))
		return recipe_refuse(
			request, error, EINVAL, EXIT_BAD_CONF,
			"%s ended the shell before its end (%s, last words: %s); it must "
			"not call exit or exec",
			file, how, said);
	return 0;
}

static int run(struct evaluation *evaluation, struct text *ret_report,
	       struct denied_calls **ret_denied, struct error **error)
{
	const struct recipe_request *request = evaluation->request;
	const char *release = request->kernel		? request->kernel->release
			      : request->kernel_release ? request->kernel_release
							: "";
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	cleanup_text struct text output = { 0 };
	struct sandbox_result result;
	int r;

	spec.slot = request->base->slot;
	spec.cgroup_fd = request->base->cgroup_fd;
	spec.cgroup_absent_because = request->base->cgroup_absent_because;
	spec.seccomp = request->base->seccomp;
	spec.optional = request->base->optional;
	spec.cancel_fd = request->base->cancel_fd;
	if (set_environment(evaluation, release) < 0 || set_view(evaluation, &spec, release) < 0 ||
	    set_arguments(evaluation, release) < 0)
		return out_of_memory(evaluation, error);
	spec.argv = (const char *const *)evaluation->argv.list;
	spec.environment = (const char *const *)evaluation->environment.list;
	spec.directory = evaluation->source_link;
	spec.toolchain_only = true;
	spec.limits = (struct sandbox_limits){ .wall_milliseconds = 10000,
					       .cpu_seconds = 1,
					       .processes = 64,
					       .log_bytes = 1 << 20,
					       .scratch_bytes = 16 << 20,
					       .scratch_inodes = SNAPSHOT_ENTRIES + 16 };
	spec.report_maximum = RECIPE_REPORT;
	spec.output = output_keep;
	spec.output_context = &output;
	r = sandbox_run(&spec, &result, error);
	if (r < 0)
		return r;
	forget_complaint(&output);
	r = check_end(evaluation, &result, &output, error);
	if (r == 0) {
		*ret_report = result.report;
		result.report = (struct text){ 0 };
		*ret_denied = TAKE_PTR(result.denied);
	}
	sandbox_result_clear(&result);
	return r;
}

/* NAME=VALUE, whose name is one that a shell takes. */
static bool is_setting(const char *setting)
{
	static const char letters[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	size_t length = strspn(setting, letters);

	return length > 0 && (*setting < '0' || *setting > '9') && setting[length] == '=';
}

/* They become paths, variables and arguments here. */
static int check_request(const struct recipe_request *request, struct error **error)
{
	const char *const names[] = { request->module, request->version, request->kernel_release,
				      request->architecture };

	/* Empty or NULL means not known. */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *shown = names[i] ? sanitised(names[i]) : NULL;

		if (names[i] && (i < 2 || *names[i]) && !name_is_safe(names[i]))
			return error_set(error, EINVAL, "'%s' is not a valid name",
					 shown ? shown : "?");
	}
	for (size_t i = 0; i < request->override_count; i++) {
		if (!path_is_safe(request->overrides[i].name, strlen(request->overrides[i].name)) ||
		    strchr(request->overrides[i].name, '/'))
			return error_set(error, EINVAL, "an override's name is not valid");
	}
	for (size_t i = 0; i < request->directive_count + request->environment_count; i++) {
		const char *setting = i < request->directive_count
					      ? request->directives[i]
					      : request->environment[i - request->directive_count];
		cleanup_free char *shown = recipe_shown(setting);

		if (!is_setting(setting))
			return error_set(error, EINVAL,
					 "'%s' is not NAME=VALUE with a name of letters, digits "
					 "and _",
					 shown ? shown : "?");
	}
	return 0;
}

int recipe_report(const struct recipe_request *request, struct text *ret_report,
		  struct denied_calls **ret_denied, struct error **error)
{
	cleanup(evaluation_clear) struct evaluation evaluation = { .request = request };
	int r = check_request(request, error);

	if (r == 0)
		r = read_conf(&evaluation, error);
	return r < 0 ? r : run(&evaluation, ret_report, ret_denied, error);
}

int recipe_evaluate(const struct recipe_request *request, struct recipe **ret_recipe,
		    struct error **error)
{
	cleanup_free struct denied_calls *denied = NULL;
	cleanup_text struct text report = { 0 };
	int r = recipe_report(request, &report, &denied, error);

	if (r == 0)
		r = recipe_validate(request, report.data, report.length, ret_recipe, error);
	if (r == 0)
		(*ret_recipe)->denied = TAKE_PTR(denied);
	return r;
}
