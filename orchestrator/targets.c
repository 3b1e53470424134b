/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels of a command line, one after another. */
#include "orchestrator/targets.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/base/files.h"
#include "orchestrator/results.h"

#define FOUND_MAXIMUM 256 /* of those that are looked for, not named */

struct loading {
	const struct verb_row *row;
	const struct options *options;
	const struct places *places;
	struct target *targets;
	size_t count;
};

/* Missing headers are kept as a failure for who needs them. */
static int load_target(struct loading *loading, const char *release, const char *architecture,
		       struct error **error)
{
	const struct places *places = loading->places;
	struct target *target = &loading->targets[loading->count++];

	target->release = strdup(release);
	target->architecture = strdup(architecture);
	target->boot = BOOT_KERNEL_INITIAL;
	target->reference = reference_new();
	if (!target->release || !target->architecture || !target->reference)
		return error_set_errno(error, ENOMEM, "kernels");
	if (verb_builds(loading->row) || loading->row->verb == VERB_ADD ||
	    loading->row->verb == VERB_DOCTOR)
		ignore_result(kernel_load(places->kernel_root, places->module_tree, release,
					  architecture, geteuid(), &target->kernel,
					  &target->failure));
	if (loading->row->verb == VERB_INSTALL || loading->row->verb == VERB_MATCH ||
	    loading->row->verb == VERB_AUTOINSTALL)
		target->boot = boot_kernel_open(places, release);
	return 0;
}

static bool is_loaded(const struct loading *loading, const char *release)
{
	for (size_t i = 0; i < loading->count; i++) {
		if (string_equal(loading->targets[i].release, release))
			return true;
	}
	return false;
}

static int load_directory(struct loading *loading, const char *directory, const char *architecture,
			  struct error **error)
{
	const char *root = loading->places->kernel_root;
	cleanup_free char *path =
		format_string("%s%s", string_equal(root, "/") ? "" : root, directory);
	cleanup_close int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	cleanup_list DIR *list = NULL;
	const char *name;
	int r = path ? 0 : error_set_errno(error, ENOMEM, "kernels");

	if (fd >= 0)
		r = list_open(fd, ".", &list, error);
	while (r == 0 && list && (name = list_next(list))) {
		if (!name_is_safe(name) || is_loaded(loading, name))
			continue;
		if (loading->count == FOUND_MAXIMUM)
			return error_refuse(error, EXIT_USAGE, E2BIG,
					    "%s holds more than %d kernels: name those to load the "
					    "archive for, with -k",
					    path, FOUND_MAXIMUM);
		r = load_target(loading, name, architecture, error);
	}
	return r;
}

/* Which kernels an archive is for only the orchestrator learns: all that have headers here. */
static int load_every_target(struct loading *loading, const char *architecture,
			     struct error **error)
{
	const char *tree = loading->places->module_tree;
	int r = load_directory(loading, tree, architecture, error);

	/* As kernel_load(): where /lib is no link, as in a root that packages were unpacked to. */
	return r == 0 && string_equal(tree, "/lib/modules")
		       ? load_directory(loading, "/usr/lib/modules", architecture, error)
		       : r;
}

static int load_all(struct loading *loading, struct error **error)
{
	const struct options *options = loading->options;
	bool every = (loading->row->verb == VERB_LDTARBALL || loading->row->verb == VERB_DOCTOR) &&
		     options->kernel_count == 0;
	size_t count = options->kernel_count ? options->kernel_count : 1;
	const char *architecture = NULL;
	struct utsname running;
	int r = 0;

	if (uname(&running) < 0)
		return error_set_errno(error, errno, "uname");
	loading->targets = calloc(every ? FOUND_MAXIMUM : count, sizeof(struct target));
	if (!loading->targets)
		return error_set_errno(error, ENOMEM, "kernels");
	for (size_t i = 0; r == 0 && i < count; i++) {
		architecture = options->architecture_count == 0	  ? running.machine
			       : options->architecture_count == 1 ? options->architectures[0]
								  : options->architectures[i];
		r = load_target(loading,
				options->kernel_count ? options->kernels[i] : running.release,
				architecture, error);
	}
	return r == 0 && every ? load_every_target(loading, architecture, error) : r;
}

void targets_clear(struct target *targets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(targets[i].release);
		free(targets[i].architecture);
		(void)kernel_free(targets[i].kernel);
		(void)error_free(targets[i].failure);
		boot_kernel_close(&targets[i].boot);
		(void)reference_free(targets[i].reference);
	}
	free(targets);
}

int targets_load(const struct verb_row *row, const struct options *options,
		 const struct places *places, struct target **ret_targets, size_t *ret_count,
		 struct error **error)
{
	struct loading loading = { .row = row, .options = options, .places = places };
	int r = load_all(&loading, error);

	if (r < 0) {
		targets_clear(loading.targets, loading.count);
		return r;
	}
	*ret_targets = loading.targets;
	*ret_count = loading.count;
	return 0;
}

int target_require_headers(const struct target *target, struct error **error)
{
	cleanup_free char *reason = NULL;
	int number = error_number(target->failure);
	int code = error_code(target->failure);

	if (target->kernel)
		return 0;
	reason = error_describe(target->failure);
	return error_refuse(error, code ? code : EXIT_NO_HEADERS, number ? number : ENOENT, "%s",
			    reason ? reason : "the kernel's headers could not be loaded");
}

int for_each_target(struct orchestrator *orchestrator, target_function *function,
		    struct error **error)
{
	struct error *failure = NULL;
	int result = 0;

	for (size_t i = 0; i < orchestrator->target_count; i++) {
		struct error *next = NULL;
		int r = function(orchestrator, &orchestrator->package, &orchestrator->targets[i],
				 &next);

		if (orchestrator->package.module)
			results_add(orchestrator, &orchestrator->package, &orchestrator->targets[i],
				    next);
		if (r == 0)
			continue;
		if (failure)
			log_error(orchestrator->log, failure);
		(void)error_free(failure);
		failure = next;
		result = r;
		if (error_code(failure) == EXIT_INTERRUPTED)
			break;
	}
	if (result < 0 && error)
		*error = TAKE_PTR(failure);
	(void)error_free(failure);
	return result;
}
