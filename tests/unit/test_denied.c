/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refused calls in words, and their supervisor against real children behind a real filter. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/message.h"
#include "lib/base/syscalls.h"
#include "sandbox/denied.h"

static void says(int number, uint64_t first, uint64_t second, uint64_t third, const char *expected)
{
	const uint64_t arguments[CALL_ARGUMENTS] = { first, second, third };
	char words[CALL_WORDS];

	call_describe(number, arguments, words);
	assert_string_equal(words, expected);
}

static void test_words(void **state)
{
	(void)state;
	says(SYS_socket, AF_INET, SOCK_STREAM, 0, "socket AF_INET");
	says(SYS_socket, AF_VSOCK, SOCK_STREAM, 0, "socket AF_VSOCK");
	says(SYS_socket, 0xffff, SOCK_STREAM, 0, "socket");
	says(SYS_ptrace, PTRACE_ATTACH, 1, 0, "ptrace PTRACE_ATTACH");
	says(SYS_ioctl, 0, TIOCSTI, 0, "ioctl TIOCSTI");
	/* Only the low half counts, as in the kernel. */
	says(SYS_ioctl, 0, (UINT64_C(1) << 32) | TIOCSTI, 0, "ioctl TIOCSTI");
	says(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS, 0, 0, "unshare CLONE_NEWUSER");
	says(SYS_fchmod, 3, 04755, 0, "fchmod with S_ISUID");
	says(SYS_fchmod, 3, 0755, 0, "fchmod");
	says(SYS_mknodat, 0, 0, S_IFCHR | 0600, "mknodat S_IFCHR");
	says(SYS_mount, 0, 0, 0, "mount");
	says(999, 0, 0, 0, "system call 999");
	says(-1, 0, 0, 0, "system call -1");
}

/* In a child: from now on socket() is asked about, all else goes on. */
static int ask_about_socket(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_NAME, "attacker") < 0)
		return -1;
	return sys_seccomp_filter(SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* Asks that often for each family; ends with 0 where each answer was EPERM. */
static _Noreturn void attack(int socket_fd, unsigned times, const int *asked, size_t count)
{
	int listener = ask_about_socket();

	if (listener < 0 || message_send(socket_fd, 1, NULL, 0, &listener, 1, NULL) < 0)
		_exit(2);
	(void)close(listener);
	for (unsigned i = 0; i < times; i++)
		for (size_t k = 0; k < count; k++)
			if (socket(asked[k], SOCK_STREAM, 0) >= 0 || errno != EPERM)
				_exit(1);
	_exit(0);
}

struct supervised {
	struct denied *denied;
	pid_t child;
	unsigned pauses; /* how often the child was let wait */
};

static void start(struct supervised *supervised, unsigned times, const int *asked, size_t count)
{
	cleanup_message struct message message = { 0 };
	int pair[2];

	assert_int_equal(message_pair(pair, NULL), 0);
	supervised->child = fork();
	assert_true(supervised->child >= 0);
	if (supervised->child == 0)
		attack(pair[1], times, asked, count);
	assert_int_equal(close(pair[1]), 0);
	assert_int_equal(message_receive(pair[0], &message, NULL), 0);
	assert_int_equal(message.fd_count, 1);
	assert_int_equal(denied_new(TAKE_FD(message.fds[0]), &supervised->denied, NULL), 0);
	assert_int_equal(close(pair[0]), 0);
}

/* A clock of its own: a step of a millisecond each time round. Returns the child's status. */
static int supervise(struct supervised *supervised)
{
	struct pollfd ready = { .events = POLLIN };
	int timeout = 0;
	int status;

	for (uint64_t now = 0; ready.fd >= 0 || timeout < 100; now++) {
		timeout = 100;
		ready.fd = denied_poll_fd(supervised->denied, now, &timeout);
		supervised->pauses += timeout < 100;
		assert_true(poll(&ready, 1, ready.fd < 0 ? 0 : -1) >= 0);
		if (ready.fd >= 0)
			denied_serve(supervised->denied, now);
	}
	assert_int_equal(waitpid(supervised->child, &status, 0), supervised->child);
	return status;
}

static void test_refused_and_recorded(void **state)
{
	static const int asked[] = { AF_INET, AF_NETLINK };
	struct supervised supervised = { 0 };
	cleanup_text struct text summary = { 0 };
	const struct denied_calls *calls;

	(void)state;
	start(&supervised, 3, asked, ARRAY_SIZE(asked));
	assert_int_equal(supervise(&supervised), 0);
	calls = denied_calls(supervised.denied);
	assert_int_equal(calls->total, 6);
	assert_int_equal(calls->count, 2);
	assert_string_equal(calls->list[0].what, "socket AF_INET");
	assert_string_equal(calls->list[0].program, "attacker");
	assert_int_equal(calls->list[0].count, 3);
	assert_int_equal(denied_append_summary(calls, &summary), 0);
	assert_string_equal(summary.data, "socket AF_INET x3, socket AF_NETLINK x3");
	assert_int_equal(supervised.pauses, 0);
	assert_null(denied_free(supervised.denied));
}

static void test_flood_waits(void **state)
{
	static const int asked[] = { AF_INET };
	struct supervised supervised = { 0 };

	(void)state;
	start(&supervised, 1200, asked, ARRAY_SIZE(asked));
	assert_int_equal(supervise(&supervised), 0);
	assert_int_equal(denied_calls(supervised.denied)->total, 1200);
	assert_int_equal(denied_calls(supervised.denied)->count, 1);
	assert_true(supervised.pauses > 0);
	assert_null(denied_free(supervised.denied));
}

/* More kinds than the list has places. */
static void test_list_is_bounded(void **state)
{
	struct denied_calls calls = { .total = 100, .count = 2 };
	cleanup_text struct text summary = { 0 };

	(void)state;
	calls.list[0] = (struct denied_call){ .what = "mount", .program = "a", .count = 2 };
	calls.list[1] = (struct denied_call){ .what = "mount", .program = "b", .count = 3 };
	assert_int_equal(denied_append_summary(&calls, &summary), 0);
	assert_string_equal(summary.data, "mount x5, others x95");
}

/* Who is killed while he waits leaves nothing behind that would stop the others. */
static void test_killed_while_waiting(void **state)
{
	static const int asked[] = { AF_INET };
	struct supervised supervised = { 0 };

	(void)state;
	start(&supervised, 1, asked, ARRAY_SIZE(asked));
	assert_int_equal(kill(supervised.child, SIGKILL), 0);
	assert_int_equal(WTERMSIG(supervise(&supervised)), SIGKILL);
	assert_null(denied_free(supervised.denied));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_refused_and_recorded),
		cmocka_unit_test(test_flood_waits),
		cmocka_unit_test(test_list_is_bounded),
		cmocka_unit_test(test_killed_while_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
