/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* framework.conf: what counts as saying something, and what an answer of the sandbox may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "orchestrator/framework.h"

static bool says_something(const char *text)
{
	return framework_says_something(text, strlen(text));
}

static void test_comments(void **state)
{
	(void)state;
	assert_false(says_something(""));
	assert_false(says_something("\n\n \t\n\r\n"));
	assert_false(says_something("# verbose=1"));
	assert_false(says_something("#\n  # a=b\n\t#c\n#d \r\n"));
	assert_true(says_something("verbose=1"));
	assert_true(says_something("# verbose=1\nverbose=1"));
	assert_true(says_something("  x # y\n"));
	assert_true(says_something("#\n=\n"));
}

/* The answer as a literal with its NULs; the literal's own is not part of it. */
#define TAKE(options, trees, literal) take(options, trees, literal, sizeof(literal) - 1)

static char said[4096]; /* what was warned of or refused */

static int take(struct options *options, bool trees, const char *answer, size_t length)
{
	cleanup_free char *warned = NULL;
	cleanup_free char *refused = NULL;
	cleanup_error struct error *error = NULL;
	size_t size;
	struct log log = { .err = open_memstream(&warned, &size), .program = "test" };
	int r;

	assert_non_null(log.err);
	r = framework_take_answer(options, trees, &log, answer, length, &error);
	(void)fclose(log.err);
	refused = error_describe(error);
	assert_int_equal(r < 0, error != NULL);
	assert_int_equal(error_code(error), r < 0 ? 1 : 0);
	(void)snprintf(said, sizeof(said), "%s%s", warned ? warned : "", refused ? refused : "");
	return r;
}

static void test_settings(void **state)
{
	struct options options = { .install_tree = strdup("/given") };

	(void)state;
	assert_int_equal(
		TAKE(&options, true,
		     "@kernel\0006.1\0dkms_tree\0/d\0source_tree\0/usr/src\0install_tree\0/i\0"
		     "parallel_jobs\0003\0verbose\0yes\0build_environment\0/e\0@end\0"),
		0);
	assert_string_equal(said, "");
	assert_string_equal(options.dkms_tree, "/d");
	assert_null(options.source_tree); /* DKMS's default is ours as well */
	assert_string_equal(options.install_tree, "/given");
	assert_int_equal(options.jobs, 3);
	assert_true(options.jobs_given);
	assert_true(options.verbose);
	assert_string_equal(options.build_environment, "/e");
	options_clear(&options);

	options = (struct options){ .jobs = 8, .jobs_given = true };
	assert_int_equal(TAKE(&options, false,
			      "@kernel\0006.1\0dkms_tree\0/d\0parallel_jobs\0003\0verbose\0\0"
			      "build_environment\0\0@end\0"),
			 0);
	assert_null(options.dkms_tree);
	assert_int_equal(options.jobs, 8);
	assert_false(options.verbose);
	assert_null(options.build_environment);
	assert_int_equal(TAKE(&options, true, "@end\0"), 0);
	options_clear(&options);
}

static void test_without_effect(void **state)
{
	struct options options = { 0 };

	(void)state;
	assert_int_equal(TAKE(&options, true,
			      "@kernel\0006.1\0tmp_location\0/tmp\0sign_file\0\0"
			      "mok_signing_key\0/var/lib/dkms/mok.key\0continue_on_error\0yes\0"
			      "compress_zstd_opts\0-q --rm -T0\0@end\0"),
			 0);
	assert_string_equal(said, "");
	assert_int_equal(TAKE(&options, true,
			      "@kernel\0006.1\0symlink_modules\0yes\0post_transaction\0run\0"
			      "@kernel\0006.2\0symlink_modules\0yes\0@end\0"),
			 0);
	assert_non_null(strstr(said, "symlink_modules of framework.conf has no effect here: "));
	assert_non_null(strstr(said, "post_transaction of framework.conf has no effect"));
	/* Once, however many kernels there are. */
	assert_null(strstr(strstr(said, "symlink_modules") + 1, "symlink_modules"));
	options_clear(&options);
}

static void test_kernels(void **state)
{
	struct options options = { 0 };

	(void)state;
	assert_int_equal(TAKE(&options, true,
			      "@kernel\0006.1\0build_environment\0/e\0@kernel\0006.2\0"
			      "build_environment\0/e\0@end\0"),
			 0);
	assert_string_equal(options.build_environment, "/e");
	options_clear(&options);
	assert_true(TAKE(&options, true,
			 "@kernel\0006.1\0build_environment\0/e-6.1\0@kernel\0006.2\0"
			 "build_environment\0/e-6.2\0@end\0") < 0);
	assert_non_null(strstr(said, "another file for each of these kernels"));
	options_clear(&options);
}

static void assert_refused(const char *answer, size_t length, const char *reason)
{
	struct options options = { 0 };

	assert_true(take(&options, true, answer, length) < 0);
	if (!strstr(said, reason))
		fail_msg("\"%s\" does not say \"%s\"", said, reason);
	options_clear(&options);
}

#define REFUSED(literal, reason) assert_refused(literal, sizeof(literal) - 1, reason)

static void test_bad_answers(void **state)
{
	(void)state;
	REFUSED("", "ended the shell");
	REFUSED("@end", "ended the shell");
	REFUSED("@kernel\0006.1\0", "ended the shell");
	REFUSED("@kernel\0006.1\0verbose\0", "ended the shell");
	REFUSED("@end\0verbose\0001\0", "ended the shell");
	REFUSED("@syntax\0/etc/dkms/framework.conf: line 1: \033[1m\0@end\0", "line 1: \\x1b[1m");
	REFUSED("@kernel\0006.1\0dkms_tree\0relative\0@end\0", "give an absolute path");
	REFUSED("@kernel\0006.1\0dkms_tree\0/a\nb\0@end\0", "cannot be shown");
	REFUSED("@kernel\0006.1\0build_environment\0e\0@end\0", "give an absolute path");
	REFUSED("@kernel\0006.1\0parallel_jobs\0-1\0@end\0", "give a number");
	REFUSED("@kernel\0006.1\0parallel_jobs\0009999999\0@end\0", "give a number");
	REFUSED("@kernel\0006.1\0PATH\0/x\0@end\0", "'PATH', which is no setting");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comments),       cmocka_unit_test(test_settings),
		cmocka_unit_test(test_without_effect), cmocka_unit_test(test_kernels),
		cmocka_unit_test(test_bad_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
