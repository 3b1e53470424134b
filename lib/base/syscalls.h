/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The system calls that glibc 2.36 does not wrap, or wraps in another shape, each with the kernel
 * that brought it. All return 0 or a descriptor, or -errno. Nothing outside this file and
 * syscalls.c calls syscall(2).
 */
#ifndef KMODBOX_BASE_SYSCALLS_H
#define KMODBOX_BASE_SYSCALLS_H

#include <linux/filter.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/cleanup.h"

/* openat2(2), Linux 5.6. */
int sys_openat2(int directory_fd, const char *path, const struct open_how *how) must_check;
/*
 * fork() with clone3(2) flags (Linux 5.3; clone(2) where that is ENOSYS): the pid, or 0 in the
 * child. *ret_number is the pidfd with CLONE_PIDFD, or with CLONE_PARENT_SETTID the pid: the kernel
 * writes it there before the child runs, whatever becomes of the caller. No pthread_atfork()
 * handlers run: for processes with one thread. -EINVAL for CLONE_VM.
 */
pid_t sys_clone3(uint64_t flags, int exit_signal, int *ret_number) must_check;
/*
 * The same in a cgroup of version 2, of which cgroup_fd is the directory: CLONE_INTO_CGROUP, Linux
 * 5.7; -ENOSYS where a filter answers that.
 */
pid_t sys_clone3_into(int cgroup_fd, uint64_t flags, int exit_signal, int *ret_pidfd) must_check;
/*
 * vfork(2) in a safe shape: runs function on a stack of its own in a child that shares this
 * process's memory, which is suspended until the child has called execve() or _exit(). No page
 * tables are copied, which is most of what fork() costs. What function writes, the caller finds
 * written; descriptors are the child's own. The pid, or -errno; SIGCHLD at its end.
 */
pid_t sys_vfork(int (*function)(void *argument), void *argument) must_check;
/* Until *word is no longer value, or for another reason: look again. futex(2), FUTEX_WAIT. */
void sys_futex_wait(const void *word, int value);
/* execveat(2) with AT_EMPTY_PATH: runs an open file, whatever it is called now. Linux 3.19. */
int sys_execve_fd(int fd, char *const argv[], char *const envp[]) must_check;
/* renameat2(2), Linux 3.15. */
int sys_renameat2(int old_fd, const char *old_path, int new_fd, const char *new_path,
		  unsigned flags) must_check;
/* chmod of an open file, O_PATH ones too: fchmodat2(2), Linux 6.6; through /proc before. */
int sys_chmod_fd(int fd, mode_t mode) must_check;
/* seccomp(2) SECCOMP_SET_MODE_FILTER, Linux 3.17. */
int sys_seccomp_filter(unsigned flags, const struct sock_fprog *program) must_check;
/* seccomp(2) SECCOMP_GET_NOTIF_SIZES, Linux 5.0: what the running kernel sends and takes. */
struct seccomp_notif_sizes;
int sys_seccomp_notification_sizes(struct seccomp_notif_sizes *ret_sizes) must_check;
/* pivot_root(2). */
int sys_pivot_root(const char *new_root, const char *put_old) must_check;
/* landlock_create_ruleset, landlock_add_rule, landlock_restrict_self: Linux 5.13. */
int sys_landlock_abi(void) must_check;
int sys_landlock_create_ruleset(const void *attributes, size_t size) must_check;
int sys_landlock_add_path(int ruleset_fd, uint64_t access, int path_fd) must_check;
int sys_landlock_restrict_self(int ruleset_fd) must_check;

#endif
