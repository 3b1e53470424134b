/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A build out of an archive, see load.h. Its modules were decompressed and their signatures cut off
 * in a sandbox; here they are bytes, and what they are is for checker and signer to say.
 */
#include <string.h>

#include "lib/base/memfd.h"
#include "lib/recipes/snapshot.h"
#include "orchestrator/build_evaluate.h"
#include "orchestrator/build_log.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/load.h"

#define MODULE_MAXIMUM (UINT64_C(256) << 20)
#define DATA_MAXIMUM (UINT64_C(64) << 20)
#define LOG_MAXIMUM (UINT64_C(64) << 20)

struct loaded {
	const struct loading *loading;
	const struct tarball_build *build;
	const struct target *target;
	struct recipe *recipe;
	struct dependencies dependencies;
	struct artifact *artifacts; /* per module of the recipe; fd -1 for excluded ones */
	struct build_log log;
	int symvers_fd;
};

static void loaded_clear(struct loaded *loaded)
{
	for (size_t i = 0; loaded->artifacts && i < loaded->recipe->module_count; i++)
		artifact_clear(&loaded->artifacts[i]);
	free(loaded->artifacts);
	loaded->recipe = recipe_free(loaded->recipe);
	dependencies_clear(&loaded->dependencies);
	build_log_close(&loaded->log);
	loaded->symvers_fd = close_fd(loaded->symvers_fd);
}

/* A file of this build in the archive, "module/demo.ko". */
static int read_member(const struct loaded *loaded, const char *name, uint64_t maximum, int *ret_fd,
		       struct error **error)
{
	cleanup_free char *directory =
		tarball_build_directory(loaded->build->kernel, loaded->build->architecture);
	cleanup_free char *path = directory ? format_string("%s/%s", directory, name) : NULL;

	if (!path)
		return error_set_errno(error, ENOMEM, "archive");
	return snapshot_read_file(loaded->loading->snapshot_fd, path, maximum, ret_fd, error);
}

static int take_module(const struct loaded *loaded, const struct recipe_module *module,
		       struct artifact *artifact, struct error **error)
{
	cleanup_free char *name = format_string("module/%s.ko", module->dest_name);
	int r;

	artifact->name = strdup(module->built_name);
	if (!name || !artifact->name)
		return error_set_errno(error, ENOMEM, "archive");
	r = read_member(loaded, name, MODULE_MAXIMUM, &artifact->fd, NULL);
	if (r == -ENOENT)
		return error_refuse(error, EXIT_NO_MODULE, ENOENT,
				    "dkms.conf declares %s, which the archive does not have",
				    module->dest_name);
	if (r < 0)
		return error_refuse(error, EXIT_NO_MODULE, -r, "%s.ko cannot be taken: %s",
				    module->dest_name,
				    r == -EFBIG ? "it is larger than 256 MiB" : strerror(-r));
	r = memfd_require_sealed(artifact->fd, MODULE_MAXIMUM, &artifact->size, error);
	return r < 0 ? r : digest_file(artifact->fd, &artifact->digest, error);
}

/* What dkms.conf does not declare is not approved, and left out. */
static void tell_undeclared(const struct loaded *loaded)
{
	const struct recipe *recipe = loaded->recipe;

	for (size_t i = 0; i < loaded->build->module_count; i++) {
		const char *name = loaded->build->modules[i];
		bool declared = false;

		for (size_t m = 0; m < recipe->module_count; m++)
			declared = declared || (!recipe->modules[m].excluded &&
						string_equal(recipe->modules[m].dest_name, name));
		if (!declared)
			log_warning(loaded->loading->orchestrator->log,
				    "%s.ko of the archive is left out: dkms.conf does not declare "
				    "it for kernel %s",
				    name, loaded->target->release);
	}
}

static int take_modules(struct loaded *loaded, struct error **error)
{
	const struct recipe *recipe = loaded->recipe;
	int r = 0;

	loaded->artifacts = calloc(recipe->module_count + 1, sizeof(*loaded->artifacts));
	if (!loaded->artifacts)
		return error_set_errno(error, ENOMEM, "modules of the archive");
	for (size_t i = 0; i < recipe->module_count; i++)
		loaded->artifacts[i].fd = -1;
	for (size_t i = 0; r == 0 && i < recipe->module_count; i++)
		if (!recipe->modules[i].excluded)
			r = take_module(loaded, &recipe->modules[i], &loaded->artifacts[i], error);
	if (r == 0 && loaded->build->has_symvers)
		r = read_member(loaded, "module/Module.symvers", DATA_MAXIMUM, &loaded->symvers_fd,
				error);
	return r;
}

/* The log that came along, behind a head of ours that says so. */
static int make_log(struct loaded *loaded, struct error **error)
{
	const struct loading *loading = loaded->loading;
	cleanup_free char *name = sanitised(loading->name);
	cleanup_close int fd = -1;
	char hex[DIGEST_HEX_SIZE];
	const uint8_t *bytes;
	size_t size;
	int r;

	if (!name)
		return error_set_errno(error, ENOMEM, "log");
	r = build_log_open(&loaded->log, loading->package.module, loading->package.version,
			   loaded->target->release, loaded->target->architecture, error);
	if (r < 0)
		return r;
	digest_to_hex(&loading->archive, hex);
	build_log_note(&loaded->log, "# not built here: loaded from %s (SHA-256 %s)", name, hex);
	if (loaded->build->has_log &&
	    read_member(loaded, "log/make.log", LOG_MAXIMUM, &fd, NULL) == 0 &&
	    memfd_map(fd, LOG_MAXIMUM, &bytes, &size, NULL) == 0) {
		build_log_note(&loaded->log, "# the log that came along:");
		build_log_output(&loaded->log, bytes, size);
		memfd_unmap(bytes, size);
	}
	return build_log_seal(&loaded->log, error);
}

static int sign(struct loaded *loaded, struct signed_set *set, struct error **error)
{
	const struct loading *loading = loaded->loading;
	size_t count = 0;
	cleanup_free struct signer_dependency *files =
		dependencies_files(&loaded->dependencies, &count);

	if (!files)
		return error_set_errno(error, ENOMEM, "signing");
	return signer_client_sign(loading->orchestrator, loaded->target, loaded->recipe,
				  &loading->source.digest, loaded->artifacts, files, count, set,
				  error);
}

static int deliver(struct loaded *loaded, struct error **error)
{
	const struct loading *loading = loaded->loading;
	const struct published_data symvers = { .name = "Module.symvers",
						.fd = loaded->symvers_fd };
	cleanup_signed_set struct signed_set set = SIGNED_SET_INITIAL;
	cleanup_close int record_fd = -1;
	int r = sign(loaded, &set, error);

	if (r == 0)
		r = load_record(loading, loaded->target, loaded->recipe, &set, &record_fd, error);
	if (r == 0)
		r = make_log(loaded, error);
	if (r == 0)
		r = installer_client_publish(loading->orchestrator, &loading->package,
					     loaded->target, &set, loaded->log.fd, record_fd,
					     &symvers, symvers.fd >= 0 ? 1 : 0, error);
	for (size_t i = 0; r == 0 && i < set.count; i++)
		log_info(loading->orchestrator->log, "  %s: %s, signed (%s)",
			 set.files[i].result.name, set.files[i].result.verdict.checker.text,
			 set.ticket.hash);
	return r;
}

int load_build(const struct loading *loading, const struct tarball_build *build,
	       const struct target *target, struct error **error)
{
	cleanup_module_settings struct module_settings settings = { 0 };
	cleanup(loaded_clear) struct loaded loaded = { .loading = loading,
						       .build = build,
						       .target = target,
						       .log = { .fd = -1 },
						       .symvers_fd = -1 };
	int r = module_settings_load(&loading->orchestrator->places, loading->package.module,
				     &settings, error);

	if (r == 0)
		r = build_evaluate_required(loading->orchestrator, &loading->package,
					    &loading->source, target, &settings, &loaded.recipe,
					    &loaded.dependencies, error);
	if (r == 0)
		r = take_modules(&loaded, error);
	if (r < 0)
		return r;
	tell_undeclared(&loaded);
	return deliver(&loaded, error);
}
