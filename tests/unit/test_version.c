/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of versions: as `sort -V` has them, in pairs that kernels and packages really use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/recipes/version.h"

/* Each is lower than the next. */
static const char *const ascending[] = {
	"0~20220829+git",
	"0",
	"0.3.0-1",
	"0.3.4",
	"0.3.10",
	"1.0~rc1",
	"1.0",
	"1.0a",
	"1.0b2",
	"1.0b10",
	"1.0+dfsg",
	"1.0-1",
	"1.0.1",
	"2.6.39",
	"3.9",
	"5.4.0-9-generic",
	"5.4.0-10-generic",
	"5.10",
	"6.1",
	"6.1.0-56-amd64",
	"6.1.0-56-cloud-amd64",
	"6.1.0-100-amd64",
	"6.2-rc1",
	"6.10",
	"6.12.5+deb13-amd64",
	"20100405",
	"18446744073709551616", /* more than fits into 64 bits */
	"18446744073709551617",
};

static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(ascending); j++) {
			int order = version_compare(ascending[i], ascending[j]);
			int wanted = (i > j) - (i < j);

			if ((order > 0) - (order < 0) != wanted)
				fail_msg("%s against %s gives %d", ascending[i], ascending[j],
					 order);
		}
	}
}

static void test_equal(void **state)
{
	static const char *const pairs[][2] = {
		{ "6.1", "6.01" }, { "6.1.0-056", "6.1.0-56" }, { "", "" }, { "0", "00" },
		{ "a1", "a01" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_int_equal(version_compare(pairs[i][0], pairs[i][1]), 0);
		assert_int_equal(version_compare(pairs[i][1], pairs[i][0]), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
