/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far a build came: what the sandbox's shell tells, and what hostile bytes can make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lib/base/text.h"
#include "orchestrator/build_hint.h"
#include "orchestrator/build_progress.h"

static struct build_progress read_report(const char *report)
{
	return build_progress_read(report, strlen(report), 2);
}

static void test_whole(void **state)
{
	struct build_progress progress =
		read_report("patch 0 begun\npatch 1 begun\nPRE_BUILD 0 begun\nPRE_BUILD 0 3\n"
			    "MAKE 0 begun\nMAKE 0 0\ncopied 0 begun\nPOST_BUILD 0 skipped\n");

	(void)state;
	assert_int_equal(progress.last, STAGE_POST_BUILD);
	assert_int_equal(progress.ends[STAGE_PATCH], STAGE_UNKNOWN);
	assert_int_equal(progress.patch, 1);
	assert_int_equal(progress.ends[STAGE_PRE_BUILD], STAGE_EXITED);
	assert_int_equal(progress.statuses[STAGE_PRE_BUILD], 3);
	assert_int_equal(progress.ends[STAGE_MAKE], STAGE_EXITED);
	assert_int_equal(progress.statuses[STAGE_MAKE], 0);
	assert_int_equal(progress.ends[STAGE_POST_BUILD], STAGE_NOT_EXECUTABLE);
	assert_true(progress.copied);
}

static void test_patches(void **state)
{
	struct build_progress progress = read_report("patch 0 begun\npatch 1 missing\n");

	(void)state;
	assert_int_equal(progress.last, STAGE_PATCH);
	assert_int_equal(progress.patch, 1);
	assert_int_equal(progress.ends[STAGE_PATCH], STAGE_MISSING);
	progress = read_report("patch 0 begun\npatch 0 1\n");
	assert_int_equal(progress.patch, 0);
	assert_int_equal(progress.ends[STAGE_PATCH], STAGE_EXITED);
	assert_int_equal(progress.statuses[STAGE_PATCH], 1);
	assert_false(progress.copied);
}

static void test_environment(void **state)
{
	struct build_progress progress = read_report("build_environment 0 begun\n");

	(void)state;
	assert_int_equal(progress.last, STAGE_ENVIRONMENT);
	assert_int_equal(progress.ends[STAGE_ENVIRONMENT], STAGE_UNKNOWN);
}

static void test_none(void **state)
{
	struct build_progress progress = build_progress_read(NULL, 0, 0);

	(void)state;
	assert_int_equal(progress.last, STAGE_NONE);
	assert_string_equal(build_stage_name(progress.last), "the build");
	assert_string_equal(build_stage_name(STAGE_POST_BUILD), "POST_BUILD");
}

/* What is no line of ours changes nothing; above all no index that is beyond the patches. */
static void test_hostile(void **state)
{
	static const char *const reports[] = {
		"patch 2 begun\n",
		"patch 4294967296 begun\n",
		"patch -1 begun\n",
		"patch  begun\n",
		"patch\n",
		"MAKE\n",
		"make 0 0\n",
		" 0 0\n",
		"\n\n\n",
		"MAKE 0",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx 0 0\n",
	};
	static const char with_nul[] = "MAKE\0 0 0\n";
	struct build_progress progress;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		progress = read_report(reports[i]);
		assert_int_equal(progress.last, STAGE_NONE);
	}
	progress = build_progress_read(with_nul, sizeof(with_nul) - 1, 2);
	assert_int_equal(progress.last, STAGE_NONE);
	/* Begun, but with an end that is none. */
	progress = read_report("MAKE 0 256\nMAKE 0 -1\nMAKE 0 0 0\nMAKE 0 x");
	assert_int_equal(progress.last, STAGE_MAKE);
	assert_int_equal(progress.ends[STAGE_MAKE], STAGE_UNKNOWN);
}

static void test_hints(void **state)
{
	static const struct {
		const char *line;
		enum build_hint hint;
	} rows[] = {
		{ "demo.c:1:2: error: expected ';'", HINT_NONE },
		{ "curl: (6) Could not resolve host: cdn.kernel.org", HINT_NETWORK },
		{ "wget: unable to resolve host address 'x'", HINT_NETWORK },
		{ "x: Temporary failure in name resolution", HINT_NETWORK },
		{ "connect: Network is unreachable", HINT_NETWORK },
		{ "Connecting to 127.0.0.1:80... failed: Connection refused.", HINT_NETWORK },
		{ "Connecting to the device", HINT_NONE },
		{ "cc1: No space left on device", HINT_SCRATCH },
		{ "perl: cannot open x: Too many open files", HINT_OPEN_FILES },
		{ "make[1]: vfork: Resource temporarily unavailable", HINT_PROCESSES },
		{ "cc1: out of memory allocating 65536 bytes after a total of 1", HINT_MEMORY },
		{ "ld: memory exhausted", HINT_MEMORY },
		{ "error while loading libc.so.6: Cannot allocate memory", HINT_MEMORY },
		{ "head: error writing 'standard output': File too large", HINT_FILE },
		{ "make: *** [all] File size limit exceeded (core dumped)", HINT_FILE },
		{ "touch: cannot touch '/usr/src/demo-0.1/x': Read-only file system", HINT_SOURCE },
		{ "ln: '/usr/src/demo-0.1/x': Permission denied", HINT_SOURCE },
		{ "touch: cannot touch '/usr/src/other-1/x': Read-only file system", HINT_HOST },
		{ "cp: '/lib/modules/6.1/extra/x.ko': Permission denied", HINT_HOST },
		{ "cp: cannot create '/etc/modprobe.d/x': Read-only file system", HINT_HOST },
		{ "make: ./configure: Permission denied", HINT_NONE },
		{ "sh: /var/lib/dkms/demo/0.1/build/x.sh: Permission denied", HINT_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (build_hint_find(rows[i].line, "/usr/src/demo-0.1") != rows[i].hint)
			fail_msg("%s", rows[i].line);
	}
}

static void test_hint_texts(void **state)
{
	static const struct {
		enum build_hint hint;
		const char *words;
	} rows[] = { { HINT_NETWORK, "'profile = network' in [build] of FILE" },
		     { HINT_SOURCE, "'source = writable' in [build] of FILE" },
		     { HINT_SCRATCH, "[scratch] of FILE" },
		     { HINT_OPEN_FILES,
		       "may have hit a limit: 'open_files = ' in [limits] of FILE" },
		     { HINT_PROCESSES, "may have hit a limit: 'processes = ' in [limits] of FILE" },
		     { HINT_MEMORY, "may have hit a limit: 'memory = ' in [limits] of FILE" },
		     { HINT_FILE, "may have hit a limit: 'file = ' in [limits] of FILE" },
		     { HINT_HOST, "look at PRE_BUILD in dkms.conf" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = build_hint_text(rows[i].hint, "PRE_BUILD", "FILE");

		assert_non_null(text);
		assert_non_null(strstr(text, rows[i].words));
		assert_null(strchr(text, '\n'));
	}
	{
		cleanup_free char *text = build_hint_text(HINT_NONE, "MAKE", "FILE");

		assert_string_equal(text, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	   cmocka_unit_test(test_patches),
		cmocka_unit_test(test_none),	   cmocka_unit_test(test_environment),
		cmocka_unit_test(test_hostile),	   cmocka_unit_test(test_hints),
		cmocka_unit_test(test_hint_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
