/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A recipe's life, and how its file is spoken of. Its strings are checked, yet foreign. */
#include "lib/recipes/recipe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/recipes/recipe_internal.h"

static void free_strings(char **strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
	free(strings);
}

struct recipe *recipe_free(struct recipe *recipe)
{
	if (!recipe)
		return NULL;
	for (size_t i = 0; i < recipe->module_count; i++) {
		free(recipe->modules[i].built_name);
		free(recipe->modules[i].built_location);
		free(recipe->modules[i].dest_name);
		free(recipe->modules[i].dest_location);
		free(recipe->modules[i].excluded);
	}
	free(recipe->modules);
	free(recipe->package_name);
	free(recipe->package_version);
	free(recipe->make);
	free_strings(recipe->patches, recipe->patch_count);
	for (size_t i = 0; i < RECIPE_SCRIPTS; i++)
		free(recipe->scripts[i]);
	free_strings(recipe->depends, recipe->depend_count);
	free(recipe->obsolete_by);
	free_strings(recipe->names, recipe->name_count);
	free_strings(recipe->deprecated, recipe->deprecated_count);
	free_strings(recipe->unknown, recipe->unknown_count);
	free(recipe->exclusive_kernel);
	free(recipe->exclusive_kernel_min);
	free(recipe->exclusive_kernel_max);
	free(recipe->exclusive_arch);
	free(recipe->exclusive_config);
	free(recipe->release);
	free(recipe->denied);
	free(recipe);
	return NULL;
}

int recipe_refuse(const struct recipe_request *request, struct error **error, int errnum, int code,
		  const char *format, ...)
{
	cleanup_free char *text = NULL;
	cleanup_text struct text overrides = { 0 };
	va_list arguments;
	int r = 0;

	/* Whose word it was nobody can tell: bash reads one file behind the other. */
	for (size_t i = 0; r == 0 && i < request->override_count; i++)
		r = text_append_format(&overrides, "%s%s/%s", i > 0 ? ", " : ", changed by ",
				       recipe_overrides_directory(request),
				       request->overrides[i].name);

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (request->module && request->version)
		r = error_set(error, errnum, "dkms.conf of %s/%s%s: %s", request->module,
			      request->version, overrides.length > 0 ? overrides.data : "",
			      text ? text : "out of memory");
	else
		r = error_set(error, errnum, "dkms.conf: %s", text ? text : "out of memory");
	if (error)
		error_set_code(*error, code);
	return r;
}

int recipe_out_of_memory(const struct recipe_request *request, struct error **error)
{
	return recipe_refuse(request, error, ENOMEM, EXIT_INFRASTRUCTURE, "out of memory");
}
