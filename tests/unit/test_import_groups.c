/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups of imports: tables of texts that are refused and of what symbols come to; and the file
 * that is shipped, against what thirty real drivers import (tests/unit/real-imports).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>

#include "lib/base/files.h"
#include "lib/kernels/import_groups.h"

static const char sample[] = "[hooks]\n"
			     "title = hooks functions\n"
			     "attention = yes\n"
			     "symbols = kprobe* register_kprobe  dup\n"
			     "[memory]\n"
			     "# not this\n"
			     "title = allocates memory\n"
			     "symbols = kmalloc* k* dup*\n"
			     "symbols = vmalloc\n";

static void test_find(void **state)
{
	static const struct {
		const char *symbol;
		size_t group;
	} rows[] = {
		{ "kprobe_enable", 0 },
		{ "register_kprobe", 0 },
		{ "register_kprobes", 2 },
		{ "kmalloc", 1 },
		{ "__kmalloc_node", 1 },
		{ "kfree", 1 },
		{ "_vmalloc", 1 },
		{ "vmalloc_user", 2 },
		{ "dup", 0 },
		{ "duplicate", 1 },
		{ "", 2 },
		{ "___", 2 },
		{ "unheard_of_symbol", 2 },
	};
	struct import_groups groups;

	(void)state;
	assert_int_equal(import_groups_read("sample", sample, sizeof(sample) - 1, &groups, NULL),
			 0);
	assert_int_equal(groups.count, 2);
	assert_true(groups.groups[0].attention);
	assert_false(groups.groups[1].attention);
	assert_string_equal(groups.groups[1].title, "allocates memory");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (import_groups_find(&groups, rows[i].symbol) != rows[i].group)
			fail_msg("'%s' is not in group %zu", rows[i].symbol, rows[i].group);
	}
	import_groups_clear(&groups);
}

static void test_long_symbol(void **state)
{
	struct import_groups groups;
	char symbol[600];

	(void)state;
	memset(symbol, 'k', sizeof(symbol) - 1);
	symbol[sizeof(symbol) - 1] = '\0';
	assert_int_equal(import_groups_read("sample", sample, sizeof(sample) - 1, &groups, NULL),
			 0);
	assert_int_equal(import_groups_find(&groups, symbol), groups.count);
	import_groups_clear(&groups);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{ "title = x\n", "groups:1: a key stands in no group" },
		{ "[a]\nsymbols = x\n", "groups: the last group has no title" },
		{ "[a]\nsymbols = x\n[b]\ntitle = b\n", "groups:4: the group before has no title" },
		{ "[a]\ntitle = a\n[b]\ntitle = b\n[a]\nsymbols = x\n",
		  "groups:6: the group 'a' is here twice" },
		{ "[a]\ntitle = a\ntitle = b\n", "groups:3: a group has one title" },
		{ "[a]\ntitle = a\nattention = maybe\n", "groups:3: attention is yes or no" },
		{ "[a]\ntitle = a\nsymbol = x\n", "groups:3: a group has title, attention and" },
		{ "[a]\ntitle = a\nsymbols = x*y\n", "groups:3: 'x*y' is no name of a symbol" },
		{ "[a]\ntitle = a\nsymbols = x _y\n", "groups:3: '_y' is no name of a symbol" },
		{ "[a]\ntitle = a\nsymbols = *\n", "groups:3: '' is no name of a symbol" },
		{ "[a]\ntitle = a\nsymbols = x y*\n[b]\ntitle = b\nsymbols = y*\n",
		  "groups:6: 'y*' stands in line 3, too" },
		{ "[a]\nnonsense\n", "groups:2: neither [SECTION]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_error struct error *error = NULL;
		cleanup_free char *text = NULL;
		struct import_groups groups = { .count = 77 };

		assert_int_equal(import_groups_read("groups", rows[i].text, strlen(rows[i].text),
						    &groups, &error),
				 -EINVAL);
		assert_int_equal(groups.count, 77);
		text = error_describe(error);
		if (!text || strncmp(text, rows[i].expected, strlen(rows[i].expected)) != 0)
			fail_msg("'%s' instead of '%s'", text, rows[i].expected);
	}
}

static void read_text(const char *path, struct text *text)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read_fd(fd, 1 << 20, text, NULL), 0);
}

/* Of what real drivers want of the kernel 95 in 100 are in some group, by name or beginning. */
static void test_shipped(void **state)
{
	cleanup_text struct text shipped = { 0 }, wanted = { 0 };
	cleanup_error struct error *error = NULL;
	size_t known = 0, all = 0;
	struct import_groups groups;

	(void)state;
	read_text("profiles/imports", &shipped);
	read_text("tests/unit/real-imports", &wanted);
	if (import_groups_read("profiles/imports", shipped.data, shipped.length, &groups, &error) <
	    0)
		fail_msg("%s", error_describe(error));
	for (char *rest = wanted.data, *symbol; (symbol = strsep(&rest, "\n"));) {
		if (!*symbol || *symbol == '#')
			continue;
		all++;
		if (import_groups_find(&groups, symbol) < groups.count)
			known++;
		else
			print_message("in no group: %s\n", symbol);
	}
	assert_true(all > 1000);
	assert_true(known * 100 >= all * 95);
	import_groups_clear(&groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_long_symbol),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests_name("import_groups", tests, NULL, NULL);
}
