/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control groups, see cgroup.h. */
#include "lib/base/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "lib/base/syscalls.h"
#include "lib/base/text.h"

#define NAMES 4096
/* Who is killed may be in the middle of a large munmap, or of a slow disk. */
#define KILL_MILLISECONDS 5000
#define KILL_STEP_MILLISECONDS 100

bool cgroup_is_one(int fd)
{
	struct statfs status;

	return fstatfs(fd, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC;
}

bool cgroup_has(int fd, const char *file)
{
	return faccessat(fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int cgroup_write(int fd, const char *file, const char *text)
{
	cleanup_close int file_fd = openat(fd, file, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);

	if (file_fd < 0)
		return -errno;
	return write(file_fd, text, strlen(text)) < 0 ? -errno : 0;
}

uint64_t cgroup_read(int fd, const char *file, const char *key)
{
	cleanup_close int file_fd = openat(fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[4096];
	ssize_t length = file_fd < 0 ? -1 : read(file_fd, text, sizeof(text) - 1);
	const size_t key_length = key ? strlen(key) : 0;
	char *rest = text;
	uint64_t value;

	if (length < 0)
		return CGROUP_UNKNOWN;
	text[length] = '\0';
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		if (key && (strncmp(line, key, key_length) != 0 || line[key_length] != ' '))
			continue;
		line += key ? key_length + 1 : 0;
		return parse_u64(line, UINT64_MAX - 1, &value) < 0 ? CGROUP_UNKNOWN : value;
	}
	return CGROUP_UNKNOWN;
}

int cgroup_make(int parent_fd, const char *prefix, char ret_name[CGROUP_NAME], int *ret_fd)
{
	for (unsigned i = 0; i < NAMES; i++) {
		int fd;

		(void)snprintf(ret_name, CGROUP_NAME, "%s-%d-%u", prefix, (int)getpid(), i);
		if (mkdirat(parent_fd, ret_name, 0755) < 0) {
			/* Somebody of another pid namespace has the same number. */
			if (errno == EEXIST)
				continue;
			return -errno;
		}
		fd = openat(parent_fd, ret_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		*ret_fd = fd;
		return 0;
	}
	return -EEXIST;
}

pid_t cgroup_fork(int fd, uint64_t flags, int exit_signal, int *ret_pidfd)
{
	cleanup_close int procs_fd = -1;
	pid_t pid;

	if (fd < 0)
		return sys_clone3(flags, exit_signal, ret_pidfd);
	/* Not by cgroup.procs: that waits for all processors to pass a quiet point. */
	pid = sys_clone3_into(fd, flags, exit_signal, ret_pidfd);
	if (pid != -ENOSYS)
		return pid;
	/* A filter that cannot look into clone3's struct. The rights are those of who opens. */
	procs_fd = openat(fd, "cgroup.procs", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (procs_fd < 0)
		return -errno;
	pid = sys_clone3(flags, exit_signal, ret_pidfd);
	if (pid == 0 && write(procs_fd, "0", 1) != 1)
		_exit(127);
	return pid;
}

int cgroup_kill(int fd, int kill_fd)
{
	cleanup_close int own_fd = -1;
	cleanup_close int events_fd =
		openat(fd, "cgroup.events", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (events_fd < 0)
		return -errno;
	if (cgroup_read(fd, "cgroup.events", "populated") == 0)
		return 0;
	if (kill_fd < 0)
		kill_fd = own_fd = openat(fd, "cgroup.kill", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (kill_fd < 0 || write(kill_fd, "1", 1) != 1)
		return -errno;
	for (int waited = 0; waited < KILL_MILLISECONDS; waited += KILL_STEP_MILLISECONDS) {
		struct pollfd event = { .fd = events_fd, .events = POLLPRI };
		char seen[256];

		/* Read first: what changes after that ends the poll. */
		if (pread(events_fd, seen, sizeof(seen), 0) < 0)
			return -errno;
		if (cgroup_read(fd, "cgroup.events", "populated") == 0)
			return 0;
		ignore_result(poll(&event, 1, KILL_STEP_MILLISECONDS));
	}
	return -EBUSY;
}
