/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of packages that need each other; circles are found and named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lib/base/text.h"
#include "orchestrator/depend.h"

#define NODES 8

/* "a:b,c d:" as nodes; the texts are the caller's, and changed. */
struct graph {
	char text[128];
	struct depend_node nodes[NODES];
	char *needs[NODES][NODES];
	size_t count;
	size_t order[NODES];
	size_t ordered;
};

static void make(struct graph *graph, const char *description)
{
	char *rest = graph->text;
	char *word;

	*graph = (struct graph){ .count = 0 };
	(void)snprintf(graph->text, sizeof(graph->text), "%s", description);
	while ((word = strsep(&rest, " "))) {
		struct depend_node *node = &graph->nodes[graph->count];
		char *needs = strchr(word, ':');
		char *need;

		*needs++ = '\0';
		node->name = word;
		node->needs = graph->needs[graph->count++];
		while ((need = strsep(&needs, ",")))
			if (*need)
				node->needs[node->need_count++] = need;
	}
	graph->ordered = depend_order(graph->nodes, graph->count, graph->order);
}

static void assert_order(const char *description, const char *expected)
{
	cleanup_text struct text text = { 0 };
	struct graph graph;

	make(&graph, description);
	for (size_t i = 0; i < graph.ordered; i++)
		assert_int_equal(text_append_format(&text, "%s%s", i ? " " : "",
						    graph.nodes[graph.order[i]].name),
				 0);
	assert_string_equal(text.data ? text.data : "", expected);
}

static void assert_circle(const char *description, const char *name, const char *expected)
{
	cleanup_free char *circle = NULL;
	struct graph graph;
	size_t index;

	make(&graph, description);
	index = depend_find(graph.nodes, graph.count, name);
	assert_true(index < graph.count);
	circle = depend_circle(graph.nodes, graph.count, graph.order, graph.ordered, index);
	assert_non_null(circle);
	assert_string_equal(circle, expected);
}

static void test_order(void **state)
{
	(void)state;
	assert_int_equal(depend_order(NULL, 0, NULL), 0);
	assert_order("a: b: c:", "a b c");
	assert_order("a:b b:c c:", "c b a");
	assert_order("a:c b: c:", "b c a");
	assert_order("a:b,c b:c c: d:a", "c b a d");
	/* In rounds: d needs only b, but b came in this round, not before. */
	assert_order("b: d:b c:", "b c d");
	assert_order("a:nosuch b:a", "a b");
	assert_order("a:b,b b:", "b a");
}

static void test_circles(void **state)
{
	(void)state;
	assert_order("a:a", "");
	assert_order("a:b b:a c:", "c");
	assert_order("a:b b:c c:b d:a e:", "e");
	assert_circle("a:a", "a", "a needs a");
	assert_circle("a:b b:a c:", "a", "a needs b needs a");
	assert_circle("a:x,b x: b:c c:a", "b", "b needs c needs a needs b");
	/* Behind a circle, not in it. */
	assert_circle("a:b b:c c:b", "a", "b needs c needs b");
}

static void test_names(void **state)
{
	struct graph graph;

	(void)state;
	make(&graph, "a:b,c b: c:");
	assert_int_equal(depend_find(graph.nodes, graph.count, "c"), 2);
	assert_int_equal(depend_find(graph.nodes, graph.count, "d"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
