/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What bash answered, as a table. All of it is hostile: a file could have written the records
 * itself. Here only their form is checked; what the values may be is validate.c's.
 */
#include <errno.h>
#include <string.h>

#include "lib/recipes/recipe_internal.h"

static const char *const names[] = {
	[DIRECTIVE_PACKAGE_NAME] = "PACKAGE_NAME",
	[DIRECTIVE_PACKAGE_VERSION] = "PACKAGE_VERSION",
	[DIRECTIVE_BUILT_MODULE_NAME] = "BUILT_MODULE_NAME",
	[DIRECTIVE_BUILT_MODULE_LOCATION] = "BUILT_MODULE_LOCATION",
	[DIRECTIVE_DEST_MODULE_NAME] = "DEST_MODULE_NAME",
	[DIRECTIVE_DEST_MODULE_LOCATION] = "DEST_MODULE_LOCATION",
	[DIRECTIVE_STRIP] = "STRIP",
	[DIRECTIVE_MAKE] = "MAKE",
	[DIRECTIVE_MAKE_MATCH] = "MAKE_MATCH",
	[DIRECTIVE_PATCH] = "PATCH",
	[DIRECTIVE_PATCH_MATCH] = "PATCH_MATCH",
	[DIRECTIVE_BUILD_DEPENDS] = "BUILD_DEPENDS",
	[DIRECTIVE_BUILD_EXCLUSIVE_KERNEL] = "BUILD_EXCLUSIVE_KERNEL",
	[DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MIN] = "BUILD_EXCLUSIVE_KERNEL_MIN",
	[DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MAX] = "BUILD_EXCLUSIVE_KERNEL_MAX",
	[DIRECTIVE_BUILD_EXCLUSIVE_ARCH] = "BUILD_EXCLUSIVE_ARCH",
	[DIRECTIVE_BUILD_EXCLUSIVE_CONFIG] = "BUILD_EXCLUSIVE_CONFIG",
	[DIRECTIVE_BUILD_DEPENDS_REBUILD] = "BUILD_DEPENDS_REBUILD",
	[DIRECTIVE_AUTOINSTALL] = "AUTOINSTALL",
	[DIRECTIVE_NO_WEAK_MODULES] = "NO_WEAK_MODULES",
	[DIRECTIVE_PRE_BUILD] = "PRE_BUILD",
	[DIRECTIVE_POST_BUILD] = "POST_BUILD",
	[DIRECTIVE_PRE_INSTALL] = "PRE_INSTALL",
	[DIRECTIVE_POST_INSTALL] = "POST_INSTALL",
	[DIRECTIVE_POST_ADD] = "POST_ADD",
	[DIRECTIVE_POST_REMOVE] = "POST_REMOVE",
	[DIRECTIVE_OBSOLETE_BY] = "OBSOLETE_BY",
	[DIRECTIVE_CLEAN] = "CLEAN",
	[DIRECTIVE_REMAKE_INITRD] = "REMAKE_INITRD",
	[DIRECTIVE_MODULES_CONF] = "MODULES_CONF",
	[DIRECTIVE_MODULES_CONF_OBSOLETES] = "MODULES_CONF_OBSOLETES",
	[DIRECTIVE_MODULES_CONF_ALIAS_TYPE] = "MODULES_CONF_ALIAS_TYPE",
	[DIRECTIVE_MODULES_CONF_OBSOLETE_ONLY] = "MODULES_CONF_OBSOLETE_ONLY",
	[ANSWER_MAKE_MATCH] = "@MAKE_MATCH",
	[ANSWER_PATCH_MATCH] = "@PATCH_MATCH",
	[ANSWER_BUILD_EXCLUSIVE_KERNEL] = "@BUILD_EXCLUSIVE_KERNEL",
	[ANSWER_BUILD_EXCLUSIVE_ARCH] = "@BUILD_EXCLUSIVE_ARCH",
	[ANSWER_NAME] = "@name",
	[ANSWER_UNKNOWN] = "@unknown",
	[ANSWER_FILE] = "@file",
};
_Static_assert(ARRAY_SIZE(names) == ANSWERS, "every answer has a name");

const char *recipe_answer_name(size_t index)
{
	return index < ARRAY_SIZE(names) ? names[index] : NULL;
}

bool recipe_report_is_whole(const char *report, size_t length)
{
	static const char end[] = RECIPE_END "\0"
					     "0\0"; /* and the NUL of the literal */

	return length >= sizeof(end) &&
	       memcmp(report + length - sizeof(end), end, sizeof(end)) == 0;
}

/* The three fields of a record; false where half a one is left. */
static bool next_record(const char **next, const char *end, const char *ret_fields[static 3])
{
	for (size_t i = 0; i < 3; i++) {
		const char *nul = memchr(*next, '\0', (size_t)(end - *next));

		if (!nul)
			return false;
		ret_fields[i] = *next;
		*next = nul + 1;
	}
	return true;
}

size_t recipe_report_file(const char *report, size_t length)
{
	const char *next = report, *end = report + length;
	const char *fields[3];
	uint64_t file = 0;

	while (next < end && next_record(&next, end, fields)) {
		if (strcmp(fields[0], names[ANSWER_FILE]) == 0)
			ignore_result(parse_u64(fields[1], RECIPE_OVERRIDES, &file));
	}
	return (size_t)file;
}

char *recipe_shown(const char *value)
{
	cleanup_text struct text text = { 0 };
	size_t length = strlen(value);

	if (text_append_sanitised(&text, value, length < 100 ? length : 100, false) < 0 ||
	    (length > 100 && text_append_string(&text, "...") < 0))
		return NULL;
	return text_take(&text);
}

static size_t find(const char *name)
{
	size_t answer = 0;

	while (answer < ANSWERS && strcmp(name, names[answer]) != 0)
		answer++;
	return answer;
}

static int refuse_long(const struct recipe_request *request, const char *name, const char *index,
		       struct error **error)
{
	cleanup_free char *text = recipe_shown(index);

	return recipe_refuse(
		request, error, E2BIG, EXIT_BAD_CONF,
		"%s[%s] is longer than %d bytes; put what it does into a script of the "
		"source",
		name, text ? text : "?", RECIPE_VALUE);
}

static int refuse_many(const struct recipe_request *request, size_t answer, struct error **error)
{
	if (answer == ANSWER_NAME)
		return recipe_refuse(request, error, E2BIG, EXIT_LIMIT,
				     "it hit a limit: it names more than %d modules; a package can "
				     "have no more",
				     RECIPE_MODULES);
	if (answer >= DIRECTIVE_BUILT_MODULE_NAME && answer <= DIRECTIVE_DEST_MODULE_LOCATION)
		return recipe_refuse(request, error, E2BIG, EXIT_LIMIT,
				     "it hit a limit: %s has more than %d values; a package can "
				     "have no more modules",
				     names[answer], RECIPE_MODULES);
	return recipe_refuse(request, error, E2BIG, EXIT_BAD_CONF,
			     "%s has more than %d values; a package can have no more",
			     names[answer], RECIPE_MODULES);
}

static int take_record(const struct recipe_request *request, struct recipe_answer *answer,
		       const char *name, const char *index, const char *value, struct error **error)
{
	bool is_long = strcmp(name, RECIPE_LONG) == 0, is_many = strcmp(name, RECIPE_MANY) == 0;
	size_t which = find(is_long || is_many ? value : name);
	uint64_t number;

	if (which == ANSWERS)
		return recipe_refuse(request, error, EINVAL, EXIT_BAD_CONF,
				     "its evaluation gave an unknown answer");
	if (is_many)
		return refuse_many(request, which, error);
	if (is_long || strlen(value) > RECIPE_VALUE)
		return refuse_long(request, names[which], index, error);
	if (parse_u64(index, RECIPE_MODULES - 1, &number) < 0) {
		cleanup_free char *text = recipe_shown(index);

		if (which >= DIRECTIVES)
			return refuse_many(request, which, error);
		return recipe_refuse(request, error, EINVAL, EXIT_BAD_CONF,
				     "%s[%s] has no index from 0 to %d", names[which],
				     text ? text : "?", RECIPE_MODULES - 1);
	}
	/* Of two the first one counts: which of them a forger wrote is all the same. */
	if (!answer->values[which][number])
		answer->values[which][number] = value;
	if (number >= answer->counts[which])
		answer->counts[which] = number + 1;
	return 0;
}

int recipe_answer_read(const struct recipe_request *request, const char *report, size_t length,
		       struct recipe_answer *answer, struct error **error)
{
	const char *next = report;
	const char *end = report + length;

	while (next < end) {
		const char *fields[3];
		int r;

		if (!next_record(&next, end, fields))
			return recipe_refuse(request, error, EINVAL, EXIT_BAD_CONF,
					     "its evaluation gave half an answer");
		if (strcmp(fields[0], RECIPE_END) == 0) {
			if (next == end && recipe_report_is_whole(report, length))
				return 0;
			return recipe_refuse(request, error, EINVAL, EXIT_BAD_CONF,
					     "its evaluation went on behind its end");
		}
		r = take_record(request, answer, fields[0], fields[1], fields[2], error);
		if (r < 0)
			return r;
	}
	return recipe_refuse(request, error, EINVAL, EXIT_BAD_CONF, "it ended before its end");
}
