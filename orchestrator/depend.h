/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who comes first: packages that name each other in BUILD_DEPENDS, in an order in which each stands
 * behind all that it needs. Pure: names in, indexes out. The names are foreign, but safe names.
 */
#ifndef KMODBOX_ORCHESTRATOR_DEPEND_H
#define KMODBOX_ORCHESTRATOR_DEPEND_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/cleanup.h"

/* All borrowed. */
struct depend_node {
	const char *name;
	char **needs; /* a name that no node has does not count */
	size_t need_count;
};

/*
 * Fills order, of count indexes, as DKMS would go: round by round those whose needs came in rounds
 * before, within a round as they stand. Returns how many; those in a circle, or behind one, are
 * left out.
 */
size_t depend_order(const struct depend_node *nodes, size_t count, size_t *order);
/*
 * The circle that keeps one of those out: "a needs b needs a". order and ordered as filled above.
 * NULL if memory is out.
 */
char *depend_circle(const struct depend_node *nodes, size_t count, const size_t *order,
		    size_t ordered, size_t index) must_check;
/* The node of this name, or count. */
size_t depend_find(const struct depend_node *nodes, size_t count, const char *name);

#endif
