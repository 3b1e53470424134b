/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dkms.conf evaluated: what comes of files, good and hostile, that bash reads in its sandbox. */
#include <fcntl.h>
#include <sys/stat.h>

#include "tests/unit/recipe_support.h"

/* Evaluates for demo 0.1 (or for nobody in particular) without headers, as changed by the request.
 */
static int evaluate_request(const struct world *world, const char *conf, const char *extra,
			    struct recipe_request request, struct recipe **ret_recipe,
			    struct error **error)
{
	cleanup_close int snapshot_fd = make_snapshot(conf, extra);

	request.base = &world->fixture.spec;
	request.snapshot_fd = snapshot_fd;
	request.kernel = NULL;
	return recipe_evaluate(&request, ret_recipe, error);
}

static int evaluate(const struct world *world, const char *conf, const char *extra, bool known,
		    struct recipe **ret_recipe, struct error **error)
{
	struct recipe_request request = demo;

	if (!known)
		request.module = request.version = NULL;
	return evaluate_request(world, conf, extra, request, ret_recipe, error);
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
	assert_int_equal(recipe->unknown_count, 1);
	assert_string_equal(recipe->unknown[0], "LOAD");
	assert_int_equal(recipe->deprecated_count, 1);
	assert_string_equal(recipe->deprecated[0], "CLEAN");
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

static bool is_active(const struct sandbox_result *result, const char *name)
{
	for (size_t i = 0; i < result->layer_count; i++)
		if (string_equal(result->layers[i].name, name))
			return result->layers[i].active;
	return false;
}

/* What it asked for is no reason to refuse it, but is not forgotten. */
static void test_evaluation_tells_what_was_refused(void **state)
{
	struct world *world = *state;
	cleanup_recipe struct recipe *recipe = NULL;
	struct sandbox_result result;
	bool seen;

	require_sandbox(world);
	result = fixture_run(&world->fixture, "true", &world->fixture.spec);
	seen = is_active(&result, "refused calls are seen");
	sandbox_result_clear(&result);
	if (!seen)
		skip(); /* this test itself runs under a supervisor of that kind */
	recipe = evaluate_good(world, BASICS, NULL, true);
	assert_null(recipe->denied);
	recipe = recipe_free(recipe);
	recipe = evaluate_good(world, BASICS "unshare -U true; unshare -U true\n", NULL, true);
	assert_non_null(recipe->denied);
	assert_int_equal(recipe->denied->count, 1);
	assert_string_equal(recipe->denied->list[0].what, "unshare CLONE_NEWUSER");
	assert_int_equal(recipe->denied->list[0].count, 2);
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
	{ BASICS "while :; do :; done\n",
	  "hit a limit: CPU time (1 s); it should set variables and no more: "
	  "work belongs into PRE_BUILD or MAKE",
	  EXIT_LIMIT },
	{ BASICS "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done\n", "hit a limit",
	  EXIT_LIMIT },
	{ BASICS "exit 3\n", "ended the shell before its end (exited with 3", EXIT_BAD_CONF },
	{ BASICS "exit 0\n", "must not call exit or exec", EXIT_BAD_CONF },
	{ BASICS "exec true\n", "must not call exit or exec", EXIT_BAD_CONF },
	{ BASICS "set -e; echo '\033[2Jlast words'; false\n", "last words: \\x1b[2Jlast words",
	  EXIT_BAD_CONF },
	{ BASICS "kill -9 $$\n", "ended the shell", EXIT_BAD_CONF },
	{ BASICS "MAKE=\"unclosed\nAUTOINSTALL=yes\n", "is not valid shell", EXIT_BAD_CONF },
	{ BASICS "if true; then\n)\nfi\n", "syntax error near unexpected token `)'",
	  EXIT_BAD_CONF },
	{ BASICS "DEST_MODULE_NAME[0]=../../../../tmp/x\n", "DEST_MODULE_NAME[0] is '../../",
	  EXIT_BAD_CONF },
	{ BASICS "DEST_MODULE_NAME[0]=$'a\\nb'\n", "DEST_MODULE_NAME[0] is 'a\\x0ab'",
	  EXIT_BAD_CONF },
	{ BASICS "BUILT_MODULE_NAME[0]=a; BUILT_MODULE_NAME[2]=c\n",
	  "BUILT_MODULE_NAME[1] is missing", EXIT_BAD_CONF },
	{ BASICS "declare -A STRIP; STRIP[word]=no\n", "STRIP[word] has no index", EXIT_BAD_CONF },
	{ BASICS "BUILT_MODULE_NAME=({0..9999})\n", "BUILT_MODULE_NAME has more than 1024 values",
	  EXIT_LIMIT },
	{ BASICS "for i in {0..9999}; do\n"
		 "	BUILT_MODULE_NAME[i]=m$i; DEST_MODULE_LOCATION[i]=/extra\n"
		 "done\n",
	  "BUILT_MODULE_NAME has more than 1024 values", EXIT_LIMIT },
	{ BASICS "PATCH[1048576]=x\n", "PATCH[1048576] has no index", EXIT_BAD_CONF },
	{ BASICS "printf -v MAKE '%01048576d' 0\n", "MAKE[0] is longer than 65536 bytes",
	  EXIT_BAD_CONF },
	{ BASICS "for i in {0..999}; do printf -v 'CLEAN[i]' '%065536d' 0; done\n",
	  "hit a limit: answer (2097152 bytes)", EXIT_LIMIT },
	{ BASICS "BUILT_MODULE_NAME=$'de\\xffmo'\n", "BUILT_MODULE_NAME[0] is 'de\\xffmo'",
	  EXIT_BAD_CONF },
	{ BASICS "BUILD_DEPENDS=$'\\xc3\\x28'\n", "BUILD_DEPENDS[0] is '\\xc3('", EXIT_BAD_CONF },
	{ BASICS "BUILD_DEPENDS=--force\n", "BUILD_DEPENDS[0] is '--force'", EXIT_BAD_CONF },
	{ BASICS "MAKE=(make make); MAKE_MATCH[1]='(('\n",
	  "MAKE_MATCH[1] is '((': it must be an extended", EXIT_BAD_CONF },
	{ BASICS "x=$(printf 'a%.0s' {1..2000}); PATCH=x PATCH_MATCH=$x\n",
	  "it is longer than 1024 bytes", EXIT_BAD_CONF },
	{ BASICS "BUILD_EXCLUSIVE_KERNEL='(('\n", "must be an extended regular expression",
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
};

static void test_hostile_files(void **state)
{
	const struct world *world = *state;

	require_sandbox(world);
	for (size_t i = 0; i < ARRAY_SIZE(hostile_files); i++) {
		cleanup_error struct error *error = NULL;
		struct recipe *recipe = NULL;

		if (evaluate(world, hostile_files[i].conf, NULL, true, &recipe, &error) == 0)
			fail_msg("case %zu was accepted", i);
		assert_null(recipe);
		assert_says(i, error, hostile_files[i].words, hostile_files[i].code);
		assert_says(i, error, "dkms.conf of demo/0.1: ", hostile_files[i].code);
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

/* Patterns are matched in the sandbox, names of modules found where this kernel does not get to. */
static void test_evaluation_of_everything(void **state)
{
	static const char conf[] = BASICS
		"local DEST_MODULE_NAME=moved\n" /* DKMS reads the file in a function */
		"if [ \"$kernelver\" = none ]; then\n"
		"	BUILT_MODULE_NAME[$i]=\"lttng-uprobes\" ; DEST_MODULE_NAME[2]='other'\n"
		"	BUILT_MODULE_NAME[3]=$module # not literal\n"
		"	# BUILT_MODULE_NAME[4]=commented_out\n"
		"	DEST_MODULE_NAME=(list1 \"list2\"\n"
		"		[7]=list3) ; BUILT_MODULE_NAME[9]=behind\n"
		"fi\n"
		"MAKE=(first second third)\n"
		"MAKE_MATCH=('' '^6\\.1' '^5')\n"
		"PATCH=(a b)\n"
		"PATCH_MATCH[0]='^(4|5)'\n"
		"PRE_BUILD=\"./configure $arch\"\n"
		"BUILD_DEPENDS=(spl)\n"
		"OBSOLETE_BY=7.0\n"
		"export TYPO=1; BUILD_MODULE_NAME=x FOO[3]=y lower=z CONFIG_X=y\n"
		"pushd /tmp; popd; read x y <<< 'a b'; [[ a =~ a ]]\n";
	static const char *const names[] = { "demo",  "moved", "lttng-uprobes", "other",
					     "list1", "list2", "list3",		"behind" };
	static const char *const unknown[] = { "TYPO", "BUILD_MODULE_NAME", "FOO", "CONFIG_X" };
	const struct world *world = *state;
	cleanup_recipe struct recipe *recipe = NULL;

	require_sandbox(world);
	recipe = evaluate_good(world, conf, NULL, true);
	assert_string_equal(recipe->modules[0].dest_name, "moved");
	assert_int_equal(recipe->name_count, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(recipe->names[i], names[i]);
	assert_int_equal(recipe->unknown_count, ARRAY_SIZE(unknown));
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_string_equal(recipe->unknown[i], unknown[i]);
	assert_string_equal(recipe->make, "second");
	assert_int_equal(recipe->patch_count, 1);
	assert_string_equal(recipe->patches[0], "b");
	assert_string_equal(recipe->scripts[RECIPE_PRE_BUILD], "./configure x86_64");
	assert_string_equal(recipe->depends[0], "spl");
	assert_string_equal(recipe->obsolete_by, "7.0");
}

static struct recipe_override make_override(const char *name, const char *contents)
{
	struct recipe_override override = { .name = name };

	assert_int_equal(text_append_string(&override.text, contents), 0);
	return override;
}

/* In the order given, in one shell, then the directives, whose text nobody evaluates. */
static void test_evaluation_with_overrides(void **state)
{
	static const char *const directives[] = { "MAKE=make $(touch x) \"'", "NEW_ONE=1",
						  "BUILT_MODULE_NAME=last" };
	static const char *const environment[] = { "FLAVOUR=vanilla", "parallel_jobs=9" };
	const struct world *world = *state;
	struct recipe_override overrides[] = {
		make_override("demo.conf", "STRIP=no\r\nPRE_BUILD=\"$PACKAGE_NAME $FLAVOUR\"\r\n"
					   "BUILT_MODULE_NAME=first\n break\n"),
		make_override("demo-0.1.conf",
			      "POST_BUILD=\"$BASH_SOURCE $PRE_BUILD\"\n"
			      "POST_ADD=$parallel_jobs\nBUILT_MODULE_NAME=second\n"),
	};
	struct recipe_request request = demo;
	cleanup_recipe struct recipe *recipe = NULL;
	cleanup_error struct error *error = NULL;
	struct digest digest;

	require_sandbox(world);
	request.overrides = overrides;
	request.override_count = ARRAY_SIZE(overrides);
	request.directives = directives;
	request.directive_count = ARRAY_SIZE(directives);
	request.environment = environment;
	request.environment_count = ARRAY_SIZE(environment);
	request.jobs = 4;
	if (evaluate_request(world, BASICS "set -euo pipefail; IFS=o; STRIP=yes\n", NULL, request,
			     &recipe, &error) < 0)
		fail_msg("%s", error_describe(error));
	assert_string_equal(recipe->make, "make $(touch x) \"'");
	assert_string_equal(recipe->modules[0].built_name, "last");
	assert_false(recipe->modules[0].strip);
	assert_string_equal(recipe->scripts[RECIPE_PRE_BUILD], "demo vanilla");
	assert_string_equal(recipe->scripts[RECIPE_POST_BUILD],
			    "/etc/dkms/demo-0.1.conf demo vanilla");
	assert_string_equal(recipe->scripts[RECIPE_POST_ADD], "9"); /* root's word */
	assert_int_equal(recipe->name_count, 3); /* also what the overrides' text names */
	assert_int_equal(recipe_overrides_digest(&request, &digest, NULL), 0);
	assert_true(digest_equal(&digest, &recipe->overrides));
	recipe = recipe_free(recipe);

	text_clear(&overrides[1].text);
	overrides[1] = make_override("demo-0.1.conf", "if true; then\n");
	assert_true(evaluate_request(world, BASICS, NULL, request, &recipe, &error) < 0);
	assert_says(1, error, "is not valid shell; bash said: /etc/dkms/demo-0.1.conf: line 2",
		    EXIT_BAD_CONF);
	error = error_free(error);
	/* Which of them it was that ended all. */
	assert_true(evaluate_request(world, BASICS "exit 0\n", NULL, request, &recipe, &error) < 0);
	assert_says(2, error, "/etc/dkms/demo-0.1.conf: it ended the shell before", EXIT_BAD_CONF);
	error = error_free(error);
	text_clear(&overrides[1].text);
	overrides[1] = make_override("demo-0.1.conf", "exit 0\n");
	assert_true(evaluate_request(world, BASICS, NULL, request, &recipe, &error) < 0);
	assert_says(3, error, ": /etc/dkms/demo-0.1.conf ended the shell before", EXIT_BAD_CONF);
	error = error_free(error);
	text_clear(&overrides[1].text);
	overrides[1] = make_override("demo-0.1.conf", "readonly MAKE=x\n");
	assert_true(evaluate_request(world, BASICS, NULL, request, &recipe, &error) < 0);
	assert_says(2, error, "MAKE: readonly variable", EXIT_BAD_CONF);
	assert_null(recipe);
	for (size_t i = 0; i < ARRAY_SIZE(overrides); i++)
		text_clear(&overrides[i].text);
}

static void test_evaluation_with_jobs_and_mounts(void **state)
{
	static const struct sandbox_mount mount = { .source = "/usr/share",
						    .target = "/var/lib/dkms/spl/2.0" };
	static const char conf[] = BASICS "MAKE=\"make ${parallel_jobs+-j$parallel_jobs}\"\n"
					  "POST_ADD=`find /var/lib/dkms/spl -maxdepth 1 -type d "
					  "-name '*.*' | sort | tail -1`\n";
	const struct world *world = *state;
	struct recipe_request request = demo;
	cleanup_recipe struct recipe *recipe = NULL;
	cleanup_error struct error *error = NULL;

	require_sandbox(world);
	request.jobs = 4;
	request.mounts = &mount;
	request.mount_count = 1;
	if (evaluate_request(world, conf, NULL, request, &recipe, &error) < 0)
		fail_msg("%s", error_describe(error));
	assert_string_equal(recipe->make, "make -j4");
	assert_string_equal(recipe->scripts[RECIPE_POST_ADD], "/var/lib/dkms/spl/2.0");
}

/* bash drops a NUL, in the file as in what a command prints; all other bytes are kept. */
static void test_evaluation_of_any_bytes(void **state)
{
	const struct world *world = *state;
	cleanup_recipe struct recipe *recipe = NULL;

	require_sandbox(world);
	recipe = evaluate_good(world,
			       BASICS "MAKE=$(printf 'a\\0b\\xff\\xc3\\x28\\033[2J')\n"
				      "BUILT_MODULE_NAME='' AUTOINSTALL=\n",
			       NULL, true);
	assert_string_equal(recipe->make, "ab\xff\xc3\x28\033[2J");
	assert_string_equal(recipe->modules[0].built_name, "demo");
}

static void test_names_are_checked_before_they_become_paths(void **state)
{
	const struct world *world = *state;
	static const char *const bad[] = { "=x", "A", "1A=x", "A[0]=x", "A-B=x", "" };
	static const struct recipe_override override = { .name = "../demo.conf" };
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
	request.kernel_release = RELEASE;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		request.directives = &bad[i];
		request.directive_count = 1;
		assert_int_equal(recipe_evaluate(&request, &recipe, NULL), -EINVAL);
	}
	request.directive_count = 0;
	request.overrides = &override;
	request.override_count = 1;
	assert_int_equal(recipe_evaluate(&request, &recipe, NULL), -EINVAL);
	assert_null(recipe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evaluation_of_the_demo),
		cmocka_unit_test(test_evaluation_is_real_shell),
		cmocka_unit_test(test_evaluation_tells_what_was_refused),
		cmocka_unit_test(test_evaluation_of_dos_line_ends),
		cmocka_unit_test(test_evaluation_of_an_unknown_package),
		cmocka_unit_test(test_hostile_files),
		cmocka_unit_test(test_evaluation_changes_nothing),
		cmocka_unit_test(test_evaluation_of_everything),
		cmocka_unit_test(test_evaluation_with_overrides),
		cmocka_unit_test(test_evaluation_with_jobs_and_mounts),
		cmocka_unit_test(test_evaluation_of_any_bytes),
		cmocka_unit_test(test_names_are_checked_before_they_become_paths),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
