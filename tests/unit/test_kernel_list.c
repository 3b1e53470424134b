/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which kernels have headers here, from roots that packages were unpacked to. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/kernel_list.h"
#include "tests/unit/orchestrator_support.h"

static void make(const struct place *place, const char *path)
{
	assert_int_equal(make_directories(place->fd, path, 0755, NULL), 0);
}

static struct places places_of(struct place *place)
{
	static char tree[] = "/lib/modules";
	struct places places = PLACES_INITIAL;

	assert_int_equal(chmod(place->path, 0755),
			 0); /* where others may write nothing is trusted */
	places.kernel_root = place->path;
	places.module_tree = tree;
	return places;
}

static void test_both_directories(void **state)
{
	struct place *place = *state;
	struct places places = places_of(place);
	cleanup_kernel_list struct kernel_list list = { 0 };

	make(place, "lib/modules/6.12.1/build");
	make(place, "lib/modules/6.1.0-9-amd64");
	make(place, "lib/modules/-rf/build");
	make(place, "lib/modules/6.9");
	make(place, "usr/lib/modules/6.12.1/build");
	make(place, "usr/lib/modules/6.2/build");
	assert_int_equal(symlinkat("/nonexistent", place->fd, "lib/modules/6.1.0-9-amd64/build"),
			 0);
	assert_int_equal(kernel_list_load(&places, geteuid(), &list, NULL), 0);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.releases[0], "6.1.0-9-amd64");
	assert_string_equal(list.releases[1], "6.12.1");
	assert_string_equal(list.releases[2], "6.2");
}

static void test_none(void **state)
{
	struct place *place = *state;
	struct places places = places_of(place);
	cleanup_kernel_list struct kernel_list list = { 0 };
	cleanup_error struct error *error = NULL;
	char nowhere[] = "/nonexistent";

	assert_int_equal(kernel_list_load(&places, geteuid(), &list, NULL), 0);
	assert_int_equal(list.count, 0);
	places.kernel_root = nowhere;
	assert_int_equal(kernel_list_load(&places, geteuid(), &list, &error), -ENOENT);
	assert_non_null(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_both_directories), TEST(test_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
