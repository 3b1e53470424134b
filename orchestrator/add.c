/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb add: a source becomes known, and what it is now becomes what may be signed. */
#include <string.h>

#include "orchestrator/build_evaluate.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/script.h"

int package_state(const struct orchestrator *orchestrator, const struct package *package,
		  const struct target *target, enum state *ret_state, struct error **error)
{
	return state_get(orchestrator->places.dkms_tree_fd, package->module, package->version,
			 target ? target->release : NULL, target ? target->architecture : NULL,
			 ret_state, error);
}

static int add_source(struct orchestrator *orchestrator, struct error **error)
{
	cleanup_scripts struct scripts scripts = { .orchestrator = orchestrator,
						   .target = &orchestrator->targets[0],
						   .source = SOURCE_INITIAL };
	struct source *source = &scripts.source;
	const struct recipe *recipe;
	char hex[DIGEST_HEX_SIZE];
	int r;

	r = source_read_named(orchestrator, source, error);
	if (r == 0)
		r = build_evaluate(orchestrator, &orchestrator->package, source,
				   &orchestrator->targets[0], &scripts.recipe, error);
	recipe = scripts.recipe;
	if (r == 0)
		r = installer_client_add(orchestrator, recipe, source->snapshot_fd, &source->digest,
					 source->foreign, error);
	if (r < 0)
		return r;
	digest_to_hex(&source->digest, hex);
	log_info(orchestrator->log,
		 "Added %s/%s: %zu module%s, source %.16s... approved to be signed",
		 recipe->package_name, recipe->package_version, recipe->module_count,
		 recipe->module_count == 1 ? "" : "s", hex);
	script_run_after(&scripts, RECIPE_POST_ADD);
	return 0;
}

int verb_add(struct orchestrator *orchestrator, struct error **error)
{
	const struct options *options = orchestrator->options;
	enum state state = STATE_ABSENT;
	int r = 0;

	if (options->module && options->version && !options->force) {
		r = package_state(orchestrator, &orchestrator->package, NULL, &state, error);
		if (r < 0)
			return r;
		if (state >= STATE_ADDED) {
			(void)error_set(error, EEXIST,
					"%s/%s is already added: remove it first, or use --force "
					"to approve "
					"its source as it is now",
					options->module, options->version);
			if (error)
				error_set_code(*error, EXIT_STATE);
			return -EEXIST;
		}
	}
	return add_source(orchestrator, error);
}

int add_if_absent(struct orchestrator *orchestrator, struct error **error)
{
	enum state state;
	int r = package_state(orchestrator, &orchestrator->package, NULL, &state, error);

	return r < 0 || state >= STATE_ADDED ? r : add_source(orchestrator, error);
}
