/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb mktarball: a source, its builds, or both as one archive in DKMS's format, below
 * DKMSTREE/M/V/tarball. The same content always gives the same bytes. Reads the trees as anybody
 * can, packs in a sandbox; the installer puts the result in its place.
 */
#include <fcntl.h>
#include <string.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/recipes/archive.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_parts.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/source.h"
#include "orchestrator/tarball.h"

#define SOURCE_PARTS 3 /* dkms_binaries_only has three files */
#define CONF_MAXIMUM (UINT64_C(16) << 20)

/* One build to be packed. Names are borrowed. */
struct packed {
	const char *kernel;
	const char *architecture;
	char *directory; /* in the archive */
	int fd;		 /* its snapshot */
};

struct packing {
	const struct orchestrator *orchestrator;
	struct state_list list; /* --all takes names from it */
	struct packed *builds;
	size_t count;
	struct source source;
	int files[SOURCE_PARTS]; /* of dkms_binaries_only */
	struct snapshot_part *parts;
	size_t part_count;
};

static void packing_clear(struct packing *packing)
{
	for (size_t i = 0; i < packing->count; i++) {
		free(packing->builds[i].directory);
		(void)close_fd(packing->builds[i].fd);
	}
	for (size_t i = 0; i < SOURCE_PARTS; i++)
		(void)close_fd(packing->files[i]);
	free(packing->builds);
	free(packing->parts);
	source_clear(&packing->source);
	state_list_clear(&packing->list);
}

static int add_build(struct packing *packing, const char *kernel, const char *architecture)
{
	for (size_t i = 0; i < packing->count; i++)
		if (string_equal(packing->builds[i].kernel, kernel) &&
		    string_equal(packing->builds[i].architecture, architecture))
			return 0;
	packing->builds[packing->count++] = (struct packed){
		.kernel = kernel,
		.architecture = architecture,
		.directory = tarball_build_directory(kernel, architecture),
		.fd = -1,
	};
	return packing->builds[packing->count - 1].directory ? 0 : -ENOMEM;
}

/* --all: every build there is. */
static int choose_all(struct packing *packing, struct error **error)
{
	const struct orchestrator *orchestrator = packing->orchestrator;
	const struct package *package = &orchestrator->package;
	const struct state_trees trees = { .dkms_fd = orchestrator->places.dkms_tree_fd,
					   .source_fd = -1,
					   .install_fd = -1 };
	int r = state_list_load(&trees, package->module, package->version, NULL, NULL,
				&packing->list, error);

	if (r < 0)
		return r;
	packing->builds = calloc(packing->list.count + 1, sizeof(*packing->builds));
	r = packing->builds ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < packing->list.count; i++) {
		const struct state_entry *entry = &packing->list.entries[i];

		if (entry->state >= STATE_BUILT && entry->kernel && !entry->weak_from)
			r = add_build(packing, entry->kernel, entry->architecture);
	}
	if (r < 0)
		return error_set_errno(error, -r, "list of builds");
	if (packing->count == 0)
		return error_refuse(error, EXIT_INSTALL_ABORTED, ENOENT,
				    "%s/%s is built for no kernel: build it first, or pack its "
				    "source alone with --source-only",
				    package->module, package->version);
	return 0;
}

static int choose_builds(struct packing *packing, struct error **error)
{
	const struct orchestrator *orchestrator = packing->orchestrator;
	const struct package *package = &orchestrator->package;
	int r = 0;

	if (orchestrator->options->source_only)
		return 0;
	if (orchestrator->options->all)
		return choose_all(packing, error);
	packing->builds = calloc(orchestrator->target_count, sizeof(*packing->builds));
	if (!packing->builds)
		return error_set_errno(error, ENOMEM, "list of builds");
	for (size_t i = 0; r == 0 && i < orchestrator->target_count; i++) {
		const struct target *target = &orchestrator->targets[i];
		enum state state;

		r = package_state(orchestrator, package, target, &state, error);
		if (r == 0 && state < STATE_BUILT)
			return error_refuse(error, EXIT_INSTALL_ABORTED, ENOENT,
					    "%s/%s is not built for kernel %s (%s): build it "
					    "first, or pack its source alone with --source-only",
					    package->module, package->version, target->release,
					    target->architecture);
		if (r == 0 && add_build(packing, target->release, target->architecture) < 0)
			r = error_set_errno(error, ENOMEM, "list of builds");
	}
	return r;
}

static char *choose_name(const struct packing *packing)
{
	const struct package *package = &packing->orchestrator->package;
	cleanup_free const char **kernels = calloc(packing->count + 1, sizeof(*kernels));
	cleanup_free const char **architectures =
		calloc(packing->count + 1, sizeof(*architectures));

	if (packing->orchestrator->options->archive)
		return strdup(packing->orchestrator->options->archive);
	if (!kernels || !architectures)
		return NULL;
	for (size_t i = 0; i < packing->count; i++) {
		kernels[i] = packing->builds[i].kernel;
		architectures[i] = packing->builds[i].architecture;
	}
	return tarball_name(package->module, package->version, kernels, architectures,
			    packing->count);
}

static void put_part(struct packing *packing, const char *path, int fd, bool is_file)
{
	packing->parts[packing->part_count++] =
		(struct snapshot_part){ .path = path, .fd = fd, .is_file = is_file };
}

/* What stands in for the source where that is left out: its name, its version, its dkms.conf. */
static int put_binaries_only(struct packing *packing, struct error **error)
{
	static const char *const paths[SOURCE_PARTS] = {
		TARBALL_BINARIES_ONLY "/PACKAGE_NAME",
		TARBALL_BINARIES_ONLY "/PACKAGE_VERSION",
		TARBALL_BINARIES_ONLY "/dkms.conf",
	};
	const struct package *package = &packing->orchestrator->package;
	cleanup_free char *name = format_string("%s\n", package->module);
	cleanup_free char *version = format_string("%s\n", package->version);
	int r;

	if (!name || !version)
		return error_set_errno(error, ENOMEM, "archive");
	r = memfd_from_bytes("name", name, strlen(name), &packing->files[0], error);
	if (r == 0)
		r = memfd_from_bytes("version", version, strlen(version), &packing->files[1],
				     error);
	if (r == 0)
		r = snapshot_read_file(packing->source.snapshot_fd, "dkms.conf", CONF_MAXIMUM,
				       &packing->files[2], error);
	for (size_t i = 0; r == 0 && i < SOURCE_PARTS; i++)
		put_part(packing, paths[i], packing->files[i], true);
	return r;
}

static int read_build(const struct packing *packing, struct packed *build, struct error **error)
{
	const struct package *package = &packing->orchestrator->package;
	cleanup_free char *path = format_string("%s/%s/%s/%s", package->module, package->version,
						build->kernel, build->architecture);
	cleanup_close int directory_fd = -1;
	struct digest digest;
	int r;

	if (!path)
		return error_set_errno(error, ENOMEM, "archive");
	r = open_beneath(packing->orchestrator->places.dkms_tree_fd, path, O_RDONLY | O_DIRECTORY,
			 0, &directory_fd, error);
	if (r == 0)
		r = snapshot_from_directory(directory_fd, -1, &build->fd, &digest, error);
	return r < 0 ? error_context(error, "build %s", path) : 0;
}

static int compare_directories(const void *a, const void *b)
{
	const struct packed *first = a;
	const struct packed *second = b;
	int order = strcmp(first->kernel, second->kernel);

	return order ? order : strcmp(first->architecture, second->architecture);
}

/* In the order of a snapshot: dkms_binaries_only, dkms_main_tree, dkms_source_tree. */
static int put_parts(struct packing *packing, struct error **error)
{
	const bool binaries_only = packing->orchestrator->options->binaries_only;
	int r = 0;

	packing->parts = calloc(packing->count + SOURCE_PARTS + 1, sizeof(*packing->parts));
	if (!packing->parts)
		return error_set_errno(error, ENOMEM, "archive");
	if (binaries_only)
		r = put_binaries_only(packing, error);
	if (packing->count == 0)
		put_part(packing, TARBALL_MAIN_TREE, -1, false);
	else
		qsort(packing->builds, packing->count, sizeof(*packing->builds),
		      compare_directories);
	for (size_t i = 0; r == 0 && i < packing->count; i++) {
		r = read_build(packing, &packing->builds[i], error);
		put_part(packing, packing->builds[i].directory, packing->builds[i].fd, false);
	}
	if (!binaries_only)
		put_part(packing, TARBALL_SOURCE_TREE, packing->source.snapshot_fd, false);
	return r;
}

static int count_outward(void *context, char type, const char *path, uint64_t length)
{
	size_t *count = context;

	(void)path;
	(void)length;
	*count += type == 'o';
	return 0;
}

/* Archives of others are not trusted with such links. */
static int warn_of_links(const struct packing *packing, struct error **error)
{
	size_t count = 0;
	int r = snapshot_walk(packing->source.snapshot_fd, count_outward, &count, error);

	if (r == 0 && count > 0 && !packing->orchestrator->options->binaries_only)
		log_warning(packing->orchestrator->log,
			    "%zu symbolic link%s of the source lead%s out of it: dkms loads such "
			    "an archive, kmodbox does not",
			    count, count == 1 ? "" : "s", count == 1 ? "s" : "");
	return r;
}

static int pack(struct packing *packing, const char *name, struct error **error)
{
	const struct orchestrator *orchestrator = packing->orchestrator;
	cleanup_close int joined_fd = -1, archive_fd = -1;
	int r = source_read_added(orchestrator, &orchestrator->package, &packing->source, error);

	if (r == 0)
		r = warn_of_links(packing, error);
	if (r == 0)
		r = put_parts(packing, error);
	if (r == 0)
		r = snapshot_join(packing->parts, packing->part_count, &joined_fd, error);
	if (r == 0)
		r = archive_pack(&orchestrator->sandbox, orchestrator->unpack_fd, joined_fd,
				 tarball_compression(name), &archive_fd, error);
	if (r == 0)
		r = installer_client_tarball(orchestrator, &orchestrator->package, name, archive_fd,
					     error);
	return r;
}

int verb_mktarball(struct orchestrator *orchestrator, struct error **error)
{
	const struct package *package = &orchestrator->package;
	cleanup(packing_clear) struct packing packing = { .orchestrator = orchestrator,
							  .source = SOURCE_INITIAL,
							  .files = { -1, -1, -1 } };
	cleanup_free char *name = NULL;
	enum state state;
	int r = package_state(orchestrator, package, NULL, &state, error);

	if (r < 0)
		return r;
	if (state == STATE_ABSENT)
		return error_refuse(error, EXIT_STATE, ENOENT,
				    "%s/%s is not in the DKMS tree: add it first", package->module,
				    package->version);
	r = choose_builds(&packing, error);
	if (r < 0)
		return r;
	name = choose_name(&packing);
	if (!name)
		return error_set_errno(error, ENOMEM, "archive");
	r = pack(&packing, name, error);
	if (r < 0)
		return error_context(error, "archive of %s/%s", package->module, package->version);
	log_info(orchestrator->log, "Packed %s/%s: %s/%s/%s/tarball/%s", package->module,
		 package->version, orchestrator->places.dkms_tree, package->module,
		 package->version, name);
	return 0;
}
