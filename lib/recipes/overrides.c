/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root's files that are evaluated behind dkms.conf: what they are called, and what they were. */
#include <errno.h>
#include <string.h>

#include "lib/recipes/recipe_internal.h"

static void free_names(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

char **recipe_override_names(const char *module, const char *version, const char *kernel,
			     const char *architecture)
{
	const bool known = kernel && *kernel;
	const size_t count = known ? RECIPE_OVERRIDES : 2;
	char **names = calloc(RECIPE_OVERRIDES + 1, sizeof(*names));

	if (!names)
		return NULL;
	names[0] = format_string("%s.conf", module);
	names[1] = format_string("%s-%s.conf", module, version);
	if (known) {
		names[2] = format_string("%s-%s-%s.conf", module, version, kernel);
		names[3] = format_string("%s-%s-%s-%s.conf", module, version, kernel, architecture);
		names[4] = format_string("%s--%s.conf", module, kernel);
		names[5] = format_string("%s--%s-%s.conf", module, kernel, architecture);
	}
	for (size_t i = 0; i < count; i++) {
		if (names[i])
			continue;
		/* Out of memory: what is behind the gap is lost to free_names() otherwise. */
		for (size_t j = i + 1; j < count; j++)
			free(names[j]);
		free_names(names);
		return NULL;
	}
	return names;
}

int recipe_overrides_digest(const struct recipe_request *request, struct digest *ret_digest,
			    struct error **error)
{
	cleanup_text struct text all = { 0 };
	int r = 0;

	if (request->override_count == 0) {
		*ret_digest = (struct digest){ 0 };
		return 0;
	}
	for (size_t i = 0; r == 0 && i < request->override_count; i++) {
		const struct recipe_override *override = &request->overrides[i];

		r = text_append(&all, override->name, strlen(override->name) + 1);
		if (r == 0)
			r = text_append_u64(&all, override->text.length);
		if (r == 0)
			r = text_append(&all, override->text.data, override->text.length);
	}
	return r < 0 ? recipe_out_of_memory(request, error)
		     : digest_bytes(all.data, all.length, ret_digest, error);
}
