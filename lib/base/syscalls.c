/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw system calls. Structures and numbers that kernel headers of 5.14 or glibc lack are written
 * out here, so that the program's abilities depend on the running kernel alone.
 */
#include "lib/base/syscalls.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* the same on every architecture but alpha */
#endif
static int result(long value)
{
	return value < 0 ? -errno : (int)value;
}

int sys_openat2(int directory_fd, const char *path, const struct open_how *how)
{
	return result(syscall(SYS_openat2, directory_fd, path, how, sizeof(*how)));
}

int sys_renameat2(int old_fd, const char *old_path, int new_fd, const char *new_path,
		  unsigned flags)
{
	return result(syscall(SYS_renameat2, old_fd, old_path, new_fd, new_path, flags));
}

int sys_chmod_fd(int fd, mode_t mode)
{
	char path[32];
	int r = result(syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH));

	/* EPERM: a container's older seccomp list, which refuses calls it does not know. */
	if (r != -ENOSYS && r != -EPERM)
		return r;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return result(chmod(path, mode));
}
