/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A recipe once it is data: what it says about one kernel. Its strings are checked, yet foreign. */
#include "lib/recipes/recipe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/recipes/recipe_internal.h"
#include "lib/recipes/version.h"

struct recipe *recipe_free(struct recipe *recipe)
{
	if (!recipe)
		return NULL;
	for (size_t i = 0; i < recipe->module_count; i++) {
		free(recipe->modules[i].built_name);
		free(recipe->modules[i].built_location);
		free(recipe->modules[i].dest_name);
		free(recipe->modules[i].dest_location);
	}
	free(recipe->modules);
	free(recipe->package_name);
	free(recipe->package_version);
	free(recipe->make);
	free(recipe->exclusive_kernel);
	free(recipe->exclusive_kernel_min);
	free(recipe->exclusive_kernel_max);
	free(recipe->exclusive_arch);
	free(recipe->exclusive_config);
	free(recipe->release);
	free(recipe);
	return NULL;
}

int recipe_refuse(const struct recipe_request *request, struct error **error, int errnum, int code,
		  const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;
	int r;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (request->module && request->version)
		r = error_set(error, errnum, "dkms.conf of %s %s: %s", request->module,
			      request->version, text ? text : "out of memory");
	else
		r = error_set(error, errnum, "dkms.conf: %s", text ? text : "out of memory");
	if (error)
		error_set_code(*error, code);
	return r;
}

/* Does .config have a line NAME=y or NAME=m? */
static bool config_has(const char *config, const char *name, size_t length)
{
	for (const char *line = config; line;) {
		if (strncmp(line, name, length) == 0 && line[length] == '=' &&
		    (line[length + 1] == 'y' || line[length + 1] == 'm'))
			return true;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return false;
}

static int exclude(const struct recipe *recipe, struct error **error, const char *directive,
		   const char *value, const char *reason)
{
	cleanup_free char *shown = sanitised(value);
	int r = error_set(error, ENOTSUP, "%s %s is not for this kernel: %s '%s' %s %s",
			  recipe->package_name, recipe->package_version, directive,
			  shown ? shown : "?", reason, recipe->release);

	if (error)
		error_set_code(*error, EXIT_SKIPPED);
	return r;
}

static int check_config(const struct recipe *recipe, const struct kernel *kernel,
			struct error **error)
{
	const char *word = recipe->exclusive_config;

	for (word += strspn(word, " \t\n"); *word; word += strspn(word, " \t\n")) {
		size_t length = strcspn(word, " \t\n");
		bool wanted = word[0] != '!';
		const char *name = wanted ? word : word + 1;

		if (config_has(kernel->config, name, length - (wanted ? 0 : 1)) != wanted) {
			cleanup_free char *one = strndup(word, length);

			return exclude(recipe, error, "BUILD_EXCLUSIVE_CONFIG", one ? one : "?",
				       "does not agree with the configuration of");
		}
		word += length;
	}
	return 0;
}

int recipe_check_exclusive(const struct recipe *recipe, const struct kernel *kernel,
			   struct error **error)
{
	if (strcmp(recipe->release, kernel->release) != 0)
		return error_set(error, EINVAL,
				 "dkms.conf of %s %s was not evaluated for kernel %s",
				 recipe->package_name, recipe->package_version, kernel->release);
	if (!recipe->kernel_matches)
		return exclude(recipe, error, "BUILD_EXCLUSIVE_KERNEL", recipe->exclusive_kernel,
			       "does not match");
	if (recipe->exclusive_kernel_min &&
	    version_compare(kernel->release, recipe->exclusive_kernel_min) < 0)
		return exclude(recipe, error, "BUILD_EXCLUSIVE_KERNEL_MIN",
			       recipe->exclusive_kernel_min, "is above");
	if (recipe->exclusive_kernel_max &&
	    version_compare(kernel->release, recipe->exclusive_kernel_max) > 0)
		return exclude(recipe, error, "BUILD_EXCLUSIVE_KERNEL_MAX",
			       recipe->exclusive_kernel_max, "is below");
	if (!recipe->arch_matches)
		return exclude(recipe, error, "BUILD_EXCLUSIVE_ARCH", recipe->exclusive_arch,
			       "does not match the architecture of");
	return recipe->exclusive_config ? check_config(recipe, kernel, error) : 0;
}
