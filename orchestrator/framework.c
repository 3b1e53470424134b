/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads framework.conf, see framework.h; framework_evaluate.c has bash evaluate it. */
#include "orchestrator/framework.h"

#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "orchestrator/configuration.h"
#include "orchestrator/framework_internal.h"

#define FILE_MAXIMUM 65536u
#define DIRECTORY "framework.conf.d"

bool framework_says_something(const char *text, size_t length)
{
	bool at_start = true; /* of a line, or in the blanks there */
	bool comment = false;

	for (size_t i = 0; i < length; i++) {
		char byte = text[i];

		if (byte == '\n') {
			at_start = true;
			comment = false;
		} else if (at_start && byte == '#') {
			comment = true;
		} else if (byte != ' ' && byte != '\t' && byte != '\r') {
			if (!comment)
				return true;
		}
		at_start = at_start && (byte == '\n' || byte == ' ' || byte == '\t');
	}
	return false;
}

static int add_file(struct framework *framework, const char *place, int fd, const char *path,
		    struct error **error)
{
	struct framework_file *file = &framework->files[framework->count];
	int r;

	if (framework->count == FRAMEWORK_FILES)
		return error_refuse(error, EXIT_USAGE, E2BIG,
				    "%s/" DIRECTORY ": more than %d files", place, FRAMEWORK_FILES);
	r = configuration_read(fd, place, path, FILE_MAXIMUM, &file->text, NULL, error);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	file->name = strdup(path);
	framework->count++;
	framework->speaks |=
		framework_says_something(file->text.data ? file->text.data : "", file->text.length);
	return file->name ? 0 : error_set_errno(error, ENOMEM, "framework.conf");
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static int list_files(const char *place, int fd, char **names, size_t *count, struct error **error)
{
	cleanup_close int directory_fd = -1;
	cleanup_list DIR *list = NULL;
	const char *name;
	int r = configuration_open_below(fd, place, DIRECTORY, &directory_fd, error);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == 0)
		r = list_open(directory_fd, ".", &list, error);
	if (r < 0)
		return r;
	while ((name = list_next(list))) {
		/* As the shell's *.conf: no hidden files. */
		if (!string_ends_with(name, ".conf") || !name_is_safe(name))
			continue;
		if (*count == FRAMEWORK_FILES)
			return error_refuse(error, EXIT_USAGE, E2BIG,
					    "%s/" DIRECTORY ": more than %d files", place,
					    FRAMEWORK_FILES);
		names[*count] = format_string(DIRECTORY "/%s", name);
		if (!names[(*count)++])
			return error_set_errno(error, ENOMEM, "framework.conf");
	}
	qsort(names, *count, sizeof(*names), compare_names);
	return 0;
}

static int load(struct framework *framework, const char *place, struct error **error)
{
	char *names[FRAMEWORK_FILES] = { NULL };
	cleanup_close int fd = -1;
	size_t count = 0;
	int r = configuration_open(place, &fd, error);

	if (r < 0 || fd < 0)
		return r;
	r = add_file(framework, place, fd, "framework.conf", error);
	if (r == 0)
		r = list_files(place, fd, names, &count, error);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_file(framework, place, fd, names[i], error);
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	return r;
}

void framework_clear(struct framework *framework)
{
	for (size_t i = 0; i < framework->count; i++) {
		free(framework->files[i].name);
		text_clear(&framework->files[i].text);
	}
}

/* DKMS's settings that are otherwise here. byte for byte its default: nothing to say. */
static const struct {
	const char *name;
	const char *normal;
	const char *reason;
} without_effect[] = {
	{ "sign_file", "", "modules are signed by kmodbox itself" },
	{ "mok_signing_key", "/var/lib/dkms/mok.key", "the key is keys/module.key in --statedir" },
	{ "mok_certificate", "/var/lib/dkms/mok.pub",
	  "the certificate is keys/module.crt in --statedir" },
	{ "try_sign_modules", "not_in_chroot", "every module is signed" },
	{ "compress_gzip_opts", "", "modules are compressed as the kernel can read them" },
	{ "compress_xz_opts", "--check=crc32 --lzma2=dict=1MiB",
	  "modules are compressed as the kernel can read them" },
	{ "compress_zstd_opts", "-q --rm -T0",
	  "modules are compressed as the kernel can read them" },
	{ "symlink_modules", "", "installed modules are copies" },
	{ "modprobe_on_install", "", "run modprobe when it is installed" },
	{ "tmp_location", "/tmp", "builds have a private place of their own" },
	{ "post_transaction", "", "what follows an installation is the caller's" },
	/* Of the package scripts that call us, not of ours. */
	{ "autoinstall_all_kernels", NULL, NULL },
	{ "continue_on_error", NULL, NULL },
};

static int set_tree(char **field, const char *name, const char *normal, const char *value,
		    struct error **error)
{
	if (*field || strcmp(value, normal) == 0 || !*value)
		return 0;
	if (value[0] != '/')
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "framework.conf: %s='%s' cannot be: give an absolute path",
				    name, value);
	*field = strdup(value);
	return *field ? 0 : error_set_errno(error, ENOMEM, "framework.conf");
}

static int set_jobs(struct options *options, const char *value, struct error **error)
{
	uint64_t jobs;

	if (options->jobs_given || !*value)
		return 0;
	if (parse_u64(value, OPTIONS_JOBS, &jobs) < 0)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "framework.conf: parallel_jobs='%s' cannot be: give a number "
				    "from 0 (as many as processors) to %d",
				    value, OPTIONS_JOBS);
	options->jobs = (unsigned)jobs;
	options->jobs_given = true;
	return 0;
}

/* It may name the kernel: "/etc/dkms/environment-$kernelver". */
static int set_environment(struct options *options, const char *value, bool first,
			   struct error **error)
{
	if (*value && value[0] != '/')
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "framework.conf: build_environment='%s' cannot be: give an "
				    "absolute path",
				    value);
	if (first) {
		free(options->build_environment);
		options->build_environment = *value ? strdup(value) : NULL;
		return !*value || options->build_environment
			       ? 0
			       : error_set_errno(error, ENOMEM, "framework.conf");
	}
	if (string_equal(options->build_environment ? options->build_environment : "", value))
		return 0;
	return error_refuse(error, EXIT_USAGE, EINVAL,
			    "framework.conf: build_environment is another file for each of these "
			    "kernels: give one -k, and run it for each");
}

static int warn_without_effect(const struct log *log, const char *name, const char *value,
			       struct error **error)
{
	for (size_t i = 0; i < ARRAY_SIZE(without_effect); i++) {
		if (strcmp(name, without_effect[i].name) != 0)
			continue;
		if (without_effect[i].normal && strcmp(value, without_effect[i].normal) != 0)
			log_warning(log, "%s of framework.conf has no effect here: %s", name,
				    without_effect[i].reason);
		return 0;
	}
	return error_refuse(error, EXIT_USAGE, EINVAL,
			    "framework.conf: its evaluation gave '%s', "
			    "which is no setting",
			    name);
}

/* Where the place of a tree is kept, and which one DKMS has anyway; NULL: name is no tree. */
static char **find_tree(struct options *options, const char *name, const char **ret_normal)
{
	const struct {
		const char *name;
		const char *normal;
		char **field;
	} trees[] = {
		{ "dkms_tree", "/var/lib/dkms", &options->dkms_tree },
		{ "source_tree", "/usr/src", &options->source_tree },
		{ "install_tree", "/lib/modules", &options->install_tree },
	};

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		if (strcmp(name, trees[i].name) == 0) {
			*ret_normal = trees[i].normal;
			return trees[i].field;
		}
	}
	return NULL;
}

/* kernel: how many came before. What does not depend on it is taken from the first. */
static int take(struct options *options, bool trees, const struct log *log, const char *name,
		const char *value, size_t kernel, struct error **error)
{
	const char *normal;
	char **tree = find_tree(options, name, &normal);

	if (tree)
		return trees && kernel == 0 ? set_tree(tree, name, normal, value, error) : 0;
	/* Of the rest it needs nothing, and it is not the one to tell of mistakes. */
	if (options->verb == VERB_STATUS)
		return 0;
	if (strcmp(name, "build_environment") == 0)
		return set_environment(options, value, kernel == 0, error);
	if (kernel > 0)
		return 0;
	if (strcmp(name, "parallel_jobs") == 0)
		return set_jobs(options, value, error);
	if (strcmp(name, "verbose") == 0) {
		options->verbose = options->verbose || *value;
		return 0;
	}
	return warn_without_effect(log, name, value, error);
}

/* The string at *offset, or NULL where there is none that ends. */
static const char *next_string(const char *answer, size_t length, size_t *offset)
{
	const char *string = answer + *offset;
	const char *end = *offset < length ? memchr(string, '\0', length - *offset) : NULL;

	if (!end)
		return NULL;
	*offset = (size_t)(end - answer) + 1;
	return string;
}

static int refuse_value(const char *name, const char *shown, struct error **error)
{
	if (strcmp(name, "@syntax") == 0)
		return error_refuse(error, EXIT_USAGE, EINVAL,
				    "framework.conf is not valid shell; bash said: %s", shown);
	return error_refuse(error, EXIT_USAGE, EINVAL,
			    "framework.conf: a value has bytes that cannot be shown: '%s'", shown);
}

/* status is asked everywhere, and only looks. */
static void warn_denied(const struct options *options, const struct log *log, const char *calls)
{
	if (options->verb != VERB_STATUS)
		log_warning(log, "framework.conf tried, and was refused: %s", calls);
}

int framework_take_answer(struct options *options, bool trees, const struct log *log,
			  const char *answer, size_t length, struct error **error)
{
	const size_t expected = options->kernel_count ? options->kernel_count : 1;
	const char *file = "framework.conf";
	size_t offset = 0, kernels = 0;
	const char *name;

	while ((name = next_string(answer, length, &offset)) && strcmp(name, "@end") != 0) {
		const char *value = next_string(answer, length, &offset);
		cleanup_free char *shown = value ? sanitised(value) : NULL;
		int r = 0;

		if (!value)
			break;
		if (!shown)
			return error_set_errno(error, ENOMEM, "framework.conf");
		if (strcmp(name, "@syntax") == 0 || strcmp(shown, value) != 0)
			return refuse_value(name, shown, error);
		if (strcmp(name, "@file") == 0)
			file = value;
		else if (strcmp(name, "@denied") == 0)
			warn_denied(options, log, value);
		else if (strcmp(name, "@kernel") == 0)
			kernels++;
		else
			r = take(options, trees, log, name, value, kernels, error);
		if (r < 0)
			return r;
	}
	if (name && strcmp(name, "@end") == 0 && offset == length && kernels == expected)
		return 0;
	return error_refuse(error, EXIT_USAGE, EINVAL,
			    "%s ended the shell before its end: it may only set variables, in 2 s "
			    "of CPU time, not call exit or exec",
			    file);
}

int framework_apply(struct options *options, const struct log *log, struct error **error)
{
	cleanup(framework_clear) struct framework framework = { 0 };
	cleanup_text struct text answer = { 0 };
	bool trees = geteuid() == 0 || options->dkms_config;
	int r;

	/* It only looks, and is asked everywhere: where all is said already it needs no file. */
	if (options->verb == VERB_STATUS &&
	    (!trees || (options->dkms_tree && options->source_tree && options->install_tree)))
		return 0;
	r = load(&framework, options->dkms_config ? options->dkms_config : "/etc/dkms", error);
	if (r < 0 || !framework.speaks)
		return r;
	r = framework_plain(&framework, options->kernel_count ? options->kernel_count : 1, &answer);
	if (r < 0)
		return error_set_errno(error, -r, "framework.conf");
	if (r == 0)
		r = framework_evaluate(&framework, options, &answer, error);
	return r < 0 ? r
		     : framework_take_answer(options, trees, log, answer.data ? answer.data : "",
					     answer.length, error);
}
