/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How much memory the processes of a sandbox hold, by what the kernel says of them in a /proc of
 * their pid namespace. Their own, page tables, stacks in the kernel, shared anonymous mappings and
 * what the buffers of sockets can take; not: what the kernel keeps for mappings, pipes and open
 * files. Only memory.max of a cgroup knows all. Internal to sandbox/.
 */
#ifndef KMODBOX_SANDBOX_MEMORY_H
#define KMODBOX_SANDBOX_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one process, in bytes; of one that is gone all is 0. */
struct memory_status {
	uint64_t own;	      /* anonymous, in memory or swapped out, and page tables */
	uint64_t other;	      /* address space that may be shared anonymous memory */
	uint64_t descriptors; /* at most so many are open: the size of their table */
};

/* PID/FILE of processes_fd as text. */
bool memory_read_about(int processes_fd, uint64_t pid, const char *file, char *text, size_t size);
struct memory_status memory_status(int processes_fd, uint64_t pid);
/* What that can be at most. */
uint64_t memory_at_most(const struct memory_status *status);

/*
 * All of them, more exactly: what several share counts once, shared anonymous mappings in full
 * whether used or not. It reads much. UINT64_MAX: more than can be looked through.
 */
struct memory_process {
	uint64_t pid;
	struct memory_status status;
};
uint64_t memory_of_all(int processes_fd, const struct memory_process *processes, size_t count);

#endif
