/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slot user namespaces, see slot.h. */
#include "sandbox/slot.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
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
#define MAKER_NO_UID 200
#define MAKER_NO_CAPABILITY 201
#define MAKER_DIED 202

/* The namespace's owner is the effective uid of the process that makes it. */
static _Noreturn void maker(uid_t owner, int socket)
{
	static const cap_value_t needed[] = { CAP_SYS_ADMIN };
	cap_t capabilities;
	struct message end;
	int userns_fd;

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
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(errno);
	/* By itself: of another uid's processes root sees this only with CAP_SYS_PTRACE. */
	userns_fd = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (userns_fd < 0)
		_exit(errno);
	if (message_send(socket, MESSAGE_OK, NULL, 0, &userns_fd, 1, NULL) < 0)
		_exit(MAKER_DIED);
	/* Stays until the maps are written. */
	ignore_result(message_receive(socket, &end, NULL));
	_exit(0);
}

static int write_proc(pid_t pid, const char *file, const char *text, struct error **error)
{
	cleanup_close int fd = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "%s", path);
	if (write(fd, text, strlen(text)) < 0)
		return error_set_errno(error, errno, "%s", path);
	return 0;
}

static int write_maps(pid_t pid, uid_t slot, struct error **error)
{
	char map[64];
	int r;

	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)slot);
	r = write_proc(pid, "setgroups", "deny", error);
	if (r == 0)
		r = write_proc(pid, "uid_map", map, error);
	return r < 0 ? r : write_proc(pid, "gid_map", map, error);
}

static int maker_failure(uid_t slot, int status, struct error **error)
{
	int ended = WIFEXITED(status) ? WEXITSTATUS(status) : MAKER_DIED;

	switch (ended) {
	case MAKER_NO_UID:
		return error_set(error, EINVAL,
				 "slot for uid %u: an account of its own cannot be taken",
				 (unsigned)slot);
	case MAKER_NO_CAPABILITY:
		return error_set(error, EPERM, "slot for uid %u: root is not allowed to make it",
				 (unsigned)slot);
	case MAKER_DIED:
		return error_set(error, EIO, "slot for uid %u: its maker died", (unsigned)slot);
	default:
		return error_set_errno(error, ended, "user namespace of the slot for uid %u",
				       (unsigned)slot);
	}
}

static int make(uid_t owner, uid_t slot, int *ret_userns_fd, struct error **error)
{
	cleanup_message struct message message = { 0 };
	int sockets[2];
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
	else if (message_receive(sockets[0], &message, NULL) < 0 || message.fd_count != 1)
		r = -EPIPE;
	else
		r = write_maps(pid, slot, error);
	sockets[0] = close_fd(sockets[0]);
	if (pid < 0)
		return r;
	(void)waitpid(pid, &status, 0);
	if (r == -EPIPE && message.fd_count != 1)
		return maker_failure(slot, status, error);
	if (r == 0)
		*ret_userns_fd = TAKE_FD(message.fds[0]);
	return r;
}

int slot_new(uid_t owner, uid_t slot, int *ret_userns_fd, struct error **error)
{
	int r = make(owner, slot, ret_userns_fd, error);

	if (r < 0 && error) {
		remedy_explain(error, REMEDY_SLOT, true);
		error_set_code(*error, SANDBOX_EXIT_CODE);
	}
	return r;
}
