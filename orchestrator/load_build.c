/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A build out of an archive, see load.h. Its modules were decompressed and their signatures cut off
 * in a sandbox; here they are bytes, and what they are is for checker and signer to say.
 */
#include <string.h>

#include "lib/artifacts/build_files.h"
#include "lib/base/memfd.h"
#include "lib/recipes/snapshot.h"
#include "orchestrator/build_evaluate.h"
#include "orchestrator/build_log.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/load.h"

#define DATA_MAXIMUM (UINT64_C(64) << 20)
#define VERSION_MAXIMUM 128 /* of a .dep_ file: a safe name and a newline */
#define SYMVERS "Module.symvers"

void loaded_clear(struct loaded *loaded)
{
	for (size_t i = 0; loaded->artifacts && i < loaded->recipe->module_count; i++)
		artifact_clear(&loaded->artifacts[i]);
	for (size_t i = 0; i < loaded->data_count; i++) {
		free(loaded->data[i].name);
		free(loaded->data[i].version);
		(void)close_fd(loaded->data[i].fd);
	}
	free(loaded->artifacts);
	free(loaded->data);
	dependencies_clear(&loaded->dependencies);
	*loaded = (struct loaded){ .recipe = recipe_free(loaded->recipe) };
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
	r = read_member(loaded, name, BUILD_MODULE_MAXIMUM, &artifact->fd, NULL);
	if (r == -ENOENT)
		return error_refuse(error, EXIT_NO_MODULE, ENOENT,
				    "dkms.conf declares %s, which the archive does not have",
				    module->dest_name);
	if (r < 0)
		return error_refuse(error, EXIT_NO_MODULE, -r, "%s.ko cannot be taken: %s",
				    module->dest_name,
				    r == -EFBIG ? "it is larger than 256 MiB" : strerror(-r));
	r = memfd_require_sealed(artifact->fd, BUILD_MODULE_MAXIMUM, &artifact->size, error);
	return r < 0 ? r : digest_file(artifact->fd, &artifact->digest, error);
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
	return r;
}

static bool is_needed(const struct loaded *loaded, const char *module)
{
	for (size_t i = 0; i < loaded->dependencies.count; i++)
		if (string_equal(loaded->dependencies.list[i].module, module))
			return true;
	return false;
}

/* What a .dep_ file says: one version, and maybe a newline. NULL: anything else. */
static char *read_version(int fd)
{
	cleanup_free char *version = NULL;
	const uint8_t *bytes;
	size_t size, length;

	if (memfd_map(fd, VERSION_MAXIMUM, &bytes, &size, NULL) < 0)
		return NULL;
	length = size > 0 && bytes[size - 1] == '\n' ? size - 1 : size;
	version = strndup((const char *)bytes, length);
	memfd_unmap(bytes, size);
	/* No NUL in it either. */
	return version && strlen(version) == length && name_is_safe(version) ? TAKE_PTR(version)
									     : NULL;
}

/* As builds made here have it. */
static int take_need(struct loaded *loaded, const char *module, struct error **error)
{
	struct loaded_data *data = &loaded->data[loaded->data_count];
	cleanup_free char *name = format_string(BUILD_DEPENDENCY_MARK "%s", module);
	cleanup_free char *version = NULL;
	cleanup_close int fd = -1;
	int r;

	if (!name)
		return error_set_errno(error, ENOMEM, "archive");
	if (!is_needed(loaded, module))
		return 0; /* tell_left_out() */
	if (read_member(loaded, name, VERSION_MAXIMUM, &fd, NULL) == 0)
		version = read_version(fd);
	if (!version)
		return error_refuse(error, EXIT_BAD_ARCHIVE, EINVAL,
				    "%s of the archive does not say which version of %s it was "
				    "built with: take it out of the archive",
				    name, module);
	r = memfd_from_bytes(name, version, strlen(version), &data->fd, error);
	if (r < 0)
		return r;
	data->name = TAKE_PTR(name);
	data->version = TAKE_PTR(version);
	loaded->data_count++;
	return 0;
}

static int take_data(struct loaded *loaded, struct error **error)
{
	const struct tarball_build *build = loaded->build;
	int r = 0;

	loaded->data = calloc(build->need_count + 1, sizeof(*loaded->data));
	if (!loaded->data)
		return error_set_errno(error, ENOMEM, "data of the archive");
	for (size_t i = 0; r == 0 && i < build->need_count; i++)
		r = take_need(loaded, build->needs[i], error);
	if (r == 0 && build->has_symvers) {
		struct loaded_data *data = &loaded->data[loaded->data_count];

		r = read_member(loaded, "module/" SYMVERS, DATA_MAXIMUM, &data->fd, error);
		if (r == 0) {
			loaded->data_count++;
			data->name = strdup(SYMVERS);
			r = data->name ? 0 : error_set_errno(error, ENOMEM, "archive");
		}
	}
	return r;
}

int loaded_take(const struct loading *loading, const struct tarball_build *build,
		const struct target *target, struct loaded *ret_loaded, struct error **error)
{
	cleanup_module_settings struct module_settings settings = { 0 };
	cleanup_loaded struct loaded loaded = { .loading = loading,
						.build = build,
						.target = target };
	int r = module_settings_load(&loading->orchestrator->places, loading->package.module,
				     &settings, error);

	if (r == 0)
		r = build_evaluate_required(loading->orchestrator, &loading->package,
					    &loading->source, target, &settings, &loaded.recipe,
					    &loaded.dependencies, error);
	if (r == 0)
		r = take_modules(&loaded, error);
	if (r == 0)
		r = take_data(&loaded, error);
	if (r < 0)
		return r;
	*ret_loaded = loaded;
	loaded = (struct loaded){ 0 };
	return 0;
}

/* What dkms.conf does not declare is not approved, and left out; what it does not need, too. */
static void tell_left_out(const struct loaded *loaded)
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
	for (size_t i = 0; i < loaded->build->need_count; i++)
		if (!is_needed(loaded, loaded->build->needs[i]))
			log_warning(loaded->loading->orchestrator->log,
				    BUILD_DEPENDENCY_MARK "%s of the archive is left out: "
							  "BUILD_DEPENDS does not name it",
				    loaded->build->needs[i]);
}

/* The log that came along, behind a head of ours that says so. */
static int make_log(const struct loaded *loaded, struct build_log *log, struct error **error)
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
	r = build_log_open(log, loading->package.module, loading->package.version,
			   loaded->target->release, loaded->target->architecture, error);
	if (r < 0)
		return r;
	digest_to_hex(&loading->archive, hex);
	build_log_note(log, "# not built here: loaded from %s (SHA-256 %s)", name, hex);
	if (loaded->build->has_log &&
	    read_member(loaded, "log/make.log", BUILD_LOG_MAXIMUM, &fd, NULL) == 0 &&
	    memfd_map(fd, BUILD_LOG_MAXIMUM, &bytes, &size, NULL) == 0) {
		build_log_note(log, "# the log that came along:");
		build_log_output(log, bytes, size);
		memfd_unmap(bytes, size);
	}
	return build_log_seal(log, error);
}

static int sign(const struct loaded *loaded, struct signed_set *set, struct error **error)
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

static int publish(const struct loaded *loaded, const struct signed_set *set, int log_fd,
		   int record_fd, struct error **error)
{
	const struct loading *loading = loaded->loading;
	struct published_data list[TARBALL_NEEDS + 1];

	for (size_t i = 0; i < loaded->data_count; i++)
		list[i] = (struct published_data){ .name = loaded->data[i].name,
						   .fd = loaded->data[i].fd };
	return installer_client_publish(loading->orchestrator, &loading->package, loaded->target,
					set, log_fd, record_fd, list, loaded->data_count, error);
}

int load_deliver(const struct loaded *loaded, struct error **error)
{
	const struct orchestrator *orchestrator = loaded->loading->orchestrator;
	cleanup_signed_set struct signed_set set = SIGNED_SET_INITIAL;
	cleanup(build_log_close) struct build_log log = { .fd = -1 };
	cleanup_close int record_fd = -1;
	int r;

	tell_left_out(loaded);
	r = sign(loaded, &set, error);
	if (r == 0)
		r = load_record(loaded, &set, &record_fd, error);
	if (r == 0)
		r = make_log(loaded, &log, error);
	if (r == 0)
		r = publish(loaded, &set, log.fd, record_fd, error);
	for (size_t i = 0; r == 0 && i < set.count; i++)
		log_info(orchestrator->log, "  %s: %s, signed (%s)", set.files[i].result.name,
			 set.files[i].result.verdict.checker.text, set.ticket.hash);
	return r;
}
