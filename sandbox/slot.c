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

#include "lib/base/syscalls.h"
#include "sandbox/sandbox.h"

/* The namespace's owner is the effective uid of the process that makes it. */
static _Noreturn void maker(uid_t owner, int ready_fd, int release_fd)
{
	static const cap_value_t needed[] = { CAP_SYS_ADMIN };
	cap_t capabilities;
	char byte = 0;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(owner, owner, owner) < 0 || setresuid(owner, owner, owner) < 0)
		_exit(1);
	/* unshare(CLONE_NEWUSER) needs it where unprivileged user namespaces are forbidden. */
	capabilities = cap_init();
	if (!capabilities || cap_set_flag(capabilities, CAP_EFFECTIVE, 1, needed, CAP_SET) < 0 ||
	    cap_set_flag(capabilities, CAP_PERMITTED, 1, needed, CAP_SET) < 0 ||
	    cap_set_proc(capabilities) < 0)
		_exit(2);
	(void)cap_free(capabilities);
	if (unshare(CLONE_NEWUSER) < 0)
		_exit(errno == ENOSPC ? 4 : 3);
	if (write(ready_fd, &byte, 1) != 1)
		_exit(5);
	/* Stays until the maps are written and the namespace is held by its descriptor. */
	(void)!read(release_fd, &byte, 1);
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

static int map_and_hold(pid_t pid, uid_t slot, int *ret_fd, struct error **error)
{
	char map[64];
	char path[64];
	int r;

	(void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)slot);
	r = write_proc(pid, "setgroups", "deny", error);
	if (r == 0)
		r = write_proc(pid, "uid_map", map, error);
	if (r == 0)
		r = write_proc(pid, "gid_map", map, error);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC);
	return *ret_fd < 0 ? error_set_errno(error, errno, "%s", path) : 0;
}

static const char *maker_failure(int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 4)
		return "no user namespaces are left: raise sysctl user.max_user_namespaces";
	if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
		return "the kernel refuses user namespaces: it needs CONFIG_USER_NS, and a chroot "
		       "cannot make them";
	return "the uid cannot be taken: are only some uids mapped here (in a container)?";
}

int slot_new(uid_t owner, uid_t slot, int *ret_userns_fd, struct error **error)
{
	int ready[2] = { -1, -1 };
	int release[2] = { -1, -1 };
	cleanup_close int userns_fd = -1;
	char byte = 0;
	int status = 0;
	int r = 0;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(release, O_CLOEXEC) < 0) {
		r = error_set_errno(error, errno, "pipe");
		goto out;
	}
	pid = fork();
	if (pid == 0) {
		ready[0] = close_fd(ready[0]);
		release[1] = close_fd(release[1]);
		maker(owner, ready[1], release[0]);
	}
	if (pid < 0) {
		r = error_set_errno(error, errno, "fork");
		goto out;
	}
	ready[1] = close_fd(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		r = map_and_hold(pid, slot, &userns_fd, error);
	else
		r = -EPERM;
	release[1] = close_fd(release[1]);
	(void)waitpid(pid, &status, 0);
	if (r == -EPERM && userns_fd < 0 && status != 0)
		r = error_set(error, EPERM, "slot user namespace for uid %u: %s", (unsigned)slot,
			      maker_failure(status));
	if (r == 0)
		*ret_userns_fd = TAKE_FD(userns_fd);
out:
	if (r < 0 && error)
		error_set_code(*error, SANDBOX_EXIT_CODE);
	for (size_t i = 0; i < 2; i++) {
		(void)close_fd(ready[i]);
		(void)close_fd(release[i]);
	}
	return r;
}
