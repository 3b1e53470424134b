/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layers that a host does not give: an error with its remedy, unless the description names them
 * optional; then the result says that they are absent. The host is made in a child: by mounts, or
 * by seccomp filters, of which the kernel takes one with a supervisor and any number without
 * (seccomp(2)).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/sandbox_fixture.h"

#define TAKEN 0
#define REFUSED 1
#define OTHERWISE 2

/* Answers action where the call is asked for, without a look at the architecture: for tests. */
static int install_filter(long call, uint32_t action, unsigned flags)
{
	struct sock_filter instructions[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { ARRAY_SIZE(instructions), instructions };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static int without_landlock(void)
{
	return install_filter(SYS_landlock_create_ruleset, SECCOMP_RET_ERRNO | ENOSYS, 0);
}

/* The listener stays open; nobody asks for this call. */
static int supervised(void)
{
	return install_filter(SYS_reboot, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static bool write_line(const char *path, const char *line)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write_all(fd, line, strlen(line)) == 0;
}

/* As containers have it. An ordinary user mounts in a namespace of his own, in which he stays it.
 */
static int read_only_sysctls(void)
{
	const unsigned uid = geteuid(), gid = getegid();
	char uid_map[32], gid_map[32];

	(void)snprintf(uid_map, sizeof(uid_map), "%u %u 1", uid, uid);
	(void)snprintf(gid_map, sizeof(gid_map), "%u %u 1", gid, gid);
	if (unshare(CLONE_NEWNS | (uid == 0 ? 0 : CLONE_NEWUSER)) < 0)
		return -1;
	if (uid != 0 && (!write_line("/proc/self/setgroups", "deny") ||
			 !write_line("/proc/self/uid_map", uid_map) ||
			 !write_line("/proc/self/gid_map", gid_map)))
		return -1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL) < 0)
		return -1;
	return mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
}

static bool is_absent(const struct sandbox_result *result, const char *name)
{
	for (size_t i = 0; i < result->layer_count; i++)
		if (string_equal(result->layers[i].name, name))
			return !result->layers[i].active && result->layers[i].absent_because;
	return false;
}

static bool says_all(struct error *error, const char *const *words)
{
	cleanup_free char *text = error_describe(error);

	for (; *words; words++)
		if (!text || !strstr(text, *words)) {
			(void)fprintf(stderr, "no '%s' in: %s\n", *words, text ? text : "nothing");
			return false;
		}
	return error_code(error) == SANDBOX_EXIT_CODE;
}

/* In a child: on that host, with these layers optional. */
static int try_on(int (*host)(void), unsigned optional, const char *layer, const char *remedy)
{
	static const char *const argv[] = { "/bin/true", NULL };
	const char *const words[] = { layer, "does not name it optional", remedy, NULL };
	cleanup_error struct error *error = NULL;
	struct sandbox_result result = { 0 };
	struct sandbox_fixture fixture;
	struct sandbox_spec spec;

	if (sandbox_fixture_open(&fixture, &error) < 0 || host() < 0)
		return OTHERWISE;
	spec = fixture.spec;
	spec.argv = argv;
	spec.optional = optional;
	if (sandbox_run(&spec, &result, &error) < 0)
		return says_all(error, words) ? REFUSED : OTHERWISE;
	return is_absent(&result, layer) && result.end == SANDBOX_EXITED && result.status == 0
		       ? TAKEN
		       : OTHERWISE;
}

static void expect(int (*host)(void), unsigned optional, const char *layer, const char *remedy,
		   int outcome)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try_on(host, optional, layer, remedy));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), outcome);
}

static void test_landlock(void **state)
{
	const unsigned others = SANDBOX_OPTIONAL_ALL & ~(unsigned)SANDBOX_OPTIONAL_LANDLOCK;

	(void)state;
	expect(without_landlock, others, "landlock", "CONFIG_SECURITY_LANDLOCK", REFUSED);
	expect(without_landlock, SANDBOX_OPTIONAL_LANDLOCK | others, "landlock", "", TAKEN);
}

static void test_supervisor(void **state)
{
	const unsigned others = SANDBOX_OPTIONAL_ALL & ~(unsigned)SANDBOX_OPTIONAL_DENIED;

	(void)state;
	expect(supervised, others, "refused calls are seen", "outside of the sandbox", REFUSED);
	expect(supervised, SANDBOX_OPTIONAL_DENIED | others, "refused calls are seen", "", TAKEN);
}

static void test_nesting(void **state)
{
	static const char layer[] = "no nested user namespaces";
	const unsigned others = SANDBOX_OPTIONAL_ALL & ~(unsigned)SANDBOX_OPTIONAL_NESTING;

	(void)state;
	expect(read_only_sysctls, others, layer, "/proc/sys/user cannot be written to", REFUSED);
	expect(read_only_sysctls, SANDBOX_OPTIONAL_NESTING | others, layer, "", TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_landlock),
		cmocka_unit_test(test_supervisor),
		cmocka_unit_test(test_nesting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
