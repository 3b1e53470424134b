/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modules.d/MODULE.conf: what is read, and that everything else is refused with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/module_settings.h"
#include "tests/unit/orchestrator_support.h"

static int load(const struct place *place, const char *text, struct module_settings *settings,
		struct error **error)
{
	struct places places = PLACES_INITIAL;
	cleanup_free char *path = format_string("%s/modules.d/demo.conf", place->path);

	places.config = (char *)(uintptr_t)place->path;
	places.config_fd = place->fd;
	assert_true(mkdirat(place->fd, "modules.d", 0755) == 0 || errno == EEXIST);
	assert_non_null(path);
	if (text)
		assert_true(write_path(path, text));
	return module_settings_load(&places, "demo", settings, error);
}

static void test_absent(void **state)
{
	static const struct digest none;
	struct module_settings settings = { .limits.scratch_bytes = 1 };

	assert_int_equal(load(*state, NULL, &settings, NULL), 0);
	assert_null(settings.profile);
	assert_int_equal(settings.writable_source, PROFILE_UNSAID);
	assert_int_equal(settings.limits.scratch_bytes, 0);
	assert_int_equal(settings.place, SCRATCH_AUTO);
	assert_true(digest_equal(&settings.digest, &none));
}

static void test_all(void **state)
{
	static const char text[] = "; a comment\n"
				   "[build]\n"
				   "profile = network ; for its fetcher\n"
				   "source=writable\r\n"
				   "depends = xtables-addons  other\n"
				   "depends = third\n"
				   "environment = A=1 2 = 3\n"
				   "environment = B_2=\n"
				   "leave_out = one two\n"
				   "extra_outputs = zfs_config.h sub/file.txt\n"
				   "# another\n"
				   "[limits]\n"
				   "wall = 2h\n"
				   "open_files=4096\n"
				   "[install]\n"
				   "boot_test = yes\n"
				   "[scratch]\n"
				   "size = 8G\n"
				   "place = disk\n";
	static const struct digest none;
	struct module_settings settings;

	assert_int_equal(load(*state, text, &settings, NULL), 0);
	assert_string_equal(settings.profile, "network");
	assert_int_equal(settings.profile_line, 3);
	assert_int_equal(settings.writable_source, PROFILE_YES);
	assert_int_equal(settings.depend_count, 3);
	assert_string_equal(settings.depends[0], "xtables-addons");
	assert_string_equal(settings.depends[1], "other");
	assert_string_equal(settings.depends[2], "third");
	assert_int_equal(settings.environment_count, 2);
	assert_string_equal(settings.environment[0], "A=1 2 = 3");
	assert_string_equal(settings.environment[1], "B_2=");
	assert_int_equal(settings.left_out_count, 2);
	assert_string_equal(settings.left_out[1], "two");
	assert_int_equal(settings.extra_output_count, 2);
	assert_string_equal(settings.extra_outputs[1], "sub/file.txt");
	assert_int_equal(settings.limits.scratch_bytes, UINT64_C(8) << 30);
	assert_int_equal(settings.limits.wall_milliseconds, 7200000);
	assert_int_equal(settings.limits.open_files, 4096);
	assert_true(settings.boot_test);
	assert_int_equal(settings.limits.memory_bytes, 0);
	assert_int_equal(settings.place, SCRATCH_DISK);
	assert_false(digest_equal(&settings.digest, &none));
	module_settings_clear(&settings);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = { { "4096", 4096 },
		     { "512K", UINT64_C(512) << 10 },
		     { "3M", UINT64_C(3) << 20 },
		     { "16384G", UINT64_C(16) << 40 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *text = format_string("[scratch]\nsize = %s\n", rows[i].text);
		struct module_settings settings;

		assert_int_equal(load(*state, text, &settings, NULL), 0);
		assert_int_equal(settings.limits.scratch_bytes, rows[i].bytes);
		module_settings_clear(&settings);
	}
}

static void expect_refusal(struct place *place, const char *text, const char *expected)
{
	cleanup_error struct error *error = NULL;
	struct module_settings settings;

	if (load(place, text, &settings, &error) == 0)
		fail_msg("taken: %s", text);
	if (!says(&error, 1, expected))
		fail_msg("of: %s", text);
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "[build]\nprofile = ../host\n",
		  "modules.d/demo.conf:2: '../host' is no name of a profile" },
		{ "profile = network\n", "demo.conf:1: there is no section []" },
		{ "[install]\nboot_test = maybe\n",
		  "demo.conf:2: boot_test = 'maybe': it is yes or no" },
		{ "[other]\nkey = 1\n", "demo.conf:2: there is no section [other]" },
		{ "[build]\n\nprofil = network\n", "demo.conf:3: there is no 'profil'" },
		{ "[build]\nsize = 1\n", "demo.conf:2: there is no 'size'" },
		{ "[build]\nprofile = strict\nprofile = network\n", "demo.conf:3: profile stands" },
		{ "[build]\nsource = yes\n", "source cannot be 'yes'" },
		{ "[build]\nno equals sign\n", "demo.conf:2: neither" },
		{ "[build\nprofile = build\n", "demo.conf:1: neither" },
		{ "[build]\ndepends = ../x\n", "'../x' is no name" },
		{ "[build]\ndepends = demo\n", "demo cannot depend on itself" },
		{ "[build]\nleave_out = a/b\n", "'a/b' is no name of a module" },
		{ "[build]\nleave_out = demo.ko\n", "'demo.ko' is no name of a module" },
		{ "[build]\nextra_outputs = ../x\n", "'../x' is no relative path" },
		{ "[build]\nextra_outputs = /etc/passwd\n", "'/etc/passwd' is no relative path" },
		{ "[build]\nextra_outputs = a/build.json\n", "a name that kmodbox uses" },
		{ "[build]\nextra_outputs = demo.ko\n", "'demo.ko' is a module" },
		{ "[build]\nextra_outputs = a/x b/x\n", "second file of this name" },
		{ "[build]\nenvironment = A\n", "'A' is not NAME=VALUE" },
		{ "[build]\nenvironment = 1A=2\n", "is not NAME=VALUE" },
		{ "[build]\nenvironment = A-B=2\n", "is not NAME=VALUE" },
		{ "[build]\nenvironment = PATH=/tmp\n", "PATH is set by kmodbox" },
		{ "[build]\nenvironment = LD_PRELOAD=x\n", "LD_PRELOAD is set by kmodbox" },
		{ "[build]\nenvironment = BASH_ENV=x\n", "BASH_ENV is set by kmodbox" },
		{ "[build]\nenvironment = kernelver=x\n", "kernelver is set by kmodbox" },
		{ "[build]\nenvironment = A=1\nenvironment = A=2\n",
		  "demo.conf:3: A is set a second" },
		{ "[scratch]\nsize = 0\n", "scratch cannot be '0'" },
		{ "[scratch]\nsize = 1T\n", "scratch cannot be '1T'" },
		{ "[scratch]\nsize = -1\n", "scratch cannot be '-1'" },
		{ "[scratch]\nsize = 16385G\n", "scratch cannot be '16385G'" },
		{ "[scratch]\nsize = G\n", "scratch cannot be 'G'" },
		{ "[scratch]\nsize = 1G\n[limits]\nscratch = 1G\n",
		  "demo.conf:4: scratch stands here a second time" },
		{ "[limits]\nwall = 1d\n", "wall cannot be '1d': it is a number with h, min or s" },
		{ "[limits]\nwall = 0s\n", "from 1s to 720h" },
		{ "[limits]\nprocesses = 4K\n", "it is a number, from 4 to 4194304" },
		{ "[limits]\nram = 4G\n", "demo.conf:2: 'ram' is no limit" },
		{ "[scratch]\nplace = ram\n", "there is no place 'ram'" },
		/* The first line that is wrong is told, whoever saw it. */
		{ "[build]\nnonsense\nprofile = host\n", "demo.conf:2: neither" },
		{ "[build]\nprofile = /host\nnonsense\n", "demo.conf:2: '/host' is no name" },
		{ "[build]\nprofile = \033[31m\n", "'\\x1b[31m'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_refusal(*state, rows[i][0], rows[i][1]);
}

static void test_long_line(void **state)
{
	char text[512] = "[build]\nenvironment = A=";

	memset(text + strlen(text), 'x', 300);
	expect_refusal(*state, text, "demo.conf:2: the line is longer");
}

static void test_many(void **state)
{
	cleanup_text struct text text = { 0 };

	assert_int_equal(text_append_string(&text, "[build]\n"), 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(text_append_format(&text, "depends = d%d\n", i), 0);
	expect_refusal(*state, text.data, "demo.conf:65: 'd63' is one entry more");
}

static void test_no_text(void **state)
{
	struct place *place = *state;
	cleanup_error struct error *error = NULL;
	struct module_settings settings;
	cleanup_close int fd = -1;

	assert_int_equal(load(place, "", &settings, NULL), 0);
	fd = openat(place->fd, "modules.d/demo.conf", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write_all(fd, "[build]\n\0\n", 10), 0);
	assert_true(load(place, NULL, &settings, &error) < 0);
	assert_true(says(&error, 1, "NUL byte"));
}

/* What somebody else may have written is not done. */
static void test_owner(void **state)
{
	struct place *place = *state;
	cleanup_error struct error *error = NULL;
	struct module_settings settings;

	assert_int_equal(load(place, "[build]\nprofile = network\n", &settings, NULL), 0);
	module_settings_clear(&settings);
	assert_int_equal(fchmodat(place->fd, "modules.d/demo.conf", 0664, 0), 0);
	assert_true(load(place, NULL, &settings, &error) < 0);
	assert_true(says(&error, 1, "may be written to by others"));
	assert_int_equal(fchmodat(place->fd, "modules.d/demo.conf", 0644, 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(place->fd, "modules.d/demo.conf", SOMEBODY, SOMEBODY, 0),
				 0);
		assert_true(load(place, NULL, &settings, &error) < 0);
		assert_true(says(&error, 1, "is not root's, nor yours"));
	}
	assert_int_equal(unlinkat(place->fd, "modules.d/demo.conf", 0), 0);
	assert_int_equal(symlinkat("/dev/null", place->fd, "modules.d/demo.conf"), 0);
	assert_true(load(place, NULL, &settings, &error) < 0);
	assert_true(says(&error, 1, "is no regular file"));
}

/* A good file is worth nothing where others can put theirs in its place. */
static void test_directory(void **state)
{
	static const mode_t modes[] = { 0775, 0757, 01777 };
	struct place *place = *state;
	struct module_settings settings;

	assert_int_equal(load(place, "[build]\nprofile = network\n", &settings, NULL), 0);
	module_settings_clear(&settings);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		cleanup_error struct error *error = NULL;

		assert_int_equal(fchmodat(place->fd, "modules.d", modes[i], 0), 0);
		assert_true(load(place, NULL, &settings, &error) < 0);
		assert_true(says(&error, 1, "/modules.d may be written to by others"));
	}
	assert_int_equal(fchmodat(place->fd, "modules.d", 0755, 0), 0);
	assert_int_equal(load(place, NULL, &settings, NULL), 0);
	assert_string_equal(settings.profile, "network");
	module_settings_clear(&settings);
	if (geteuid() == 0) {
		cleanup_error struct error *error = NULL;

		assert_int_equal(fchownat(place->fd, "modules.d", SOMEBODY, SOMEBODY, 0), 0);
		assert_true(load(place, NULL, &settings, &error) < 0);
		assert_true(says(&error, 1, "/modules.d is not root's, nor yours"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_absent),  TEST(test_all),	  TEST(test_sizes),
		TEST(test_refused), TEST(test_long_line), TEST(test_many),
		TEST(test_no_text), TEST(test_owner),	  TEST(test_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
