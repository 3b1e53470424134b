/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one build may do: its module's settings and the profile that they name; see build_step.h. */
#include "lib/artifacts/build_files.h"
#include "orchestrator/build_step.h"
#include "sandbox/limit_text.h"

/* What one build may keep, all who handle it take. */
_Static_assert(LIMIT_TEXT_LOG == BUILD_LOG_MAXIMUM, "a log");
_Static_assert(LIMIT_TEXT_ARTIFACTS == BUILD_MODULES_MAXIMUM, "modules");

/* Before anything is built: dkms.conf has said it. */
static int check_count(const struct build *build, struct error **error)
{
	const struct recipe *recipe = build->recipe;
	uint64_t count = 0;

	for (size_t i = 0; i < recipe->module_count; i++)
		count += !recipe->modules[i].excluded;
	if (count <= build->limits.artifacts)
		return 0;
	return error_refuse(error, EXIT_LIMIT, E2BIG,
			    "the build of %s %s hit a limit: number of modules (%llu), of which "
			    "dkms.conf declares %llu; 'artifacts' in [limits] of modules.d/%s.conf",
			    recipe->package_name, recipe->package_version,
			    (unsigned long long)build->limits.artifacts, (unsigned long long)count,
			    recipe->package_name);
}

int build_choose_profile(struct build *build, struct loaded_profile *loaded, struct error **error)
{
	const struct orchestrator *orchestrator = build->orchestrator;
	const struct module_settings *settings = build->settings;
	enum profile_choice writable = settings->writable_source;

	build->profile = &orchestrator->profile;
	if (settings->profile) {
		cleanup_free char *path =
			module_settings_path(&orchestrator->places, build->package->module);

		if (profiles_load(&orchestrator->places, settings->profile, loaded, error) < 0)
			return error_context(error, "%s:%u", path ? path : "modules.d",
					     settings->profile_line);
		build->profile = loaded;
	}
	if (writable == PROFILE_UNSAID)
		writable = build->profile->settings.writable_source;
	build->writable_source = writable == PROFILE_YES;
	build->limits = limit_text_override(build->profile->settings.limits, &settings->limits);
	return check_count(build, error);
}
