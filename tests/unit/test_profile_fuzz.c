/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The corpora of the fuzz targets for profiles and system call policies: each input whole, cut
 * short and with bytes changed. The targets' abort() is the failure.
 */
#include "tests/unit/fuzz_support.h"

#define LLVMFuzzerTestOneInput fuzz_profile
#define check_refusal check_profile_refusal
#include "tests/fuzz/fuzz_profile.c"
#undef LLVMFuzzerTestOneInput
#undef check_refusal
#define LLVMFuzzerTestOneInput fuzz_seccomp
#include "tests/fuzz/fuzz_seccomp.c"

/* Each step bytes long piece of it lost at the end, or its first byte another. */
static void mutate(fuzz_target *target, struct text *text, size_t step)
{
	static const char others[] = { '\n', '[', '=', ';', ' ', '\xff', '\1', '\0' };

	for (size_t i = 0; i < text->length; i += step) {
		const char byte = text->data[i];

		fuzz_run(target, text->data, i);
		text->data[i] = others[i / step % sizeof(others)];
		fuzz_run(target, text->data, text->length);
		text->data[i] = byte;
	}
}

static void mutate_profile(struct text *text)
{
	mutate(fuzz_profile, text, text->length > 1000 ? 7 : 1);
}

/* libseccomp takes a millisecond for each that can be compiled. */
static void mutate_seccomp(struct text *text)
{
	mutate(fuzz_seccomp, text, text->length > 1000 ? 77 : 11);
}

static void test_profiles(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/profile", fuzz_profile, mutate_profile), 15,
			1000);
}

static void test_policies(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/seccomp", fuzz_seccomp, mutate_seccomp), 15,
			1000);
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
