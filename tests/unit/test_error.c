/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors: chains, numbers, codes, and what is left when memory is out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "lib/base/error.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

static void assert_describes(const struct error *error, const char *expected)
{
	cleanup_free char *text = error_describe(error);

	assert_non_null(text);
	assert_string_equal(text, expected);
}

static void test_set(void **state)
{
	cleanup_error struct error *error = NULL;

	(void)state;
	assert_int_equal(error_set(&error, ENOENT, "no %s in %d places", "file", 3), -ENOENT);
	assert_int_equal(error_number(error), ENOENT);
	assert_int_equal(error_code(error), 0);
	assert_describes(error, "no file in 3 places");
}

static void test_set_errno(void **state)
{
	cleanup_error struct error *error = NULL;

	(void)state;
	assert_int_equal(error_set_errno(&error, EACCES, "cannot open %s", "x"), -EACCES);
	assert_describes(error, "cannot open x: Permission denied");
}

static void test_chain(void **state)
{
	cleanup_error struct error *error = NULL;

	(void)state;
	(void)error_set(&error, ENOSPC, "disk full");
	error_set_code(error, 35);
	assert_int_equal(error_context(&error, "cannot write %s", "make.log"), -ENOSPC);
	assert_int_equal(error_set(&error, EPERM, "build of evdi failed"), -EPERM);
	assert_describes(error, "build of evdi failed: cannot write make.log: disk full");
	assert_int_equal(error_number(error), ENOSPC);
	assert_int_equal(error_code(error), 35);
	error_set_code(error, 10);
	assert_int_equal(error_code(error), 10);
}

static void test_nothing_to_hold_it(void **state)
{
	cleanup_error struct error *error = NULL;

	(void)state;
	assert_int_equal(error_set(NULL, EBUSY, "x"), -EBUSY);
	assert_int_equal(error_set_errno(NULL, EBUSY, "x"), -EBUSY);
	assert_int_equal(error_context(NULL, "x"), -EIO);
	assert_int_equal(error_context(&error, "what was done"), -EIO);
	assert_describes(error, "what was done");
	assert_int_equal(error_number(NULL), 0);
	assert_int_equal(error_code(NULL), 0);
	assert_null(error_free(NULL));
	error_set_code(NULL, 3);
	assert_describes(NULL, "");
}

/* A caller that passes 0 or a negative number must still get a failure. */
static void test_odd_numbers(void **state)
{
	cleanup_error struct error *error = NULL;

	(void)state;
	assert_int_equal(error_set(&error, 0, "nothing"), -EIO);
	assert_int_equal(error_set(NULL, -ENOENT, "negative"), -ENOENT);
	assert_int_equal(error_number(error), EIO);
}

/* A text that cannot be allocated: 900 million blanks below a limit of the address space. */
static void test_out_of_memory(void **state)
{
#ifdef __SANITIZE_ADDRESS__
	(void)state;
	print_message("skipped: the address sanitiser itself needs the address space\n");
	skip();
#else
	struct rlimit before, small;
	struct error *error = NULL, *chain = NULL;
	int r, s, t;

	(void)state;
	(void)error_set(&chain, EPERM, "the real reason");
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	small = (struct rlimit){ .rlim_cur = 192u << 20, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_AS, &small), 0);
	r = error_set(&error, EINVAL, "%*s", 900000000, "");
	s = error_context(&error, "%*s", 900000000, "");
	t = error_context(&chain, "%*s", 900000000, "");
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(r, -EINVAL);
	assert_int_equal(s, -ENOMEM);
	assert_int_equal(t, -EPERM);
	assert_describes(error, "out of memory");
	error_set_code(error, 5); /* the static one belongs to all: unchanged */
	assert_int_equal(error_code(error), 0);
	assert_int_equal(error_set(&error, EIO, "outer"), -EIO);
	assert_describes(error, "outer: out of memory");
	assert_null(error_free(error));
	assert_describes(chain, "the real reason");
	assert_null(error_free(chain));
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),	    cmocka_unit_test(test_set_errno),
		cmocka_unit_test(test_chain),	    cmocka_unit_test(test_nothing_to_hold_it),
		cmocka_unit_test(test_odd_numbers), cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
