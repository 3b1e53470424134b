/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module's source in a run, see source.h. */
#include "orchestrator/source.h"

#include <fcntl.h>

#include "lib/base/files.h"
#include "lib/recipes/archive.h"
#include "lib/recipes/snapshot.h"

static int fail(struct error **error, int code, int r)
{
	if (error && *error && !error_code(*error))
		error_set_code(*error, code);
	return r;
}

static int from_directory(int directory_fd, struct source *ret_source, struct error **error)
{
	struct source source = SOURCE_INITIAL;
	int r = snapshot_from_directory(directory_fd, &source.snapshot_fd, &source.digest, error);

	if (r < 0) {
		(void)error_context(error, "source");
		return fail(error, EXIT_BAD_CONF, r);
	}
	*ret_source = source;
	return 0;
}

static int from_source_tree(const struct orchestrator *orchestrator, const struct package *package,
			    struct source *ret_source, struct error **error)
{
	cleanup_free char *name = format_string("%s-%s", package->module, package->version);
	cleanup_close int fd = -1;
	int r;

	if (!name)
		return error_set_errno(error, ENOMEM, "source");
	r = open_beneath(orchestrator->places.source_tree_fd, name, O_RDONLY | O_DIRECTORY, 0, &fd,
			 NULL);
	if (r < 0) {
		(void)error_set(
			error, -r,
			"source of %s/%s not found: %s/%s is not a directory that can be read; put "
			"the source there, or add its directory or archive",
			package->module, package->version, orchestrator->places.source_tree, name);
		return fail(error, EXIT_NO_SOURCE, r);
	}
	return from_directory(fd, ret_source, error);
}

int source_read_named(const struct orchestrator *orchestrator, struct source *ret_source,
		      struct error **error)
{
	struct source source = SOURCE_INITIAL;
	int r;

	if (orchestrator->options->archive) {
		r = archive_snapshot(&orchestrator->sandbox, orchestrator->unpack_fd,
				     orchestrator->archive_fd, &source.snapshot_fd, &source.digest,
				     error);
		if (r < 0) {
			(void)error_context(error, "%s", orchestrator->options->archive);
			return fail(error, EXIT_BAD_ARCHIVE, r);
		}
		source.foreign = true;
		*ret_source = source;
		return 0;
	}
	if (orchestrator->options->source) {
		r = from_directory(orchestrator->given_source_fd, &source, error);
		if (r < 0)
			return r;
		source.foreign = true;
		*ret_source = source;
		return 0;
	}
	return from_source_tree(orchestrator, &orchestrator->package, ret_source, error);
}

int source_read_added(const struct orchestrator *orchestrator, const struct package *package,
		      struct source *ret_source, struct error **error)
{
	if (package->source_fd >= 0)
		return from_directory(package->source_fd, ret_source, error);
	return from_source_tree(orchestrator, package, ret_source, error);
}

int source_evaluate(const struct orchestrator *orchestrator, const struct package *package,
		    const struct source *source, const struct target *target,
		    struct recipe **ret_recipe, struct error **error)
{
	const struct recipe_request request = {
		.base = &orchestrator->sandbox,
		.snapshot_fd = source->snapshot_fd,
		.module = package->module,
		.version = package->version,
		.kernel = target->kernel,
		.kernel_release = target->release,
		.architecture = target->architecture,
	};

	return recipe_evaluate(&request, ret_recipe, error);
}

void source_clear(struct source *source)
{
	*source = (struct source){ .snapshot_fd = close_fd(source->snapshot_fd) };
}
