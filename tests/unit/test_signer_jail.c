/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the signer can still do once it is locked down, each call tried before as well. */
#include "tests/unit/signer_support.h"

#include <sched.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include "lib/base/memfd.h"
#include "signer/jail.h"

static bool can_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd >= 0 && close(fd) == 0;
}

static bool can_write_file(void)
{
	int fd = openat(AT_FDCWD, "/dev/null", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && close(fd) == 0;
}

static bool can_execve(void)
{
	/* A program that is not there: only the refusal's reason differs. */
	(void)execve("/nonexistent", (char *[]){ NULL }, (char *[]){ NULL });
	return errno == ENOENT;
}

static bool can_unlink(void)
{
	return unlinkat(AT_FDCWD, "/nonexistent/file", 0) < 0 && errno == ENOENT;
}

static bool can_unshare(void)
{
	return unshare(CLONE_FILES) == 0;
}

static bool can_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, 0, NULL, NULL) < 0 && errno == ESRCH;
}

static bool can_chmod(void)
{
	return fchmodat(AT_FDCWD, "/nonexistent/file", 0777, 0) < 0 && errno == ENOENT;
}

static bool (*const denied[])(void) = { can_socket,  can_write_file, can_execve, can_unlink,
					can_unshare, can_ptrace,     can_chmod };

static bool capabilities_are_gone(void)
{
	cap_t now = cap_get_proc(), none = cap_init();
	bool gone = now && none && cap_compare(now, none) == 0;

	(void)cap_free(now);
	(void)cap_free(none);
	return gone;
}

/* The child's findings: 0, or 10 + what was possible, or another number for another fault. */
static int enter_and_try(uid_t uid)
{
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		if (!denied[i]())
			return 40 + (int)i; /* the control: outside of the jail it works */
	if (jail_prepare(NULL) < 0 || jail_enter(uid, NULL) < 0)
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		if (denied[i]())
			return 10 + (int)i;
	if (!capabilities_are_gone() || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 3;
	/* What it needs works on. */
	if (memfd_from_bytes("x", "x", 1, &fd, NULL) < 0)
		return 4;
	return 0;
}

static void check(uid_t uid)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(enter_and_try(uid));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_as_we_are(void **state)
{
	(void)state;
	check(0);
}

static void test_from_root(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody else\n");
		skip();
	}
	check(65534);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_we_are),
		cmocka_unit_test(test_from_root),
	};

	return cmocka_run_group_tests_name("signer_jail", tests, NULL, NULL);
}
