/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How pid 1 of a sandbox comes to be, in namespaces of its own, as the slot's uid: by a helper that
 * joins the slot, or, without a slot, all at once. Afterwards it goes on in steps.c.
 */
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/base/cgroup.h"
#include "lib/base/syscalls.h"
#include "sandbox/disk.h"
#include "sandbox/remedy.h"
#include "sandbox/setup.h"

/* Of all sandboxes; user and network come with the slot, or beside them (network.h). */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

/* What the caller ignores would be ignored by the payload too, across exec. */
static void reset_signals(void)
{
	for (int number = 1; number < NSIG; number++)
		(void)sigaction(number, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

static _Noreturn void fail(struct setup *setup, enum remedy_part part, struct error *error)
{
	error_set_code(error, (int)part);
	setup_fail(setup, error);
}

/* ---- in a slot */

/* The parent's end of the lifeline: only he may hold it, or it would never break. */
struct help {
	const struct setup *setup;
	int lifeline_fd;
};

static int help(void *argument)
{
	const struct help *help = argument;
	/* Its own: it may still share the parent's memory. */
	struct setup setup = *help->setup;
	cleanup_error struct error *error = NULL;
	int32_t message;
	pid_t pid;
	int r;

	(void)close_fd(help->lifeline_fd);
	reset_signals();
	if (slot_join(setup.slot.userns_fd, &error) < 0)
		fail(&setup, REMEDY_STEP, error);
	/* The page is there from now on: the kernel does not write if it would have to wait. */
	setup.shared->init = 0;
	/* CLONE_PARENT: pid 1 is the caller's own child, who can wait for it and hold its pidfd. */
	pid = sys_clone3(CLONE_PARENT | CLONE_PARENT_SETTID | NAMESPACES, 0, &setup.shared->init);
	if (pid == 0)
		setup_init(&setup);
	if (pid < 0) {
		(void)error_set_errno(&error, -pid, "namespaces (mount, pid, ipc, uts, cgroup)");
		fail(&setup, REMEDY_NAMESPACES, error);
	}
	message = pid;
	r = message_send(setup.control_fd, SETUP_PID, &message, sizeof(message), NULL, 0, &error);
	if (r == 0 && setup.disk)
		disk_watch(&setup);
	_exit(r < 0 ? 127 : 0);
}

pid_t start_in_slot(struct setup *setup, int lifeline_fd)
{
	struct help argument = { .setup = setup, .lifeline_fd = lifeline_fd };
	pid_t pid;

	if (!setup->disk && setup->cgroup_fd < 0)
		return sys_vfork(help, &argument);
	/* It stays, to measure trees on disk as their owner; or nothing begins elsewhere but so. */
	pid = cgroup_fork(setup->cgroup_fd, 0, SIGCHLD, NULL);
	if (pid == 0)
		_exit(help(&argument));
	return pid;
}

/* ---- alone */

/* Ids of the caller: in a user namespace without maps nobody knows his own. */
static int map_own_ids(uid_t uid, gid_t gid, struct error **error)
{
	/* Our own /proc files belong to root while we are not dumpable. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "PR_SET_DUMPABLE");
	return slot_write_maps("self", uid, gid, error);
}

/* Until the parent has written the maps and has given up root. */
static int wait_for_parent(const struct setup *setup, struct error **error)
{
	cleanup_message struct message message = { 0 };

	return message_receive(setup->control_fd, &message, error);
}

static _Noreturn void be_alone(struct setup *setup, uid_t uid, gid_t gid)
{
	cleanup_error struct error *error = NULL;
	int r;

	reset_signals();
	if (!setup->spec->network && network_begin(&setup->network, &error) < 0)
		fail(setup, REMEDY_NAMESPACES, error);
	r = uid == 0 ? wait_for_parent(setup, &error) : map_own_ids(uid, gid, &error);
	if (r == 0 && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
		r = error_set_errno(&error, errno, "becoming its own uid");
	/* The first one begins where the caller is. */
	if (r == 0 && setup->cgroup_fd >= 0 && unshare(CLONE_NEWCGROUP) < 0)
		r = error_set_errno(&error, errno, "cgroup namespace");
	if (r < 0)
		fail(setup, REMEDY_USER_NAMESPACE, error);
	setup_init(setup);
}

/* Which of them it was: one alone is tried. */
static int explain_refusal(const struct setup *setup, int errnum, bool root, struct error **error)
{
	pid_t pid = cgroup_fork(setup->cgroup_fd, 0, SIGCHLD, NULL);
	int r;

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return error_set_errno(error, -pid, "start in the sandbox's cgroup");
	(void)waitpid(pid, NULL, 0);
	pid = sys_clone3(CLONE_NEWUSER, SIGCHLD, NULL);
	if (pid == 0)
		_exit(0);
	if (pid < 0) {
		r = error_set_errno(error, errnum, "user namespace");
		error_set_code(*error, root ? REMEDY_SLOT : REMEDY_USER_NAMESPACE);
		return r;
	}
	(void)waitpid(pid, NULL, 0);
	r = error_set_errno(error, errnum, "namespaces (mount, pid, ipc, uts, cgroup)");
	error_set_code(*error, REMEDY_NAMESPACES);
	return r;
}

/* All that root is needed for; then there is none any more, and the child may go on. */
static int give_up_root(const struct sandbox_spec *spec, pid_t pid, int control_fd,
			struct error **error)
{
	char process[16];
	int r;

	(void)snprintf(process, sizeof(process), "%d", (int)pid);
	r = slot_write_maps(process, spec->alone_uid, spec->alone_uid, error);
	if (r == 0)
		r = spec->give_up_root(spec->root_context, error);
	if (r == 0 && (geteuid() == 0 || getuid() == 0))
		r = error_set(error, EPERM, "root was not given up");
	if (r == 0)
		r = message_send(control_fd, MESSAGE_OK, NULL, 0, NULL, 0, error);
	return r;
}

pid_t start_alone(struct setup *setup, int lifeline_fd, int control_fd, int *ret_pidfd,
		  struct error **error)
{
	const struct sandbox_spec *spec = setup->spec;
	const uid_t uid = geteuid();
	const gid_t gid = getegid();
	const bool root = uid == 0;
	cleanup_close int pidfd = -1;
	pid_t pid;
	int r = 0;

	/* A group of root's would stay: who is in a user namespace without maps has no other. */
	if (root && setgroups(0, NULL) < 0) {
		r = error_set_errno(error, errno, "setgroups");
		error_set_code(*error, REMEDY_SLOT);
		return r;
	}
	pid = cgroup_fork(setup->cgroup_fd, CLONE_NEWUSER | NAMESPACES | CLONE_PIDFD, SIGCHLD,
			  &pidfd);
	if (pid == 0) {
		(void)close_fd(lifeline_fd);
		(void)close_fd(control_fd);
		be_alone(setup, uid, gid);
	}
	if (pid < 0)
		return explain_refusal(setup, -pid, root, error);
	if (root)
		r = give_up_root(spec, pid, control_fd, error);
	if (r < 0) {
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
		(void)waitpid(pid, NULL, 0);
		error_set_code(*error, REMEDY_SLOT);
		return r;
	}
	*ret_pidfd = TAKE_FD(pidfd);
	return pid;
}
