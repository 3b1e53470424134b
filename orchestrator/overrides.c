/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads root's override files, see overrides.h. */
#include "orchestrator/overrides.h"

#include "lib/artifacts/exit_code.h"
#include "orchestrator/configuration.h"

#define OVERRIDE_MAXIMUM (1u << 20)

int overrides_load(const struct places *places, const struct package *package,
		   const struct target *target, struct overrides *ret_overrides,
		   struct error **error)
{
	cleanup_overrides struct overrides overrides = { 0 };

	/* Of an archive the name is not known yet; its builds will have them. */
	if (places->dkms_config_fd < 0 || !package->module || !package->version)
		return 0;
	overrides.names = recipe_override_names(package->module, package->version, target->release,
						target->architecture);
	overrides.list = calloc(RECIPE_OVERRIDES, sizeof(*overrides.list));
	if (!overrides.names || !overrides.list)
		return error_set_errno(error, ENOMEM, "overrides");
	for (size_t i = 0; overrides.names[i]; i++) {
		struct text text = { 0 };
		int r = configuration_read(places->dkms_config_fd, places->dkms_config,
					   overrides.names[i], OVERRIDE_MAXIMUM, &text, NULL,
					   error);

		if (r == -ENOENT)
			continue;
		if (r < 0) {
			if (error)
				error_set_code(*error, EXIT_BAD_CONF);
			return r;
		}
		overrides.list[overrides.count++] =
			(struct recipe_override){ .name = overrides.names[i], .text = text };
	}
	*ret_overrides = overrides;
	overrides = (struct overrides){ 0 };
	return 0;
}

void overrides_clear(struct overrides *overrides)
{
	for (size_t i = 0; i < overrides->count; i++)
		text_clear(&overrides->list[i].text);
	for (size_t i = 0; overrides->names && overrides->names[i]; i++)
		free(overrides->names[i]);
	free(overrides->names);
	free(overrides->list);
	*overrides = (struct overrides){ 0 };
}
