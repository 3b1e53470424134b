/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dkms.conf as data: what the answer of the evaluation may say. The records are made by hand. */
#include "tests/unit/recipe_support.h"

static void add_record(struct text *report, const char *name, const char *index, const char *value)
{
	assert_int_equal(text_append(report, name, strlen(name) + 1), 0);
	assert_int_equal(text_append(report, index, strlen(index) + 1), 0);
	assert_int_equal(text_append(report, value, strlen(value) + 1), 0);
}

struct setting {
	const char *name;
	const char *index;
	const char *value;
};

/* A report with these settings behind those that every dkms.conf has, unless they come first. */
static void make_report(struct text *report, const struct setting *settings, size_t count)
{
	static const struct setting basics[] = { { "PACKAGE_NAME", "0", "demo" },
						 { "PACKAGE_VERSION", "0", "0.1" },
						 { "DEST_MODULE_LOCATION", "0", "/extra" } };

	for (size_t i = 0; i < count && settings[i].name; i++)
		add_record(report, settings[i].name, settings[i].index, settings[i].value);
	for (size_t i = 0; i < ARRAY_SIZE(basics); i++)
		add_record(report, basics[i].name, basics[i].index, basics[i].value);
	add_record(report, "@end", "0", "");
}

static struct recipe *validate(const struct setting *settings, size_t count)
{
	cleanup_text struct text report = { 0 };
	cleanup_error struct error *error = NULL;
	struct recipe *recipe = NULL;

	make_report(&report, settings, count);
	assert_true(recipe_report_is_whole(report.data, report.length));
	if (recipe_validate(&demo, report.data, report.length, &recipe, &error) < 0)
		fail_msg("%s", error_describe(error));
	return recipe;
}

static void test_defaults(void **state)
{
	cleanup_recipe struct recipe *recipe = validate(NULL, 0);

	(void)state;
	assert_string_equal(recipe->package_name, "demo");
	assert_string_equal(recipe->package_version, "0.1");
	assert_int_equal(recipe->module_count, 1);
	assert_string_equal(recipe->modules[0].built_name, "demo");
	assert_string_equal(recipe->modules[0].dest_name, "demo");
	assert_string_equal(recipe->modules[0].built_location, "");
	assert_string_equal(recipe->modules[0].dest_location, "/extra");
	assert_true(recipe->modules[0].strip);
	assert_string_equal(recipe->make, "make -C /lib/modules/" RELEASE
					  "/build M=/var/lib/dkms/demo/0.1/build");
	assert_false(recipe->autoinstall);
	assert_false(recipe->no_weak_modules);
	assert_false(recipe->depends_rebuild);
	assert_int_equal(recipe->patch_count + recipe->depend_count, 0);
	assert_int_equal(recipe->deprecated_count + recipe->unknown_count, 0);
	for (size_t i = 0; i < RECIPE_SCRIPTS; i++)
		assert_null(recipe->scripts[i]);
	assert_int_equal(recipe->name_count, 1);
	assert_string_equal(recipe->names[0], "demo");
	assert_null(recipe->obsolete_by);
	assert_null(recipe->exclusive_kernel);
	assert_int_equal(recipe_check_exclusive(recipe, &kernel, NULL), 0);
}

static void test_several_modules(void **state)
{
	static const struct setting settings[] = {
		{ "BUILT_MODULE_NAME", "0", "ddcci" },
		{ "BUILT_MODULE_NAME", "1", "ddcci-backlight" },
		{ "BUILT_MODULE_NAME", "2", "third" },
		{ "BUILT_MODULE_LOCATION", "1", "./ddcci-backlight//x" }, /* [0] is not set */
		{ "BUILT_MODULE_LOCATION", "2", "/" },
		{ "DEST_MODULE_NAME", "2", "renamed" },
		{ "DEST_MODULE_LOCATION", "0", "/kernel/drivers/acpi/" },
		{ "DEST_MODULE_LOCATION", "1", "/updates" },
		{ "DEST_MODULE_LOCATION", "2", "/extra//" },
		{ "STRIP", "0", "no" },
		{ "STRIP", "1", "Yes" },
		{ "MAKE", "0", "make all; true" },
		{ "AUTOINSTALL", "0", "YES" },
		{ "PRE_BUILD", "0", "" }, /* set to nothing is not set */
		{ "BUILD_DEPENDS", "3", "" },
		{ "AUTOINSTALL", "7", "never asked for" },
	};
	cleanup_recipe struct recipe *recipe = validate(settings, ARRAY_SIZE(settings));

	(void)state;
	assert_int_equal(recipe->module_count, 3);
	assert_string_equal(recipe->modules[0].built_location, "");
	assert_string_equal(recipe->modules[1].built_location, "ddcci-backlight/x/");
	assert_string_equal(recipe->modules[2].built_location, "");
	assert_string_equal(recipe->modules[1].dest_name, "ddcci-backlight");
	assert_string_equal(recipe->modules[2].dest_name, "renamed");
	assert_string_equal(recipe->modules[0].dest_location, "/kernel/drivers/acpi");
	assert_string_equal(recipe->modules[2].dest_location, "/extra");
	assert_false(recipe->modules[0].strip);
	assert_true(recipe->modules[1].strip);
	assert_false(recipe->modules[2].strip); /* as [0] */
	assert_string_equal(recipe->make, "make all; true");
	assert_true(recipe->autoinstall);
}

/* Each pattern with what bash said of it. */
static void test_make_of_a_kernel(void **state)
{
	static const struct {
		const char *make;
		struct setting settings[6];
	} cases[] = {
		{ "first", { { "MAKE", "0", "first" }, { "MAKE", "1", "second" } } },
		{ "second",
		  { { "MAKE", "0", "first" },
		    { "MAKE", "1", "second" },
		    { "MAKE_MATCH", "1", "^6" },
		    { "@MAKE_MATCH", "1", "0" } } },
		{ "first",
		  { { "MAKE", "0", "first" },
		    { "MAKE", "1", "second" },
		    { "MAKE_MATCH", "1", "^5" },
		    { "@MAKE_MATCH", "1", "1" } } },
		{ "second", /* the last one that matches, whichever is first */
		  { { "MAKE", "1", "second" },
		    { "MAKE", "0", "first" },
		    { "MAKE_MATCH", "0", "." },
		    { "MAKE_MATCH", "1", "." },
		    { "@MAKE_MATCH", "0", "0" },
		    { "@MAKE_MATCH", "1", "0" } } },
		{ "make -C /lib/modules/" RELEASE "/build M=/var/lib/dkms/demo/0.1/build",
		  { { "MAKE", "0", "first" },
		    { "MAKE_MATCH", "0", "^5" },
		    { "@MAKE_MATCH", "0", "1" } } },
		{ "first", /* nothing to run is nothing to choose */
		  { { "MAKE", "0", "first" },
		    { "MAKE", "1", "" },
		    { "MAKE_MATCH", "1", "^6" },
		    { "@MAKE_MATCH", "1", "0" } } },
		{ "\xff\xfe 'make'", { { "MAKE", "0", "\xff\xfe 'make'" } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_recipe struct recipe *recipe =
			validate(cases[i].settings, ARRAY_SIZE(cases[i].settings));

		assert_string_equal(recipe->make, cases[i].make);
	}
}

static void test_patches_and_dependencies(void **state)
{
	static const struct setting settings[] = {
		{ "PATCH", "0", "all.patch" },
		{ "PATCH", "1", "new/./6.patch" },
		{ "PATCH", "2", "../old.patch" }, /* not for this kernel, so nobody opens it */
		{ "PATCH", "3", "" },
		{ "PATCH", "4", "last.patch" },
		{ "PATCH_MATCH", "1", "^6" },
		{ "PATCH_MATCH", "2", "^5" },
		{ "@PATCH_MATCH", "1", "0" },
		{ "@PATCH_MATCH", "2", "1" },
		{ "BUILD_DEPENDS", "0", "spl  xtables-addons" },
		{ "BUILD_DEPENDS", "7", "third" },
		{ "BUILD_DEPENDS_REBUILD", "0", "Yes" },
		{ "NO_WEAK_MODULES", "0", "yes" },
		{ "PRE_BUILD", "0", "./configure --with 'a b'" },
		{ "POST_REMOVE", "0", "gone.sh" },
	};
	cleanup_recipe struct recipe *recipe = validate(settings, ARRAY_SIZE(settings));

	(void)state;
	assert_int_equal(recipe->patch_count, 3);
	assert_string_equal(recipe->patches[0], "all.patch");
	assert_string_equal(recipe->patches[1], "new/6.patch");
	assert_string_equal(recipe->patches[2], "last.patch");
	assert_int_equal(recipe->depend_count, 3);
	assert_string_equal(recipe->depends[0], "spl");
	assert_string_equal(recipe->depends[1], "xtables-addons");
	assert_string_equal(recipe->depends[2], "third");
	assert_true(recipe->depends_rebuild);
	assert_true(recipe->no_weak_modules);
	assert_string_equal(recipe->scripts[RECIPE_PRE_BUILD], "./configure --with 'a b'");
	assert_string_equal(recipe->scripts[RECIPE_POST_REMOVE], "gone.sh");
	assert_null(recipe->scripts[RECIPE_POST_BUILD]);
}

static void test_names_and_what_has_no_effect(void **state)
{
	static const struct setting settings[] = {
		{ "BUILT_MODULE_NAME", "0", "a" },
		{ "DEST_MODULE_NAME", "0", "b" },
		{ "@name", "0", "a" },
		{ "@name", "1", "elsewhere" },
		{ "@name", "2", "../x" },
		{ "@name", "3", "demo.ko" },
		{ "@unknown", "0", "LOAD" },
		{ "@unknown", "1", "lower" },
		{ "@unknown", "2", "BUILD_MODULE" },
		{ "@unknown", "3", "\033[2J" },
		{ "CLEAN", "0", "make clean" },
		{ "REMAKE_INITRD", "0", "" },
		{ "MODULES_CONF", "2", "alias x y" },
	};
	static const struct setting harmless = { "CLEAN", "0", "/bin/true" };
	cleanup_recipe struct recipe *recipe = validate(settings, ARRAY_SIZE(settings));
	cleanup_recipe struct recipe *quiet = validate(&harmless, 1);

	(void)state;
	assert_int_equal(recipe->name_count, 3);
	assert_string_equal(recipe->names[0], "a");
	assert_string_equal(recipe->names[1], "b");
	assert_string_equal(recipe->names[2], "elsewhere");
	assert_int_equal(recipe->unknown_count, 2);
	assert_string_equal(recipe->unknown[0], "LOAD");
	assert_string_equal(recipe->unknown[1], "BUILD_MODULE");
	assert_int_equal(recipe->deprecated_count, 3);
	assert_string_equal(recipe->deprecated[0], "CLEAN");
	assert_string_equal(recipe->deprecated[1], "REMAKE_INITRD");
	assert_string_equal(recipe->deprecated[2], "MODULES_CONF");
	assert_int_equal(quiet->deprecated_count, 0);
}

static const struct {
	const char *words;
	struct setting settings[4];
} bad_values[] = {
	{ "says PACKAGE_NAME 'other', expected was 'demo'", { { "PACKAGE_NAME", "0", "other" } } },
	{ "says PACKAGE_VERSION '0.1\\x0a', expected", { { "PACKAGE_VERSION", "0", "0.1\n" } } },
	{ "PACKAGE_NAME is missing", { { "PACKAGE_NAME", "0", "" } } },
	{ "BUILT_MODULE_NAME[0] is 'a/b': it must be a file name",
	  { { "BUILT_MODULE_NAME", "0", "a/b" } } },
	{ "must not end in .o or .ko", { { "BUILT_MODULE_NAME", "0", "demo.ko" } } },
	{ "must not end in .o or .ko", { { "DEST_MODULE_NAME", "0", "demo.o" } } },
	{ "DEST_MODULE_NAME[0] is '../../../tmp/x': it must be a file name",
	  { { "DEST_MODULE_NAME", "0", "../../../tmp/x" } } },
	{ "DEST_MODULE_NAME[0] is 'a\\x0a\\x1b[2Jb': it must",
	  { { "DEST_MODULE_NAME", "0", "a\n\033[2Jb" } } },
	{ "DEST_MODULE_NAME[0] is '-rf'", { { "DEST_MODULE_NAME", "0", "-rf" } } },
	{ "BUILT_MODULE_LOCATION[0] is '../../keys'",
	  { { "BUILT_MODULE_LOCATION", "0", "../../keys" } } },
	{ "BUILT_MODULE_LOCATION[0] is 'a/../b'", { { "BUILT_MODULE_LOCATION", "0", "a/../b" } } },
	{ "DEST_MODULE_LOCATION[0] is missing", { { "DEST_MODULE_LOCATION", "0", "" } } },
	{ "DEST_MODULE_LOCATION[0] is '/etc'", { { "DEST_MODULE_LOCATION", "0", "/etc" } } },
	{ "DEST_MODULE_LOCATION[0] is '/'", { { "DEST_MODULE_LOCATION", "0", "/" } } },
	{ "is '/kernel/../../etc'", { { "DEST_MODULE_LOCATION", "0", "/kernel/../../etc" } } },
	{ "is '/kernelx'", { { "DEST_MODULE_LOCATION", "0", "/kernelx" } } },
	{ "is 'extra'", { { "DEST_MODULE_LOCATION", "0", "extra" } } },
	{ "BUILT_MODULE_NAME[0] is missing", { { "DEST_MODULE_LOCATION", "1", "/extra" } } },
	{ "BUILT_MODULE_NAME[1] is missing", /* a sparse array */
	  { { "BUILT_MODULE_NAME", "0", "a" }, { "BUILT_MODULE_NAME", "2", "c" } } },
	{ "DEST_MODULE_LOCATION[1] is missing",
	  { { "BUILT_MODULE_NAME", "0", "a" }, { "BUILT_MODULE_NAME", "1", "b" } } },
	{ "DEST_MODULE_NAME[1] is 'a': another module",
	  { { "BUILT_MODULE_NAME", "0", "a" },
	    { "BUILT_MODULE_NAME", "1", "a" },
	    { "DEST_MODULE_LOCATION", "1", "/extra" } } },
	{ "STRIP[99999999999] has no index", { { "STRIP", "99999999999", "no" } } },
	{ "BUILT_MODULE_NAME[1024] has no index", { { "BUILT_MODULE_NAME", "1024", "a" } } },
	{ "STRIP[x] has no index", { { "STRIP", "x", "no" } } },
	{ "AUTOINSTALL is 'maybe': it must be yes or no", { { "AUTOINSTALL", "0", "maybe" } } },
	{ "NO_WEAK_MODULES is '1'", { { "NO_WEAK_MODULES", "0", "1" } } },
	{ "BUILD_DEPENDS_REBUILD is 'often'", { { "BUILD_DEPENDS_REBUILD", "0", "often" } } },
	{ "BUILD_DEPENDS[2] is 'a ../b': it must be the name",
	  { { "BUILD_DEPENDS", "2", "a ../b" } } },
	{ "BUILT_MODULE_NAME[1] is 'a': another module of this package is the same file",
	  { { "BUILT_MODULE_NAME", "0", "a" },
	    { "BUILT_MODULE_NAME", "1", "a" },
	    { "DEST_MODULE_NAME", "1", "b" },
	    { "DEST_MODULE_LOCATION", "1", "/extra" } } },
	{ "PATCH[1] is missing, but PATCH[2] is set; number them from 0 on without gaps",
	  { { "PATCH", "0", "a" }, { "PATCH", "2", "b" } } },
	{ "MAKE[0] is missing, but MAKE[1] is set", { { "MAKE", "1", "make" } } },
	{ "MAKE_MATCH[0] is '((': it must be an extended regular expression",
	  { { "MAKE", "0", "make" }, { "MAKE_MATCH", "0", "((" }, { "@MAKE_MATCH", "0", "2" } } },
	{ "PATCH_MATCH[0] is '^6': it must be an extended", /* bash said nothing of it */
	  { { "PATCH", "0", "a" }, { "PATCH_MATCH", "0", "^6" } } },
	{ "BUILD_EXCLUSIVE_ARCH[1] is '((': it must be an extended",
	  { { "BUILT_MODULE_NAME", "0", "a" },
	    { "BUILT_MODULE_NAME", "1", "b" },
	    { "DEST_MODULE_LOCATION", "1", "/extra" },
	    { "BUILD_EXCLUSIVE_ARCH", "1", "((" } } },
	{ "OBSOLETE_BY is '6.1 or so': it must be a version",
	  { { "OBSOLETE_BY", "0", "6.1 or so" } } },
	{ "STRIP[7] is longer than 65536 bytes", { { "@long", "7", "STRIP" } } },
	{ "PATCH has more than 1024 values", { { "@many", "0", "PATCH" } } },
	{ "hit a limit: DEST_MODULE_NAME has more than 1024 values",
	  { { "@many", "0", "DEST_MODULE_NAME" } } },
	{ "hit a limit: it names more than 1024 modules", { { "@name", "1024", "x" } } },
	{ "gave an unknown answer", { { "@long", "0", "SHELL" } } },
	{ "gave an unknown answer", { { "@anything", "0", "" } } },
	{ "BUILD_EXCLUSIVE_CONFIG[0] is 'CONFIG_A;x': it must be options",
	  { { "BUILD_EXCLUSIVE_CONFIG", "0", "CONFIG_A;x" } } },
	{ "BUILD_EXCLUSIVE_CONFIG[0] is '!': it must", { { "BUILD_EXCLUSIVE_CONFIG", "0", "!" } } },
	{ "BUILD_EXCLUSIVE_KERNEL_MIN[0] is '5 '",
	  { { "BUILD_EXCLUSIVE_KERNEL_MIN", "0", "5 " } } },
	{ "gave an unknown answer", { { "SHELL", "0", "x" } } },
};

static void test_bad_values_are_refused(void **state)
{

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_values); i++) {
		cleanup_text struct text report = { 0 };
		cleanup_error struct error *error = NULL;
		int code = string_starts_with(bad_values[i].words, "hit a limit") ? EXIT_LIMIT
										  : EXIT_BAD_CONF;
		struct recipe *recipe = NULL;

		make_report(&report, bad_values[i].settings, ARRAY_SIZE(bad_values[i].settings));
		if (recipe_validate(&demo, report.data, report.length, &recipe, &error) == 0)
			fail_msg("case %zu was accepted: %s", i, bad_values[i].words);
		assert_null(recipe);
		assert_says(i, error, bad_values[i].words, code);
		assert_says(i, error, "dkms.conf of demo/0.1: ", code);
	}
}

static void test_broken_reports_are_refused(void **state)
{
	cleanup_text struct text report = { 0 };
	struct recipe *recipe = NULL;

	(void)state;
	make_report(&report, NULL, 0);
	for (size_t length = 0; length < report.length; length++) {
		assert_false(recipe_report_is_whole(report.data, length));
		assert_true(recipe_validate(&demo, report.data, length, &recipe, NULL) < 0);
	}
	/* An end in the middle, and more behind it. */
	make_report(&report, NULL, 0);
	assert_true(recipe_validate(&demo, report.data, report.length, &recipe, NULL) < 0);
	assert_null(recipe);
}

/* What DKMS allows to be tried, and refuses at the build with a code of its own. */
static void test_bad_patches(void **state)
{
	static const char *const names[] = { "../x", "/etc/x", "a/../../x", ".", "a\nb" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct setting setting = { "PATCH", "0", names[i] };
		cleanup_text struct text report = { 0 };
		cleanup_error struct error *error = NULL;
		struct recipe *recipe = NULL;

		make_report(&report, &setting, 1);
		assert_int_equal(
			recipe_validate(&demo, report.data, report.length, &recipe, &error),
			-EINVAL);
		assert_says(i, error, "': it must be a file below patches/",
			    EXIT_ALREADY_INSTALLED);
	}
}

/* As many as fit are taken; one more is refused, and both quickly. */
static void test_many_names(void **state)
{
	cleanup_text struct text report = { 0 };
	cleanup_error struct error *error = NULL;
	cleanup_recipe struct recipe *recipe = NULL;
	struct recipe *none = NULL;

	(void)state;
	for (unsigned i = 0; i < RECIPE_MODULES; i++) {
		char index[16], name[16];

		(void)snprintf(index, sizeof(index), "%u", i);
		(void)snprintf(name, sizeof(name), "m%u", i);
		add_record(&report, "BUILT_MODULE_NAME", index, name);
		add_record(&report, "DEST_MODULE_LOCATION", index, "/extra");
	}
	make_report(&report, NULL, 0);
	assert_int_equal(recipe_validate(&demo, report.data, report.length, &recipe, NULL), 0);
	assert_int_equal(recipe->module_count, RECIPE_MODULES);
	assert_int_equal(recipe->name_count, RECIPE_MODULES);
	report.length -= sizeof("@end\0"
				"0\0");
	add_record(&report, "@name", "0", "another");
	add_record(&report, "@end", "0", "");
	assert_true(recipe_validate(&demo, report.data, report.length, &none, &error) < 0);
	assert_says(0, error, "have more than 1024 names", EXIT_LIMIT);
	assert_null(none);
}

static void test_long_values(void **state)
{
	cleanup_free char *value = calloc(1, RECIPE_VALUE + 2);
	const struct setting setting = { "MAKE", "0", value };
	cleanup_error struct error *error = NULL;
	cleanup_text struct text report = { 0 };
	struct recipe *none = NULL;
	cleanup_recipe struct recipe *recipe = NULL;

	(void)state;
	memset(value, 'x', RECIPE_VALUE);
	recipe = validate(&setting, 1);
	assert_int_equal(strlen(recipe->make), RECIPE_VALUE);
	value[RECIPE_VALUE] = 'x';
	make_report(&report, &setting, 1);
	assert_true(recipe_validate(&demo, report.data, report.length, &none, &error) < 0);
	assert_says(0, error, "MAKE[0] is longer than 65536 bytes", EXIT_BAD_CONF);
}

static void test_exclusives(void **state)
{
	static const struct {
		const char *words; /* NULL: allowed */
		const char *name;
		const char *value;
	} cases[] = {
		{ NULL, "BUILD_EXCLUSIVE_KERNEL_MIN", "6.1" },
		{ NULL, "BUILD_EXCLUSIVE_KERNEL_MIN", "5.15" },
		{ NULL, "BUILD_EXCLUSIVE_KERNEL_MIN", "6.1.0-9" },
		{ NULL, "BUILD_EXCLUSIVE_KERNEL_MIN", RELEASE },
		{ NULL, "BUILD_EXCLUSIVE_KERNEL_MIN", "6.1.0-056" },
		{ "KERNEL_MIN '6.2' is above " RELEASE, "BUILD_EXCLUSIVE_KERNEL_MIN", "6.2" },
		{ "KERNEL_MIN '6.1.0-100' is above", "BUILD_EXCLUSIVE_KERNEL_MIN", "6.1.0-100" },
		{ "KERNEL_MIN '6.10' is above", "BUILD_EXCLUSIVE_KERNEL_MIN", "6.10" },
		{ NULL, "BUILD_EXCLUSIVE_KERNEL_MAX", "6.10" },
		{ NULL, "BUILD_EXCLUSIVE_KERNEL_MAX", RELEASE },
		{ "KERNEL_MAX '6.1' is below", "BUILD_EXCLUSIVE_KERNEL_MAX", "6.1" },
		{ "KERNEL_MAX '5.19' is below", "BUILD_EXCLUSIVE_KERNEL_MAX", "5.19" },
		{ NULL, "BUILD_EXCLUSIVE_CONFIG", " CONFIG_I2C\n CONFIG_DRM !CONFIG_PREEMPT_RT" },
		{ "'CONFIG_PREEMPT_RT' does not agree", "BUILD_EXCLUSIVE_CONFIG",
		  "CONFIG_I2C CONFIG_PREEMPT_RT" },
		{ "'!CONFIG_DRM' does not agree", "BUILD_EXCLUSIVE_CONFIG", "!CONFIG_DRM" },
		{ NULL, "OBSOLETE_BY", "6.2" },
		{ "OBSOLETE_BY '6.0' is below", "OBSOLETE_BY", "6.0" },
		{ "'CONFIG_HZ' does not agree", "BUILD_EXCLUSIVE_CONFIG",
		  "CONFIG_HZ" }, /* not y or m */
		{ "'CONFIG_I2' does not agree", "BUILD_EXCLUSIVE_CONFIG", "CONFIG_I2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct setting setting = { cases[i].name, "0", cases[i].value };
		cleanup_recipe struct recipe *recipe = validate(&setting, 1);
		cleanup_error struct error *error = NULL;
		int r = recipe_check_exclusive(recipe, &kernel, &error);

		if (!cases[i].words) {
			assert_int_equal(r, 0);
			continue;
		}
		assert_int_equal(r, -ENOTSUP);
		assert_says(i, error, cases[i].words, EXIT_SKIPPED);
	}
}

/* Index 0 counts for all, each other one for its module alone. */
static void test_exclusives_of_single_modules(void **state)
{
	static const struct setting settings[] = {
		{ "BUILT_MODULE_NAME", "0", "a" },
		{ "BUILT_MODULE_NAME", "1", "b" },
		{ "BUILT_MODULE_NAME", "2", "c" },
		{ "BUILT_MODULE_NAME", "3", "d" },
		{ "BUILT_MODULE_NAME", "4", "e" },
		{ "BUILT_MODULE_NAME", "5", "f" },
		{ "DEST_MODULE_LOCATION", "1", "/extra" },
		{ "DEST_MODULE_LOCATION", "2", "/extra" },
		{ "DEST_MODULE_LOCATION", "3", "/extra" },
		{ "DEST_MODULE_LOCATION", "4", "/extra" },
		{ "DEST_MODULE_LOCATION", "5", "/extra" },
		{ "BUILD_EXCLUSIVE_KERNEL", "0", "^6" },
		{ "@BUILD_EXCLUSIVE_KERNEL", "0", "0" },
		{ "BUILD_EXCLUSIVE_KERNEL", "1", "^5" },
		{ "@BUILD_EXCLUSIVE_KERNEL", "1", "1" },
		{ "BUILD_EXCLUSIVE_ARCH", "2", "arm" },
		{ "@BUILD_EXCLUSIVE_ARCH", "2", "1" },
		{ "BUILD_EXCLUSIVE_CONFIG", "3", "!CONFIG_DRM" },
		{ "BUILD_EXCLUSIVE_KERNEL_MIN", "4", "6.2" },
		{ "BUILD_EXCLUSIVE_KERNEL_MIN", "5", "6.0" },
		{ "OBSOLETE_BY", "0", "5.0" }, /* counts no more: see [5] of KERNEL_MAX */
		{ "BUILD_EXCLUSIVE_KERNEL_MAX", "5", "6.5" },
		{ "BUILD_EXCLUSIVE_KERNEL_MAX", "9", "of no module" },
	};
	cleanup_recipe struct recipe *recipe = validate(settings, ARRAY_SIZE(settings));

	(void)state;
	assert_int_equal(recipe_check_exclusive(recipe, &kernel, NULL), 0);
	assert_string_equal(recipe->obsolete_by, "5.0");
	assert_null(recipe->modules[0].excluded);
	assert_string_equal(recipe->modules[1].excluded,
			    "BUILD_EXCLUSIVE_KERNEL[1] '^5' does not match " RELEASE);
	assert_string_equal(
		recipe->modules[2].excluded,
		"BUILD_EXCLUSIVE_ARCH[2] 'arm' does not match the architecture of " RELEASE);
	assert_string_equal(recipe->modules[3].excluded,
			    "BUILD_EXCLUSIVE_CONFIG[3] '!CONFIG_DRM' does not agree with the "
			    "configuration of " RELEASE);
	assert_string_equal(recipe->modules[4].excluded,
			    "BUILD_EXCLUSIVE_KERNEL_MIN[4] '6.2' is above " RELEASE);
	assert_null(recipe->modules[5].excluded);
	assert_int_equal(recipe->name_count, 6); /* approved all the same */
}

static void test_exclusive_of_all(void **state)
{
	static const struct setting settings[] = { { "BUILD_EXCLUSIVE_KERNEL", "0", "^5" },
						   { "@BUILD_EXCLUSIVE_KERNEL", "0", "1" } };
	cleanup_recipe struct recipe *recipe = validate(settings, ARRAY_SIZE(settings));
	cleanup_error struct error *error = NULL;

	(void)state;
	assert_int_equal(recipe_check_exclusive(recipe, &kernel, &error), -ENOTSUP);
	assert_says(0, error,
		    "demo/0.1 is not for this kernel: BUILD_EXCLUSIVE_KERNEL '^5' does not match",
		    EXIT_SKIPPED);
}

static void test_overrides(void **state)
{
	static const char *const all[] = { "demo.conf",		"demo-0.1.conf",
					   "demo-0.1-6.1.conf", "demo-0.1-6.1-x86_64.conf",
					   "demo--6.1.conf",	"demo--6.1-x86_64.conf" };
	const struct recipe_override override = {
		"demo.conf", { .data = config, .length = sizeof(config) - 1 }
	};
	struct recipe_request request = demo;
	char **names = recipe_override_names("demo", "0.1", "6.1", "x86_64");
	struct digest none = { 0 }, digest;

	(void)state;
	assert_non_null(names);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_string_equal(names[i], all[i]);
		free(names[i]);
	}
	assert_null(names[ARRAY_SIZE(all)]);
	free(names);
	names = recipe_override_names("demo", "0.1", "", NULL);
	assert_non_null(names);
	assert_string_equal(names[1], all[1]);
	assert_null(names[2]);
	free(names[0]);
	free(names[1]);
	free(names);

	assert_int_equal(recipe_overrides_digest(&request, &digest, NULL), 0);
	assert_true(digest_equal(&digest, &none));
	request.overrides = &override;
	request.override_count = 1;
	assert_int_equal(recipe_overrides_digest(&request, &digest, NULL), 0);
	assert_false(digest_equal(&digest, &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_several_modules),
		cmocka_unit_test(test_make_of_a_kernel),
		cmocka_unit_test(test_patches_and_dependencies),
		cmocka_unit_test(test_names_and_what_has_no_effect),
		cmocka_unit_test(test_bad_values_are_refused),
		cmocka_unit_test(test_broken_reports_are_refused),
		cmocka_unit_test(test_bad_patches),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test(test_exclusives),
		cmocka_unit_test(test_exclusives_of_single_modules),
		cmocka_unit_test(test_exclusive_of_all),
		cmocka_unit_test(test_overrides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
