/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See module_list.h. */
#include "orchestrator/module_list.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/files.h"

#define LIST_MAXIMUM (UINT64_C(64) << 20)

static const char *name_of(const char *line)
{
	const char *slash = memrchr(line, '/', strcspn(line, "\n"));

	return slash ? slash + 1 : line;
}

/* Of a name that ends at ".ko", a NUL or a newline. */
static unsigned char next(const char **at)
{
	const char c = **at;

	if (c == '\0' || c == '\n' || strncmp(*at, ".ko", 3) == 0)
		return 0;
	++*at;
	return (unsigned char)(c == '-' ? '_' : c);
}

static int compare_names(const char *a, const char *b)
{
	int left, right;

	do {
		left = next(&a);
		right = next(&b);
	} while (left == right && left != 0);
	return left - right;
}

static int compare_lines(const void *a, const void *b)
{
	return compare_names(name_of(*(const char *const *)a), name_of(*(const char *const *)b));
}

static int compare_key(const void *key, const void *line)
{
	return compare_names(key, name_of(*(const char *const *)line));
}

void module_list_read(int directory_fd, const char *file, struct module_list *list)
{
	const char *line;

	*list = (struct module_list){ 0 };
	if (read_file(directory_fd, file, LIST_MAXIMUM, &list->text, NULL) < 0) {
		module_list_clear(list);
		return;
	}
	for (line = list->text.data; line && *line; line += *line == '\n') {
		line += strcspn(line, "\n");
		list->count++;
	}
	list->lines = calloc(list->count + 1, sizeof(*list->lines));
	if (!list->lines) {
		module_list_clear(list);
		return;
	}
	list->count = 0;
	for (line = list->text.data; line && *line; line += *line == '\n') {
		list->lines[list->count++] = line;
		line += strcspn(line, "\n");
	}
	qsort(list->lines, list->count, sizeof(*list->lines), compare_lines);
}

void module_list_clear(struct module_list *list)
{
	text_clear(&list->text);
	free(list->lines);
	*list = (struct module_list){ 0 };
}

size_t module_list_find(const struct module_list *list, const char *name, const char **ret_path)
{
	const char *const *found = list->count ? bsearch(name, list->lines, list->count,
							 sizeof(*list->lines), compare_key)
					       : NULL;

	if (!found)
		return 0;
	*ret_path = *found;
	return strcspn(*found, "\n");
}
