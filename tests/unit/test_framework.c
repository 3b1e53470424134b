/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * framework.conf: what counts as saying something, what is read without a shell, what an answer
 * may be, and whose directories are believed. tests/hostile/settings.sh has whole runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "orchestrator/framework.h"
#include "orchestrator/framework_internal.h"
#include "tests/unit/orchestrator_support.h"

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
		     "dkms_tree\0/d\0source_tree\0/usr/src\0install_tree\0/i\0"
		     "parallel_jobs\0003\0verbose\0yes\0build_environment\0/e\0@kernel\0006.1\0"
		     "@end\0"),
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
			      "@file\0framework.conf\0dkms_tree\0/d\0parallel_jobs\0003\0"
			      "verbose\0\0build_environment\0\0@kernel\0006.1\0@end\0"),
			 0);
	assert_null(options.dkms_tree);
	assert_int_equal(options.jobs, 8);
	assert_false(options.verbose);
	assert_null(options.build_environment);
	assert_int_equal(TAKE(&options, true, "@kernel\0006.1\0@end\0"), 0);
	options_clear(&options);
}

/* A warning, but of status: nobody but who may mend it is to be told. */
static void test_denied(void **state)
{
	struct options options = { 0 };

	(void)state;
	assert_int_equal(TAKE(&options, true,
			      "@denied\0socket AF_INET x2\0@file\0framework.conf\0"
			      "@kernel\0006.1\0@end\0"),
			 0);
	assert_non_null(strstr(said, "framework.conf tried, and was refused: socket AF_INET x2\n"));
	options.verb = VERB_STATUS;
	assert_int_equal(TAKE(&options, true, "@denied\0x\0@kernel\0006.1\0@end\0"), 0);
	assert_string_equal(said, "");
	/* Its words are no more than words. */
	options.verb = VERB_BUILD;
	assert_true(TAKE(&options, true, "@denied\0\033[2J\0@kernel\0006.1\0@end\0") < 0);
}

/* It needs the trees, and neither obeys nor judges the rest. */
static void test_status(void **state)
{
	struct options options = { .verb = VERB_STATUS };

	(void)state;
	assert_int_equal(TAKE(&options, true,
			      "dkms_tree\0/d\0parallel_jobs\0many\0sign_file\0/s\0"
			      "build_environment\0relative\0@kernel\0006.1\0@end\0"),
			 0);
	assert_string_equal(said, "");
	assert_string_equal(options.dkms_tree, "/d");
	assert_null(options.build_environment);
	options_clear(&options);
	options = (struct options){ .verb = VERB_STATUS };
	assert_true(TAKE(&options, true, "dkms_tree\0d\0@kernel\0006.1\0@end\0") < 0);
	assert_non_null(strstr(said, "give an absolute path"));
	options_clear(&options);
}

static void test_without_effect(void **state)
{
	char *kernels[] = { said, said };
	struct options options = { 0 };

	(void)state;
	assert_int_equal(TAKE(&options, true,
			      "tmp_location\0/tmp\0sign_file\0\0"
			      "mok_signing_key\0/var/lib/dkms/mok.key\0continue_on_error\0yes\0"
			      "compress_zstd_opts\0-q --rm -T0\0@kernel\0006.1\0@end\0"),
			 0);
	assert_string_equal(said, "");
	options.kernels = kernels;
	options.kernel_count = 2;
	assert_int_equal(TAKE(&options, true,
			      "symlink_modules\0yes\0post_transaction\0run\0@kernel\0006.1\0"
			      "symlink_modules\0yes\0@kernel\0006.2\0@end\0"),
			 0);
	assert_non_null(strstr(said, "symlink_modules of framework.conf has no effect here: "));
	assert_non_null(strstr(said, "post_transaction of framework.conf has no effect"));
	/* Once, however many kernels there are. */
	assert_null(strstr(strstr(said, "symlink_modules") + 1, "symlink_modules"));
}

static void test_kernels(void **state)
{
	char *kernels[] = { said, said };
	struct options options = { .kernels = kernels, .kernel_count = 2 };

	(void)state;
	assert_int_equal(TAKE(&options, true,
			      "build_environment\0/e\0@kernel\0006.1\0"
			      "build_environment\0/e\0@kernel\0006.2\0@end\0"),
			 0);
	assert_string_equal(options.build_environment, "/e");
	assert_true(TAKE(&options, true,
			 "build_environment\0/e-6.1\0@kernel\0006.1\0"
			 "build_environment\0/e-6.2\0@kernel\0006.2\0@end\0") < 0);
	assert_non_null(strstr(said, "another file for each of these kernels"));
	/* Also where it is none for the second. */
	assert_true(TAKE(&options, true,
			 "build_environment\0/e-6.1\0@kernel\0006.1\0"
			 "build_environment\0\0@kernel\0006.2\0@end\0") < 0);
	assert_non_null(strstr(said, "another file for each of these kernels"));
	/* One for which a file ended the shell. */
	assert_true(TAKE(&options, true,
			 "@file\0framework.conf\0verbose\0001\0@kernel\0006.1\0"
			 "@file\0framework.conf\0@file\0framework.conf.d/x.conf\0@end\0") < 0);
	assert_non_null(strstr(said, "framework.conf.d/x.conf ended the shell before its end"));
	free(options.build_environment);
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
	REFUSED("@end\0", "ended the shell");
	REFUSED("@kernel\0006.1\0", "ended the shell");
	REFUSED("verbose\0001\0@end\0", "ended the shell");
	REFUSED("@kernel\0006.1\0@kernel\0006.1\0@end\0", "ended the shell");
	REFUSED("@kernel\0006.1\0verbose\0", "ended the shell");
	REFUSED("@kernel\0006.1\0@end\0verbose\0001\0", "ended the shell");
	REFUSED("@syntax\0/etc/dkms/framework.conf: line 1: \033[1m\0@end\0", "line 1: \\x1b[1m");
	REFUSED("dkms_tree\0relative\0@kernel\0006.1\0@end\0", "give an absolute path");
	REFUSED("dkms_tree\0/a\nb\0@kernel\0006.1\0@end\0", "cannot be shown");
	REFUSED("build_environment\0e\0@kernel\0006.1\0@end\0", "give an absolute path");
	REFUSED("parallel_jobs\0-1\0@kernel\0006.1\0@end\0", "give a number");
	REFUSED("parallel_jobs\0009999999\0@kernel\0006.1\0@end\0", "give a number");
	REFUSED("PATH\0/x\0@kernel\0006.1\0@end\0", "'PATH', which is no setting");
	REFUSED("my_tree\0/x\0@kernel\0006.1\0@end\0", "'my_tree', which is no setting");
}

static int read_plainly(const char *const *texts, size_t count, struct text *ret_answer)
{
	struct framework framework = { .count = count };

	for (size_t i = 0; i < count; i++)
		framework.files[i].text =
			(struct text){ (char *)(uintptr_t)texts[i], strlen(texts[i]), 0 };
	return framework_plain(&framework, 2, ret_answer);
}

static void test_plain(void **state)
{
	static const char one[] = "# one\n\n  dkms_tree=/d  # where it is\n"
				  "\tverbose= parallel_jobs=\"3\"\nown=1 "
				  "compress_zstd_opts='-q $x' sign_file=\"/a b\"";
	static const char *const texts[] = { one, "", "parallel_jobs=4\nsource_tree=\"\"\n" };
	static const char expected[] =
		"source_tree\0\0dkms_tree\0/d\0verbose\0\0parallel_jobs\0004\0sign_file\0/a b\0"
		"compress_zstd_opts\0-q $x\0@kernel\0\0@kernel\0\0@end";
	cleanup_text struct text answer = { 0 };

	(void)state;
	assert_int_equal(read_plainly(texts, ARRAY_SIZE(texts), &answer), 1);
	assert_int_equal(answer.length, sizeof(expected));
	assert_memory_equal(answer.data, expected, sizeof(expected));
}

static void test_not_plain(void **state)
{
	/* What bash makes something else of, or nothing, or a command. */
	static const char *const texts[] = {
		"verbose",
		"verbose=1 true",
		"verbose=1;",
		"export verbose=1",
		"verbose=$x",
		"verbose=\"$x\"",
		"verbose=\"`x`\"",
		"verbose=\"\\x\"",
		"verbose=\\x",
		"verbose=~",
		"verbose=a*",
		"verbose=a'b'",
		"verbose='a'b",
		"verbose='a'#b",
		"verbose=a#b",
		"verbose=(1 2)",
		"verbose[0]=1",
		"verbose+=1",
		"verbose =1",
		"=1",
		"1=1",
		"_=1",
		"IFS=1",
		"verbose='a",
		"verbose=\"a",
		"verbose='a\nb'",
		"verbose=1\r\n",
		"verbose=\"a\x01\"",
		"verbose=1\\\nx=2",
		"verbose=1 &",
		"verbose={a,b}",
		"verbose=<x",
		"if true; then verbose=1; fi",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_text struct text answer = { 0 };

		if (read_plainly(&texts[i], 1, &answer) != 0)
			fail_msg("taken for plain: %s", texts[i]);
	}
}

static void test_plain_nul(void **state)
{
	struct framework framework = { .count = 1 };
	cleanup_text struct text answer = { 0 };

	(void)state;
	framework.files[0].text = (struct text){ (char *)(uintptr_t) "verbose=1\0\n", 11, 0 };
	assert_int_equal(framework_plain(&framework, 1, &answer), 0);
}

/* framework_apply() of a directory that holds this framework.conf. */
static int apply(const struct place *place, const char *text, struct options *options,
		 struct error **error)
{
	struct log log = { .err = stderr, .program = "test" };
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/framework.conf", place->path);
	if (!write_path(path, text))
		return -errno;
	options->dkms_config = strdup(place->path);
	return framework_apply(options, &log, error);
}

static void test_directories(void **state)
{
	static const char one[] = "parallel_jobs=3\n";
	struct place *place = *state;
	struct options options = { 0 };
	struct error *error = NULL;
	char path[96];

	/* The place itself; it is 0777. */
	assert_true(apply(place, one, &options, &error) < 0);
	assert_true(says(&error, EXIT_USAGE, "others can write the directory; chmod go-w it"));
	assert_false(options.jobs_given);
	free(options.dkms_config);
	assert_int_equal(chmod(place->path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/framework.conf.d", place->path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0775), 0);
	assert_true(apply(place, one, &options, &error) < 0);
	assert_true(says(&error, EXIT_USAGE,
			 "framework.conf.d may be written to by others: what it says is not done"));
	free(options.dkms_config);
	/* The control. */
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(apply(place, one, &options, NULL), 0);
	assert_int_equal(options.jobs, 3);
	options_clear(&options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_without_effect),
		cmocka_unit_test(test_kernels),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_not_plain),
		cmocka_unit_test(test_plain_nul),
		TEST(test_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
