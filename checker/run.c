/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client of kmodbox-checker: starts it, bounds it in time, believes of its answer only what a
 * taken-over reader could say anyway. Never sees a byte of the module.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checker/checker.h"
#include "lib/base/memfd.h"
#include "lib/base/message.h"
#include "lib/base/syscalls.h"

#define FIRST_FREE_FD 10 /* above every number of enum checker_fd */

static int64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child: puts each descriptor where the checker expects it and becomes the checker. */
static _Noreturn void become_checker(const struct checker *checker, int socket)
{
	const int fds[][2] = { { socket, CHECKER_SOCKET_FD },
			       { checker->symvers_fd, CHECKER_SYMVERS_FD } };
	char *const argv[] = { (char[]){ "kmodbox-checker" }, NULL };
	char *const environment[] = { NULL };
	int program_fd = fcntl(checker->program_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	int sources[ARRAY_SIZE(fds)];

	/* First out of the way, or one would overwrite another that is still needed. */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		sources[i] = fcntl(fds[i][0], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
		if (sources[i] < 0)
			_exit(127);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (dup2(sources[i], fds[i][1]) < 0)
			_exit(127);
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
	    close_range(CHECKER_SYMVERS_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		(void)!sys_execve_fd(program_fd, argv, environment);
	_exit(127);
}

static int start(struct checker *checker, struct error **error)
{
	int sockets[2];
	int r = message_pair(sockets, error);

	if (r < 0)
		return r;
	checker->pid = sys_clone3(CLONE_PIDFD, SIGCHLD, &checker->pid_fd);
	if (checker->pid == 0)
		become_checker(checker, sockets[1]);
	(void)close_fd(sockets[1]);
	checker->socket = sockets[0];
	if (checker->pid > 0)
		return 0;
	r = checker->pid;
	checker->pid = 0;
	checker_stop(checker);
	return error_set_errno(error, -r, "cannot start the checker");
}

/* Waits until fd is readable: 0, -ETIMEDOUT or -errno. */
static int wait_until(int fd, int64_t deadline)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - now_milliseconds();
		int r = poll(&poll_fd, 1, left > 0 ? (int)left : 0);

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

/* Reads all the checker says, to the end of the pipe: 0, -EBADMSG (too much), or -errno. */
static int read_record(int fd, int64_t deadline, struct text *record)
{
	for (;;) {
		int r = wait_until(fd, deadline);
		char bytes[4096];
		ssize_t n;

		if (r < 0)
			return r;
		n = read(fd, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		r = text_append(record, bytes, (size_t)n);
		if (r < 0)
			return r;
		if (record->length > sizeof(struct checker_verdict) + CHECKER_EXPORTS_MAXIMUM)
			return -EBADMSG;
	}
}

static bool record_is_consistent(const struct text *record, bool report,
				 struct checker_verdict *verdict)
{
	if (record->length < sizeof(*verdict))
		return false;
	memcpy(verdict, record->data, sizeof(*verdict));
	if (record->length - sizeof(*verdict) != verdict->exports)
		return false;
	if (verdict->outcome == CHECKER_WILL_LOAD)
		return verdict->errnum == 0;
	if (verdict->outcome == CHECKER_POLICY && verdict->errnum != EPERM)
		return false;
	return (verdict->outcome == CHECKER_WILL_NOT_LOAD || verdict->outcome == CHECKER_POLICY) &&
	       verdict->errnum > 0 && verdict->errnum < 4096 && (report || verdict->exports == 0);
}

/* How it ended that was to give a verdict: 0 where it exited with 0 by itself. */
static int judge(int status, const char *name, struct error **error)
{
	if (WIFSIGNALED(status)) {
		const char *signal_name = sigabbrev_np(WTERMSIG(status));

		return error_set(error, EBADMSG,
				 "the checker of %s was killed by SIG%s; nothing is signed: the "
				 "module may be made to attack it",
				 name, signal_name ? signal_name : "?");
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(error, EIO,
				 "the checker of %s could not run (status %d); nothing is signed",
				 name, WIFEXITED(status) ? WEXITSTATUS(status) : status);
	return 0;
}

static int too_long(const char *name, struct error **error)
{
	return error_set(error, ETIMEDOUT, "the checker of %s took too long; nothing is signed",
			 name);
}

static int no_verdict(const char *name, struct error **error)
{
	return error_set(error, EBADMSG,
			 "the checker of %s gave no valid verdict; nothing is signed", name);
}

/* The checker has hung up: why? */
static int judge_end(struct checker *checker, struct error **error)
{
	int status = 0, r;

	if (wait_until(checker->pid_fd, checker->deadline) < 0)
		return too_long(checker->name, error);
	while (waitpid(checker->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set_errno(error, errno, "cannot wait for the checker of %s",
					       checker->name);
	}
	checker->pid = 0;
	r = judge(status, checker->name, error);
	return r < 0 ? r : no_verdict(checker->name, error);
}

/* How the reader ended: 0, or 1 where it ran out of processor time. */
static int hear(struct checker *checker, struct error **error)
{
	cleanup_message struct message reply = { 0 };
	int32_t status;
	int r = wait_until(checker->socket, checker->deadline);

	if (r == -ETIMEDOUT)
		return too_long(checker->name, error);
	if (r == 0)
		r = message_receive(checker->socket, &reply, NULL);
	if (r == -EPIPE)
		return judge_end(checker, error);
	if (r < 0 || reply.type != MESSAGE_OK || reply.length != sizeof(status) ||
	    reply.fd_count != 0)
		return no_verdict(checker->name, error);
	memcpy(&status, reply.payload, sizeof(status));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return 1;
	return judge(status, checker->name, error);
}

/* It is a verdict, too: not the kernel's, but nobody needs such a module. */
static void object_to_time(struct checker_verdict *ret_verdict)
{
	*ret_verdict = (struct checker_verdict){
		.outcome = CHECKER_POLICY,
		.errnum = EPERM,
		.text = "policy: reading it takes more time than any module of its size is worth",
	};
}

int checker_ask(struct checker *checker, int module_fd, int symvers_fd,
		const struct checker_facts *facts, unsigned milliseconds, struct error **error)
{
	cleanup_close int write_fd = -1;
	int ends[2], r = checker->socket < 0 ? start(checker, error) : 0;

	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "cannot make a pipe for the checker");
	checker->record_fd = ends[0];
	write_fd = ends[1];
	checker->deadline = now_milliseconds() + milliseconds;
	checker->report = facts->purpose == CHECKER_REPORT;
	(void)snprintf(checker->name, sizeof(checker->name), "%s", facts->module_name);
	/* Where it has ended already, the answer tells why. */
	r = message_send(checker->socket, CHECKER_EXAMINE, facts, sizeof(*facts),
			 (const int[CHECKER_REQUEST_FDS]){ module_fd, symvers_fd, write_fd },
			 CHECKER_REQUEST_FDS, NULL);
	if (r == 0 || r == -EPIPE)
		return 0;
	checker_stop(checker);
	return error_set_errno(error, -r, "cannot ask the checker of %s", checker->name);
}

static int take_answer(struct checker *checker, struct checker_verdict *ret_verdict,
		       struct text *ret_exports, struct error **error)
{
	cleanup_text struct text record = { 0 };
	struct checker_verdict verdict;
	int read_result = read_record(checker->record_fd, checker->deadline, &record), r;

	checker->record_fd = close_fd(checker->record_fd); /* who still writes gets SIGPIPE */
	if (read_result == -ETIMEDOUT)
		return too_long(checker->name, error);
	r = hear(checker, error);
	if (r < 0)
		return r;
	if (r > 0) {
		object_to_time(ret_verdict);
		return 0;
	}
	if (read_result < 0 || !record_is_consistent(&record, checker->report, &verdict))
		return no_verdict(checker->name, error);
	checker_lines_sanitise(record.data + sizeof(verdict), verdict.exports);
	if (ret_exports) {
		r = text_append(ret_exports, record.data + sizeof(verdict), verdict.exports);
		if (r < 0)
			return error_set(error, ENOMEM, "out of memory for a module's exports");
	}
	checker_verdict_sanitise(&verdict);
	*ret_verdict = verdict;
	return 0;
}

int checker_answer(struct checker *checker, struct checker_verdict *ret_verdict,
		   struct text *ret_exports, struct error **error)
{
	int r = take_answer(checker, ret_verdict, ret_exports, error);

	/* Of what failed nothing is believed again; the next module gets a new one. */
	if (r < 0)
		checker_stop(checker);
	return r;
}

void checker_stop(struct checker *checker)
{
	if (checker->pid > 0) {
		(void)kill(checker->pid, SIGKILL);
		while (waitpid(checker->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	checker->pid = 0;
	checker->socket = close_fd(checker->socket);
	checker->pid_fd = close_fd(checker->pid_fd);
	checker->record_fd = close_fd(checker->record_fd);
}

int checker_run(int checker_fd, int module_fd, int symvers_fd, const struct checker_facts *facts,
		unsigned milliseconds, struct checker_verdict *ret_verdict,
		struct text *ret_exports, struct error **error)
{
	cleanup_close int empty_fd = -1;
	int r = memfd_from_bytes("symvers", "", 0, &empty_fd, error);
	cleanup_checker struct checker checker = CHECKER_INITIAL(checker_fd, empty_fd);

	if (r == 0)
		r = checker_ask(&checker, module_fd, symvers_fd, facts, milliseconds, error);
	return r < 0 ? r : checker_answer(&checker, ret_verdict, ret_exports, error);
}

int checker_run_reference(int checker_fd, int module_fd, const char *release,
			  const char *architecture, struct checker_verdict *ret_verdict,
			  struct error **error)
{
	cleanup_close int symvers_fd = -1;
	struct checker_facts facts = { 0 };
	/* Of the configuration nothing counts here. */
	int r = checker_facts_from_config("", 0, release, architecture, "reference", &facts, error);

	facts.purpose = CHECKER_REFERENCE;
	if (r == 0)
		r = memfd_from_bytes("symvers", "", 0, &symvers_fd, error);
	return r < 0 ? r
		     : checker_run(checker_fd, module_fd, symvers_fd, &facts, CHECKER_MILLISECONDS,
				   ret_verdict, NULL, error);
}
