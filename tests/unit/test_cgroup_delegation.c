/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The place for cgroups of sandboxes, on the host's real hierarchy: made, used by root and by an
 * ordinary user, removed, and swept where its maker was killed; what is not ours stays. Controllers
 * are what the host has; what needs some is in test_sandbox_cgroup.c.
 */
#include "tests/unit/sandbox_fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "orchestrator/cgroup_delegation.h"
#include "tests/unit/cgroup_place.h"

#define ORDINARY 65534u

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
	if (!no_place && geteuid() == 0)
		return;
	print_message("%s\n", no_place ? no_place : "only root can make a subtree");
	skip();
}

static struct cgroup_delegation in_place(bool inside)
{
	struct cgroup_delegation delegation = CGROUP_DELEGATION_NONE;

	delegation.base_fd = openat(place.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	delegation.inside = inside;
	return delegation;
}

/* 0, or what was not as it should be: children use it, which must not run the tests after it. */
static int use(const struct cgroup_delegation *delegation, struct sandbox_spec spec)
{
	static const char *const argv[] = { "/bin/true", NULL };
	cleanup_error struct error *error = NULL;
	struct sandbox_result result;

	spec.argv = argv;
	spec.cgroup_fd = delegation->fd;
	if (delegation->fd < 0)
		return 1;
	if (sandbox_run(&spec, &result, &error) < 0) {
		cleanup_free char *text = error_describe(error);

		print_error("%s\n", text);
		return 2;
	}
	if (result.end != SANDBOX_EXITED || result.status != 0)
		return 3;
	sandbox_result_clear(&result);
	return cgroup_place_count(delegation->fd, "sandbox-", NULL) == 0 ? 0 : 4;
}

static int outcome(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void become_ordinary(void)
{
	if (setresgid(ORDINARY, ORDINARY, ORDINARY) < 0 ||
	    setresuid(ORDINARY, ORDINARY, ORDINARY) < 0)
		_exit(20);
}

/* As `kmodbox build` by root: the part that has no privilege is in there, root removes it. */
static void test_for_other_uid(void **state)
{
	struct cgroup_delegation delegation;
	pid_t pid;

	(void)state;
	need_place();
	delegation = in_place(false);
	cgroup_delegation_begin(&delegation, ORDINARY);
	assert_true(delegation.fd >= 0);
	assert_null(strstr(delegation.name, "-0"));
	pid = fork();
	if (pid == 0) {
		struct sandbox_spec spec = fixture.spec;

		if (cgroup_delegation_enter(&delegation) < 0)
			_exit(21);
		become_ordinary();
		spec.slot = SLOT_NONE;
		_exit(use(&delegation, spec));
	}
	assert_int_equal(outcome(pid), 0);
	assert_int_equal(cgroup_place_count(place.fd, "kmodbox-", NULL), 1);
	cgroup_delegation_end(&delegation);
	assert_int_equal(cgroup_place_count(place.fd, "", NULL), 0);
}

static int give_up_root(void *context, struct error **error)
{
	(void)context;
	(void)error;
	return setresgid(ORDINARY, ORDINARY, ORDINARY) < 0 ||
			       setresuid(ORDINARY, ORDINARY, ORDINARY) < 0
		       ? -errno
		       : 0;
}

/* As `kmodbox sandbox` by root, with a slot and without: root is gone at the end, the place too. */
static void test_kept(void **state)
{
	(void)state;
	need_place();
	for (int with_slot = 0; with_slot < 2; with_slot++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct sandbox_spec spec = fixture.spec;
			struct cgroup_delegation delegation = in_place(false);
			int r;

			if (!with_slot)
				spec.slot = SLOT_NONE;
			spec.alone_uid = FIXTURE_SLOT_UID;
			spec.give_up_root = give_up_root;
			cgroup_delegation_begin(&delegation, ORDINARY);
			cgroup_delegation_keep(&delegation);
			r = use(&delegation, spec);
			cgroup_delegation_end(&delegation);
			_exit(r ? r : geteuid() == 0 ? 22 : 0);
		}
		assert_int_equal(outcome(pid), 0);
		assert_int_equal(cgroup_place_count(place.fd, "", NULL), 0);
	}
}

/* As under systemd-run --scope: alone in what he owns, he moves in, and back. */
static void test_inside(void **state)
{
	static const char *const files[] = { ".", "cgroup.procs", "cgroup.subtree_control" };
	pid_t pid;

	(void)state;
	need_place();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		assert_int_equal(fchownat(place.fd, files[i], ORDINARY, ORDINARY, 0), 0);
	ignore_result(cgroup_write(place.fd, "cgroup.subtree_control", "-memory -pids -cpu"));
	pid = fork();
	if (pid == 0) {
		struct sandbox_spec spec = fixture.spec;
		struct cgroup_delegation delegation;
		int r;

		if (cgroup_write(place.fd, "cgroup.procs", "0") < 0)
			_exit(23);
		become_ordinary();
		spec.slot = SLOT_NONE;
		delegation = in_place(true);
		cgroup_delegation_begin(&delegation, ORDINARY);
		r = use(&delegation, spec);
		cgroup_delegation_end(&delegation);
		_exit(r ? r : cgroup_place_count(place.fd, "", NULL) ? 24 : 0);
	}
	assert_int_equal(outcome(pid), 0);
	assert_int_equal(cgroup_place_count(place.fd, "", NULL), 0);
}

/* Its maker is killed while something is in there; the next one ends both, and nothing else. */
static void test_swept(void **state)
{
	static const char *const others[] = { "kmodbox-1", "kmodbox-1-0x", "other-1-1" };
	struct cgroup_delegation living;
	int ready[2];
	pid_t pid, sleeper = 0;

	(void)state;
	need_place();
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	/* Orphans come to us. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	pid = fork();
	if (pid == 0) {
		struct cgroup_delegation delegation = in_place(false);
		char name[CGROUP_NAME];
		int fd = -1;

		cgroup_delegation_begin(&delegation, 0);
		if (cgroup_make(delegation.fd, "sandbox", name, &fd) < 0)
			_exit(25);
		sleeper = cgroup_fork(fd, 0, SIGCHLD, NULL);
		if (sleeper == 0) {
			/* What a payload holds: not the lock. */
			(void)close_fd(delegation.fd);
			(void)alarm(30);
			ignore_result(write(ready[1], &(pid_t){ getpid() }, sizeof(pid_t)));
			for (;;)
				(void)pause();
		}
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(ready[0], &sleeper, sizeof(sleeper)), sizeof(sleeper));
	living = in_place(false);
	cgroup_delegation_begin(&living, 0);
	assert_int_equal(cgroup_place_count(place.fd, "kmodbox-", NULL), 2);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(mkdirat(place.fd, others[i], 0755), 0);
	cgroup_delegation_sweep(place.fd);
	assert_int_equal(waitpid(sleeper, NULL, 0), sleeper);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(unlinkat(place.fd, others[i], AT_REMOVEDIR), 0);
	/* The living one. */
	assert_int_equal(cgroup_place_count(place.fd, "", NULL), 1);
	cgroup_delegation_end(&living);
	assert_int_equal(cgroup_place_count(place.fd, "", NULL), 0);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

/* Either there is a place, or a reason why there is none. */
static void test_found(void **state)
{
	struct cgroup_delegation found = cgroup_delegation_find();

	(void)state;
	assert_int_equal(found.base_fd < 0, found.absent_because != NULL);
	assert_int_equal(found.fd, -1);
	cgroup_delegation_end(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_for_other_uid), cmocka_unit_test(test_kept),
		cmocka_unit_test(test_inside),	      cmocka_unit_test(test_swept),
		cmocka_unit_test(test_found),
	};

	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
