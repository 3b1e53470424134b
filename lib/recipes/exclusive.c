/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For which kernels a package, or one module of it, is: BUILD_EXCLUSIVE_*, whose index 0 counts for
 * all modules, as in DKMS. The patterns were matched by bash in the sandbox; versions and the words
 * of BUILD_EXCLUSIVE_CONFIG are compared here, against a kernel that we have read ourselves.
 */
#include <errno.h>
#include <string.h>

#include "lib/recipes/recipe_internal.h"
#include "lib/recipes/version.h"

/* What one index of the directives says; NULL or "": nothing. */
struct restriction {
	size_t index;
	const char *kernel;
	const char *kernel_min;
	const char *kernel_max;
	bool obsolete; /* kernel_max is what OBSOLETE_BY says */
	const char *arch;
	const char *config;
	bool kernel_matches;
	bool arch_matches;
};

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

/* "DIRECTIVE 'VALUE' REASON RELEASE" */
static int say_no(const struct restriction *restriction, const char *directive, const char *value,
		  const char *reason, const struct kernel *kernel, char **ret_no)
{
	cleanup_free char *text = recipe_shown(value);
	cleanup_free char *index =
		restriction->index > 0 ? format_string("[%zu]", restriction->index) : strdup("");

	if (!text || !index)
		return -ENOMEM;
	*ret_no = format_string("%s%s '%s' %s %s", directive, index, text, reason, kernel->release);
	return *ret_no ? 0 : -ENOMEM;
}

static int check_config(const struct restriction *restriction, const struct kernel *kernel,
			char **ret_no)
{
	const char *word = restriction->config;

	for (word += strspn(word, " \t\n"); *word; word += strspn(word, " \t\n")) {
		size_t length = strcspn(word, " \t\n");
		bool wanted = word[0] != '!';
		const char *name = wanted ? word : word + 1;

		if (config_has(kernel->config, name, length - (wanted ? 0 : 1)) != wanted) {
			cleanup_free char *one = strndup(word, length);

			return one ? say_no(restriction, "BUILD_EXCLUSIVE_CONFIG", one,
					    "does not agree with the configuration of", kernel,
					    ret_no)
				   : -ENOMEM;
		}
		word += length;
	}
	return 0;
}

static bool is_set(const char *value)
{
	return value && *value;
}

/* Gives the first directive that says no to this kernel; leaves *ret_no as it is if none does. */
static int check(const struct restriction *restriction, const struct kernel *kernel, char **ret_no)
{
	if (is_set(restriction->kernel) && !restriction->kernel_matches)
		return say_no(restriction, "BUILD_EXCLUSIVE_KERNEL", restriction->kernel,
			      "does not match", kernel, ret_no);
	if (is_set(restriction->kernel_min) &&
	    version_compare(kernel->release, restriction->kernel_min) < 0)
		return say_no(restriction, "BUILD_EXCLUSIVE_KERNEL_MIN", restriction->kernel_min,
			      "is above", kernel, ret_no);
	if (is_set(restriction->kernel_max) &&
	    version_compare(kernel->release, restriction->kernel_max) > 0)
		return say_no(restriction,
			      restriction->obsolete ? "OBSOLETE_BY" : "BUILD_EXCLUSIVE_KERNEL_MAX",
			      restriction->kernel_max, "is below", kernel, ret_no);
	if (is_set(restriction->arch) && !restriction->arch_matches)
		return say_no(restriction, "BUILD_EXCLUSIVE_ARCH", restriction->arch,
			      "does not match the architecture of", kernel, ret_no);
	return is_set(restriction->config) ? check_config(restriction, kernel, ret_no) : 0;
}

static int skip(const struct recipe *recipe, const char *no, struct error **error)
{
	int r = error_set(error, ENOTSUP, "%s/%s is not for this kernel: %s", recipe->package_name,
			  recipe->package_version, no);

	if (error)
		error_set_code(*error, EXIT_SKIPPED);
	return r;
}

int recipe_check_exclusive(const struct recipe *recipe, const struct kernel *kernel,
			   struct error **error)
{
	const struct restriction all = {
		.kernel = recipe->exclusive_kernel,
		.kernel_min = recipe->exclusive_kernel_min,
		.kernel_max = recipe->exclusive_kernel_max,
		.obsolete = string_equal(recipe->exclusive_kernel_max, recipe->obsolete_by),
		.arch = recipe->exclusive_arch,
		.config = recipe->exclusive_config,
		.kernel_matches = recipe->kernel_matches,
		.arch_matches = recipe->arch_matches,
	};
	cleanup_free char *no = NULL;

	if (strcmp(recipe->release, kernel->release) != 0)
		return error_set(error, EINVAL,
				 "dkms.conf of %s/%s was not evaluated for kernel %s",
				 recipe->package_name, recipe->package_version, kernel->release);
	if (check(&all, kernel, &no) < 0)
		return error_set(error, ENOMEM, "out of memory");
	/* The modules need no look: what excludes the first one, index 0, is what excludes all. */
	return no ? skip(recipe, no, error) : 0;
}

static int check_config_words(const struct validation *validation, size_t index,
			      struct error **error)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
	const char *value = validation_get(validation, DIRECTIVE_BUILD_EXCLUSIVE_CONFIG, index);
	const char *word = value;

	for (word += strspn(word, " \t\n"); *word; word += strspn(word, " \t\n")) {
		size_t length = strcspn(word, " \t\n");
		size_t mark = *word == '!';

		if (length == mark || strspn(word + mark, letters) != length - mark)
			return validation_refuse(
				validation, DIRECTIVE_BUILD_EXCLUSIVE_CONFIG, index, value,
				"it must be options such as CONFIG_A !CONFIG_B", error);
		word += length;
	}
	return 0;
}

static int check_version(const struct validation *validation, enum directive directive,
			 size_t index, struct error **error)
{
	const char *value = validation_get(validation, directive, index);

	return !*value || name_is_safe(value)
		       ? 0
		       : validation_refuse(validation, directive, index, value,
					   "it must be a version such as 6.12", error);
}

/* What the file says at one index, checked. */
static int read_restriction(const struct validation *validation, size_t index,
			    struct restriction *ret_restriction, struct error **error)
{
	struct restriction restriction = {
		.index = index,
		.kernel = validation_get(validation, DIRECTIVE_BUILD_EXCLUSIVE_KERNEL, index),
		.kernel_min =
			validation_get(validation, DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MIN, index),
		.kernel_max =
			validation_get(validation, DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MAX, index),
		.arch = validation_get(validation, DIRECTIVE_BUILD_EXCLUSIVE_ARCH, index),
		.config = validation_get(validation, DIRECTIVE_BUILD_EXCLUSIVE_CONFIG, index),
	};
	int r = validation_match(validation, DIRECTIVE_BUILD_EXCLUSIVE_KERNEL, index,
				 &restriction.kernel_matches, error);

	if (r == 0)
		r = validation_match(validation, DIRECTIVE_BUILD_EXCLUSIVE_ARCH, index,
				     &restriction.arch_matches, error);
	if (r == 0)
		r = check_version(validation, DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MIN, index, error);
	if (r == 0)
		r = check_version(validation, DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MAX, index, error);
	if (r == 0)
		r = check_config_words(validation, index, error);
	if (r == 0)
		*ret_restriction = restriction;
	return r;
}

/*
 * OBSOLETE_BY is the highest kernel where the file names none. (Of a package that restricts single
 * modules DKMS thinks that it knows better, and leaves OBSOLETE_BY alone.)
 */
static int take_obsolete_by(struct validation *validation, struct restriction *all,
			    struct error **error)
{
	const char *value = validation_get(validation, DIRECTIVE_OBSOLETE_BY, 0);
	bool known = false;

	for (size_t i = 0; i < validation->recipe->module_count; i++)
		known = known ||
			*validation_get(validation, DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MAX, i);
	if (!*value)
		return 0;
	if (!name_is_safe(value))
		return validation_refuse(validation, DIRECTIVE_OBSOLETE_BY, 0, value,
					 "it must be a version such as 6.12", error);
	if (!known)
		all->kernel_max = value;
	validation->recipe->obsolete_by = strdup(value);
	return validation->recipe->obsolete_by ? 0
					       : recipe_out_of_memory(validation->request, error);
}

static int keep(const struct validation *validation, const char *value, char **ret_value,
		struct error **error)
{
	if (!*value)
		return 0;
	*ret_value = strdup(value);
	return *ret_value ? 0 : recipe_out_of_memory(validation->request, error);
}

static int take_all(struct validation *validation, struct error **error)
{
	struct recipe *recipe = validation->recipe;
	struct restriction all;
	int r = read_restriction(validation, 0, &all, error);

	if (r == 0)
		r = take_obsolete_by(validation, &all, error);
	if (r < 0)
		return r;
	recipe->kernel_matches = all.kernel_matches;
	recipe->arch_matches = all.arch_matches;
	r = keep(validation, all.kernel, &recipe->exclusive_kernel, error);
	if (r == 0)
		r = keep(validation, all.kernel_min, &recipe->exclusive_kernel_min, error);
	if (r == 0)
		r = keep(validation, all.kernel_max, &recipe->exclusive_kernel_max, error);
	if (r == 0)
		r = keep(validation, all.arch, &recipe->exclusive_arch, error);
	return r < 0 ? r : keep(validation, all.config, &recipe->exclusive_config, error);
}

int validation_take_exclusives(struct validation *validation, struct error **error)
{
	const struct kernel *kernel = validation->request->kernel;
	struct recipe *recipe = validation->recipe;
	int r = take_all(validation, error);

	for (size_t i = 1; r == 0 && i < recipe->module_count; i++) {
		struct restriction restriction;

		r = read_restriction(validation, i, &restriction, error);
		if (r == 0 && kernel &&
		    check(&restriction, kernel, &recipe->modules[i].excluded) < 0)
			r = recipe_out_of_memory(validation->request, error);
	}
	return r;
}
