/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What bash answered, as data. All of it is hostile: the file could have written the records
 * itself. So nothing here asks where they come from, only if each value is one that DKMS's own
 * rules and ours allow. Semantics as observed on dkms 3.4.3.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/artifacts/exit_code.h"
#include "lib/recipes/recipe_internal.h"

enum directive {
	PACKAGE_NAME,
	PACKAGE_VERSION,
	BUILT_MODULE_NAME,
	BUILT_MODULE_LOCATION,
	DEST_MODULE_NAME,
	DEST_MODULE_LOCATION,
	STRIP,
	LAST_ARRAY = STRIP,
	MAKE,
	AUTOINSTALL,
	NO_WEAK_MODULES,
	BUILD_EXCLUSIVE_KERNEL,
	BUILD_EXCLUSIVE_KERNEL_MIN,
	BUILD_EXCLUSIVE_KERNEL_MAX,
	BUILD_EXCLUSIVE_ARCH,
	BUILD_EXCLUSIVE_CONFIG,
	LAST_SUPPORTED = BUILD_EXCLUSIVE_CONFIG,
};

/*
 * CLEAN, REMAKE_INITRD and MODULES_CONF* are not here: as under DKMS they have no effect. What is
 * behind LAST_SUPPORTED is refused where it says something.
 */
static const char *const directives[] = {
	[PACKAGE_NAME] = "PACKAGE_NAME",
	[PACKAGE_VERSION] = "PACKAGE_VERSION",
	[BUILT_MODULE_NAME] = "BUILT_MODULE_NAME",
	[BUILT_MODULE_LOCATION] = "BUILT_MODULE_LOCATION",
	[DEST_MODULE_NAME] = "DEST_MODULE_NAME",
	[DEST_MODULE_LOCATION] = "DEST_MODULE_LOCATION",
	[STRIP] = "STRIP",
	[MAKE] = "MAKE",
	[AUTOINSTALL] = "AUTOINSTALL",
	[NO_WEAK_MODULES] = "NO_WEAK_MODULES",
	[BUILD_EXCLUSIVE_KERNEL] = "BUILD_EXCLUSIVE_KERNEL",
	[BUILD_EXCLUSIVE_KERNEL_MIN] = "BUILD_EXCLUSIVE_KERNEL_MIN",
	[BUILD_EXCLUSIVE_KERNEL_MAX] = "BUILD_EXCLUSIVE_KERNEL_MAX",
	[BUILD_EXCLUSIVE_ARCH] = "BUILD_EXCLUSIVE_ARCH",
	[BUILD_EXCLUSIVE_CONFIG] = "BUILD_EXCLUSIVE_CONFIG",
	"MAKE_MATCH",
	"PATCH",
	"PATCH_MATCH",
	"BUILD_DEPENDS",
	"BUILD_DEPENDS_REBUILD",
	"PRE_BUILD",
	"POST_BUILD",
	"PRE_INSTALL",
	"POST_INSTALL",
	"POST_ADD",
	"POST_REMOVE",
	"OBSOLETE_BY",
};
_Static_assert(ARRAY_SIZE(directives) == RECIPE_DIRECTIVES, "evaluate.c has room for as many");

struct record {
	size_t directive; /* index into directives */
	size_t index;
	const char *value; /* NUL-terminated, in the report */
};

struct validation {
	const struct recipe_request *request;
	struct record *records; /* owned */
	size_t count;
	const char *kernel_verdict;
	const char *arch_verdict;
	struct recipe *recipe; /* owned until it is complete */
};

const char *recipe_directive(size_t index)
{
	return index < ARRAY_SIZE(directives) ? directives[index] : NULL;
}

bool recipe_report_is_whole(const char *report, size_t length)
{
	static const char end[] = RECIPE_END "\0"
					     "0\0"; /* and the NUL of the literal */

	return length >= sizeof(end) &&
	       memcmp(report + length - sizeof(end), end, sizeof(end)) == 0;
}

static void validation_clear(struct validation *validation)
{
	free(validation->records);
	validation->recipe = recipe_free(validation->recipe);
}

#define refuse(validation, error, ...)                                                             \
	recipe_refuse((validation)->request, error, EINVAL, EXIT_BAD_CONF, __VA_ARGS__)

static int out_of_memory(const struct validation *validation, struct error **error)
{
	return recipe_refuse(validation->request, error, ENOMEM, EXIT_INFRASTRUCTURE,
			     "out of memory");
}

/* At most 100 bytes of a foreign value, for a message. */
static char *shown(const char *value)
{
	cleanup_text struct text text = { 0 };
	size_t length = strlen(value);

	if (text_append_sanitised(&text, value, length < 100 ? length : 100, false) < 0 ||
	    (length > 100 && text_append_string(&text, "...") < 0))
		return NULL;
	return text_take(&text);
}

/* "DIRECTIVE[INDEX] is 'VALUE': REASON" */
static int refuse_value(const struct validation *validation, size_t directive, size_t index,
			const char *value, const char *reason, struct error **error)
{
	cleanup_free char *text = shown(value);

	if (directive > PACKAGE_VERSION && directive <= LAST_ARRAY)
		return refuse(validation, error, "%s[%zu] is '%s': %s", directives[directive],
			      index, text ? text : "?", reason);
	return refuse(validation, error, "%s is '%s': %s", directives[directive], text ? text : "?",
		      reason);
}

/* The value of a directive; "" where it is not set. Of two equal records the first one counts. */
static const char *get(const struct validation *validation, size_t directive, size_t index)
{
	for (size_t i = 0; i < validation->count; i++) {
		const struct record *record = &validation->records[i];

		if (record->directive == directive && record->index == index)
			return record->value;
	}
	return "";
}

static int take_record(struct validation *validation, const char *name, const char *index,
		       const char *value, struct error **error)
{
	size_t directive = 0;
	uint64_t number;

	if (strcmp(name, RECIPE_KERNEL_VERDICT) == 0) {
		validation->kernel_verdict = value;
		return 0;
	}
	if (strcmp(name, RECIPE_ARCH_VERDICT) == 0) {
		validation->arch_verdict = value;
		return 0;
	}
	while (directive < ARRAY_SIZE(directives) && strcmp(name, directives[directive]) != 0)
		directive++;
	if (directive == ARRAY_SIZE(directives))
		return refuse(validation, error, "its evaluation gave an unknown answer");
	if (parse_u64(index, RECIPE_MODULES - 1, &number) < 0) {
		cleanup_free char *text = shown(index);

		return refuse(validation, error, "%s[%s] has no index from 0 to %u",
			      directives[directive], text ? text : "?", RECIPE_MODULES - 1);
	}
	if (directive > LAST_SUPPORTED && *value)
		return refuse(validation, error,
			      "directive '%s' is not supported by this version of kmodbox", name);
	if (directive > LAST_ARRAY && number > 0 && *value)
		return refuse(validation, error,
			      "directive '%s[%u]' is not supported by this version of kmodbox",
			      name, (unsigned)number);
	if (validation->count >= RECIPE_RECORDS)
		return refuse(validation, error, "it sets too many directives");
	validation->records[validation->count++] = (struct record){ directive, number, value };
	return 0;
}

/* Splits the report into records, in place. */
static int take_report(struct validation *validation, const char *report, size_t length,
		       struct error **error)
{
	const char *next = report;
	const char *end = report + length;

	while (next < end) {
		const char *fields[3];

		for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
			const char *nul = memchr(next, '\0', (size_t)(end - next));

			if (!nul)
				return refuse(validation, error,
					      "its evaluation gave half an answer");
			fields[i] = next;
			next = nul + 1;
		}
		if (strcmp(fields[0], RECIPE_END) == 0) {
			if (next == end)
				return 0;
			return refuse(validation, error, "its evaluation went on behind its end");
		}
		int r = take_record(validation, fields[0], fields[1], fields[2], error);

		if (r < 0)
			return r;
	}
	return refuse(validation, error, "it ended before its end");
}

/* PACKAGE_NAME or PACKAGE_VERSION against what it must be (NULL: any). */
static int take_package(const struct validation *validation, size_t directive, const char *expected,
			char **ret_value, struct error **error)
{
	const char *value = get(validation, directive, 0);
	cleanup_free char *text = shown(value);

	if (!*value)
		return refuse(validation, error, "%s is missing; every dkms.conf must set it",
			      directives[directive]);
	if (expected && strcmp(value, expected) != 0)
		return refuse(
			validation, error,
			"says %s '%s', expected was '%s'; use the name it says, or correct it",
			directives[directive], text ? text : "?", expected);
	if (!name_is_safe(value))
		return refuse_value(
			validation, directive, 0, value,
			"only letters, digits and _.+~:- are allowed, not in front '-' or "
			"'.', at most 127 in all",
			error);
	*ret_value = strdup(value);
	return *ret_value ? 0 : out_of_memory(validation, error);
}

/* BUILT_MODULE_NAME[index] or DEST_MODULE_NAME[index] with its default. */
static int take_module_name(const struct validation *validation, size_t directive, size_t index,
			    const char *otherwise, char **ret_name, struct error **error)
{
	const char *value = get(validation, directive, index);

	if (!*value)
		value = otherwise;
	if (!*value)
		return refuse(validation, error,
			      "%s[%zu] is missing; every one of several modules needs it",
			      directives[directive], index);
	if (string_ends_with(value, ".o") || string_ends_with(value, ".ko"))
		return refuse_value(validation, directive, index, value,
				    "it must not end in .o or .ko; leave the suffix off", error);
	/* 120: the name gets ".ko.zst" behind it, and a ticket has room for 127. */
	if (!name_is_safe(value) || strlen(value) > 120)
		return refuse_value(validation, directive, index, value,
				    "it must be a file name of letters, digits and _.+~:-, not "
				    "starting with '-' or '.', at most 120 long",
				    error);
	*ret_name = strdup(value);
	return *ret_name ? 0 : out_of_memory(validation, error);
}

/* Relative to the build directory, whatever its slashes: "./src//x" becomes "src/x/". */
static int take_built_location(const struct validation *validation, size_t index, char **ret_path,
			       struct error **error)
{
	const char *value = get(validation, BUILT_MODULE_LOCATION, index);
	cleanup_text struct text path = { 0 };
	int r = text_append(&path, "", 0);

	for (const char *part = value; r == 0 && *part;) {
		size_t length = strcspn(part, "/");

		if (length > 0 && !(length == 1 && part[0] == '.')) {
			r = text_append(&path, part, length);
			if (r == 0)
				r = text_append(&path, "/", 1);
		}
		part += length + (part[length] == '/');
	}
	if (r < 0)
		return out_of_memory(validation, error);
	if (path.length > 0 && !path_is_safe(path.data, path.length - 1))
		return refuse_value(
			validation, BUILT_MODULE_LOCATION, index, value,
			"it must be a directory below the build directory, without '..' "
			"and control characters",
			error);
	*ret_path = text_take(&path);
	return *ret_path ? 0 : out_of_memory(validation, error);
}

static int take_dest_location(const struct validation *validation, size_t index, char **ret_path,
			      struct error **error)
{
	static const char *const tops[] = { "/kernel", "/updates", "/extra" };
	const char *value = get(validation, DEST_MODULE_LOCATION, index);
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
		return refuse_value(
			validation, DEST_MODULE_LOCATION, index, value,
			"it must be a plain path at or below /kernel, /updates or /extra, "
			"without '..'",
			error);
	*ret_path = strndup(value, length);
	return *ret_path ? 0 : out_of_memory(validation, error);
}

static int take_module(const struct validation *validation, size_t index, size_t count,
		       struct recipe_module *module, struct error **error)
{
	const char *otherwise = count == 1 ? validation->recipe->package_name : "";
	const char *strip = get(validation, STRIP, index);
	int r = take_module_name(validation, BUILT_MODULE_NAME, index, otherwise,
				 &module->built_name, error);

	if (r == 0)
		r = take_module_name(validation, DEST_MODULE_NAME, index, module->built_name,
				     &module->dest_name, error);
	if (r == 0)
		r = take_built_location(validation, index, &module->built_location, error);
	if (r == 0)
		r = take_dest_location(validation, index, &module->dest_location, error);
	/* As DKMS: what starts with n is no, all else is yes; [0] is the default of the others. */
	if (!*strip)
		strip = get(validation, STRIP, 0);
	module->strip = strip[0] != 'n' && strip[0] != 'N';
	return r;
}

static int take_modules(const struct validation *validation, struct error **error)
{
	struct recipe *recipe = validation->recipe;
	size_t count = 1;
	int r = 0;

	/* The highest index counts, not the number of values: an array may have gaps. */
	for (size_t i = 0; i < validation->count; i++) {
		const struct record *record = &validation->records[i];

		if (record->directive >= BUILT_MODULE_NAME && record->directive < STRIP &&
		    record->index >= count)
			count = record->index + 1;
	}
	recipe->modules = calloc(count, sizeof(*recipe->modules));
	if (!recipe->modules)
		return out_of_memory(validation, error);
	recipe->module_count = count;
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = take_module(validation, i, count, &recipe->modules[i], error);
		/* DKMS puts them into one directory: the second would replace the first. */
		for (size_t j = 0; r == 0 && j < i; j++) {
			if (strcmp(recipe->modules[i].dest_name, recipe->modules[j].dest_name) == 0)
				r = refuse_value(validation, DEST_MODULE_NAME, i,
						 recipe->modules[i].dest_name,
						 "another module of this package has this name",
						 error);
		}
	}
	return r;
}

static int take_make(const struct validation *validation, struct error **error)
{
	struct recipe *recipe = validation->recipe;
	const char *value = get(validation, MAKE, 0);

	if (*value)
		recipe->make = strdup(value);
	else if (*recipe->release)
		recipe->make = format_string("make -C /lib/modules/%s/build "
					     "M=/var/lib/dkms/%s/%s/build",
					     recipe->release, recipe->package_name,
					     recipe->package_version);
	else
		recipe->make =
			format_string("make -C $kernel_source_dir M=/var/lib/dkms/%s/%s/build",
				      recipe->package_name, recipe->package_version);
	return recipe->make ? 0 : out_of_memory(validation, error);
}

static int take_yes_no(const struct validation *validation, size_t directive, bool *ret_value,
		       struct error **error)
{
	const char *value = get(validation, directive, 0);

	*ret_value = strcasecmp(value, "yes") == 0;
	if (*ret_value || !*value || strcasecmp(value, "no") == 0)
		return 0;
	return refuse_value(validation, directive, 0, value, "it must be yes or no", error);
}

/* A value that may be missing, of a bounded length. */
static int take_optional(const struct validation *validation, size_t directive, char **ret_value,
			 struct error **error)
{
	const char *value = get(validation, directive, 0);

	if (!*value)
		return 0;
	if (strlen(value) > RECIPE_PATTERN)
		return refuse_value(validation, directive, 0, value, "it is longer than 1024 bytes",
				    error);
	*ret_value = strdup(value);
	return *ret_value ? 0 : out_of_memory(validation, error);
}

/* What bash said about a pattern. */
static int take_verdict(const struct validation *validation, size_t directive, const char *verdict,
			const char *value, bool *ret_matches, struct error **error)
{
	*ret_matches = true;
	if (!value)
		return 0;
	if (!verdict || (strcmp(verdict, "0") != 0 && strcmp(verdict, "1") != 0))
		return refuse_value(validation, directive, 0, value,
				    "it must be an extended regular expression", error);
	*ret_matches = strcmp(verdict, "0") == 0;
	return 0;
}

static int check_exclusive_words(const struct validation *validation, struct error **error)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
	const struct recipe *recipe = validation->recipe;
	const char *word = recipe->exclusive_config ? recipe->exclusive_config : "";

	for (word += strspn(word, " \t\n"); *word; word += strspn(word, " \t\n")) {
		size_t length = strcspn(word, " \t\n");
		size_t mark = *word == '!';

		if (length == mark || strspn(word + mark, letters) != length - mark)
			return refuse_value(validation, BUILD_EXCLUSIVE_CONFIG, 0,
					    recipe->exclusive_config,
					    "it must be options such as CONFIG_A !CONFIG_B", error);
		word += length;
	}
	if (recipe->exclusive_kernel_min && !name_is_safe(recipe->exclusive_kernel_min))
		return refuse_value(validation, BUILD_EXCLUSIVE_KERNEL_MIN, 0,
				    recipe->exclusive_kernel_min,
				    "it must be a version such as 5.10", error);
	if (recipe->exclusive_kernel_max && !name_is_safe(recipe->exclusive_kernel_max))
		return refuse_value(validation, BUILD_EXCLUSIVE_KERNEL_MAX, 0,
				    recipe->exclusive_kernel_max,
				    "it must be a version such as 6.12", error);
	return 0;
}

static int take_exclusives(const struct validation *validation, struct error **error)
{
	struct recipe *recipe = validation->recipe;
	const struct {
		size_t directive;
		char **value;
	} wanted[] = {
		{ BUILD_EXCLUSIVE_KERNEL, &recipe->exclusive_kernel },
		{ BUILD_EXCLUSIVE_KERNEL_MIN, &recipe->exclusive_kernel_min },
		{ BUILD_EXCLUSIVE_KERNEL_MAX, &recipe->exclusive_kernel_max },
		{ BUILD_EXCLUSIVE_ARCH, &recipe->exclusive_arch },
		{ BUILD_EXCLUSIVE_CONFIG, &recipe->exclusive_config },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(wanted); i++)
		r = take_optional(validation, wanted[i].directive, wanted[i].value, error);
	if (r == 0)
		r = take_verdict(validation, BUILD_EXCLUSIVE_KERNEL, validation->kernel_verdict,
				 recipe->exclusive_kernel, &recipe->kernel_matches, error);
	if (r == 0)
		r = take_verdict(validation, BUILD_EXCLUSIVE_ARCH, validation->arch_verdict,
				 recipe->exclusive_arch, &recipe->arch_matches, error);
	return r < 0 ? r : check_exclusive_words(validation, error);
}

int recipe_validate(const struct recipe_request *request, const char *report, size_t length,
		    struct recipe **ret_recipe, struct error **error)
{
	cleanup(validation_clear) struct validation validation = { .request = request };
	const char *release = request->kernel ? request->kernel->release : request->kernel_release;
	struct recipe *recipe = validation.recipe = calloc(1, sizeof(*recipe));
	bool ignored;
	int r;

	validation.records = calloc(RECIPE_RECORDS, sizeof(*validation.records));
	if (recipe)
		recipe->release = strdup(release ? release : "");
	if (!recipe || !recipe->release || !validation.records)
		return out_of_memory(&validation, error);
	r = take_report(&validation, report, length, error);
	if (r == 0)
		r = take_package(&validation, PACKAGE_NAME, request->module, &recipe->package_name,
				 error);
	if (r == 0)
		r = take_package(&validation, PACKAGE_VERSION, request->version,
				 &recipe->package_version, error);
	if (r == 0)
		r = take_modules(&validation, error);
	if (r == 0)
		r = take_make(&validation, error);
	if (r == 0)
		r = take_yes_no(&validation, AUTOINSTALL, &recipe->autoinstall, error);
	if (r == 0)
		r = take_yes_no(&validation, NO_WEAK_MODULES, &ignored, error);
	if (r == 0)
		r = take_exclusives(&validation, error);
	if (r < 0)
		return r;
	*ret_recipe = TAKE_PTR(validation.recipe);
	return 0;
}
