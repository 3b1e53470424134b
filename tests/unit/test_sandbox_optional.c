/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layers that a host does not give: an error with its remedy, unless the description names them
 * optional; then the result says that they are absent. The host is made by seccomp filters in a
 * child, of which the kernel takes one with a supervisor and any number without (seccomp(2)).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_landlock),
		cmocka_unit_test(test_supervisor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
