/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The corpora of the fuzz targets for the command line and for status: each input whole, cut short,
 * and the command lines with each byte changed. The targets' abort() is the failure.
 */
#include "tests/unit/fuzz_support.h"

#define LLVMFuzzerTestOneInput fuzz_command_line
#define check check_command_line
#include "tests/fuzz/fuzz_command_line.c"
#undef LLVMFuzzerTestOneInput
#undef check
#define LLVMFuzzerTestOneInput fuzz_status
#define check check_status
#include "tests/fuzz/fuzz_status.c"

static void mutate_command_line(struct text *text)
{
	static const char others[] = { '\n', '-', '=', '/', '.', '\xff', '\1' };

	for (size_t i = 0; i < text->length; i++) {
		const char byte = text->data[i];

		fuzz_run(fuzz_command_line, text->data, i);
		text->data[i] = others[i % sizeof(others)];
		fuzz_run(fuzz_command_line, text->data, text->length);
		text->data[i] = byte;
	}
}

static void mutate_status(struct text *text)
{
	for (size_t length = 0; length < text->length; length++)
		if (text->data[length] == '\n')
			fuzz_run(fuzz_status, text->data, length);
}

static void test_command_line(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/command_line", fuzz_command_line,
				    mutate_command_line),
			20, 1000);
}

static void test_status(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/status", fuzz_status, mutate_status), 10,
			1000);
}

static struct state_list tree(const char *corpus)
{
	char top[] = "/tmp/fuzz-replay-XXXXXX";
	cleanup_close int corpus_fd =
		open("tests/fuzz/corpus/status", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int top_fd = -1, dkms_fd = -1, source_fd = -1, install_fd = -1;
	cleanup_text struct text text = { 0 };
	struct state_list list = { 0 };

	assert_non_null(mkdtemp(top));
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(read_file(corpus_fd, corpus, 1 << 16, &text, NULL), 0);
	make_trees(top_fd, text.data);
	assert_int_equal(open_beneath(top_fd, "dkms", O_RDONLY, 0, &dkms_fd, NULL), 0);
	assert_int_equal(open_beneath(top_fd, "src", O_RDONLY, 0, &source_fd, NULL), 0);
	assert_int_equal(open_beneath(top_fd, "modules", O_RDONLY, 0, &install_fd, NULL), 0);
	assert_int_equal(state_list_load(&(struct state_trees){ dkms_fd, source_fd, install_fd },
					 NULL, NULL, NULL, NULL, &list, NULL),
			 0);
	assert_int_equal(remove_tree(top_fd, "dkms", NULL), 0);
	assert_int_equal(remove_tree(top_fd, "src", NULL), 0);
	assert_int_equal(remove_tree(top_fd, "modules", NULL), 0);
	assert_int_equal(rmdir(top), 0);
	return list;
}

/* What the replay is worth: the trees are made, and seen as what they are. */
static void test_trees_are_seen(void **state)
{
	static const struct {
		const char *corpus;
		size_t count;
		enum state first;
	} rows[] = {
		{ "installed", 1, STATE_INSTALLED }, { "built-originals", 1, STATE_BUILT },
		{ "broken", 2, STATE_BROKEN },	     { "order", 4, STATE_ADDED },
		{ "several", 3, STATE_BUILT },	     { "empty", 0, STATE_ABSENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct state_list list = tree(rows[i].corpus);

		if (list.count != rows[i].count ||
		    (list.count > 0 && list.entries[0].state != rows[i].first))
			fail_msg("%s: %zu entries, the first %s", rows[i].corpus, list.count,
				 list.count > 0 ? state_name(list.entries[0].state) : "none");
		state_list_clear(&list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_line),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_trees_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
