/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slot user namespaces, see slot.h. */
#include "sandbox/slot.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lib/base/message.h"
#include "lib/base/syscalls.h"
#include "sandbox/remedy.h"
#include "sandbox/sandbox.h"

/* How the maker ends where it fails before the namespace; else by the errno of that. */
#define MAKER_NO_NETWORK 100 /* and the errno of that, which is below 100 */
#define MAKER_NO_UID 250
#define MAKER_NO_CAPABILITY 251
#define MAKER_DIED 252

/* Whose slot it is. */
struct owner {
	bool separate; /* started by root, for others */
	uid_t owner, uid;
	gid_t gid;
};

/* The namespace's owner is the effective uid of the process that makes it. */
static void become_owner(uid_t owner)
{
	static const cap_value_t needed[] = { CAP_SYS_ADMIN };
	cap_t capabilities;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(owner, owner, owner) < 0 || setresuid(owner, owner, owner) < 0)
		_exit(MAKER_NO_UID);
	/* unshare(CLONE_NEWUSER) needs it where unprivileged user namespaces are forbidden. */
	capabilities = cap_init();
	if (!capabilities || cap_set_flag(capabilities, CAP_EFFECTIVE, 1, needed, CAP_SET) < 0 ||
	    cap_set_flag(capabilities, CAP_PERMITTED, 1, needed, CAP_SET) < 0 ||
	    cap_set_proc(capabilities) < 0)
		_exit(MAKER_NO_CAPABILITY);
	(void)cap_free(capabilities);
}

static _Noreturn void maker(const struct owner *owner, int socket)
{
	int fds[2] = { -1, -1 };
	struct message end;

	if (owner->separate)
		become_owner(owner->owner);
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(errno);
	/* By itself: of another uid's processes root sees this only with CAP_SYS_PTRACE. */
	fds[0] = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (fds[0] < 0)
		_exit(errno);
	if (unshare(CLONE_NEWNET) < 0)
		_exit(MAKER_NO_NETWORK + errno);
	fds[1] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fds[1] < 0)
		_exit(errno);
	/* Our own /proc files belong to root while we are not dumpable. */
	if (!owner->separate && (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ||
				 slot_write_maps("self", owner->uid, owner->gid, NULL) < 0))
		_exit(errno);
	if (message_send(socket, MESSAGE_OK, NULL, 0, fds, 2, NULL) < 0)
		_exit(MAKER_DIED);
	/* Stays until the maps are written. */
	ignore_result(message_receive(socket, &end, NULL));
	_exit(0);
}

static int write_proc(const char *process, const char *file, const char *text, struct error **error)
{
	cleanup_close int fd = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%s/%s", process, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "%s", path);
	if (write(fd, text, strlen(text)) < 0)
		return error_set_errno(error, errno, "%s", path);
	return 0;
}

int slot_write_maps(const char *process, uid_t uid, gid_t gid, struct error **error)
{
	char map[64];
	int r;

	r = write_proc(process, "setgroups", "deny", error);
	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	if (r == 0)
		r = write_proc(process, "uid_map", map, error);
	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	return r < 0 ? r : write_proc(process, "gid_map", map, error);
}

static int maker_failure(const struct owner *owner, int status, struct error **error)
{
	int ended = WIFEXITED(status) ? WEXITSTATUS(status) : MAKER_DIED;
	unsigned uid = (unsigned)owner->uid;

	switch (ended) {
	case MAKER_NO_UID:
		return error_set(error, EINVAL,
				 "slot for uid %u: an account of its own cannot be taken", uid);
	case MAKER_NO_CAPABILITY:
		return error_set(error, EPERM, "slot for uid %u: root is not allowed to make it",
				 uid);
	case MAKER_DIED:
		return error_set(error, EIO, "slot for uid %u: its maker died", uid);
	default:
		break;
	}
	if (ended > MAKER_NO_NETWORK)
		return error_set_errno(error, ended - MAKER_NO_NETWORK,
				       "network namespace of the slot for uid %u", uid);
	return error_set_errno(error, ended, "user namespace of the slot for uid %u", uid);
}

static int make(const struct owner *owner, struct slot *ret_slot, struct error **error)
{
	cleanup_message struct message message = { 0 };
	int sockets[2];
	char process[16];
	int status = 0;
	int r = message_pair(sockets, error);
	pid_t pid;

	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		sockets[0] = close_fd(sockets[0]);
		maker(owner, sockets[1]);
	}
	sockets[1] = close_fd(sockets[1]);
	if (pid < 0)
		r = error_set_errno(error, errno, "fork");
	else if (message_receive(sockets[0], &message, NULL) < 0 || message.fd_count != 2)
		r = -EPIPE;
	(void)snprintf(process, sizeof(process), "%d", (int)pid);
	if (r == 0 && owner->separate)
		r = slot_write_maps(process, owner->uid, owner->gid, error);
	sockets[0] = close_fd(sockets[0]);
	if (pid < 0)
		return r;
	(void)waitpid(pid, &status, 0);
	if (message.fd_count != 2 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return error_set(error, EPERM,
				 "slot for uid %u: a system call filter of this host kills who "
				 "asks for it",
				 (unsigned)owner->uid);
	if (message.fd_count != 2)
		return maker_failure(owner, status, error);
	if (r == 0)
		*ret_slot = (struct slot){ .userns_fd = TAKE_FD(message.fds[0]),
					   .netns_fd = TAKE_FD(message.fds[1]),
					   .by_root = owner->separate };
	return r;
}

static int explain(int r, int part, struct error **error)
{
	if (r < 0 && error) {
		remedy_explain(error, part, part == REMEDY_SLOT);
		error_set_code(*error, SANDBOX_EXIT_CODE);
	}
	return r;
}

int slot_new(uid_t owner, uid_t uid, struct slot *ret_slot, struct error **error)
{
	const struct owner who = { .separate = true, .owner = owner, .uid = uid, .gid = uid };

	return explain(make(&who, ret_slot, error), REMEDY_SLOT, error);
}

int slot_new_own(struct slot *ret_slot, struct error **error)
{
	const struct owner who = { .uid = geteuid(), .gid = getegid() };

	return explain(make(&who, ret_slot, error), REMEDY_USER_NAMESPACE, error);
}

void slot_clear(struct slot *slot)
{
	slot->userns_fd = close_fd(slot->userns_fd);
	slot->netns_fd = close_fd(slot->netns_fd);
}

int slot_join(int userns_fd, struct error **error)
{
	if (geteuid() == 0 && setgroups(0, NULL) < 0)
		return error_set_errno(error, errno, "setgroups");
	if (setns(userns_fd, CLONE_NEWUSER) < 0)
		return error_set_errno(error, errno, "joining the slot's user namespace");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_set_errno(error, errno, "becoming the slot's uid");
	return 0;
}

int slot_join_network(int netns_fd, struct error **error)
{
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return error_set_errno(error, errno, "joining the slot's network namespace");
	return 0;
}
