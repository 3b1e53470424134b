/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module's source in a run, see source.h. */
#include "orchestrator/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/recipes/archive.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_parts.h"
#include "orchestrator/git.h"
#include "orchestrator/overrides.h"
#include "orchestrator/tarball.h"
#include "sandbox/host.h"

/* A source that needs more than this share of the memory that is available is built on disk. */
#define MEMORY_SHARE 2
#define BUILT_TO_SOURCE 4 /* how much larger a build directory gets than its source */

uint64_t source_memory_maximum(void)
{
	cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t memory = root_fd < 0 ? 0 : host_available_memory(root_fd);

	return memory > 0 ? memory / MEMORY_SHARE / BUILT_TO_SOURCE : UINT64_MAX;
}

const char *source_place(const struct orchestrator *orchestrator, int snapshot_fd)
{
	struct stat status;

	return fstat(snapshot_fd, &status) == 0 &&
			       (uint64_t)status.st_size > source_memory_maximum()
		       ? orchestrator->scratch_place
		       : NULL;
}

static int fail(struct error **error, int code, int r)
{
	if (error && *error && !error_code(*error))
		error_set_code(*error, code);
	return r;
}

/* place_fd: where it goes when it is large, or -1: in memory, as other processes take it. */
static int from_directory(int directory_fd, int place_fd, struct source *ret_source,
			  struct error **error)
{
	struct source source = SOURCE_INITIAL;
	int r = snapshot_from_large_directory(directory_fd, source_memory_maximum(), place_fd,
					      &source.snapshot_fd, &source.digest, error);

	if (r < 0) {
		(void)error_context(error, "source");
		return fail(error, EXIT_BAD_CONF, r);
	}
	*ret_source = source;
	return 0;
}

static int from_source_tree(const struct orchestrator *orchestrator, const struct package *package,
			    int place_fd, struct source *ret_source, struct error **error)
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
	return from_directory(fd, place_fd, ret_source, error);
}

static int from_archive(const struct orchestrator *orchestrator, int archive_fd,
			struct source *ret_source, struct error **error)
{
	const struct archive_scratch scratch = { source_memory_maximum(),
						 orchestrator->scratch_place };
	struct source source = SOURCE_INITIAL;
	int r = archive_snapshot(&orchestrator->sandbox, orchestrator->unpack_fd, archive_fd,
				 &scratch, &source.snapshot_fd, &source.digest, error);

	if (r == 0)
		*ret_source = source;
	return r;
}

static int from_git(const struct orchestrator *orchestrator, struct source *ret_source,
		    struct error **error)
{
	cleanup_close int archive_fd = -1;
	int r = git_archive(orchestrator, &archive_fd, error);

	return r < 0 ? r : from_archive(orchestrator, archive_fd, ret_source, error);
}

int source_from_part(int snapshot_fd, const char *directory, struct source *ret_source,
		     struct error **error)
{
	struct source source = { .snapshot_fd = -1, .foreign = true };
	int r = 0;

	if (directory[0] != '\0') {
		r = snapshot_subtree(snapshot_fd, directory, &source.snapshot_fd, &source.digest,
				     error);
	} else {
		source.snapshot_fd = fcntl(snapshot_fd, F_DUPFD_CLOEXEC, 0);
		r = source.snapshot_fd < 0 ? error_set_errno(error, errno, "source")
					   : digest_file(source.snapshot_fd, &source.digest, error);
	}
	if (r < 0) {
		source_clear(&source);
		return fail(error, EXIT_BAD_ARCHIVE, r);
	}
	*ret_source = source;
	return 0;
}

/* mktarball's archives can be added too, but it takes ldtarball to take the builds in them. */
static int only_source_of_tarball(const struct orchestrator *orchestrator, struct source *source,
				  struct error **error)
{
	cleanup_tarball struct tarball tarball = { 0 };
	struct source part = SOURCE_INITIAL;
	int r = tarball_read(source->snapshot_fd, &tarball, NULL);

	/* Whatever else it is, evaluation says what is wrong with it. */
	if (r < 0 || tarball.kind == TARBALL_PLAIN)
		return 0;
	if (tarball.kind == TARBALL_BINARIES)
		return error_refuse(error, EXIT_NO_SOURCE, ENOENT,
				    "it holds builds without their source: add the source first, "
				    "then take the builds with ldtarball");
	r = source_from_part(source->snapshot_fd, tarball.directory, &part, error);
	if (r < 0)
		return r;
	source_clear(source);
	*source = part;
	if (tarball.build_count > 0)
		log_info(orchestrator->log,
			 "The builds in the archive are left out: ldtarball takes them");
	return 0;
}

int source_read_named(const struct orchestrator *orchestrator, struct source *ret_source,
		      struct error **error)
{
	const struct options *options = orchestrator->options;
	struct source source = SOURCE_INITIAL;
	int r;

	if (options->archive)
		r = from_archive(orchestrator, orchestrator->archive_fd, &source, error);
	else if (options->source && orchestrator->shown_source)
		r = from_git(orchestrator, &source, error);
	else if (options->source)
		r = from_directory(orchestrator->given_source_fd, -1, &source, error);
	else
		return from_source_tree(orchestrator, &orchestrator->package, -1, ret_source,
					error);
	if (r == 0 && options->archive)
		r = only_source_of_tarball(orchestrator, &source, error);
	if (r < 0) {
		if (options->archive || options->source)
			(void)error_context(error, "%s",
					    options->archive ? options->archive : options->source);
		source_clear(&source);
		return options->archive ? fail(error, EXIT_BAD_ARCHIVE, r) : r;
	}
	source.foreign = true;
	*ret_source = source;
	return 0;
}

int source_read_added(const struct orchestrator *orchestrator, const struct package *package,
		      struct source *ret_source, struct error **error)
{
	if (package->source_fd >= 0)
		return from_directory(package->source_fd, orchestrator->cache_fd, ret_source,
				      error);
	return from_source_tree(orchestrator, package, orchestrator->cache_fd, ret_source, error);
}

int source_evaluate(const struct orchestrator *orchestrator, const struct package *package,
		    const struct source *source, const struct target *target,
		    const struct source_view *view, struct recipe **ret_recipe,
		    struct error **error)
{
	static const struct source_view nothing;
	const struct options *options = orchestrator->options;
	const long processors = sysconf(_SC_NPROCESSORS_ONLN);
	cleanup_overrides struct overrides overrides = { 0 };
	struct recipe_request request = {
		.base = &orchestrator->sandbox,
		.snapshot_fd = source->snapshot_fd,
		.place = source_place(orchestrator, source->snapshot_fd),
		.module = package->module,
		.version = package->version,
		.kernel = target->kernel,
		.kernel_release = target->release,
		.architecture = target->architecture,
		.directives = (const char *const *)options->directives,
		.directive_count = options->directive_count,
	};
	int r = overrides_load(&orchestrator->places, package, target, &overrides, error);

	if (r < 0)
		return r;
	view = view ? view : &nothing;
	request.overrides = overrides.list;
	request.override_count = overrides.count;
	request.overrides_directory = orchestrator->places.dkms_config;
	request.mounts = view->mounts;
	request.mount_count = view->mount_count;
	request.environment = view->environment;
	request.environment_count = view->environment_count;
	request.jobs = options->jobs_given && options->jobs > 0 ? options->jobs
		       : processors > 0				? (unsigned)processors
								: 1;
	return recipe_evaluate(&request, ret_recipe, error);
}

void source_clear(struct source *source)
{
	*source = (struct source){ .snapshot_fd = close_fd(source->snapshot_fd) };
}
