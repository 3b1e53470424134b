/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client of kmodbox-checker, linked into the signer: starts it, bounds it in time, believes of
 * its answer only what a taken-over checker could say anyway. Never sees a byte of the module.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checker/checker.h"
#include "lib/base/memfd.h"
#include "lib/base/syscalls.h"

#define FIRST_FREE_FD 10 /* above every number of enum checker_fd */

static int64_t now_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In the child: puts each descriptor where the checker expects it and becomes the checker. */
static _Noreturn void become_checker(int checker_fd, const int (*fds)[2], size_t count)
{
	char *const argv[] = { (char[]){ "kmodbox-checker" }, NULL };
	char *const environment[] = { NULL };
	int sources[4];

	checker_fd = fcntl(checker_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	/* First out of the way, or one would overwrite another that is still needed. */
	for (size_t i = 0; i < count; i++) {
		sources[i] = fcntl(fds[i][0], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
		if (sources[i] < 0)
			_exit(127);
	}
	for (size_t i = 0; i < count; i++) {
		if (dup2(sources[i], fds[i][1]) < 0)
			_exit(127);
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
	    close_range(CHECKER_FACTS_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		(void)!sys_execve_fd(checker_fd, argv, environment);
	_exit(127);
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

static bool record_is_consistent(const struct text *record, struct checker_verdict *verdict)
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
	       verdict->errnum > 0 && verdict->errnum < 4096 && verdict->exports == 0;
}

/* Waits for its end, by force once the time is up: 0 where it exited with 0 by itself. */
static int reap(pid_t pid, int pid_fd, int64_t deadline, const char *name, struct error **error)
{
	int waited = wait_until(pid_fd, deadline), status = 0;

	if (waited < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set_errno(error, errno, "cannot wait for the checker of %s",
					       name);
	}
	if (waited < 0)
		return error_set(error, ETIMEDOUT,
				 "the checker of %s took too long; nothing is signed", name);
	if (WIFSIGNALED(status)) {
		const char *signal_name = sigabbrev_np(WTERMSIG(status));

		return error_set(error, EBADMSG,
				 "the checker of %s was killed by SIG%s; nothing is signed: the "
				 "module may be made to attack it",
				 name, signal_name ? signal_name : "?");
	}
	if (WEXITSTATUS(status) != 0)
		return error_set(error, EIO,
				 "the checker of %s could not run (status %d); nothing is signed",
				 name, WEXITSTATUS(status));
	return 0;
}

int checker_run(int checker_fd, int module_fd, int symvers_fd, const struct checker_facts *facts,
		unsigned milliseconds, struct checker_verdict *ret_verdict,
		struct text *ret_exports, struct error **error)
{
	cleanup_text struct text record = { 0 };
	int64_t deadline = now_milliseconds() + milliseconds;
	cleanup_close int facts_fd = -1, read_fd = -1, write_fd = -1, pid_fd = -1;
	struct checker_verdict verdict;
	int ends[2], r, read_result;
	pid_t pid;

	r = memfd_from_bytes("checker-facts", facts, sizeof(*facts), &facts_fd, error);
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "cannot make a pipe for the checker");
	read_fd = ends[0];
	write_fd = ends[1];
	pid = sys_clone3(CLONE_PIDFD, SIGCHLD, &pid_fd);
	if (pid < 0)
		return error_set_errno(error, -pid, "cannot start the checker");
	if (pid == 0) {
		const int fds[][2] = { { module_fd, CHECKER_MODULE_FD },
				       { symvers_fd, CHECKER_SYMVERS_FD },
				       { write_fd, CHECKER_RECORD_FD },
				       { facts_fd, CHECKER_FACTS_FD } };

		become_checker(checker_fd, fds, ARRAY_SIZE(fds));
	}
	write_fd = close_fd(write_fd);
	read_result = read_record(read_fd, deadline, &record);
	read_fd = close_fd(read_fd); /* who still writes gets SIGPIPE */
	r = reap(pid, pid_fd, read_result < 0 && read_result != -EBADMSG ? 0 : deadline,
		 facts->module_name, error);
	if (r < 0)
		return r;
	if (read_result < 0 || !record_is_consistent(&record, &verdict))
		return error_set(error, EBADMSG,
				 "the checker of %s gave no valid verdict; nothing is signed",
				 facts->module_name);
	if (ret_exports) {
		r = text_append(ret_exports, record.data + sizeof(verdict), verdict.exports);
		if (r < 0)
			return error_set(error, ENOMEM, "out of memory for a module's exports");
	}
	checker_verdict_sanitise(&verdict);
	*ret_verdict = verdict;
	return 0;
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
