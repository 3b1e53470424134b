/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one build may do: its module's settings and the profile that they name; see build_step.h. */
#include "orchestrator/build_step.h"
#include "sandbox/limit_text.h"

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
	return 0;
}
