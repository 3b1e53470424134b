/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The corpora of the fuzz targets for modules: each input whole and cut short in a hundred places,
 * and with every choice of what is asked. The targets' abort() is the failure.
 */
#include "tests/unit/fuzz_support.h"

#define LLVMFuzzerTestOneInput fuzz_checker
#define symvers fuzz_symvers_text
#define is_plain checker_is_plain
#include "tests/fuzz/fuzz_checker.c"
#undef is_plain
#undef symvers
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_symvers
#include "tests/fuzz/fuzz_symvers.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_decompress
#include "tests/fuzz/fuzz_decompress.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_report
#include "tests/fuzz/fuzz_report.c"

static void ask_all(struct text *text)
{
	const size_t step = text->length / 100 + 1;

	for (unsigned choice = 0; text->length > 0 && choice < 64; choice++) {
		text->data[0] = (char)choice;
		fuzz_run(fuzz_checker, text->data, text->length);
	}
	for (size_t length = 0; length < text->length; length += step) {
		text->data[0] = (char)(length / step & 63);
		fuzz_run(fuzz_checker, text->data, length);
	}
}

static void cut_symvers(struct text *text)
{
	for (size_t length = 0; length < text->length; length++)
		fuzz_run(fuzz_symvers, text->data, length);
}

static void cut_compressed(struct text *text)
{
	for (size_t length = 0; length < text->length; length++)
		fuzz_run(fuzz_decompress, text->data, length);
}

static void cut_report(struct text *text)
{
	for (size_t length = 0; length < text->length; length++)
		fuzz_run(fuzz_report, text->data, length);
}

static void test_checker(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/checker", fuzz_checker, ask_all), 5, 1000);
}

static void test_symvers(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/symvers", fuzz_symvers, cut_symvers), 3,
			1000);
}

static void test_decompress(void **state)
{
	(void)state;
	assert_in_range(
		fuzz_replay("tests/fuzz/corpus/decompress", fuzz_decompress, cut_compressed), 4,
		1000);
}

static void test_report(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/report", fuzz_report, cut_report), 3, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checker),
		cmocka_unit_test(test_symvers),
		cmocka_unit_test(test_decompress),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests_name("checker_fuzz", tests, NULL, NULL);
}
