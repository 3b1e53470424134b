/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw system calls that make and confine processes, see syscalls.h; apart from those on files, so
 * that programs which only handle files do not link them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "lib/base/syscalls.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define VFORK_STACK (256 * 1024)

#define INTO_CGROUP (UINT64_C(1) << 33) /* CLONE_INTO_CGROUP */

/* struct clone_args of Linux 5.7 (CLONE_ARGS_SIZE_VER2), whatever <sched.h> and <linux/sched.h>
 * say. What is behind tls may be left out. */
struct clone_arguments {
	uint64_t flags;
	uint64_t pidfd;
	uint64_t child_tid;
	uint64_t parent_tid;
	uint64_t exit_signal;
	uint64_t stack;
	uint64_t stack_size;
	uint64_t tls;
	uint64_t set_tid;
	uint64_t set_tid_size;
	uint64_t cgroup;
};

/* struct landlock_path_beneath_attr, packed as the kernel has it. */
struct landlock_path {
	uint64_t access;
	int32_t path_fd;
} __attribute__((packed));

static int result(long value)
{
	return value < 0 ? -errno : (int)value;
}

pid_t sys_clone3(uint64_t flags, int exit_signal, int *ret_number)
{
	const uint64_t asked = flags & (CLONE_PIDFD | CLONE_PARENT_SETTID);
	int pidfd = -1;
	/* A pid appears where the caller wants it, not here: he may never return to take it. */
	int *number = asked == CLONE_PARENT_SETTID ? ret_number : &pidfd;
	struct clone_arguments arguments = {
		.flags = flags,
		.pidfd = (flags & CLONE_PIDFD) ? (uint64_t)(uintptr_t)number : 0,
		.parent_tid = (flags & CLONE_PARENT_SETTID) ? (uint64_t)(uintptr_t)number : 0,
		.exit_signal = (uint64_t)exit_signal,
	};
	long pid;

	/* clone(2) has one place for both. */
	if ((asked && !ret_number) || asked == (CLONE_PIDFD | CLONE_PARENT_SETTID))
		return -EINVAL;
	/* The child would run on its parent's stack while the parent goes on: only a fork is
	 * offered. */
	if (flags & (CLONE_VM | CLONE_VFORK))
		return -EINVAL;
	pid = syscall(SYS_clone3, &arguments, offsetof(struct clone_arguments, set_tid));
#ifndef __s390__ /* where the first two are the other way round */
	/* Filters of containers and service managers cannot look into its struct, so they answer
	   this. */
	if (pid < 0 && errno == ENOSYS && (flags & ~UINT64_C(0xffffff00)) == 0)
		pid = syscall(SYS_clone, (unsigned long)flags | (unsigned long)exit_signal, 0UL,
			      number, 0UL, 0UL);
#endif
	if (pid > 0 && (flags & CLONE_PIDFD))
		*ret_number = pidfd;
	return result(pid);
}

pid_t sys_clone3_into(int cgroup_fd, uint64_t flags, int exit_signal, int *ret_pidfd)
{
	int pidfd = -1;
	const struct clone_arguments arguments = {
		.flags = flags | INTO_CGROUP,
		.pidfd = (flags & CLONE_PIDFD) ? (uint64_t)(uintptr_t)&pidfd : 0,
		.exit_signal = (uint64_t)exit_signal,
		.cgroup = (uint64_t)cgroup_fd,
	};
	long pid;

	if (((flags & CLONE_PIDFD) && !ret_pidfd) || (flags & (CLONE_VM | CLONE_VFORK)) ||
	    cgroup_fd < 0)
		return -EINVAL;
	pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
	if (pid > 0 && (flags & CLONE_PIDFD))
		*ret_pidfd = pidfd;
	return result(pid);
}

pid_t sys_vfork(int (*function)(void *argument), void *argument)
{
	char *stack = mmap(NULL, VFORK_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	int r;

	if (stack == MAP_FAILED)
		return -errno;
	r = result(
		clone(function, stack + VFORK_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, argument));
	(void)munmap(stack, VFORK_STACK);
	return r;
}

void sys_futex_wait(const void *word, int value)
{
	(void)syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

int sys_execve_fd(int fd, char *const argv[], char *const envp[])
{
	return result(syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH));
}

int sys_seccomp_filter(unsigned flags, const struct sock_fprog *program)
{
	return result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program));
}

int sys_seccomp_notification_sizes(struct seccomp_notif_sizes *ret_sizes)
{
	return result(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0u, ret_sizes));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return result(syscall(SYS_pivot_root, new_root, put_old));
}

int sys_landlock_abi(void)
{
	return result(syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* ..._VERSION */));
}

int sys_landlock_create_ruleset(const void *attributes, size_t size)
{
	return result(syscall(SYS_landlock_create_ruleset, attributes, size, 0u));
}

int sys_landlock_add_path(int ruleset_fd, uint64_t access, int path_fd)
{
	struct landlock_path rule = { .access = access, .path_fd = path_fd };

	return result(syscall(SYS_landlock_add_rule, ruleset_fd, 1 /* PATH_BENEATH */, &rule, 0u));
}

int sys_landlock_restrict_self(int ruleset_fd)
{
	return result(syscall(SYS_landlock_restrict_self, ruleset_fd, 0u));
}
