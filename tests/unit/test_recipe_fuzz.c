/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The corpus of tests/fuzz/fuzz_record.c, whole, cut short everywhere, and with each byte changed:
 * no answer of an evaluation may get through as a recipe that breaks a promise. The fuzz target's
 * abort() is the failure.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/base/files.h"
#include "tests/fuzz/fuzz_record.c"

#define CORPUS "tests/fuzz/corpus/record"

/* In memory of just its size, so that a read past its end is seen by the sanitiser. */
static void run(const char *bytes, size_t length)
{
	cleanup_free uint8_t *copy = malloc(length + (length == 0));

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	assert_int_equal(LLVMFuzzerTestOneInput(copy, length), 0);
}

static void mutate(struct text *text)
{
	static const char others[] = { '\0', '/', '.', '@', '1', '\xff' };

	for (size_t length = 0; length <= text->length; length++)
		run(text->data, length);
	for (size_t i = 0; i < text->length; i++) {
		const char byte = text->data[i];

		text->data[i] = others[i % sizeof(others)];
		run(text->data, text->length);
		text->data[i] = byte;
	}
}

static void test_corpus(void **state)
{
	cleanup_close int corpus_fd = open(CORPUS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	unsigned count = 0;
	DIR *directory;

	(void)state;
	assert_true(corpus_fd >= 0);
	directory = fdopendir(dup(corpus_fd));
	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		cleanup_text struct text text = { 0 };

		if (entry->d_name[0] == '.')
			continue;
		assert_int_equal(read_file(corpus_fd, entry->d_name, 1 << 20, &text, NULL), 0);
		mutate(&text);
		count++;
	}
	(void)closedir(directory);
	assert_true(count >= 10);
}

/* What the replay is worth: of the corpus some are taken and some are not. */
static void test_corpus_has_both(void **state)
{
	static const char *const good[] = { "smallest", "modules", "everything", "exclusive" };
	static const char *const bad[] = {
		"traversal", "bytes", "index", "limits", "half", "behind"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good) + ARRAY_SIZE(bad); i++) {
		const bool wanted = i < ARRAY_SIZE(good);
		const char *name = wanted ? good[i] : bad[i - ARRAY_SIZE(good)];
		cleanup_close int corpus_fd = open(CORPUS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		static char release[] = "6.1.0-56-amd64", config[] = "CONFIG_I2C=m\n";
		const struct kernel kernel = { .release = release, .config = config };
		const struct recipe_request request = { .module = "demo",
							.version = "0.1",
							.kernel = &kernel };
		cleanup_text struct text text = { 0 };
		struct recipe *recipe = NULL;
		int r;

		assert_int_equal(read_file(corpus_fd, name, 1 << 20, &text, NULL), 0);
		r = recipe_validate(&request, text.data, text.length, &recipe, NULL);
		if ((r == 0) != wanted)
			fail_msg("%s was %s", name, r == 0 ? "taken" : "refused");
		recipe = recipe_free(recipe);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_corpus_has_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
