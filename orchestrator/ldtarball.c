/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb ldtarball: an archive of DKMS's format is taken in. It is hostile as a whole: unpacked
 * in a sandbox, its source added as `add` adds an archive, and its modules checked against the
 * headers that are here and signed anew. What is there already stays, unless --force and a name say
 * so.
 */
#include <string.h>
#include <sys/stat.h>

#include "lib/base/memfd.h"
#include "lib/recipes/archive.h"
#include "lib/recipes/snapshot.h"
#include "orchestrator/build_evaluate.h"
#include "orchestrator/helpers.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/load.h"
#include "orchestrator/packages.h"
#include "orchestrator/source.h"

static void loading_clear(struct loading *loading)
{
	free(loading->package.module);
	free(loading->package.version);
	tarball_clear(&loading->tarball);
	source_clear(&loading->source);
	loading->snapshot_fd = close_fd(loading->snapshot_fd);
}

/* A copy first: what is hashed is what is unpacked, whoever may write to the file. */
static int read_archive(struct loading *loading, struct error **error)
{
	const struct orchestrator *orchestrator = loading->orchestrator;
	const struct archive_scratch scratch = { source_memory_maximum(),
						 orchestrator->scratch_place };
	cleanup_close int archive_fd = -1;
	struct stat status;
	int r;

	if (string_ends_with(loading->name, ".rpm"))
		return error_refuse(error, EXIT_BAD_ARCHIVE, ENOTSUP,
				    "an rpm package is not loaded: install it with rpm, which adds "
				    "its source, then run 'kmodbox autoinstall'");
	if (fstat(orchestrator->archive_fd, &status) < 0 || !S_ISREG(status.st_mode))
		return error_refuse(error, EXIT_BAD_ARCHIVE, EINVAL, "it is not a regular file");
	if ((uint64_t)status.st_size > SNAPSHOT_BYTES)
		return error_refuse(error, EXIT_BAD_ARCHIVE, EFBIG, "it is larger than %u MiB",
				    (unsigned)(SNAPSHOT_BYTES >> 20));
	r = memfd_from_file("archive", orchestrator->archive_fd, (uint64_t)status.st_size,
			    &archive_fd, error);
	if (r == 0)
		r = digest_file(archive_fd, &loading->archive, error);
	if (r == 0)
		r = archive_tarball_snapshot(&orchestrator->sandbox, orchestrator->unpack_fd,
					     archive_fd, &scratch, &loading->snapshot_fd, error);
	return r < 0 ? r : tarball_read(loading->snapshot_fd, &loading->tarball, error);
}

/* Replacing is root's decision about one module: an archive could have any name. */
static int check_added(const struct loading *loading, enum state state, struct error **error)
{
	const struct options *options = loading->orchestrator->options;
	const struct package *package = &loading->package;

	if (state < STATE_ADDED && loading->tarball.kind == TARBALL_BINARIES)
		return error_refuse(error, EXIT_NO_SOURCE, ENOENT,
				    "it holds builds of %s/%s without the source, which is not "
				    "added here: add that first, its dkms.conf says what the "
				    "modules are",
				    package->module, package->version);
	if (state < STATE_ADDED)
		return 0;
	/* Nor are foreign modules signed as what was made of an approved source, but where named.
	 */
	if (loading->tarball.kind == TARBALL_BINARIES && !options->module)
		return error_refuse(
			error, EXIT_BAD_CONF, EPERM,
			"it holds builds of %s/%s without the source they were made of; "
			"they are signed only where they are named: ldtarball -m %s -v "
			"%s FILE",
			package->module, package->version, package->module, package->version);
	if (options->force && !options->module)
		return error_refuse(error, EXIT_BAD_CONF, EEXIST,
				    "%s/%s is added already; an archive replaces it only where it "
				    "is named: ldtarball --force -m %s -v %s FILE",
				    package->module, package->version, package->module,
				    package->version);
	if (!options->force && loading->tarball.kind != TARBALL_BINARIES)
		return error_refuse(error, EXIT_BAD_CONF, EEXIST,
				    "%s/%s is added already: remove it first, or replace it with "
				    "ldtarball --force -m %s -v %s FILE",
				    package->module, package->version, package->module,
				    package->version);
	return 0;
}

/* NULL: there are no headers for it. ret_reason: why, where that is known; to be freed. */
static const struct target *find_target(const struct loading *loading,
					const struct tarball_build *build, char **ret_reason)
{
	const struct orchestrator *orchestrator = loading->orchestrator;

	for (size_t i = 0; i < orchestrator->target_count; i++) {
		const struct target *target = &orchestrator->targets[i];

		if (!string_equal(target->release, build->kernel) ||
		    !string_equal(target->architecture, build->architecture))
			continue;
		if (target->kernel)
			return target;
		if (ret_reason && !*ret_reason)
			*ret_reason = error_describe(target->failure);
	}
	return NULL;
}

/* NULL: why not was told. */
static const struct target *choose_target(const struct loading *loading,
					  const struct tarball_build *build)
{
	const struct orchestrator *orchestrator = loading->orchestrator;
	cleanup_free char *reason = NULL;
	const struct target *target = find_target(loading, build, &reason);

	if (!target)
		log_info(orchestrator->log, "The build for kernel %s (%s) is left out: %s",
			 build->kernel, build->architecture,
			 reason ? reason
			 : orchestrator->options->kernel_count
				 ? "it is not among those of -k"
				 : "that kernel's headers are not here");
	return target;
}

/* Nothing is built here, and there may be no compiler: then headers alone say what is right. */
static void obtain_reference(const struct loading *loading, const struct target *target)
{
	const struct orchestrator *orchestrator = loading->orchestrator;
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	if (reference_verdict(target) || target->reference->told ||
	    reference_require(orchestrator, target, &error) == 0)
		return;
	target->reference->told = true;
	text = error_describe(error);
	log_warning(orchestrator->log,
		    "modules for kernel %s are checked without a reference module: %s",
		    target->release, text ? text : "out of memory");
}

static int check_build(const struct loading *loading, const struct tarball_build *build,
		       int checker_fd, struct error **error)
{
	const struct target *target = find_target(loading, build, NULL);
	cleanup_loaded struct loaded loaded = { 0 };
	int r;

	if (!target)
		return 0;
	obtain_reference(loading, target);
	r = loaded_take(loading, build, target, &loaded, error);
	if (r < 0 && error && error_code(*error) == EXIT_SKIPPED) {
		*error = error_free(*error);
		return 0;
	}
	if (r == 0)
		r = load_check(&loaded, checker_fd, error);
	return r < 0 ? error_context(error, "%s/%s stays as it is; its build for %s",
				     loading->package.module, loading->package.version,
				     build->kernel)
		     : 0;
}

/*
 * Modules are signed under an approved source alone, so the archive's takes the place of the other
 * one before they are. What the signer will say of all of them is found out first.
 */
static int check_replacement(struct loading *loading, struct error **error)
{
	const struct orchestrator *orchestrator = loading->orchestrator;
	const struct package *package =
		packages_find(orchestrator, loading->package.module, loading->package.version);
	cleanup_source struct source source = SOURCE_INITIAL;
	cleanup_close int checker_fd = -1;
	int r = helper_open_program("kmodbox-checker", &checker_fd, error);

	for (size_t i = 0; r == 0 && i < loading->tarball.build_count; i++)
		r = check_build(loading, &loading->tarball.builds[i], checker_fd, error);
	if (r < 0)
		return r;
	loading->replaces = true;
	/* To be told if it comes to that; one that cannot even be read may be replaced, too. */
	if (source_read_added(orchestrator, package ? package : &loading->package, &source, NULL) ==
	    0)
		loading->replaced = source.digest;
	return 0;
}

static int add_source(struct loading *loading, const struct recipe *recipe, struct error **error)
{
	const struct orchestrator *orchestrator = loading->orchestrator;
	char hex[DIGEST_HEX_SIZE];
	int r = installer_client_add(orchestrator, recipe, loading->source.snapshot_fd,
				     &loading->source.digest, true, error);

	if (r < 0)
		return r;
	digest_to_hex(&loading->source.digest, hex);
	log_info(orchestrator->log,
		 "Added %s/%s: %zu module%s, source %.16s... approved to be signed",
		 recipe->package_name, recipe->package_version, recipe->module_count,
		 recipe->module_count == 1 ? "" : "s", hex);
	return 0;
}

/* Of a binaries-only archive dkms.conf serves to say whose builds they are; the rest is ours. */
static int use_added(struct loading *loading, struct error **error)
{
	const struct package *added = packages_find(loading->orchestrator, loading->package.module,
						    loading->package.version);

	source_clear(&loading->source);
	loading->package.source_fd = added ? added->source_fd : -1;
	return source_read_added(loading->orchestrator, &loading->package, &loading->source, error);
}

static int take_source(struct loading *loading, struct error **error)
{
	const struct orchestrator *orchestrator = loading->orchestrator;
	struct recipe *recipe = NULL;
	enum state state;
	int r = source_from_part(loading->snapshot_fd, loading->tarball.directory, &loading->source,
				 error);

	/* The names on the command line, if any, are what it must say. */
	if (r == 0)
		r = build_evaluate(orchestrator, &orchestrator->package, &loading->source,
				   &orchestrator->targets[0], &recipe, error);
	if (r < 0)
		return r;
	loading->package.module = strdup(recipe->package_name);
	loading->package.version = strdup(recipe->package_version);
	if (!loading->package.module || !loading->package.version)
		r = error_set_errno(error, ENOMEM, "archive");
	if (r == 0)
		r = package_state(orchestrator, &loading->package, NULL, &state, error);
	if (r == 0)
		r = check_added(loading, state, error);
	if (r == 0 && state >= STATE_ADDED && loading->tarball.kind != TARBALL_BINARIES)
		r = check_replacement(loading, error);
	if (r == 0)
		r = loading->tarball.kind == TARBALL_BINARIES ? use_added(loading, error)
							      : add_source(loading, recipe, error);
	(void)recipe_free(recipe);
	return r;
}

/* 1: taken or there already; 0: left out, which was told. */
static int take_build(const struct loading *loading, const struct tarball_build *build,
		      struct error **error)
{
	const struct orchestrator *orchestrator = loading->orchestrator;
	const struct package *package = &loading->package;
	const struct target *target = choose_target(loading, build);
	cleanup_loaded struct loaded loaded = { 0 };
	enum state state;
	int r;

	if (!target)
		return 0;
	r = package_state(orchestrator, package, target, &state, error);
	if (r < 0)
		return r;
	if (state >= STATE_BUILT && !orchestrator->options->force) {
		log_warning(orchestrator->log,
			    "%s/%s is built for kernel %s (%s) already: that build stays",
			    package->module, package->version, build->kernel, build->architecture);
		return 1;
	}
	log_info(orchestrator->log, "Loading the build of %s/%s for kernel %s (%s)",
		 package->module, package->version, build->kernel, build->architecture);
	obtain_reference(loading, target);
	r = loaded_take(loading, build, target, &loaded, error);
	if (r == 0)
		r = load_deliver(&loaded, error);
	if (r == 0)
		return 1;
	if (error && error_code(*error) == EXIT_SKIPPED) {
		cleanup_free char *reason = error_describe(*error);

		*error = error_free(*error);
		log_info(orchestrator->log, "  left out: %s", reason ? reason : "out of memory");
		return 0;
	}
	return error_context(error, "build of %s/%s for %s", package->module, package->version,
			     build->kernel);
}

/* As for kernels of the command line: one that fails is told, and does not stop the others. */
static int take_builds(const struct loading *loading, struct error **error)
{
	const struct tarball *tarball = &loading->tarball;
	struct error *failure = NULL;
	size_t taken = 0;
	int result = 0;

	for (size_t i = 0; i < tarball->build_count; i++) {
		struct error *next = NULL;
		int r = take_build(loading, &tarball->builds[i], &next);

		taken += r > 0;
		if (r >= 0)
			continue;
		if (failure)
			log_error(loading->orchestrator->log, failure);
		(void)error_free(failure);
		failure = next;
		result = r;
		if (error_code(failure) == EXIT_INTERRUPTED)
			break;
	}
	if (result < 0 && error)
		*error = TAKE_PTR(failure);
	(void)error_free(failure);
	if (result == 0 && taken == 0 && tarball->kind == TARBALL_BINARIES)
		return error_refuse(error, EXIT_NO_HEADERS, ENOENT,
				    "it holds builds alone, and none of them could be taken here");
	return result;
}

/* The source is the archive's by now, and its builds are not here. */
static int tell_source(const struct loading *loading, struct error **error)
{
	static const struct digest unknown;
	const struct package *package = &loading->package;
	char before[DIGEST_HEX_SIZE], now[DIGEST_HEX_SIZE];

	if (!loading->replaces) {
		log_info(loading->orchestrator->log, "The source of %s/%s stays added",
			 package->module, package->version);
		return error_context(error, "%s", loading->name);
	}
	digest_to_hex(&loading->source.digest, now);
	digest_to_hex(&loading->replaced, before);
	return error_context(
		error,
		"%s: the source of %s/%s was replaced: it is %.16s... now, before it was %s; "
		"load the archive again when this is mended, or go back to the former source with "
		"kmodbox add --force -m %s -v %s DIRECTORY",
		loading->name, package->module, package->version, now,
		digest_equal(&loading->replaced, &unknown) ? "not readable" : before,
		package->module, package->version);
}

int verb_ldtarball(struct orchestrator *orchestrator, struct error **error)
{
	const char *path = orchestrator->options->archive;
	const char *slash = strrchr(path, '/');
	cleanup(loading_clear) struct loading loading = {
		.orchestrator = orchestrator,
		.name = slash ? slash + 1 : path,
		.snapshot_fd = -1,
		.package = { .source_fd = -1 },
		.source = SOURCE_INITIAL,
	};
	int r = read_archive(&loading, error);

	if (r == 0)
		r = take_source(&loading, error);
	if (r < 0)
		return error_context(error, "%s", loading.name);
	r = take_builds(&loading, error);
	if (r == 0)
		return 0;
	return loading.tarball.kind == TARBALL_BINARIES ? error_context(error, "%s", loading.name)
							: tell_source(&loading, error);
}
