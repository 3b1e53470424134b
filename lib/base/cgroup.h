/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Control groups of version 2, see cgroups(7) and Documentation/admin-guide/cgroup-v2.rst: what can
 * be done with one, as a directory descriptor. No policy: where they are made and what is written
 * into them is the callers'. The kernel's files are trusted; nothing else can lie in such a
 * directory.
 */
#ifndef KMODBOX_BASE_CGROUP_H
#define KMODBOX_BASE_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/cleanup.h"

#define CGROUP_NAME 64
#define CGROUP_UNKNOWN UINT64_MAX

bool cgroup_is_one(int fd);
bool cgroup_has(int fd, const char *file);
/* 0 or -errno; -ENOENT: the controller of that file is not there. */
int cgroup_write(int fd, const char *file, const char *text) must_check;
/* The number behind key at the start of a line; without a key that of the whole file. */
uint64_t cgroup_read(int fd, const char *file, const char *key);
/*
 * Makes PREFIX-PID-N in parent_fd, N the first that is free. *ret_fd is open for reading. -errno.
 */
int cgroup_make(int parent_fd, const char *prefix, char ret_name[CGROUP_NAME],
		int *ret_fd) must_check;
/*
 * sys_clone3() of a child that begins in the cgroup; in the caller's own where fd is -1. Who starts
 * it needs to write to cgroup.procs of the cgroup and of the nearest one above both.
 */
pid_t cgroup_fork(int fd, uint64_t flags, int exit_signal, int *ret_pidfd) must_check;
/*
 * Kills all that is in it and below, and waits until they are gone. kill_fd: its cgroup.kill,
 * opened by who might; -1: the caller still may. -EBUSY: some are left after seconds.
 */
int cgroup_kill(int fd, int kill_fd) must_check;

#endif
