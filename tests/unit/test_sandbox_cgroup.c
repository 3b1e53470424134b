/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sandbox in a cgroup of its own, on the host's real hierarchy: it is in there, nothing of it is
 * left, an ordinary user can have one; and where there are controllers, their limits are the ones
 * that are hit. What is written into limits is looked at in a plain directory that stands in.
 */
#include "tests/unit/sandbox_fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "sandbox/cgroup_limits.h"
#include "tests/unit/cgroup_place.h"

#define ORDINARY 65534u
#define MEBIBYTE (UINT64_C(1) << 20)
#define NO_CONTROLLER "the host's hierarchy of version 2 has no controller for it"

static struct sandbox_fixture fixture;
static struct cgroup_place place;
static const char *no_place;

static int open_fixture(void **state)
{
	(void)state;
	no_place = cgroup_place_open(&place);
	return fixture_set_up(&fixture);
}

static int close_fixture(void **state)
{
	(void)state;
	sandbox_fixture_close(&fixture);
	return cgroup_place_close(&place);
}

static void need_place(void)
{
	if (!no_place)
		return;
	print_message("%s\n", no_place);
	skip();
}

static void need_controller(const char *name)
{
	char all[256] = "";
	cleanup_close int fd = -1;

	need_place();
	fd = openat(place.fd, "cgroup.subtree_control", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, all, sizeof(all) - 1) > 0 && strstr(all, name))
		return;
	print_message("%s: " NO_CONTROLLER "\n", name);
	skip();
}

/* ---- what is written, into a directory that stands in for a cgroup */

static void expect_written(int fd, const char *file, const char *expected)
{
	cleanup_text struct text text = { 0 };

	assert_int_equal(read_file(fd, file, 100, &text, NULL), 0);
	assert_string_equal(text.data ? text.data : "", expected);
}

static void test_written_to_stand_in(void **state)
{
	static const char *const files[] = { "memory.max", "memory.swap.max", "memory.oom.group",
					     "pids.max", "cpu.max" };
	const struct sandbox_limits limits = { .total_memory_bytes = 300 * MEBIBYTE,
					       .processes = 20,
					       .processors = 3 };
	char path[] = "/tmp/kmodbox-cgroup-XXXXXX";
	cleanup_close int fd = -1;
	unsigned held = 99;

	(void)state;
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(cgroup_limits_write(fd, &limits, &held, NULL), 0);
	assert_int_equal(held, 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(close(openat(fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600)),
				 0);
	assert_int_equal(cgroup_limits_write(fd, &limits, &held, NULL), 0);
	assert_int_equal(held,
			 CGROUP_HOLDS_MEMORY | CGROUP_HOLDS_PROCESSES | CGROUP_HOLDS_PROCESSORS);
	expect_written(fd, "memory.max", "314572800");
	expect_written(fd, "memory.swap.max", "0");
	expect_written(fd, "memory.oom.group", "1");
	expect_written(fd, "pids.max", "21");
	expect_written(fd, "cpu.max", "300000 100000");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(unlinkat(fd, files[i], 0), 0);
	assert_int_equal(rmdir(path), 0);
}

/* ---- entering and leaving, for real */

struct seen {
	int place_fd;
	unsigned cgroups;
	bool populated;
};

/* When the payload speaks, it is in there. */
static void look(void *context, const void *bytes, size_t length)
{
	struct seen *seen = context;

	(void)bytes;
	(void)length;
	seen->cgroups = cgroup_place_count(seen->place_fd, "sandbox-", &seen->populated);
}

/* 0, or what was not as it should be: also for a child, which must not run the tests after it. */
static int run_in_place(struct sandbox_spec *spec)
{
	/* It is still there while it is looked at. */
	static const char *const argv[] = { "/bin/sh", "-c", "echo here; sleep 0.5", NULL };
	struct seen seen = { .place_fd = place.fd };
	cleanup_error struct error *error = NULL;
	struct sandbox_result result;
	int r = 0;

	spec->cgroup_fd = place.fd;
	spec->argv = argv;
	spec->output = look;
	spec->output_context = &seen;
	if (sandbox_run(spec, &result, &error) < 0) {
		cleanup_free char *text = error_describe(error);

		print_error("%s\n", text);
		return 1;
	}
	if (result.end != SANDBOX_EXITED || result.status != 0)
		r = 2;
	else if (seen.cgroups != 1)
		r = 3;
	else if (!seen.populated)
		r = 4;
	sandbox_result_clear(&result);
	return r;
}

static void test_entered(void **state)
{
	struct sandbox_spec spec = fixture.spec;

	(void)state;
	need_place();
	assert_int_equal(run_in_place(&spec), 0);
	assert_int_equal(cgroup_place_count(place.fd, "", NULL), 0);
}

/* The top of what the payload may know of is its own. */
static void test_namespace(void **state)
{
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;

	(void)state;
	need_place();
	spec.cgroup_fd = place.fd;
	result = fixture_run(&fixture, "grep ^0:: /proc/self/cgroup || echo none", &spec);
	if (strcmp(fixture_output(&fixture), "none\n") != 0)
		assert_string_equal(fixture_output(&fixture), "0::/\n");
	sandbox_result_clear(&result);
}

/* As above, as who owns a subtree and nothing else; without a slot. */
static int be_ordinary(void)
{
	struct sandbox_spec spec = fixture.spec;
	cleanup_close int main_fd = -1;
	int r;

	if (mkdirat(place.fd, "main", 0755) < 0 ||
	    fchownat(place.fd, ".", ORDINARY, ORDINARY, 0) < 0 ||
	    fchownat(place.fd, "cgroup.procs", ORDINARY, ORDINARY, 0) < 0)
		return 10;
	main_fd = openat(place.fd, "main", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup_write(main_fd, "cgroup.procs", "0") < 0 ||
	    setresgid(ORDINARY, ORDINARY, ORDINARY) < 0 ||
	    setresuid(ORDINARY, ORDINARY, ORDINARY) < 0)
		return 11;
	spec.slot = SLOT_NONE;
	r = run_in_place(&spec);
	if (r != 0)
		return r;
	return cgroup_place_count(place.fd, "", NULL) == 1 ? 0 : 12; /* main */
}

static void test_ordinary_user(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	need_place();
	if (geteuid() != 0) {
		print_message("only root can give a subtree away\n");
		skip();
	}
	pid = fork();
	if (pid == 0)
		_exit(be_ordinary());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(unlinkat(place.fd, "main", AT_REMOVEDIR), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Two that ignore what can be ignored, one of them in a cgroup further down. */
static void test_killed(void **state)
{
	cleanup_close int fd = -1, below_fd = -1;
	char name[CGROUP_NAME], below[CGROUP_NAME];
	pid_t pids[2];

	(void)state;
	need_place();
	assert_int_equal(cgroup_make(place.fd, "sandbox", name, &fd), 0);
	assert_int_equal(cgroup_make(fd, "below", below, &below_fd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = cgroup_fork(i == 0 ? fd : below_fd, 0, SIGCHLD, NULL);
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			/* Where the test fails, too. */
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)sigaction(SIGTERM, &(struct sigaction){ .sa_handler = SIG_IGN },
					NULL);
			for (;;)
				(void)pause();
		}
	}
	assert_int_equal(cgroup_read(fd, "cgroup.events", "populated"), 1);
	assert_int_not_equal(unlinkat(place.fd, name, AT_REMOVEDIR), 0);
	assert_int_equal(cgroup_kill(fd, -1), 0);
	assert_int_equal(cgroup_read(fd, "cgroup.events", "populated"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		int status = 0;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	assert_int_equal(unlinkat(fd, below, AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(place.fd, name, AT_REMOVEDIR), 0);
}

/* ---- the layer */

static void expect_layer(const struct sandbox_spec *spec, const char *absent_because)
{
	struct sandbox_result result = fixture_run(&fixture, "true", spec);
	bool found = false;

	for (size_t i = 0; i < result.layer_count; i++) {
		if (strcmp(result.layers[i].name, "cgroup") != 0)
			continue;
		found = true;
		assert_int_equal(result.layers[i].active, !absent_because);
		if (absent_because)
			assert_non_null(strstr(result.layers[i].absent_because, absent_because));
	}
	assert_true(found);
	sandbox_result_clear(&result);
}

static void test_absent(void **state)
{
	static const char *const argv[] = { "/bin/true", NULL };
	struct sandbox_spec spec = fixture.spec;
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct sandbox_result result;

	(void)state;
	expect_layer(&spec, "nobody delegated a cgroup");
	spec.cgroup_absent_because = "it is Monday";
	expect_layer(&spec, "it is Monday");
	spec.optional &= ~(unsigned)SANDBOX_OPTIONAL_CGROUP;
	spec.argv = argv;
	assert_true(sandbox_run(&spec, &result, &error) < 0);
	assert_int_equal(error_code(error), SANDBOX_EXIT_CODE);
	text = error_describe(error);
	assert_non_null(text);
	assert_non_null(strstr(text, "it is Monday"));
	assert_non_null(strstr(text, "Delegate=yes"));
}

static void test_present(void **state)
{
	struct sandbox_spec spec = fixture.spec;

	(void)state;
	need_controller("memory");
	need_controller("pids");
	spec.cgroup_fd = place.fd;
	spec.optional &= ~(unsigned)SANDBOX_OPTIONAL_CGROUP;
	expect_layer(&spec, NULL);
}

/* A plain directory is none, whoever says so. */
static void test_no_cgroup(void **state)
{
	static const char *const argv[] = { "/bin/true", NULL };
	cleanup_close int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sandbox_spec spec = fixture.spec;
	cleanup_error struct error *error = NULL;
	struct sandbox_result result;

	(void)state;
	spec.cgroup_fd = fd;
	spec.argv = argv;
	assert_int_equal(sandbox_run(&spec, &result, &error), -EINVAL);
}

/* ---- limits, where there are controllers */

static void expect_limit(const char *script, struct sandbox_limits limits, const char *words)
{
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;

	spec.cgroup_fd = place.fd;
	spec.limits = limits;
	result = fixture_run(&fixture, script, &spec);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_string_equal(result.limit, words);
	sandbox_result_clear(&result);
	spec.limits = (struct sandbox_limits){ 0 };
	result = fixture_run(&fixture, script, &spec);
	assert_int_equal(result.end, SANDBOX_EXITED);
	assert_int_equal(result.status, 0);
	sandbox_result_clear(&result);
	assert_int_equal(cgroup_place_count(place.fd, "", NULL), 0);
}

static void test_memory(void **state)
{
	(void)state;
	need_controller("memory");
	expect_limit("for i in 1 2 3; do perl -e '$x = \"x\"; $x x= 104857600; sleep 1' & done; "
		     "wait",
		     (struct sandbox_limits){ .total_memory_bytes = 200 * MEBIBYTE },
		     "memory of all processes (200 MiB)");
}

static void test_processes(void **state)
{
	(void)state;
	need_controller("pids");
	expect_limit("exec perl -e 'for (1 .. 40) { my $pid = fork; exit 1 if !defined $pid;"
		     " if (!$pid) { sleep 1; exit } }'",
		     (struct sandbox_limits){ .processes = 20 }, "processes (20)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_to_stand_in),
		cmocka_unit_test(test_entered),
		cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_ordinary_user),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_present),
		cmocka_unit_test(test_no_cgroup),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_processes),
	};

	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
