/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The corpora of the fuzz targets for refused calls, logs and terminals: each input whole, cut
 * short and with bytes changed. The targets' abort() is the failure.
 */
#include "tests/unit/fuzz_support.h"

#define LLVMFuzzerTestOneInput fuzz_denied
#include "tests/fuzz/fuzz_denied.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_log
#define check_shown check_log_shown
#include "tests/fuzz/fuzz_log.c"
#undef LLVMFuzzerTestOneInput
#undef check_shown
#define LLVMFuzzerTestOneInput fuzz_terminal
#define check_shown check_terminal_shown
#include "tests/fuzz/fuzz_terminal.c"

/* Every piece of it lost at the end, or a byte another, a few hundred of each. */
static void mutate(fuzz_target *target, struct text *text)
{
	static const char others[] = { '\n', '\r', '\x1b', '[', 'c', '\x9b', '\xc2', '\0' };
	const size_t step = 1 + text->length / 256;

	for (size_t i = 0; i < text->length; i += step) {
		const char byte = text->data[i];

		fuzz_run(target, text->data, i);
		text->data[i] = others[i / step % sizeof(others)];
		fuzz_run(target, text->data, text->length);
		text->data[i] = byte;
	}
}

static void mutate_denied(struct text *text)
{
	mutate(fuzz_denied, text);
}

static void mutate_log(struct text *text)
{
	mutate(fuzz_log, text);
}

static void mutate_terminal(struct text *text)
{
	mutate(fuzz_terminal, text);
}

static void test_denied(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/denied", fuzz_denied, mutate_denied), 15,
			1000);
}

static void test_log(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/log", fuzz_log, mutate_log), 15, 1000);
}

static void test_terminal(void **state)
{
	(void)state;
	assert_in_range(fuzz_replay("tests/fuzz/corpus/terminal", fuzz_terminal, mutate_terminal),
			15, 1000);
}

/* What the replay is worth: logs that are whole and logs of which the middle is missing. */
static void test_left_out(void **state)
{
	char *bytes = malloc(4096);
	struct logged logged = { 0 };

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', 4096);
	log_one(&logged, (const uint8_t *)bytes, 4096, NULL);
	assert_non_null(strstr(logged.file.data, " bytes left out ...]\n"));
	assert_int_equal(logged.file.length <= MAXIMUM, 1);
	logged_clear(&logged);
	logged = (struct logged){ 0 };
	log_one(&logged, (const uint8_t *)bytes, 100, NULL);
	assert_null(strstr(logged.file.data, " bytes left out ...]\n"));
	logged_clear(&logged);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
