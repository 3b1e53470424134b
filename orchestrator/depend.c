/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An order of packages, see depend.h. */
#include "orchestrator/depend.h"

#include <string.h>

#include "lib/base/text.h"

size_t depend_find(const struct depend_node *nodes, size_t count, const char *name)
{
	size_t index = 0;

	while (index < count && strcmp(nodes[index].name, name) != 0)
		index++;
	return index;
}

static bool has_come(const size_t *order, size_t ordered, size_t index)
{
	for (size_t i = 0; i < ordered; i++)
		if (order[i] == index)
			return true;
	return false;
}

/* The first need of a node that has not come yet, or count. */
static size_t first_missing(const struct depend_node *nodes, size_t count, const size_t *order,
			    size_t ordered, size_t index)
{
	for (size_t i = 0; i < nodes[index].need_count; i++) {
		size_t need = depend_find(nodes, count, nodes[index].needs[i]);

		if (need < count && !has_come(order, ordered, need))
			return need;
	}
	return count;
}

size_t depend_order(const struct depend_node *nodes, size_t count, size_t *order)
{
	size_t ordered = 0;
	size_t before;

	do {
		before = ordered;
		for (size_t i = 0; i < count; i++)
			if (!has_come(order, ordered, i) &&
			    first_missing(nodes, count, order, before, i) == count)
				order[ordered++] = i;
	} while (ordered > before);
	return ordered;
}

char *depend_circle(const struct depend_node *nodes, size_t count, const size_t *order,
		    size_t ordered, size_t index)
{
	cleanup_text struct text text = { 0 };
	size_t start = index;
	int r;

	/* Each of those left out needs another of them: so many steps on, one is in a circle. */
	for (size_t i = 0; i < count && (i == 0 || index != start); i++)
		index = first_missing(nodes, count, order, ordered, index);
	start = index;
	r = text_append_string(&text, nodes[start].name);
	do {
		index = first_missing(nodes, count, order, ordered, index);
		if (r == 0)
			r = text_append_format(&text, " needs %s", nodes[index].name);
	} while (index != start);
	return r < 0 ? NULL : text_take(&text);
}
