/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes of a sandbox as their ancestor sees them: the one that called sandbox_run(), the
 * helper it forked, pid 1 of the sandbox, and what that started. By /proc/PID/task/PID/children, so
 * that nothing is ever signalled that is no descendant of ours.
 */
#ifndef KMODBOX_TESTS_PROCESSES_H
#define KMODBOX_TESTS_PROCESSES_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "lib/base/cleanup.h"

#define FAMILY 256

struct family {
	pid_t pids[FAMILY];
	size_t count;
};

static inline bool read_process(pid_t pid, const char *name, char *buffer, size_t size)
{
	cleanup_close int fd = -1;
	char path[96];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, buffer, size - 1);
	buffer[length > 0 ? length : 0] = '\0';
	return length >= 0;
}

/* Appends the children of a process. */
static inline void add_children(struct family *family, pid_t pid)
{
	char name[64], text[4096];
	char *at = text;

	(void)snprintf(name, sizeof(name), "task/%d/children", (int)pid);
	if (!read_process(pid, name, text, sizeof(text)))
		return;
	/* "4711 4712 " */
	while (family->count < FAMILY) {
		char *end;
		long child = strtol(at, &end, 10);

		if (end == at)
			return;
		family->pids[family->count++] = (pid_t)child;
		at = end;
	}
}

/* All descendants of a process, itself not among them. */
static inline void find_descendants(struct family *family, pid_t pid)
{
	family->count = 0;
	add_children(family, pid);
	for (size_t i = 0; i < family->count; i++)
		add_children(family, family->pids[i]);
}

/* Is it pid 1 of a pid namespace below ours? "NSpid: 4711 1", proc_pid_status(5) */
static inline bool is_init(pid_t pid)
{
	char text[4096];
	const char *line;

	if (!read_process(pid, "status", text, sizeof(text)))
		return false;
	line = strstr(text, "\nNSpid:\t");
	line = line ? strchr(line + strlen("\nNSpid:\t"), '\t') : NULL;
	return line && strncmp(line, "\t1\n", 3) == 0;
}

static inline pid_t parent_of(pid_t pid)
{
	char text[4096];
	const char *line;

	if (!read_process(pid, "status", text, sizeof(text)))
		return -1;
	line = strstr(text, "\nPPid:\t");
	return line ? (pid_t)strtol(line + strlen("\nPPid:\t"), NULL, 10) : -1;
}

/* SIGKILL, if it still is who it was: a child of this parent. */
static inline bool kill_child(pid_t pid, pid_t parent)
{
	cleanup_close int fd = pidfd_open(pid, 0);

	return fd >= 0 && parent_of(pid) == parent && pidfd_send_signal(fd, SIGKILL, NULL, 0) == 0;
}

#endif
