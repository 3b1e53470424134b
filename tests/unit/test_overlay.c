/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root's patches and scripts: which are taken, which are refused, and where they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/overlay.h"
#include "tests/unit/orchestrator_support.h"

static int load(const struct place *place, const char *pre_build, struct overlay *overlay,
		struct error **error)
{
	struct places places = PLACES_INITIAL;
	struct recipe recipe = { .package_name = (char *)(uintptr_t) "demo" };

	recipe.scripts[RECIPE_PRE_BUILD] = (char *)(uintptr_t)pre_build;
	places.dkms_config = (char *)(uintptr_t)place->path;
	places.dkms_config_fd = place->fd;
	return overlay_load(&places, &recipe, overlay, error);
}

static void put(const struct place *place, const char *name, const char *text, mode_t mode)
{
	cleanup_free char *path = format_string("%s/%s", place->path, name);

	assert_non_null(path);
	assert_true(write_path(path, text));
	assert_int_equal(chmod(path, mode), 0);
}

static bool holds(int fd, const char *path, const char *expected)
{
	cleanup_text struct text text = { 0 };

	return read_file(fd, path, 4096, &text, NULL) == 0 && string_equal(text.data, expected);
}

static void test_none(void **state)
{
	static const struct digest none;
	struct overlay overlay;

	assert_int_equal(load(*state, "x.sh", &overlay, NULL), 0);
	assert_int_equal(overlay.patch_count + overlay.script_count, 0);
	assert_true(digest_equal(&overlay.digest, &none));
	overlay_clear(&overlay);
}

static void test_taken(void **state)
{
	struct place *place = *state;
	struct overlay overlay, again;
	struct stat status;
	cleanup_close int fd = -1;

	assert_int_equal(mkdirat(place->fd, "demo", 0755), 0);
	assert_int_equal(mkdirat(place->fd, "demo/patches", 0755), 0);
	assert_int_equal(mkdirat(place->fd, "demo/scripts", 0755), 0);
	assert_int_equal(mkdirat(place->fd, "out", 0755), 0);
	assert_int_equal(mkdirat(place->fd, "out/patches", 0755), 0);
	put(place, "demo/patches/b.patch", "b", 0644);
	put(place, "demo/patches/a.patch", "a", 0644);
	put(place, "demo/scripts/pre.sh", "#!/bin/sh\n", 0755);
	put(place, "demo/other.sh", "not named by dkms.conf", 0755);
	put(place, "precious", "precious", 0644);
	/* In the place of what the source has; a link of it is not followed. */
	put(place, "out/patches/b.patch", "of the source", 0644);
	assert_int_equal(symlinkat("../../precious", place->fd, "out/patches/a.patch"), 0);

	assert_int_equal(load(place, "./scripts/pre.sh --quick", &overlay, NULL), 0);
	assert_int_equal(overlay.patch_count, 2);
	assert_string_equal(overlay.patches[0].path, "a.patch");
	assert_int_equal(overlay.script_count, 1);
	assert_string_equal(overlay.scripts[0].path, "scripts/pre.sh");
	fd = openat(place->fd, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(overlay_write_patches(&overlay, fd, NULL), 0);
	assert_int_equal(overlay_write_scripts(&overlay, fd, NULL), 0);
	assert_true(holds(fd, "patches/a.patch", "a"));
	assert_true(holds(fd, "patches/b.patch", "b"));
	assert_true(holds(fd, "scripts/pre.sh", "#!/bin/sh\n"));
	assert_true(holds(place->fd, "precious", "precious"));
	assert_int_equal(fstatat(fd, "scripts/pre.sh", &status, 0), 0);
	assert_true(status.st_mode & S_IXUSR);

	/* Whatever changes is another input. */
	put(place, "demo/patches/b.patch", "c", 0644);
	assert_int_equal(load(place, "./scripts/pre.sh", &again, NULL), 0);
	assert_false(digest_equal(&overlay.digest, &again.digest));
	overlay_clear(&overlay);
	overlay_clear(&again);
}

static void test_not_a_path(void **state)
{
	static const char *const scripts[] = { "../x", "/bin/sh", "find . -name x", "." };
	struct place *place = *state;

	assert_int_equal(mkdirat(place->fd, "demo", 0755), 0);
	put(place, "x", "outside", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct overlay overlay;

		assert_int_equal(load(place, scripts[i], &overlay, NULL), 0);
		assert_int_equal(overlay.script_count, 0);
		overlay_clear(&overlay);
	}
}

static void expect_refusal_of(struct place *place, const char *script, const char *expected)
{
	cleanup_error struct error *error = NULL;
	struct overlay overlay;

	assert_true(load(place, script, &overlay, &error) < 0);
	assert_true(says(&error, 1, expected));
}

static void expect_refusal(struct place *place, const char *expected)
{
	expect_refusal_of(place, "pre.sh", expected);
}

static void expect_good(struct place *place, const char *script)
{
	struct overlay overlay;

	assert_int_equal(load(place, script, &overlay, NULL), 0);
	overlay_clear(&overlay);
}

static void test_refused(void **state)
{
	struct place *place = *state;

	assert_int_equal(mkdirat(place->fd, "demo", 0755), 0);
	assert_int_equal(mkdirat(place->fd, "demo/patches", 0755), 0);
	put(place, "demo/patches/a.patch", "a", 0666);
	expect_refusal(place, "demo/patches/a.patch may be written to by others");
	assert_int_equal(unlinkat(place->fd, "demo/patches/a.patch", 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", place->fd, "demo/patches/a.patch"), 0);
	expect_refusal(place, "is no regular file");
	assert_int_equal(unlinkat(place->fd, "demo/patches/a.patch", 0), 0);
	assert_int_equal(mkfifoat(place->fd, "demo/pre.sh", 0755), 0);
	expect_refusal(place, "demo/pre.sh is no regular file");
	assert_int_equal(unlinkat(place->fd, "demo/pre.sh", 0), 0);
	/* Where others may write they could put another file in the place of a good one. */
	assert_int_equal(fchmodat(place->fd, "demo/patches", 0777, 0), 0);
	expect_refusal(place, "demo/patches may be written to by others");
	assert_int_equal(fchmodat(place->fd, "demo/patches", 01777, 0), 0);
	expect_refusal(place, "demo/patches may be written to by others");
	assert_int_equal(fchmodat(place->fd, "demo/patches", 0755, 0), 0);
	assert_int_equal(fchmodat(place->fd, "demo", 0775, 0), 0);
	expect_refusal(place, "demo may be written to by others");
	assert_int_equal(fchmodat(place->fd, "demo", 0755, 0), 0);
	expect_good(place, "pre.sh");
	assert_int_equal(mkdirat(place->fd, "demo/scripts", 0755), 0);
	put(place, "demo/scripts/pre.sh", "x", 0755);
	assert_int_equal(fchmodat(place->fd, "demo/scripts", 0757, 0), 0);
	expect_refusal_of(place, "scripts/pre.sh", "demo/scripts may be written to by others");
	assert_int_equal(fchmodat(place->fd, "demo/scripts", 0755, 0), 0);
	expect_good(place, "scripts/pre.sh");
	if (geteuid() == 0) {
		assert_int_equal(fchownat(place->fd, "demo", SOMEBODY, SOMEBODY, 0), 0);
		expect_refusal(place, "demo is not root's");
		assert_int_equal(fchownat(place->fd, "demo", 0, 0, 0), 0);
		put(place, "demo/pre.sh", "x", 0755);
		assert_int_equal(fchownat(place->fd, "demo/pre.sh", SOMEBODY, SOMEBODY, 0), 0);
		expect_refusal(place, "demo/pre.sh is not root's");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none),
		TEST(test_taken),
		TEST(test_not_a_path),
		TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
