/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs of a build: found, digested, and seen to change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/kernels/toolchain.h"

static void test_missing_compiler(void **state)
{
	const struct kernel kernel = { .release = (char *)(uintptr_t) "6.1.0-test",
				       .compiler = (char *)(uintptr_t) "gcc-99" };
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct toolchain toolchain;

	(void)state;
	assert_int_equal(toolchain_find(&kernel, &toolchain, &error), -ENOENT);
	text = error_describe(error);
	assert_non_null(strstr(text, "compiler gcc-99, which kernel 6.1.0-test was built with"));
}

static void test_find(void **state)
{
	const struct kernel kernel = { .release = (char *)(uintptr_t) "6.1.0-test",
				       .compiler = (char *)(uintptr_t) "gcc" };
	cleanup_toolchain struct toolchain toolchain = { 0 };
	struct digest digest;
	bool make = false;

	(void)state;
	assert_int_equal(toolchain_find(&kernel, &toolchain, NULL), 0);
	assert_string_equal(toolchain.tools[0].name, "gcc");
	for (size_t i = 0; i < toolchain.count; i++) {
		assert_int_equal(toolchain.tools[i].path[0], '/');
		assert_int_equal(toolchain_digest(&toolchain.tools[i], &digest, NULL), 0);
		make = make || !strcmp(toolchain.tools[i].name, "make");
	}
	assert_true(make);
}

static void test_stamp(void **state)
{
	char path[] = "/tmp/kmodbox-tool-XXXXXX";
	struct toolchain toolchain = { .tools = { { path, path } }, .count = 1 };
	struct digest before, same, after;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(toolchain_stamp(&toolchain, &before, NULL, NULL), 0);
	assert_int_equal(toolchain_stamp(&toolchain, &same, NULL, NULL), 0);
	assert_true(digest_equal(&before, &same));
	assert_int_equal(write_all(fd, "x", 1), 0);
	assert_int_equal(toolchain_stamp(&toolchain, &after, NULL, NULL), 0);
	assert_false(digest_equal(&before, &after));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(toolchain_stamp(&toolchain, &after, NULL, NULL), -ENOENT);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_missing_compiler),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_stamp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
