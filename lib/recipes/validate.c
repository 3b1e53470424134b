/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What bash answered, as a recipe. All of it is hostile, so nothing here asks where a value comes
 * from, only if it is one that DKMS's rules and ours allow. Semantics as observed on dkms 3.4.3.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/recipes/recipe_internal.h"

static void validation_clear(struct validation *validation)
{
	free(validation->answer);
	validation->recipe = recipe_free(validation->recipe);
}

#define refuse(validation, error, ...)                                                             \
	recipe_refuse((validation)->request, error, EINVAL, EXIT_BAD_CONF, __VA_ARGS__)

static int out_of_memory(const struct validation *validation, struct error **error)
{
	return recipe_out_of_memory(validation->request, error);
}

const char *validation_get(const struct validation *validation, enum directive directive,
			   size_t index)
{
	const char *value = validation->answer->values[directive][index];

	return value ? value : "";
}

int validation_refuse(const struct validation *validation, enum directive directive, size_t index,
		      const char *value, const char *reason, struct error **error)
{
	const char *name = recipe_answer_name(directive);
	cleanup_free char *text = recipe_shown(value);

	if (directive > DIRECTIVE_PACKAGE_VERSION && directive <= DIRECTIVE_LAST_ARRAY)
		return refuse(validation, error, "%s[%zu] is '%s': %s", name, index,
			      text ? text : "?", reason);
	return refuse(validation, error, "%s is '%s': %s", name, text ? text : "?", reason);
}

int validation_match(const struct validation *validation, enum directive directive, size_t index,
		     bool *ret_matches, struct error **error)
{
	const char *pattern = validation_get(validation, directive, index);
	const char *verdict = NULL;

	if (!*pattern) {
		*ret_matches = true;
		return 0;
	}
	if (strlen(pattern) > RECIPE_PATTERN)
		return validation_refuse(validation, directive, index, pattern,
					 "it is longer than 1024 bytes", error);
	for (size_t answer = DIRECTIVES; answer < ANSWERS; answer++) {
		if (strcmp(recipe_answer_name(answer) + 1, recipe_answer_name(directive)) == 0)
			verdict = validation->answer->values[answer][index];
	}
	if (!verdict || (strcmp(verdict, "0") != 0 && strcmp(verdict, "1") != 0))
		return validation_refuse(validation, directive, index, pattern,
					 "it must be an extended regular expression", error);
	*ret_matches = strcmp(verdict, "0") == 0;
	return 0;
}

static int append(const struct validation *validation, char ***strings, size_t *count,
		  const char *string, size_t length, struct error **error)
{
	char **more = realloc(*strings, (*count + 1) * sizeof(**strings));

	if (!more)
		return out_of_memory(validation, error);
	*strings = more;
	more[*count] = strndup(string, length);
	if (!more[*count])
		return out_of_memory(validation, error);
	(*count)++;
	return 0;
}

/* PACKAGE_NAME or PACKAGE_VERSION against what it must be (NULL: any). */
static int take_package(const struct validation *validation, enum directive directive,
			const char *expected, char **ret_value, struct error **error)
{
	const char *value = validation_get(validation, directive, 0);
	cleanup_free char *text = recipe_shown(value);

	if (!*value)
		return refuse(validation, error, "%s is missing; every dkms.conf must set it",
			      recipe_answer_name(directive));
	if (expected && strcmp(value, expected) != 0)
		return refuse(
			validation, error,
			"says %s '%s', expected was '%s'; use the name it says, or correct it",
			recipe_answer_name(directive), text ? text : "?", expected);
	if (!name_is_safe(value))
		return validation_refuse(
			validation, directive, 0, value,
			"only letters, digits and _.+~:- are allowed, not in front '-' or "
			"'.', at most 127 in all",
			error);
	*ret_value = strdup(value);
	return *ret_value ? 0 : out_of_memory(validation, error);
}

/* 120: the name gets ".ko.zst" behind it, and a ticket has room for 127. */
static bool module_name_is_safe(const char *name)
{
	return name_is_safe(name) && strlen(name) <= 120;
}

static bool has_module_suffix(const char *name)
{
	return string_ends_with(name, ".o") || string_ends_with(name, ".ko");
}

/* BUILT_MODULE_NAME[index] or DEST_MODULE_NAME[index] with its default. */
static int take_module_name(const struct validation *validation, enum directive directive,
			    size_t index, const char *otherwise, char **ret_name,
			    struct error **error)
{
	const char *value = validation_get(validation, directive, index);

	if (!*value)
		value = otherwise;
	if (!*value)
		return refuse(validation, error,
			      "%s[%zu] is missing; every one of several modules needs it",
			      recipe_answer_name(directive), index);
	if (has_module_suffix(value))
		return validation_refuse(validation, directive, index, value,
					 "it must not end in .o or .ko; leave the suffix off",
					 error);
	if (!module_name_is_safe(value))
		return validation_refuse(
			validation, directive, index, value,
			"it must be a file name of letters, digits and _.+~:-, not "
			"starting with '-' or '.', at most 120 long",
			error);
	*ret_name = strdup(value);
	return *ret_name ? 0 : out_of_memory(validation, error);
}

/* A path whatever its slashes: "./src//x" becomes "src/x", "" and "." become "". */
static int normalise(const char *value, struct text *path)
{
	int r = text_append(path, "", 0);

	for (const char *part = value; r == 0 && *part;) {
		size_t length = strcspn(part, "/");

		if (length > 0 && !(length == 1 && part[0] == '.')) {
			if (path->length > 0)
				r = text_append(path, "/", 1);
			if (r == 0)
				r = text_append(path, part, length);
		}
		part += length + (part[length] == '/');
	}
	return r;
}

/* Relative to the build directory, also where it begins with a slash, as in DKMS. */
static int take_built_location(const struct validation *validation, size_t index, char **ret_path,
			       struct error **error)
{
	const char *value = validation_get(validation, DIRECTIVE_BUILT_MODULE_LOCATION, index);
	cleanup_text struct text path = { 0 };

	if (normalise(value, &path) < 0)
		return out_of_memory(validation, error);
	if (path.length > 0 && !path_is_safe(path.data, path.length))
		return validation_refuse(
			validation, DIRECTIVE_BUILT_MODULE_LOCATION, index, value,
			"it must be a directory below the build directory, without '..' "
			"and control characters",
			error);
	if (path.length > 0 && text_append(&path, "/", 1) < 0)
		return out_of_memory(validation, error);
	*ret_path = text_take(&path);
	return *ret_path ? 0 : out_of_memory(validation, error);
}

static int take_dest_location(const struct validation *validation, size_t index, char **ret_path,
			      struct error **error)
{
	static const char *const tops[] = { "/kernel", "/updates", "/extra" };
	const char *value = validation_get(validation, DIRECTIVE_DEST_MODULE_LOCATION, index);
	size_t length = strlen(value);
	bool known = false;

	if (length == 0)
		return refuse(
			validation, error,
			"DEST_MODULE_LOCATION[%zu] is missing; every module needs one, such as "
			"/updates",
			index);
	while (length > 0 && value[length - 1] == '/')
		length--;
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		size_t top = strlen(tops[i]);

		known = known || (length >= top && strncmp(value, tops[i], top) == 0 &&
				  (length == top || value[top] == '/'));
	}
	/* 255: what a ticket has room for. */
	if (!known || !path_is_safe(value + 1, length - 1) || length > 255)
		return validation_refuse(
			validation, DIRECTIVE_DEST_MODULE_LOCATION, index, value,
			"it must be a plain path at or below /kernel, /updates or /extra, "
			"without '..'",
			error);
	*ret_path = strndup(value, length);
	return *ret_path ? 0 : out_of_memory(validation, error);
}

static int take_module(const struct validation *validation, size_t index,
		       struct recipe_module *module, struct error **error)
{
	const struct recipe *recipe = validation->recipe;
	const char *otherwise = recipe->module_count == 1 ? recipe->package_name : "";
	const char *strip = validation_get(validation, DIRECTIVE_STRIP, index);
	int r = take_module_name(validation, DIRECTIVE_BUILT_MODULE_NAME, index, otherwise,
				 &module->built_name, error);

	if (r == 0)
		r = take_module_name(validation, DIRECTIVE_DEST_MODULE_NAME, index,
				     module->built_name, &module->dest_name, error);
	if (r == 0)
		r = take_built_location(validation, index, &module->built_location, error);
	if (r == 0)
		r = take_dest_location(validation, index, &module->dest_location, error);
	/* As DKMS: what starts with n is no, all else is yes; [0] is the default of the others. */
	if (!*strip)
		strip = validation_get(validation, DIRECTIVE_STRIP, 0);
	module->strip = strip[0] != 'n' && strip[0] != 'N';
	return r;
}

/* DKMS puts them into one directory: the second would replace the first. */
static int compare_modules(const struct validation *validation, size_t index, struct error **error)
{
	const struct recipe_module *modules = validation->recipe->modules;
	const struct recipe_module *module = &modules[index];

	for (size_t i = 0; i < index; i++) {
		if (strcmp(module->dest_name, modules[i].dest_name) == 0)
			return validation_refuse(
				validation, DIRECTIVE_DEST_MODULE_NAME, index, module->dest_name,
				"another module of this package has this name", error);
		if (strcmp(module->built_name, modules[i].built_name) == 0 &&
		    strcmp(module->built_location, modules[i].built_location) == 0)
			return validation_refuse(
				validation, DIRECTIVE_BUILT_MODULE_NAME, index, module->built_name,
				"another module of this package is the same file", error);
	}
	return 0;
}

static int take_modules(const struct validation *validation, struct error **error)
{
	struct recipe *recipe = validation->recipe;
	size_t count = 1;
	int r = 0;

	/* The highest index counts, not the number of values: an array may have gaps. */
	for (size_t i = DIRECTIVE_BUILT_MODULE_NAME; i <= DIRECTIVE_DEST_MODULE_LOCATION; i++) {
		if (validation->answer->counts[i] > count)
			count = validation->answer->counts[i];
	}
	recipe->modules = calloc(count, sizeof(*recipe->modules));
	if (!recipe->modules)
		return out_of_memory(validation, error);
	recipe->module_count = count;
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = take_module(validation, i, &recipe->modules[i], error);
		if (r == 0)
			r = compare_modules(validation, i, error);
	}
	return r;
}

/* DKMS counts the values of these and then takes as many indices: behind a gap it loses some. */
static int check_gaps(const struct validation *validation, enum directive directive,
		      struct error **error)
{
	const char *name = recipe_answer_name(directive);
	const size_t count = validation->answer->counts[directive];

	for (size_t i = 0; i < count; i++) {
		if (!validation->answer->values[directive][i])
			return refuse(validation, error,
				      "%s[%zu] is missing, but %s[%zu] is set; number them from 0 "
				      "on without gaps",
				      name, i, name, count - 1);
	}
	return 0;
}

/* The command that DKMS runs where the file names none. */
static char *default_make(const struct recipe *recipe)
{
	if (*recipe->release)
		return format_string("make -C /lib/modules/%s/build M=/var/lib/dkms/%s/%s/build",
				     recipe->release, recipe->package_name,
				     recipe->package_version);
	return format_string("make -C $kernel_source_dir M=/var/lib/dkms/%s/%s/build",
			     recipe->package_name, recipe->package_version);
}

/* The last one whose pattern matches; else the first, unless that has a pattern; else DKMS's. */
static int take_make(const struct validation *validation, struct error **error)
{
	struct recipe *recipe = validation->recipe;
	const char *chosen = "";
	int r = check_gaps(validation, DIRECTIVE_MAKE, error);

	if (!*validation_get(validation, DIRECTIVE_MAKE_MATCH, 0))
		chosen = validation_get(validation, DIRECTIVE_MAKE, 0);
	for (size_t i = 0; r == 0 && i < validation->answer->counts[DIRECTIVE_MAKE]; i++) {
		const char *value = validation_get(validation, DIRECTIVE_MAKE, i);
		bool matches;

		r = validation_match(validation, DIRECTIVE_MAKE_MATCH, i, &matches, error);
		if (r == 0 && matches && *value &&
		    *validation_get(validation, DIRECTIVE_MAKE_MATCH, i))
			chosen = value;
	}
	if (r < 0)
		return r;
	recipe->make = *chosen ? strdup(chosen) : default_make(recipe);
	return recipe->make ? 0 : out_of_memory(validation, error);
}

static int take_patch(const struct validation *validation, size_t index, struct error **error)
{
	const char *value = validation_get(validation, DIRECTIVE_PATCH, index);
	struct recipe *recipe = validation->recipe;
	cleanup_text struct text path = { 0 };
	int r;

	if (normalise(value, &path) < 0)
		return out_of_memory(validation, error);
	if (*value == '/' || !path_is_safe(path.data, path.length)) {
		r = validation_refuse(validation, DIRECTIVE_PATCH, index, value,
				      "it must be a file below patches/ of the source, without "
				      "'..' and control characters",
				      error);
		if (error)
			error_set_code(*error, EXIT_ALREADY_INSTALLED); /* DKMS's for bad patches */
		return r;
	}
	return append(validation, &recipe->patches, &recipe->patch_count, path.data, path.length,
		      error);
}

static int take_patches(const struct validation *validation, struct error **error)
{
	int r = check_gaps(validation, DIRECTIVE_PATCH, error);

	for (size_t i = 0; r == 0 && i < validation->answer->counts[DIRECTIVE_PATCH]; i++) {
		bool matches;

		r = validation_match(validation, DIRECTIVE_PATCH_MATCH, i, &matches, error);
		if (r == 0 && matches && *validation_get(validation, DIRECTIVE_PATCH, i))
			r = take_patch(validation, i, error);
	}
	return r;
}

/* A value may name several, as the words of one. */
static int take_depends(const struct validation *validation, struct error **error)
{
	struct recipe *recipe = validation->recipe;
	int r = 0;

	for (size_t i = 0; i < validation->answer->counts[DIRECTIVE_BUILD_DEPENDS]; i++) {
		const char *value = validation_get(validation, DIRECTIVE_BUILD_DEPENDS, i);
		const char *word = value + strspn(value, " \t\n");

		for (; r == 0 && *word; word += strspn(word, " \t\n")) {
			size_t length = strcspn(word, " \t\n");

			r = append(validation, &recipe->depends, &recipe->depend_count, word,
				   length, error);
			if (r == 0 && !name_is_safe(recipe->depends[recipe->depend_count - 1]))
				r = validation_refuse(validation, DIRECTIVE_BUILD_DEPENDS, i, value,
						      "it must be the name of a package", error);
			word += length;
		}
		if (r < 0)
			break;
	}
	return r;
}

static int take_scripts(const struct validation *validation, struct error **error)
{
	for (size_t i = 0; i < RECIPE_SCRIPTS; i++) {
		const char *value =
			validation_get(validation, (enum directive)(DIRECTIVE_PRE_BUILD + i), 0);

		if (!*value)
			continue;
		validation->recipe->scripts[i] = strdup(value);
		if (!validation->recipe->scripts[i])
			return out_of_memory(validation, error);
	}
	return 0;
}

static int take_yes_no(const struct validation *validation, enum directive directive,
		       bool *ret_value, struct error **error)
{
	const char *value = validation_get(validation, directive, 0);

	*ret_value = strcasecmp(value, "yes") == 0;
	if (*ret_value || !*value || strcasecmp(value, "no") == 0)
		return 0;
	return validation_refuse(validation, directive, 0, value, "it must be yes or no", error);
}

static int take_switches(const struct validation *validation, struct error **error)
{
	struct recipe *recipe = validation->recipe;
	int r = take_yes_no(validation, DIRECTIVE_AUTOINSTALL, &recipe->autoinstall, error);

	if (r == 0)
		r = take_yes_no(validation, DIRECTIVE_NO_WEAK_MODULES, &recipe->no_weak_modules,
				error);
	return r < 0 ? r
		     : take_yes_no(validation, DIRECTIVE_BUILD_DEPENDS_REBUILD,
				   &recipe->depends_rebuild, error);
}

static int add_name(const struct validation *validation, const char *name, struct error **error)
{
	struct recipe *recipe = validation->recipe;

	for (size_t i = 0; i < recipe->name_count; i++) {
		if (strcmp(recipe->names[i], name) == 0)
			return 0;
	}
	if (recipe->name_count == TICKET_FILES)
		return recipe_refuse(
			validation->request, error, E2BIG, EXIT_LIMIT,
			"it hit a limit: its modules have more than %u names, for this "
			"kernel or another; a package can have no more",
			TICKET_FILES);
	return append(validation, &recipe->names, &recipe->name_count, name, strlen(name), error);
}

/* Those of this kernel, then those that only stand in the text, as far as they can be names. */
static int take_names(const struct validation *validation, struct error **error)
{
	const struct recipe *recipe = validation->recipe;
	int r = 0;

	for (size_t i = 0; r == 0 && i < recipe->module_count; i++) {
		r = add_name(validation, recipe->modules[i].built_name, error);
		if (r == 0)
			r = add_name(validation, recipe->modules[i].dest_name, error);
	}
	for (size_t i = 0; r == 0 && i < validation->answer->counts[ANSWER_NAME]; i++) {
		const char *name = validation->answer->values[ANSWER_NAME][i];

		if (name && module_name_is_safe(name) && !has_module_suffix(name))
			r = add_name(validation, name, error);
	}
	return r;
}

/* What has no effect: old directives (a CLEAN that does nothing is none), and what never was one.
 */
static int take_ineffective(const struct validation *validation, struct error **error)
{
	const char *clean = validation_get(validation, DIRECTIVE_CLEAN, 0);
	struct recipe *recipe = validation->recipe;
	int r = 0;

	for (size_t i = DIRECTIVE_CLEAN; r == 0 && i < DIRECTIVES; i++) {
		const char *name = recipe_answer_name(i);

		if (validation->answer->counts[i] == 0 ||
		    (i == DIRECTIVE_CLEAN &&
		     (strcmp(clean, "true") == 0 || string_ends_with(clean, "/bin/true"))))
			continue;
		r = append(validation, &recipe->deprecated, &recipe->deprecated_count, name,
			   strlen(name), error);
	}
	for (size_t i = 0; r == 0 && i < RECIPE_UNKNOWN; i++) {
		const char *name = validation_get(validation, ANSWER_UNKNOWN, i);

		if (isupper((unsigned char)*name) && name_is_safe(name))
			r = append(validation, &recipe->unknown, &recipe->unknown_count, name,
				   strlen(name), error);
	}
	return r;
}

int recipe_validate(const struct recipe_request *request, const char *report, size_t length,
		    struct recipe **ret_recipe, struct error **error)
{
	cleanup(validation_clear) struct validation validation = { .request = request };
	const char *release = request->kernel ? request->kernel->release : request->kernel_release;
	struct recipe *recipe = validation.recipe = calloc(1, sizeof(*recipe));
	static int (*const steps[])(const struct validation *validation, struct error **error) = {
		take_modules, take_make,     take_patches, take_depends,
		take_scripts, take_switches, take_names,   take_ineffective,
	};
	int r;

	validation.answer = calloc(1, sizeof(*validation.answer));
	if (recipe)
		recipe->release = strdup(release ? release : "");
	if (!recipe || !recipe->release || !validation.answer)
		return out_of_memory(&validation, error);
	r = recipe_answer_read(request, report, length, validation.answer, error);
	if (r == 0)
		r = take_package(&validation, DIRECTIVE_PACKAGE_NAME, request->module,
				 &recipe->package_name, error);
	if (r == 0)
		r = take_package(&validation, DIRECTIVE_PACKAGE_VERSION, request->version,
				 &recipe->package_version, error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](&validation, error);
	if (r == 0)
		r = validation_take_exclusives(&validation, error);
	if (r == 0)
		r = recipe_overrides_digest(request, &recipe->overrides, error);
	if (r < 0)
		return r;
	*ret_recipe = TAKE_PTR(validation.recipe);
	return 0;
}
