/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb build: one module version for each kernel asked for, from snapshot to published. */
#include <string.h>
#include <time.h>

#include "lib/artifacts/build_files.h"
#include "lib/base/memfd.h"
#include "orchestrator/build_evaluate.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/overrides.h"
#include "orchestrator/record.h"
#include "orchestrator/results.h"

/* How often a build is repeated because headers or compiler were upgraded under it. */
#define HEADER_CHANGES 1

/* What is put beside the modules: the build's data, and which version of each package it needed. */
struct published {
	struct published_data *list;
	char **names; /* of the latter; owned */
	int *fds;     /* the same */
	size_t count;
	size_t owned_count;
};

static void published_clear(struct published *published)
{
	for (size_t i = 0; i < published->owned_count; i++) {
		free(published->names[i]);
		(void)close_fd(published->fds[i]);
	}
	free(published->names);
	free(published->fds);
	free(published->list);
}

static int published_fill(const struct build *build, struct published *published,
			  struct error **error)
{
	const struct dependencies *dependencies = build->dependencies;
	int r = 0;

	published->list =
		calloc(build->data_count + dependencies->count + 1, sizeof(*published->list));
	published->names = calloc(dependencies->count + 1, sizeof(*published->names));
	published->fds = calloc(dependencies->count + 1, sizeof(*published->fds));
	if (!published->list || !published->names || !published->fds)
		return error_set_errno(error, ENOMEM, "data of the build");
	for (size_t i = 0; i < build->data_count; i++)
		published->list[published->count++] =
			(struct published_data){ .name = build->data[i].name,
						 .fd = build->data[i].fd };
	for (size_t i = 0; r == 0 && i < dependencies->count; i++) {
		const struct dependency *dependency = &dependencies->list[i];
		char *name = format_string(BUILD_DEPENDENCY_MARK "%s", dependency->module);

		if (!name)
			return error_set_errno(error, ENOMEM, "data of the build");
		published->names[published->owned_count] = name;
		published->fds[published->owned_count] = -1;
		r = memfd_from_bytes(name, dependency->version, strlen(dependency->version),
				     &published->fds[published->owned_count], error);
		published->list[published->count++] =
			(struct published_data){ .name = name,
						 .fd = published->fds[published->owned_count] };
		published->owned_count++;
	}
	return r;
}

static int sign(struct build *build, struct signed_set *set, struct error **error)
{
	size_t count = 0;
	cleanup_free struct signer_dependency *files =
		dependencies_files(build->dependencies, &count);
	int r;

	if (!files)
		return error_set_errno(error, ENOMEM, "signing");
	r = signer_client_sign(build->orchestrator, build->target, build->recipe, &build->source,
			       build->artifacts, files, count, set, error);
	if (r < 0 && error && error_code(*error) == EXIT_WILL_NOT_LOAD &&
	    build->recipe->module_count > 1)
		/* The others might be wanted all the same. */
		return build_step_suggest(build, HINT_LEAVE_OUT, error);
	return r;
}

static int collect(struct build *build, struct error **error)
{
	int r = build_step_collect(build, error);

	return r < 0 && error && error_code(*error) == EXIT_NO_MODULE
		       ? build_step_suggest(build, build->log.hint, error)
		       : r;
}

/* With --verbose: how long what is not make took. */
static void tell_parts(const struct build *build)
{
	cleanup_text struct text text = { 0 };
	int r = 0;

	for (enum build_part i = 0; r == 0 && i < PARTS; i++)
		r = text_append_format(&text, "%s%s %llu ms", i > 0 ? ", " : "", build_part_name(i),
				       (unsigned long long)(build->parts.nanoseconds[i] / 1000000));
	if (r == 0 && build->orchestrator->options->verbose)
		log_info(build->orchestrator->log, "  beside make: %s", text.data);
}

static int publish(struct build *build, const struct signed_set *set, int record_fd,
		   struct error **error)
{
	cleanup(published_clear) struct published published = { 0 };
	int r = published_fill(build, &published, error);

	if (r == 0)
		r = build_log_seal(&build->log, error);
	if (r == 0)
		r = installer_client_publish(build->orchestrator, build->package, build->target,
					     set, build->log.fd, record_fd, published.list,
					     published.count, error);
	return r;
}

/* What is signed is recorded and handed over. */
static int deliver(struct build *build, const struct signed_set *set, struct error **error)
{
	const struct orchestrator *orchestrator = build->orchestrator;
	cleanup_close int record_fd = -1;
	int r = record_make(build, set, &record_fd, error);

	build->step = "publish";
	if (r == 0)
		r = publish(build, set, record_fd, error);
	build_parts_end(&build->parts, PART_PUBLISH);
	if (r < 0)
		return r;
	results_take_build(orchestrator, record_fd,
			   format_string("%s/%s/%s/%s/%s/log/make.log",
					 orchestrator->places.dkms_tree, build->package->module,
					 build->package->version, build->target->release,
					 build->target->architecture));
	for (size_t i = 0; i < set->count; i++)
		log_info(orchestrator->log, "  %s: %s, signed (%s)", set->files[i].result.name,
			 set->files[i].result.verdict.checker.text, set->ticket.hash);
	tell_parts(build);
	return 0;
}

/* Until all that is left is to hand over. */
static int make(struct build *build, struct signed_set *set, struct error **error)
{
	int r;

	build->step = "reference";
	r = reference_obtain(build, error);
	build_parts_end(&build->parts, PART_REFERENCE);
	if (r == 0) {
		build->step = "build";
		r = build_step_run(build, error);
		build_parts_start(&build->parts);
	}
	/* Looks while we go on. */
	inputs_end(build->inputs);
	if (r == 0) {
		build->step = "collect";
		r = collect(build, error);
	}
	build_parts_end(&build->parts, PART_COLLECT);
	if (r == 0) {
		build->step = "strip";
		r = build_step_strip(build, error);
	}
	build_parts_end(&build->parts, PART_STRIP);
	if (r == 0) {
		build->step = "sign";
		r = sign(build, set, error);
	}
	build_parts_end(&build->parts, PART_SIGN);
	return r;
}

/* One attempt. ret_changed: headers or toolchain were not the same before and after, so whatever
 * came of it says nothing, a failure neither. */
static int attempt(struct build *build, bool *ret_changed, struct error **error)
{
	cleanup_signed_set struct signed_set set = SIGNED_SET_INITIAL;
	int r, looked;

	build_parts_start(&build->parts);
	build->step = "headers";
	r = inputs_begin(build->target->kernel, build->toolchain, build->orchestrator->cache_fd,
			 &build->inputs, error);
	build_parts_end(&build->parts, PART_FINGERPRINT);
	if (r < 0)
		return r;
	r = make(build, &set, error);
	if (r < 0 && error_code(*error) == EXIT_INTERRUPTED)
		return r;
	looked = inputs_changed(build->inputs, ret_changed, r < 0 ? NULL : error);
	if (looked == 0)
		reference_settle(build, *ret_changed);
	build_parts_end(&build->parts, PART_STAMP);
	if (*ret_changed) {
		*error = error_free(*error);
		return 0;
	}
	if (r < 0 || looked < 0)
		return r < 0 ? r : looked;
	return deliver(build, &set, error);
}

/*
 * The log of a failure goes where DKMS's users look for it, with its record. Where that fails too,
 * on a full disk, it is mostly for the reason that is told anyway.
 */
static bool keep_failed_log(struct build *build, struct error *error, const char *path)
{
	cleanup_free char *reason = error_describe(error);
	cleanup_close int record_fd = -1;
	bool kept;

	if (build->log.fd < 0)
		return false;
	build_log_note(&build->log, "# %s", reason ? reason : "failed");
	if (build_log_seal(&build->log, NULL) < 0 ||
	    record_make_failed(build, error, &record_fd, NULL) < 0)
		return false;
	kept = installer_client_failed_log(build->orchestrator, build->package, build->target,
					   build->log.fd, record_fd, NULL) == 0;
	results_take_build(build->orchestrator, record_fd, kept ? strdup(path) : NULL);
	return kept;
}

/*
 * What is the kernel's matter is told of the kernel, word for word the same for whatever was to be
 * built: so who builds many things for it can tell it once. The log is the first one's.
 */
static int fail_kernel(const struct build *build, const char *log, struct error **error)
{
	struct reference *reference = build->target->reference;
	cleanup_free char *text = error_describe(*error);
	const int number = error_number(*error);

	if (!reference->told && log && build->log.fd >= 0 && string_equal(build->step, "reference"))
		reference->log = strdup(log);
	reference->told = true;
	*error = error_free(*error);
	return error_refuse(
		error, EXIT_MAKE_FAILED, number, "no module can be built for kernel %s: %s%s%s%s",
		build->target->release, text ? text : "no memory", reference->log ? " (log: " : "",
		reference->log ? reference->log : "", reference->log ? ")" : "");
}

static int fail_build(struct build *build, struct error **error)
{
	const struct orchestrator *orchestrator = build->orchestrator;
	const struct package *package = build->package;
	cleanup_free char *log =
		format_string("%s/%s/%s/build/make.log", orchestrator->places.dkms_tree,
			      package->module, package->version);
	cleanup_free char *place = NULL;
	cleanup_free char *text = NULL;
	struct error *cause = *error;
	int code = error_code(cause);
	int number = error_number(cause);
	bool kept;

	kept = log && keep_failed_log(build, cause, log);
	if (code == EXIT_MAKE_FAILED &&
	    (string_equal(build->step, "toolchain") || string_equal(build->step, "reference")))
		return fail_kernel(build, kept ? log : NULL, error);
	place = kept ? format_string(" (log: %s)", log) : strdup(" (its log could not be kept)");
	text = error_describe(cause);
	*error = error_free(cause);
	/* Before make nothing is in the log but this. */
	(void)error_set(error, number, "build of %s %s for %s failed: %s%s", package->module,
			package->version, build->target->release, text ? text : "no memory",
			build->command && place ? place : "");
	error_set_code(*error, code ? code : EXIT_INFRASTRUCTURE);
	return -number;
}

static int build_once(const struct build *planned, bool *ret_changed, struct error **error)
{
	const struct orchestrator *orchestrator = planned->orchestrator;
	const struct package *package = planned->package;
	const struct target *target = planned->target;
	cleanup_toolchain struct toolchain toolchain = { 0 };
	struct build build = *planned;
	int r;

	build.toolchain = &toolchain;
	build.step = "toolchain";
	r = build_log_open(&build.log, package->module, package->version, target->release,
			   target->architecture, error);
	if (r == 0 && orchestrator->options->verbose)
		build.log.echo = orchestrator->log;
	if (r == 0) {
		r = toolchain_find(target->kernel, &toolchain, error);
		if (r < 0 && error)
			error_set_code(*error, EXIT_MAKE_FAILED);
	}
	if (r == 0)
		r = attempt(&build, ret_changed, error);
	if (r < 0)
		r = fail_build(&build, error);
	build_clear(&build);
	return r;
}

/* Again where headers or compiler were upgraded under it. */
static int build_until_settled(const struct build *planned, struct error **error)
{
	const struct package *package = planned->package;
	const char *release = planned->target->release;

	for (int tries = 0; tries <= HEADER_CHANGES; tries++) {
		bool changed = false;
		int r = build_once(planned, &changed, error);

		if (r < 0 || !changed)
			return r;
		if (tries < HEADER_CHANGES)
			log_warning(planned->orchestrator->log,
				    "the headers of %s, or the compiler, changed during the build, "
				    "which starts again",
				    release);
	}
	return error_refuse(error, EXIT_INFRASTRUCTURE, EAGAIN,
			    "build of %s %s for %s given up: the kernel's headers or the compiler "
			    "keep changing during it; wait for the upgrade to end and build again",
			    package->module, package->version, release);
}

/* Once a run, not for each kernel. */
static void warn_deprecated(const struct build *build)
{
	const struct recipe *recipe = build->recipe;
	cleanup_text struct text names = { 0 };
	int r = 0;

	if (recipe->deprecated_count == 0 || build->target != &build->orchestrator->targets[0])
		return;
	for (size_t i = 0; r == 0 && i < recipe->deprecated_count; i++)
		r = text_append_format(&names, "%s%s", i > 0 ? ", " : "", recipe->deprecated[i]);
	if (r == 0)
		log_warning(build->orchestrator->log,
			    "%s/%s: dkms.conf sets what has no effect any more: %s",
			    recipe->package_name, recipe->package_version, names.data);
}

/* Does a line of the file set name, without using it ($name) elsewhere in the file? */
static bool sets_in_vain(const struct text *file, const char *name)
{
	const size_t length = strlen(name);
	bool sets = false;

	for (const char *at = file->data; at && (at = strstr(at, name)); at += length) {
		const char *start = at;

		if (at > file->data && (at[-1] == '$' || at[-1] == '{'))
			return false;
		while (start > file->data && (start[-1] == ' ' || start[-1] == '\t'))
			start--;
		sets = sets || ((start == file->data || start[-1] == '\n') &&
				(at[length] == '=' || at[length] == '[' ||
				 string_starts_with(at + length, "+=")));
	}
	return sets;
}

/* Vendors' files set this and that; in root's own, what is no directive is a mistyped one. */
static int warn_mistyped(const struct build *build, struct error **error)
{
	const struct places *places = &build->orchestrator->places;
	const struct recipe *recipe = build->recipe;
	cleanup_overrides struct overrides overrides = { 0 };
	int r;

	if (recipe->unknown_count == 0 || build->target != &build->orchestrator->targets[0])
		return 0;
	r = overrides_load(places, build->package, build->target, &overrides, error);
	for (size_t i = 0; r == 0 && i < overrides.count; i++) {
		for (size_t j = 0; j < recipe->unknown_count; j++)
			if (sets_in_vain(&overrides.list[i].text, recipe->unknown[j]))
				log_warning(build->orchestrator->log,
					    "%s/%s sets %s, which is no directive of dkms.conf and "
					    "has no effect",
					    places->dkms_config, overrides.list[i].name,
					    recipe->unknown[j]);
	}
	return r;
}

static int build_planned(struct build *build, struct error **error)
{
	cleanup_overlay struct overlay overlay = { 0 };
	cleanup_loaded_profile struct loaded_profile loaded = { 0 };
	int r = overlay_load(&build->orchestrator->places, build->recipe, &overlay, error);

	build->overlay = &overlay;
	if (r == 0)
		r = build_choose_profile(build, &loaded, error);
	if (r == 0)
		r = warn_mistyped(build, error);
	if (r == 0)
		warn_deprecated(build);
	if (r == 0)
		r = build_until_settled(build, error);
	return r;
}

static int build_added(const struct orchestrator *orchestrator, const struct package *package,
		       const struct target *target, struct error **error)
{
	cleanup_module_settings struct module_settings settings = { 0 };
	cleanup_dependencies struct dependencies dependencies = { 0 };
	cleanup_source struct source source = SOURCE_INITIAL;
	struct recipe *recipe = NULL;
	struct build build = { .orchestrator = orchestrator,
			       .package = package,
			       .target = target,
			       .settings = &settings,
			       .dependencies = &dependencies,
			       .log = { .fd = -1 } };
	int r = module_settings_load(&orchestrator->places, package->module, &settings, error);

	build_parts_start(&build.parts);
	if (r == 0)
		r = source_read_added(orchestrator, package, &source, error);
	build_parts_end(&build.parts, PART_SNAPSHOT);
	if (r == 0)
		r = build_evaluate_required(orchestrator, package, &source, target, &settings,
					    &recipe, &dependencies, error);
	build_parts_end(&build.parts, PART_EVALUATE);
	if (r == 0) {
		build.recipe = recipe;
		build.snapshot_fd = source.snapshot_fd;
		build.source = source.digest;
		r = build_planned(&build, error);
	}
	(void)recipe_free(recipe);
	return r;
}

/* What the checker would say when all is compiled. */
static int require_architecture(const struct target *target, struct error **error)
{
	return string_equal(target->architecture, "x86_64")
		       ? 0
		       : error_refuse(
				 error, EXIT_NO_ARCH, ENOTSUP,
				 "modules for %s (kernel %s) cannot be checked yet, only those "
				 "for x86_64, so none are built",
				 target->architecture, target->release);
}

int build_target(struct orchestrator *orchestrator, const struct package *package,
		 const struct target *target, struct error **error)
{
	const struct options *options = orchestrator->options;
	enum state state;
	time_t start = time(NULL);
	int r = package_state(orchestrator, package, target, &state, error);

	if (r < 0)
		return r;
	if (state >= STATE_BUILT && !options->force) {
		log_info(orchestrator->log,
			 "Module %s/%s is already built for kernel %s (%s): skipped. --force "
			 "builds it again.",
			 package->module, package->version, target->release, target->architecture);
		return 0;
	}
	r = require_architecture(target, error);
	if (r == 0)
		r = target_require_headers(target, error);
	if (r < 0)
		return r;
	/* With --force what is there stays until the new build is complete; the installer swaps
	 * them. */
	if (!target->reference->told)
		log_info(orchestrator->log, "Building %s/%s for kernel %s (%s)", package->module,
			 package->version, target->release, target->architecture);
	r = build_added(orchestrator, package, target, error);
	if (r == 0)
		log_info(orchestrator->log, "Built %s/%s for kernel %s in %lld s", package->module,
			 package->version, target->release, (long long)(time(NULL) - start));
	return r;
}

int verb_build(struct orchestrator *orchestrator, struct error **error)
{
	int r = add_if_absent(orchestrator, error);

	return r < 0 ? r : for_each_target(orchestrator, build_target, error);
}
