/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root's override files: which are read, in which order, and which are not believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/overrides.h"
#include "tests/unit/orchestrator_support.h"

static char module[] = "demo", version[] = "0.1", release[] = "6.1.0", machine[] = "x86_64";
static char shown[] = "/etc/dkms";

static const struct package package = { .module = module, .version = version };
static const struct target target = { .release = release, .architecture = machine };

static void put(const struct place *place, const char *name, const char *text, mode_t mode)
{
	cleanup_close int fd =
		openat(place->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static struct places places_of(const struct place *place)
{
	struct places places = PLACES_INITIAL;

	places.dkms_config = shown;
	places.dkms_config_fd = place->fd;
	return places;
}

static void test_those_that_exist_in_order(void **state)
{
	static const char *const expected[] = { "demo.conf", "demo-0.1-6.1.0.conf",
						"demo--6.1.0-x86_64.conf" };
	const struct place *place = *state;
	const struct places places = places_of(place);
	cleanup_overrides struct overrides overrides = { 0 };

	put(place, "demo--6.1.0-x86_64.conf", "3", 0644);
	put(place, "demo-0.1-6.1.0.conf", "2", 0644);
	put(place, "demo.conf", "1", 0600);
	put(place, "demo-0.2.conf", "another version", 0644);
	put(place, "framework.conf", "not a module's", 0644);
	assert_int_equal(overrides_load(&places, &package, &target, &overrides, NULL), 0);
	assert_int_equal(overrides.count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_string_equal(overrides.list[i].name, expected[i]);
		assert_int_equal(overrides.list[i].text.data[0], '1' + (int)i);
	}
}

static void test_none(void **state)
{
	static const struct package unknown;
	const struct place *place = *state;
	struct places places = places_of(place);
	cleanup_overrides struct overrides overrides = { 0 };

	assert_int_equal(overrides_load(&places, &package, &target, &overrides, NULL), 0);
	assert_int_equal(overrides.count, 0);
	overrides_clear(&overrides);
	put(place, "demo.conf", "1", 0644);
	assert_int_equal(overrides_load(&places, &unknown, &target, &overrides, NULL), 0);
	assert_int_equal(overrides.count, 0);
	places.dkms_config_fd = -1;
	assert_int_equal(overrides_load(&places, &package, &target, &overrides, NULL), 0);
	assert_int_equal(overrides.count, 0);
}

static void refused(const struct place *place, const char *words)
{
	const struct places places = places_of(place);
	cleanup_overrides struct overrides overrides = { 0 };
	cleanup_error struct error *error = NULL;

	assert_true(overrides_load(&places, &package, &target, &overrides, &error) < 0);
	assert_int_equal(overrides.count, 0);
	assert_true(says(&error, EXIT_BAD_CONF, words));
	assert_int_equal(unlinkat(place->fd, "demo-0.1.conf", 0), 0);
}

static void test_those_that_are_not_believed(void **state)
{
	const struct place *place = *state;

	put(place, "demo.conf", "1", 0644);
	put(place, "demo-0.1.conf", "2", 0664);
	refused(place, "/etc/dkms/demo-0.1.conf may be written to by others");
	put(place, "demo-0.1.conf", "2", 0646);
	refused(place, "what it says is not done (chmod go-w)");
	assert_int_equal(symlinkat("demo.conf", place->fd, "demo-0.1.conf"), 0);
	refused(place, "/etc/dkms/demo-0.1.conf is no regular file");
	assert_int_equal(mkfifoat(place->fd, "demo-0.1.conf", 0644), 0);
	refused(place, "/etc/dkms/demo-0.1.conf is no regular file");
	if (geteuid() == 0) {
		put(place, "demo-0.1.conf", "2", 0644);
		assert_int_equal(fchownat(place->fd, "demo-0.1.conf", SOMEBODY, SOMEBODY, 0), 0);
		refused(place, "/etc/dkms/demo-0.1.conf is not root's");
	} else {
		put(place, "demo-0.1.conf", "2", 0);
		refused(place, "make it readable (chmod a+r)");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_those_that_exist_in_order),
		TEST(test_none),
		TEST(test_those_that_are_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
