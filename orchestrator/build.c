/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb build: one module version for each kernel asked for, from snapshot to published. */
#include <string.h>
#include <time.h>

#include "lib/recipes/snapshot.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/record.h"
#include "orchestrator/source.h"

/* How often a build is repeated because headers or compiler were upgraded under it. */
#define HEADER_CHANGES 1

static int fail_with(struct error **error, int code, int errnum, const char *text)
{
	(void)error_set(error, errnum, "%s", text);
	if (error)
		error_set_code(*error, code);
	return -errnum;
}

/* Everything after make: sign, record, hand over. */
static int deliver(struct build *build, const struct digest *headers, struct error **error)
{
	const struct orchestrator *orchestrator = build->orchestrator;
	cleanup_signed_set struct signed_set set = SIGNED_SET_INITIAL;
	cleanup_close int record_fd = -1;
	int r = build_step_strip(build, error);

	if (r == 0)
		r = signer_client_sign(orchestrator, build->target, build->recipe, &build->source,
				       build->artifacts, &set, error);
	if (r == 0)
		r = record_make(build, headers, &set, &record_fd, error);
	if (r == 0)
		r = build_log_seal(&build->log, error);
	if (r == 0)
		r = installer_client_publish(orchestrator, build->package, build->target, &set,
					     build->log.fd, record_fd, error);
	for (size_t i = 0; r == 0 && i < set.count; i++)
		log_info(orchestrator->log, "  %s: %s, signed (%s)", set.files[i].result.name,
			 set.files[i].result.verdict.checker.text, set.ticket.hash);
	return r;
}

/* What must not change while a build runs. */
struct stamps {
	struct digest headers;
	struct digest toolchain;
};

static int take_stamps(const struct build *build, struct stamps *ret_stamps, struct error **error)
{
	int r = kernel_stamp(build->target->kernel, &ret_stamps->headers, error);

	return r < 0 ? r : toolchain_stamp(build->toolchain, &ret_stamps->toolchain, error);
}

/* One attempt. ret_changed: headers or toolchain were not the same before and after. */
static int attempt(struct build *build, bool *ret_changed, struct error **error)
{
	struct digest headers;
	struct stamps before;
	struct stamps after;
	int r = take_stamps(build, &before, error);

	/* After the stamps: what changes while it is taken shows too. */
	if (r == 0)
		r = kernel_fingerprint(build->target->kernel, &headers, error);
	if (r == 0)
		r = build_step_run(build, error);
	if (r == 0)
		r = take_stamps(build, &after, error);
	if (r < 0)
		return r;
	*ret_changed = !digest_equal(&before.headers, &after.headers) ||
		       !digest_equal(&before.toolchain, &after.toolchain);
	return *ret_changed ? 0 : deliver(build, &headers, error);
}

/*
 * The log of a failure goes where DKMS's users look for it. Where that fails too, on a full disk,
 * it is mostly for the reason that is told anyway.
 */
static bool keep_failed_log(struct build *build, struct error *error)
{
	cleanup_free char *reason = error_describe(error);

	if (build->log.fd < 0)
		return false;
	build_log_note(&build->log, "# %s", reason ? reason : "failed");
	return build_log_seal(&build->log, NULL) == 0 &&
	       installer_client_failed_log(build->orchestrator, build->package, build->target,
					   build->log.fd, NULL) == 0;
}

static int fail_build(struct build *build, struct error **error)
{
	const struct orchestrator *orchestrator = build->orchestrator;
	const struct package *package = build->package;
	cleanup_free char *place = NULL;
	cleanup_free char *text = NULL;
	struct error *cause = *error;
	int code = error_code(cause);
	int number = error_number(cause);

	place = keep_failed_log(build, cause) ? format_string(" (log: %s/%s/%s/build/make.log)",
							      orchestrator->places.dkms_tree,
							      package->module, package->version)
					      : strdup(" (its log could not be kept)");
	text = error_describe(cause);
	*error = error_free(cause);
	/* Before make nothing is in the log but this. */
	(void)error_set(error, number, "build of %s %s for %s failed: %s%s", package->module,
			package->version, build->target->release, text ? text : "no memory",
			build->command && place ? place : "");
	error_set_code(*error, code ? code : EXIT_INFRASTRUCTURE);
	return -number;
}

static int build_once(const struct orchestrator *orchestrator, const struct package *package,
		      const struct target *target, const struct recipe *recipe,
		      const struct source *source, bool *ret_changed, struct error **error)
{
	const struct options *options = orchestrator->options;
	cleanup_toolchain struct toolchain toolchain = { 0 };
	struct build build = { .orchestrator = orchestrator,
			       .package = package,
			       .target = target,
			       .recipe = recipe,
			       .toolchain = &toolchain,
			       .snapshot_fd = source->snapshot_fd,
			       .source = source->digest,
			       .log = { .fd = -1 } };
	int r;

	r = build_log_open(&build.log, package->module, package->version, target->release,
			   target->architecture, error);
	if (r == 0 && options->verbose)
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

static int build_added(const struct orchestrator *orchestrator, const struct package *package,
		       const struct target *target, struct error **error)
{
	cleanup_source struct source source = SOURCE_INITIAL;
	struct recipe *recipe = NULL;
	bool changed = true;
	int r;

	r = source_read_added(orchestrator, package, &source, error);
	if (r == 0)
		r = source_evaluate(orchestrator, package, &source, target, &recipe, error);
	if (r == 0)
		r = recipe_check_exclusive(recipe, target->kernel, error);
	for (int tries = 0; r == 0 && changed; tries++) {
		if (tries > HEADER_CHANGES)
			r = fail_with(error, EXIT_INFRASTRUCTURE, EAGAIN,
				      "the kernel's headers or the compiler keep changing during "
				      "the build: "
				      "wait for the upgrade to end and build again");
		else if (tries > 0)
			log_warning(orchestrator->log,
				    "the headers of %s, or the compiler, changed during the build, "
				    "which "
				    "starts again",
				    target->release);
		if (r == 0)
			r = build_once(orchestrator, package, target, recipe, &source, &changed,
				       error);
	}
	recipe = recipe_free(recipe);
	return r;
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
	/* With --force what is there stays until the new build is complete; the installer swaps
	 * them. */
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

	for (size_t i = 0; r == 0 && i < orchestrator->target_count; i++)
		r = build_target(orchestrator, &orchestrator->package, &orchestrator->targets[i],
				 error);
	return r;
}
