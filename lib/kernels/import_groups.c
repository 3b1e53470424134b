/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See import_groups.h. */
#include "lib/kernels/import_groups.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ini.h"
#include "lib/base/text.h"

struct reading {
	struct import_groups groups;
	bool unnamed; /* the last group has no title yet */
};

static int out_of_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "groups of imports");
}

/* In front, where the kernel puts them or not from version to version. */
static const char *without_underscores(const char *symbol)
{
	return symbol + strspn(symbol, "_");
}

/* By their texts; of the same text a whole name before a beginning. */
static int compare_patterns(const void *left, const void *right)
{
	const struct import_pattern *a = left, *b = right;
	const int order = strcmp(a->text, b->text);

	return order ? order : (int)a->beginning - (int)b->beginning;
}

/* The group that is being read; a new one where the section is another. */
static int open_group(struct reading *reading, const struct ini_entry *entry, struct error **error)
{
	struct import_groups *groups = &reading->groups;
	struct import_group *grown;

	if (groups->count > 0 &&
	    string_equal(groups->groups[groups->count - 1].name, entry->section))
		return 0;
	if (reading->unnamed)
		return error_set(error, EINVAL, "the group before has no title");
	if (!name_is_safe(entry->section))
		return error_set(error, EINVAL, "a key stands in no group: begin with [NAME]");
	for (size_t i = 0; i < groups->count; i++) {
		if (string_equal(groups->groups[i].name, entry->section))
			return error_set(error, EINVAL, "the group '%s' is here twice",
					 entry->section);
	}
	grown = reallocarray(groups->groups, groups->count + 1, sizeof(*grown));
	if (!grown)
		return out_of_memory(error);
	groups->groups = grown;
	grown[groups->count] = (struct import_group){ .name = strdup(entry->section) };
	if (!grown[groups->count].name)
		return out_of_memory(error);
	groups->count++;
	reading->unnamed = true;
	return 0;
}

/* "kmalloc*", length bytes. */
static int take_symbol(struct reading *reading, const char *word, size_t length, unsigned line,
		       struct error **error)
{
	struct import_groups *groups = &reading->groups;
	const bool beginning = word[length - 1] == '*';
	struct import_pattern pattern = { .beginning = beginning,
					  .group = groups->count - 1,
					  .line = line };
	struct import_pattern *grown;

	pattern.text = strndup(word, length - beginning);
	grown = pattern.text
			? reallocarray(groups->patterns, groups->pattern_count + 1, sizeof(*grown))
			: NULL;
	if (!grown) {
		free(pattern.text);
		return out_of_memory(error);
	}
	groups->patterns = grown;
	grown[groups->pattern_count++] = pattern;
	if (!name_is_safe(pattern.text) || pattern.text[0] == '_')
		return error_set(error, EINVAL,
				 "'%.100s' is no name of a symbol, nor the beginning of one with "
				 "'*' at its end; underscores in front are left out",
				 pattern.text);
	return 0;
}

static int take_symbols(struct reading *reading, const struct ini_entry *entry,
			struct error **error)
{
	int r = 0;

	for (const char *at = entry->value; r == 0 && *at;) {
		const size_t length = strcspn(at, " \t");

		if (length > 0)
			r = take_symbol(reading, at, length, entry->line, error);
		at += length + strspn(at + length, " \t");
	}
	return r;
}

static int take(void *context, const struct ini_entry *entry, struct error **error)
{
	struct reading *reading = context;
	struct import_group *group;
	int r = open_group(reading, entry, error);

	if (r < 0)
		return r;
	group = &reading->groups.groups[reading->groups.count - 1];
	if (string_equal(entry->name, "symbols"))
		return take_symbols(reading, entry, error);
	if (string_equal(entry->name, "title")) {
		if (group->title || !*entry->value)
			return error_set(error, EINVAL, "a group has one title");
		group->title = strdup(entry->value);
		reading->unnamed = false;
		return group->title ? 0 : out_of_memory(error);
	}
	if (string_equal(entry->name, "attention")) {
		group->attention = string_equal(entry->value, "yes");
		return group->attention || string_equal(entry->value, "no")
			       ? 0
			       : error_set(error, EINVAL, "attention is yes or no");
	}
	return error_set(error, EINVAL, "a group has title, attention and symbols");
}

static int check_twice(const char *path, const struct import_groups *groups, struct error **error)
{
	for (size_t i = 1; i < groups->pattern_count; i++) {
		const struct import_pattern *a = &groups->patterns[i - 1];
		const struct import_pattern *b = &groups->patterns[i];
		const unsigned later = a->line > b->line ? a->line : b->line;
		const unsigned earlier = a->line > b->line ? b->line : a->line;

		if (compare_patterns(a, b) == 0)
			return error_set(error, EINVAL, "%s:%u: '%s%s' stands in line %u, too",
					 path, later, a->text, a->beginning ? "*" : "", earlier);
	}
	return 0;
}

int import_groups_read(const char *path, const char *text, size_t length,
		       struct import_groups *ret_groups, struct error **error)
{
	struct reading reading = { 0 };
	struct import_groups *groups = &reading.groups;
	int r = ini_read(path, text, length, take, &reading, error);

	if (r == 0 && reading.unnamed)
		r = error_set(error, EINVAL, "%s: the last group has no title", path);
	if (r == 0 && groups->pattern_count > 0) {
		qsort(groups->patterns, groups->pattern_count, sizeof(*groups->patterns),
		      compare_patterns);
		r = check_twice(path, groups, error);
	}
	if (r < 0)
		import_groups_clear(groups);
	else
		*ret_groups = *groups;
	return r;
}

static const struct import_pattern *look_up(const struct import_groups *groups, char *text,
					    bool beginning)
{
	const struct import_pattern key = { .text = text, .beginning = beginning };

	return bsearch(&key, groups->patterns, groups->pattern_count, sizeof(key),
		       compare_patterns);
}

size_t import_groups_find(const struct import_groups *groups, const char *symbol)
{
	char text[128];
	const size_t length = strlen(without_underscores(symbol));
	const struct import_pattern *found;

	if (length >= sizeof(text) || groups->pattern_count == 0)
		return groups->count;
	memcpy(text, without_underscores(symbol), length + 1);
	found = look_up(groups, text, false);
	for (size_t i = length; !found && i > 0; i--) {
		text[i] = '\0';
		found = look_up(groups, text, true);
	}
	return found ? found->group : groups->count;
}

void import_groups_clear(struct import_groups *groups)
{
	for (size_t i = 0; i < groups->count; i++) {
		free(groups->groups[i].name);
		free(groups->groups[i].title);
	}
	for (size_t i = 0; i < groups->pattern_count; i++)
		free(groups->patterns[i].text);
	free(groups->groups);
	free(groups->patterns);
	*groups = (struct import_groups){ 0 };
}
