/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who kills a set-up, see killed.h. */
#include "sandbox/killed.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "sandbox/remedy.h"

int killed_explain(int signal, const char *what, struct error **error)
{
	if (signal != SIGSYS)
		return error_set(error, EIO, "%s: its set-up was killed by SIG%s", what,
				 signal > 0 ? sigabbrev_np(signal) : "KILL");
	return error_refuse(error, REMEDY_STEP, EPERM,
			    "%s: a system call filter of this host kills who asks for it", what);
}

static void ask_for_namespaces(void)
{
	pid_t pid = sys_clone3(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, SIGCHLD, NULL);

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

static void ask_for_pidfd(void)
{
	const int fd = pidfd_open(getpid(), 0);

	if (fd >= 0)
		(void)pidfd_send_signal(fd, 0, NULL, 0);
}

static void ask_for_supervision(void)
{
	struct seccomp_notif_sizes sizes;

	ignore_result(sys_seccomp_notification_sizes(&sizes));
}

static void ask_for_mounts(void)
{
	struct mount_attr nothing = { 0 };

	if (unshare(CLONE_NEWNS) == 0)
		(void)mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL);
	(void)open_tree(-1, "", AT_EMPTY_PATH);
	(void)mount_setattr(-1, "", AT_EMPTY_PATH, &nothing, sizeof(nothing));
	(void)move_mount(-1, "", -1, "", MOVE_MOUNT_F_EMPTY_PATH);
}

static void ask_for_landlock(void)
{
	ignore_result(sys_landlock_abi());
}

static void ask_to_open(void)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC };

	ignore_result(sys_openat2(AT_FDCWD, "/", &how));
}

static const struct {
	enum killed_call call;
	const char *name;
	void (*ask)(void);
} calls[] = {
	{ KILLED_OPEN, "openat2", ask_to_open },
	{ KILLED_LANDLOCK, "landlock", ask_for_landlock },
	{ KILLED_MOUNTS, "private mounts", ask_for_mounts },
	{ KILLED_NAMESPACES, "user namespace", ask_for_namespaces },
	{ KILLED_PIDFD, "pidfd_open", ask_for_pidfd },
	{ KILLED_SECCOMP, "seccomp", ask_for_supervision },
};

int killed_try(unsigned wanted, struct error **error)
{
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != SECCOMP_MODE_FILTER)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int status = 0;
		pid_t pid = wanted & calls[i].call ? fork() : -1;

		if (pid == 0) {
			calls[i].ask();
			_exit(0);
		}
		if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
			return killed_explain(WTERMSIG(status), calls[i].name, error);
	}
	return 0;
}
