/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels of a run, from roots that packages were unpacked to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/utsname.h>

#include "orchestrator/targets.h"
#include "tests/unit/orchestrator_support.h"

static const struct verb_row row = { .verb = VERB_LDTARBALL, .signs = true };

static void make(const struct place *place, const char *path)
{
	assert_int_equal(make_directories(place->fd, path, 0755, NULL), 0);
}

static struct places places_of(struct place *place)
{
	static char tree[] = "/lib/modules";
	struct places places = PLACES_INITIAL;

	places.kernel_root = place->path;
	places.module_tree = tree;
	return places;
}

static size_t count_of(const struct target *targets, size_t count, const char *release)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += string_equal(targets[i].release, release);
	return found;
}

static void test_every_kernel(void **state)
{
	struct place *place = *state;
	const struct options options = { 0 };
	const struct places places = places_of(place);
	struct target *targets;
	struct utsname running;
	size_t count;

	assert_int_equal(uname(&running), 0);
	make(place, "lib/modules/6.12.1-demo");
	make(place, "lib/modules/-rf");
	make(place, "usr/lib/modules/6.12.1-demo");
	make(place, "usr/lib/modules/6.2-demo");
	assert_int_equal(targets_load(&row, &options, &places, &targets, &count, NULL), 0);
	/* The running one is the first, whether it is there or not. */
	assert_int_equal(count, 3);
	assert_string_equal(targets[0].release, running.release);
	assert_int_equal(count_of(targets, count, "6.12.1-demo"), 1);
	assert_int_equal(count_of(targets, count, "6.2-demo"), 1);
	/* None has headers, which who needs them will say. */
	assert_int_equal(error_code(targets[2].failure), EXIT_NO_HEADERS);
	targets_clear(targets, count);
}

static void test_named_kernels(void **state)
{
	struct place *place = *state;
	char one[] = "6.3-demo", two[] = "6.4-demo";
	char *kernels[] = { one, two };
	const struct options options = { .kernels = kernels, .kernel_count = 2 };
	const struct places places = places_of(place);
	struct target *targets;
	size_t count;

	make(place, "lib/modules/6.12.1-demo");
	assert_int_equal(targets_load(&row, &options, &places, &targets, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_string_equal(targets[1].release, two);
	targets_clear(targets, count);
}

static void test_too_many(void **state)
{
	struct place *place = *state;
	const struct options options = { 0 };
	const struct places places = places_of(place);
	struct error *error = NULL;
	struct target *targets;
	size_t count;

	for (int i = 0; i < 255; i++) {
		cleanup_free char *path = format_string("lib/modules/6.%d-demo", i);

		make(place, path);
	}
	assert_int_equal(targets_load(&row, &options, &places, &targets, &count, NULL), 0);
	assert_int_equal(count, 256);
	targets_clear(targets, count);
	make(place, "lib/modules/6.255-demo");
	assert_true(targets_load(&row, &options, &places, &targets, &count, &error) < 0);
	assert_true(says(&error, EXIT_USAGE, "/lib/modules holds more than 256 kernels: name "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_kernel),
		TEST(test_named_kernels),
		TEST(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
