/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dkms.conf as data: what the answer of the evaluation may say (records made by hand), and what
 * comes of real files, good and hostile, that bash evaluates in its sandbox.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/memfd.h"
#include "lib/recipes/recipe_internal.h"
#include "lib/recipes/snapshot.h"
#include "tests/unit/sandbox_fixture.h"

#define RELEASE "6.1.0-56-amd64"

static char config[] =
	"CONFIG_I2C=m\nCONFIG_DRM=y\n# CONFIG_PREEMPT_RT is not set\nCONFIG_HZ=250\n";

/* Enough of a kernel: headers are not looked at here. */
static const struct kernel kernel = {
	.release = (char *)(uintptr_t)RELEASE,
	.architecture = (char *)(uintptr_t) "x86_64",
	.build = (char *)(uintptr_t) "/usr/src/linux-headers-" RELEASE,
	.config = config,
	.build_fd = -1,
};

static const struct recipe_request demo = {
	.module = "demo",
	.version = "0.1",
	.kernel = &kernel,
	.kernel_release = RELEASE,
	.architecture = "x86_64",
};

struct world {
	struct sandbox_fixture fixture;
	char *reason; /* why no sandbox can be made, or NULL */
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	cleanup_error struct error *error = NULL;

	assert_non_null(world);
	if (sandbox_fixture_open(&world->fixture, &error) < 0)
		world->reason = error_describe(error);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	sandbox_fixture_close(&world->fixture);
	free(world->reason);
	free(world);
	return 0;
}

static void cleanup_recipe_function(struct recipe **recipe)
{
	*recipe = recipe_free(*recipe);
}
#define cleanup_recipe cleanup(cleanup_recipe_function)

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
	add_record(report, "@kernel", "0", "0");
	add_record(report, "@arch", "0", "0");
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

static const struct {
	const char *words;
	struct setting settings[3];
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
	{ "directive 'PRE_BUILD' is not supported", { { "PRE_BUILD", "0", "./configure" } } },
	{ "directive 'PATCH' is not supported", { { "PATCH", "3", "x.patch" } } },
	{ "directive 'MAKE_MATCH' is not supported", { { "MAKE_MATCH", "1", "^5" } } },
	{ "directive 'MAKE[1]' is not supported", { { "MAKE", "1", "make" } } },
	{ "directive 'BUILD_EXCLUSIVE_ARCH[2]' is not supported",
	  { { "BUILD_EXCLUSIVE_ARCH", "2", "x" } } },
	{ "BUILD_EXCLUSIVE_CONFIG is 'CONFIG_A;x': it must be options",
	  { { "BUILD_EXCLUSIVE_CONFIG", "0", "CONFIG_A;x" } } },
	{ "BUILD_EXCLUSIVE_CONFIG is '!': it must", { { "BUILD_EXCLUSIVE_CONFIG", "0", "!" } } },
	{ "BUILD_EXCLUSIVE_KERNEL_MIN is '5 '", { { "BUILD_EXCLUSIVE_KERNEL_MIN", "0", "5 " } } },
	{ "gave an unknown answer", { { "SHELL", "0", "x" } } },
};

static void test_bad_values_are_refused(void **state)
{

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_values); i++) {
		cleanup_text struct text report = { 0 };
		cleanup_error struct error *error = NULL;
		cleanup_free char *text = NULL;
		struct recipe *recipe = NULL;

		make_report(&report, bad_values[i].settings, ARRAY_SIZE(bad_values[i].settings));
		if (recipe_validate(&demo, report.data, report.length, &recipe, &error) == 0)
			fail_msg("case %zu was accepted: %s", i, bad_values[i].words);
		assert_null(recipe);
		text = error_describe(error);
		assert_true(string_starts_with(text, "dkms.conf of demo 0.1: "));
		if (!strstr(text, bad_values[i].words))
			fail_msg("case %zu: '%s' lacks '%s'", i, text, bad_values[i].words);
		assert_int_equal(error_code(error), EXIT_BAD_CONF);
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
	text_clear(&report);
	report = (struct text){ 0 };
	for (unsigned i = 0; i <= RECIPE_RECORDS; i++)
		add_record(&report, "STRIP", "0", "");
	make_report(&report, NULL, 0);
	assert_true(recipe_validate(&demo, report.data, report.length, &recipe, NULL) < 0);
	assert_null(recipe);
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
		{ "'CONFIG_HZ' does not agree", "BUILD_EXCLUSIVE_CONFIG",
		  "CONFIG_HZ" }, /* not y or m */
		{ "'CONFIG_I2' does not agree", "BUILD_EXCLUSIVE_CONFIG", "CONFIG_I2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct setting setting = { cases[i].name, "0", cases[i].value };
		cleanup_recipe struct recipe *recipe = validate(&setting, 1);
		cleanup_error struct error *error = NULL;
		cleanup_free char *text = NULL;
		int r = recipe_check_exclusive(recipe, &kernel, &error);

		if (!cases[i].words) {
			assert_int_equal(r, 0);
			continue;
		}
		assert_int_equal(r, -ENOTSUP);
		assert_int_equal(error_code(error), EXIT_SKIPPED);
		text = error_describe(error);
		if (!strstr(text, cases[i].words))
			fail_msg("case %zu: '%s' lacks '%s'", i, text, cases[i].words);
	}
}

/* A snapshot of one or two files. */
static int make_snapshot(const char *conf, const char *extra)
{
	cleanup_text struct text text = { 0 };
	cleanup_close int fd = -1;
	const char *names[] = { "dkms.conf", "extra.sh" };
	const char *contents[] = { conf, extra };
	struct digest digest;

	assert_int_equal(text_append_string(&text, SNAPSHOT_MAGIC), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!contents[i])
			continue;
		assert_int_equal(text_append(&text, "f", 1), 0);
		assert_int_equal(text_append_u16(&text, (uint16_t)strlen(names[i])), 0);
		assert_int_equal(text_append_string(&text, names[i]), 0);
		assert_int_equal(text_append_u64(&text, strlen(contents[i])), 0);
		assert_int_equal(text_append_string(&text, contents[i]), 0);
	}
	assert_int_equal(text_append(&text, "", 1), 0);
	assert_int_equal(memfd_new("test", &fd, NULL), 0);
	assert_int_equal(write_all(fd, text.data, text.length), 0);
	assert_int_equal(snapshot_from_stream(fd, &digest, NULL), 0);
	return TAKE_FD(fd);
}

static void require_sandbox(const struct world *world)
{
	if (!world->reason)
		return;
	print_message("skipped: %s\n", world->reason);
	skip();
}

/* Evaluates for demo 0.1 (or for nobody in particular) without headers. */
static int evaluate(const struct world *world, const char *conf, const char *extra, bool known,
		    struct recipe **ret_recipe, struct error **error)
{
	cleanup_close int snapshot_fd = make_snapshot(conf, extra);
	struct recipe_request request = demo;

	request.base = &world->fixture.spec;
	request.snapshot_fd = snapshot_fd;
	request.kernel = NULL;
	if (!known)
		request.module = request.version = NULL;
	return recipe_evaluate(&request, ret_recipe, error);
}

#define BASICS "PACKAGE_NAME=demo\nPACKAGE_VERSION=0.1\nDEST_MODULE_LOCATION[0]=/extra\n"

static struct recipe *evaluate_good(const struct world *world, const char *conf, const char *extra,
				    bool known)
{
	cleanup_error struct error *error = NULL;
	struct recipe *recipe = NULL;

	if (evaluate(world, conf, extra, known, &recipe, &error) < 0)
		fail_msg("%s", error_describe(error));
	return recipe;
}

static void test_evaluation_of_the_demo(void **state)
{
	static const char conf[] =
		"PACKAGE_NAME=\"demo\"\n"
		"PACKAGE_VERSION=\"0.1\"\n"
		"CLEAN=\"make -C ${kernel_source_dir} M=${dkms_tree}/${PACKAGE_NAME} clean\"\n"
		"MAKE=\"make -C src/ KERNELDIR=/lib/modules/${kernelver}/build\"\n"
		"BUILT_MODULE_NAME[0]=\"demo\"\n"
		"BUILT_MODULE_LOCATION[0]=\"src/\"\n"
		"DEST_MODULE_LOCATION[0]=\"/kernel/drivers/misc\"\n"
		"AUTOINSTALL=\"yes\"\n"
		"LOAD=no\n";
	const struct world *world = *state;
	cleanup_recipe struct recipe *recipe = NULL;

	require_sandbox(world);
	recipe = evaluate_good(world, conf, NULL, true);
	assert_string_equal(recipe->make, "make -C src/ KERNELDIR=/lib/modules/" RELEASE "/build");
	assert_string_equal(recipe->modules[0].built_location, "src/");
	assert_string_equal(recipe->modules[0].dest_location, "/kernel/drivers/misc");
	assert_true(recipe->autoinstall);
	assert_string_equal(recipe->release, RELEASE);
}

static void test_evaluation_is_real_shell(void **state)
{
	static const char conf[] =
		"set -u; IFS=,; shopt -s nocasematch; trap 'true' EXIT\n"
		"PACKAGE_NAME=demo PACKAGE_VERSION=$(echo 0.1)\n"
		"echo noise; echo more noise >&2; echo lost >&3\n"
		"pushd \"$(dirname \"$BASH_SOURCE\")\" >/dev/null; . ./extra.sh; popd >/dev/null\n"
		"for ((i = 0; i < 2; i++)); do\n"
		"	BUILT_MODULE_NAME[i]=mod$i; DEST_MODULE_LOCATION[$i]=/updates\n"
		"done\n"
		"[ -e /usr/src/$module-$module_version/dkms.conf ] && MAKE[0]=\"$(pwd "
		"-P):$BASH_SOURCE\"\n"
		"BUILD_EXCLUSIVE_KERNEL='^(6|7)\\.[0-9]+' BUILD_EXCLUSIVE_ARCH='X86'\n"
		"MAKE[0]+=\" $arch $source_tree $install_tree $kernel_source_dir "
		"${parallel_jobs-none}\"\n"
		"set --; [ -e /nonexistent ] && true\n";
	const struct world *world = *state;
	cleanup_recipe struct recipe *recipe = NULL;
	cleanup_error struct error *error = NULL;

	require_sandbox(world);
	recipe = evaluate_good(world, conf, "STRIP[0]=no\n", true);
	assert_int_equal(recipe->module_count, 2);
	assert_string_equal(recipe->modules[1].built_name, "mod1");
	assert_false(recipe->modules[1].strip);
	assert_string_equal(recipe->make,
			    "/usr/src/demo-0.1:/var/lib/dkms/demo/0.1/source/dkms.conf "
			    "x86_64 /usr/src /lib/modules /lib/modules/" RELEASE "/build none");
	assert_true(recipe->kernel_matches);
	assert_false(recipe->arch_matches); /* case counts again once the file is read */
	assert_int_equal(recipe_check_exclusive(recipe, &kernel, &error), -ENOTSUP);
	assert_int_equal(error_code(error), EXIT_SKIPPED);
}

static void test_evaluation_of_dos_line_ends(void **state)
{
	static const char conf[] = "PACKAGE_NAME=demo\r\nPACKAGE_VERSION='0.1'\r\n"
				   "if true; then\r\nDEST_MODULE_LOCATION[0]=/extra\r\nfi\r\n"
				   "MAKE=\"make A=\rB\"\r\nAUTOINSTALL=yes\r";
	const struct world *world = *state;
	cleanup_recipe struct recipe *recipe = NULL;

	require_sandbox(world);
	recipe = evaluate_good(world, conf, NULL, true);
	assert_string_equal(recipe->make, "make A=\rB"); /* only line ends are touched */
	assert_true(recipe->autoinstall);
}

static void test_evaluation_of_an_unknown_package(void **state)
{
	const struct world *world = *state;
	cleanup_recipe struct recipe *recipe = NULL;
	cleanup_error struct error *error = NULL;

	require_sandbox(world);
	recipe = evaluate_good(
		world, "PACKAGE_NAME=thing\nPACKAGE_VERSION=2\nDEST_MODULE_LOCATION=/extra\n", NULL,
		false);
	assert_string_equal(recipe->package_name, "thing");
	recipe = recipe_free(recipe);
	assert_true(evaluate(world, "PACKAGE_NAME=../x\nPACKAGE_VERSION=2\n", NULL, false, &recipe,
			     &error) < 0);
	assert_null(recipe);
	assert_int_equal(error_code(error), EXIT_BAD_CONF);
}

static const struct {
	const char *conf; /* NULL: there is none */
	const char *words;
	int code;
} hostile_files[] = {
	{ NULL, "no regular file of this name", EXIT_NO_CONF },
	{ "", "PACKAGE_NAME is missing", EXIT_BAD_CONF },
	{ BASICS "while :; do :; done\n", "hit a limit: CPU time", EXIT_LIMIT },
	{ BASICS "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n", "hit a limit",
	  EXIT_LIMIT },
	{ BASICS "exit 3\n", "ended the shell before its end (exited with 3", EXIT_BAD_CONF },
	{ BASICS "exit 0\n", "must not call exit or exec", EXIT_BAD_CONF },
	{ BASICS "exec true\n", "must not call exit or exec", EXIT_BAD_CONF },
	{ BASICS "set -e; echo '\033[2Jlast words'; false\n", "last words: \\x1b[2Jlast words",
	  EXIT_BAD_CONF },
	{ BASICS "kill -9 $$\n", "ended the shell", EXIT_BAD_CONF },
	{ BASICS "MAKE=\"unclosed\nAUTOINSTALL=yes\n", "is not valid shell", EXIT_BAD_CONF },
	{ BASICS "if true; then\n)\nfi\n", "is not valid shell", EXIT_BAD_CONF },
	{ BASICS "DEST_MODULE_NAME[0]=../../../../tmp/x\n", "DEST_MODULE_NAME[0] is '../../",
	  EXIT_BAD_CONF },
	{ BASICS "DEST_MODULE_NAME[0]=$'a\\nb'\n", "DEST_MODULE_NAME[0] is 'a\\x0ab'",
	  EXIT_BAD_CONF },
	{ BASICS "BUILT_MODULE_NAME[0]=a; BUILT_MODULE_NAME[2]=c\n",
	  "BUILT_MODULE_NAME[1] is missing", EXIT_BAD_CONF },
	{ BASICS "declare -A STRIP; STRIP[word]=no\n", "STRIP[word] has no index", EXIT_BAD_CONF },
	{ BASICS "BUILD_EXCLUSIVE_KERNEL='(('\n", "must be an extended regular expression",
	  EXIT_BAD_CONF },
	{ BASICS "PRE_BUILD=./configure\n", "directive 'PRE_BUILD' is not supported",
	  EXIT_BAD_CONF },
	/* Its own answer, on the descriptor that bash keeps for afterwards. */
	{ BASICS "for fd in {3..255}; do\n"
		 "	{ printf 'STRIP\\0%s\\0x\\0' -1 >&$fd; } 2>/dev/null\n"
		 "done\nexit 0\n",
	  "ended the shell", EXIT_BAD_CONF },
	{ BASICS "for fd in {3..255}; do\n"
		 "	{ printf 'half an answer' >&$fd; } 2>/dev/null\n"
		 "done\n",
	  "its evaluation gave an unknown answer", EXIT_BAD_CONF },
	{ BASICS "for fd in {3..255}; do\n"
		 "	{ printf '@end\\0000\\0\\0' >&$fd; } 2>/dev/null\n"
		 "done\n",
	  "went on behind its end", EXIT_BAD_CONF },
	{ BASICS "MAKE=$(printf '%300000s' x)\n", "hit a limit: answer", EXIT_LIMIT },
};

static void test_hostile_files(void **state)
{
	const struct world *world = *state;

	require_sandbox(world);
	for (size_t i = 0; i < ARRAY_SIZE(hostile_files); i++) {
		cleanup_error struct error *error = NULL;
		cleanup_free char *text = NULL;
		struct recipe *recipe = NULL;

		if (evaluate(world, hostile_files[i].conf, NULL, true, &recipe, &error) == 0)
			fail_msg("case %zu was accepted", i);
		assert_null(recipe);
		text = error_describe(error);
		if (!strstr(text, hostile_files[i].words))
			fail_msg("case %zu: '%s' lacks '%s'", i, text, hostile_files[i].words);
		assert_true(string_starts_with(text, "dkms.conf of demo 0.1: "));
		assert_null(strpbrk(text, "\n\033"));
		assert_int_equal(error_code(error), hostile_files[i].code);
	}
}

/* What it tries to change is not there afterwards, and what it could read holds nothing. */
static void test_evaluation_changes_nothing(void **state)
{
	static const char conf[] =
		"echo x >> \"$BASH_SOURCE\"; echo x > new; echo x > /usr/x; echo x > /etc/x\n"
		"[ -w . ] && exit 2\n"
		"echo x > /tmp/kmodbox-scratch || exit 3\n" /* so redirections do work */
		"[ -e /etc/passwd ] || exit 4\n"
		"for f in new /usr/x /etc/x /etc/shadow /root/.??* /home/*; do\n"
		"	[ -e \"$f\" ] && exit 5\n"
		"done\n"
		"PACKAGE_NAME=demo PACKAGE_VERSION=0.1 DEST_MODULE_LOCATION=/extra\n"
		"MAKE=\"make $(<dkms.conf)\"\n";
	const struct world *world = *state;
	cleanup_recipe struct recipe *recipe = NULL;

	require_sandbox(world);
	recipe = evaluate_good(world, conf, NULL, true);
	assert_true(string_starts_with(recipe->make, "make echo x >> "));
	assert_null(strstr(recipe->make, "\nx\n"));
	assert_int_equal(faccessat(AT_FDCWD, "/tmp/kmodbox-scratch", F_OK, 0), -1);
}

static void test_names_are_checked_before_they_become_paths(void **state)
{
	const struct world *world = *state;
	cleanup_close int snapshot_fd = make_snapshot(BASICS, NULL);
	struct recipe_request request = demo;
	struct recipe *recipe = NULL;

	request.base = &world->fixture.spec;
	request.snapshot_fd = snapshot_fd;
	request.kernel = NULL;
	request.module = "../../etc";
	assert_int_equal(recipe_evaluate(&request, &recipe, NULL), -EINVAL);
	request.module = "demo";
	request.kernel_release = "6.1/../x";
	assert_int_equal(recipe_evaluate(&request, &recipe, NULL), -EINVAL);
	assert_null(recipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_several_modules),
		cmocka_unit_test(test_bad_values_are_refused),
		cmocka_unit_test(test_broken_reports_are_refused),
		cmocka_unit_test(test_exclusives),
		cmocka_unit_test(test_evaluation_of_the_demo),
		cmocka_unit_test(test_evaluation_is_real_shell),
		cmocka_unit_test(test_evaluation_of_dos_line_ends),
		cmocka_unit_test(test_evaluation_of_an_unknown_package),
		cmocka_unit_test(test_hostile_files),
		cmocka_unit_test(test_evaluation_changes_nothing),
		cmocka_unit_test(test_names_are_checked_before_they_become_paths),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
