/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits that the kernel holds for all processes of a sandbox together, exactly, where the caller
 * has a cgroup of version 2 to make one in: memory.max, pids.max, cpu.max. It also ends with
 * whatever was in it. Without one, rlimits, sizes of tmpfs and a watchdog hold what they can.
 * Trusted code of the parent; the payload sees none of it. Internal to sandbox/.
 */
#ifndef KMODBOX_SANDBOX_CGROUP_LIMITS_H
#define KMODBOX_SANDBOX_CGROUP_LIMITS_H

#include "lib/base/cgroup.h"
#include "sandbox/sandbox.h"

enum cgroup_held {
	CGROUP_HOLDS_MEMORY = 1 << 0,
	CGROUP_HOLDS_PROCESSES = 1 << 1,
	CGROUP_HOLDS_PROCESSORS = 1 << 2,
};

/* The one of a running sandbox. */
struct cgroup_limits {
	int fd;	       /* -1: there is none, or not any more */
	int kill_fd;   /* opened while there were the rights to */
	int parent_fd; /* the spec's */
	char name[CGROUP_NAME];
	unsigned held;		    /* enum cgroup_held */
	const char *absent_because; /* NULL: memory and processes are held */
};

#define CGROUP_LIMITS_NONE ((struct cgroup_limits){ .fd = -1, .kill_fd = -1, .parent_fd = -1 })

/* Where spec has a place for it, with limits, which has no zeros. Where the layer must be there and
 * is not, the error of setup_refuse_absent(). */
int cgroup_limits_new(const struct sandbox_spec *spec, const struct sandbox_limits *limits,
		      struct cgroup_limits *ret_limits, struct error **error) must_check;
/* Kills what is left in it, tells what it held back as bits 1 << enum limit, and removes it. */
void cgroup_limits_end(struct cgroup_limits *self, struct sandbox_result *result,
		       uint32_t *reached);
/* Why it is there, for the list of layers. */
const char *cgroup_limits_reason(const struct cgroup_limits *self);
/* Writes them into a cgroup's files, those that are there; bits of enum cgroup_held. */
int cgroup_limits_write(int fd, const struct sandbox_limits *limits, unsigned *ret_held,
			struct error **error) must_check;

#endif
