/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The corpora of the fuzz targets for profiles and system call policies: each input whole, cut
 * short and with bytes changed. The targets' abort() is the failure.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/files.h"

#define LLVMFuzzerTestOneInput fuzz_profile
#define promise promise_profile
#define check_refusal check_profile_refusal
#include "tests/fuzz/fuzz_profile.c"
#undef LLVMFuzzerTestOneInput
#undef promise
#undef check_refusal
#define LLVMFuzzerTestOneInput fuzz_seccomp
#define promise promise_seccomp
#include "tests/fuzz/fuzz_seccomp.c"

typedef int target(const uint8_t *data, size_t size);

/* In memory of just its size, so that a read past its end is seen by the sanitiser. */
static void run(target *function, const char *bytes, size_t length)
{
	cleanup_free uint8_t *copy = malloc(length + (length == 0));

	assert_non_null(copy);
	if (length > 0)
		memcpy(copy, bytes, length);
	assert_int_equal(function(copy, length), 0);
}

/* Each step bytes long piece of it lost at the end, or its first byte another. */
static void mutate(target *function, struct text *text, size_t step)
{
	static const char others[] = { '\n', '[', '=', ';', ' ', '\xff', '\1', '\0' };

	for (size_t i = 0; i < text->length; i += step) {
		const char byte = text->data[i];

		run(function, text->data, i);
		text->data[i] = others[i / step % sizeof(others)];
		run(function, text->data, text->length);
		text->data[i] = byte;
	}
}

/* How many inputs there were. */
static unsigned replay(const char *corpus, target *function, size_t step)
{
	cleanup_close int corpus_fd = open(corpus, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_list DIR *list = NULL;
	unsigned count = 0;
	const char *name;

	assert_true(corpus_fd >= 0);
	assert_int_equal(list_open(corpus_fd, ".", &list, NULL), 0);
	for (; (name = list_next(list)); count++) {
		cleanup_text struct text text = { 0 };

		assert_int_equal(read_file(corpus_fd, name, 1 << 16, &text, NULL), 0);
		run(function, text.data, text.length);
		mutate(function, &text, text.length > 1000 ? 7 * step : step);
	}
	return count;
}

static void test_profiles(void **state)
{
	(void)state;
	assert_in_range(replay("tests/fuzz/corpus/profile", fuzz_profile, 1), 15, 1000);
}

/* libseccomp takes a millisecond for each that can be compiled. */
static void test_policies(void **state)
{
	(void)state;
	assert_in_range(replay("tests/fuzz/corpus/seccomp", fuzz_seccomp, 11), 15, 1000);
}

/* What the replay is worth: some of the corpus is taken and some is not. */
static void test_both(void **state)
{
	static const struct {
		const char *corpus;
		bool profile, settings;
	} rows[] = { { "strict", true, false },	  { "compat", true, false },
		     { "settings", false, true }, { "empty", true, true },
		     { "unended", false, false }, { "overflow", false, false } };
	cleanup_close int corpus_fd =
		open("tests/fuzz/corpus/profile", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_module_settings struct module_settings settings = { 0 };
		cleanup_profile struct profile profile = { 0 };
		cleanup_text struct text text = { 0 };

		assert_int_equal(read_file(corpus_fd, rows[i].corpus, 1 << 16, &text, NULL), 0);
		assert_int_equal(profile_parse("FILE", text.data, text.length, &profile, NULL) == 0,
				 rows[i].profile);
		assert_int_equal(module_settings_parse("FILE", "demo", text.data, text.length,
						       &settings, NULL) == 0,
				 rows[i].settings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
