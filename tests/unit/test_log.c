/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The log: where lines go, what quiet leaves out, and that no foreign byte drives the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/log.h"

struct output {
	char *out, *err;
	size_t out_size, err_size;
	struct log log;
};

static void output_open(struct output *output)
{
	*output = (struct output){ 0 };
	output->log.out = open_memstream(&output->out, &output->out_size);
	output->log.err = open_memstream(&output->err, &output->err_size);
	assert_non_null(output->log.out);
	assert_non_null(output->log.err);
	output->log.program = "kmodbox";
}

static void assert_output(struct output *output, const char *out, const char *err)
{
	(void)fclose(output->log.out);
	(void)fclose(output->log.err);
	assert_string_equal(output->out, out);
	assert_string_equal(output->err, err);
	free(output->out);
	free(output->err);
}

static void tell(const struct log *log)
{
	cleanup_error struct error *error = NULL;

	(void)error_set(&error, ENOENT, "no dkms.conf");
	(void)error_context(&error, "cannot add %s", "demo");
	log_info(log, "building %s", "demo");
	log_warning(log, "%d left", 3);
	log_error(log, error);
}

static void test_lines(void **state)
{
	struct output output;

	(void)state;
	output_open(&output);
	tell(&output.log);
	assert_output(&output, "building demo\n",
		      "kmodbox: warning: 3 left\nkmodbox: cannot add demo: no dkms.conf\n");
}

static void test_quiet(void **state)
{
	struct output output;

	(void)state;
	output_open(&output);
	output.log.quiet = true;
	tell(&output.log);
	assert_output(&output, "", "kmodbox: cannot add demo: no dkms.conf\n");
}

static void test_nowhere(void **state)
{
	const struct log log = { 0 };

	(void)state;
	tell(&log); /* must not crash */
}

/* Neither a terminal sequence nor a second, forged line. */
static void test_hostile_bytes(void **state)
{
	static const char hostile[] = "\033[2Jx\nkmodbox: all is well\r\x9b";
	static const char shown[] = "\\x1b[2Jx\\x0akmodbox: all is well\\x0d\\x9b";
	struct output output;
	cleanup_error struct error *error = NULL;
	cleanup_free char *out = NULL, *err = NULL;

	(void)state;
	assert_true(asprintf(&out, "%s\n", shown) > 0);
	assert_true(asprintf(&err, "kmodbox: warning: %s\nkmodbox: %s\n", shown, shown) > 0);
	(void)error_set(&error, EIO, "%s", hostile);
	output_open(&output);
	log_info(&output.log, "%s", hostile);
	log_warning(&output.log, "%s", hostile);
	log_error(&output.log, error);
	assert_output(&output, out, err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_nowhere),
		cmocka_unit_test(test_hostile_bytes),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
