/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limit of processors: who is in the sandbox sees no more of them, and cannot get them back. */
#include "tests/unit/sandbox_fixture.h"

#include <sched.h>
#include <string.h>

static struct sandbox_fixture fixture;

static int open_fixture(void **state)
{
	(void)state;
	return fixture_set_up(&fixture);
}

static int close_fixture(void **state)
{
	(void)state;
	sandbox_fixture_close(&fixture);
	return 0;
}

static char *output_of(const char *script, uint64_t processors)
{
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;

	spec.limits.processors = processors;
	result = fixture_run(&fixture, script, &spec);
	assert_int_equal(result.end, SANDBOX_EXITED);
	assert_int_equal(result.status, 0);
	sandbox_result_clear(&result);
	return strdup(fixture_output(&fixture));
}

static void test_held(void **state)
{
	cleanup_free char *all = format_string("%ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	cleanup_free char *one = output_of("nproc", 1);
	cleanup_free char *many = output_of("nproc", 8192);
	cleanup_free char *unlimited = output_of("nproc", 0);
	cpu_set_t allowed;

	(void)state;
	assert_string_equal(one, "1\n");
	assert_string_equal(many, unlimited);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0 &&
	    CPU_COUNT(&allowed) == sysconf(_SC_NPROCESSORS_ONLN))
		assert_string_equal(many, all);
}

/* SYS_sched_setaffinity with all bits set, of this process: 203 on x86_64, 122 on arm64. */
static void test_kept(void **state)
{
	static const char script[] =
		"perl -e '$call = `uname -m` =~ /x86_64/ ? 203 : 122; $mask = \"\\xff\" x 128;"
		" print syscall($call, 0, 128, $mask) < 0 ? \"refused: \" . ($! + 0) : \"taken\"; "
		"print \"\\n\"';"
		" nproc";
	cleanup_free char *answer = output_of(script, 1);

	(void)state;
	assert_string_equal(answer, "refused: 1\n1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
