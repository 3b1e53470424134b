/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads root's override files, see overrides.h. */
#include "orchestrator/overrides.h"

#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"

#define OVERRIDE_MAXIMUM (1u << 20)

static int refuse(const struct places *places, const char *name, int errnum, const char *reason,
		  struct error **error)
{
	int r = error_set(error, errnum, "%s/%s: %s", places->dkms_config, name, reason);

	if (error)
		error_set_code(*error, EXIT_BAD_CONF);
	return r;
}

/* -ENOENT where there is none; *error is then as it was. */
static int load(const struct places *places, const char *name, struct text *ret_text,
		struct error **error)
{
	cleanup_error struct error *failure = NULL;
	cleanup_free char *reason = NULL;
	cleanup_close int fd = -1;
	struct stat status;
	uint64_t size;
	int r = open_regular_beneath(places->dkms_config_fd, name, OVERRIDE_MAXIMUM, &fd, &size,
				     &failure);

	if (r == -ENOENT)
		return r;
	if (r == -EACCES)
		return refuse(places, name, EACCES,
			      "kmodbox's own account cannot read it; make it readable for all, or "
			      "remove it",
			      error);
	if (r < 0) {
		reason = error_describe(failure);
		return refuse(places, name, -r, reason ? reason : "it cannot be read", error);
	}
	if (fstat(fd, &status) < 0)
		return refuse(places, name, errno, "it cannot be looked at", error);
	if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & 022))
		return refuse(places, name, EPERM,
			      "it must belong to root (or to the user who runs kmodbox) and be "
			      "writable by nobody else; correct its owner and mode, or remove it",
			      error);
	r = read_fd(fd, OVERRIDE_MAXIMUM, ret_text, &failure);
	return r < 0 ? refuse(places, name, -r, "it cannot be read", error) : 0;
}

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
		int r = load(places, overrides.names[i], &text, error);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
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
