/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place for the cgroups of this run's sandboxes: kmodbox-PID-STARTTIME. Root makes it below the
 * top of the hierarchy of version 2; who is in a cgroup that was delegated to him (systemd-run
 * --user
 * --scope -p Delegate=yes) makes it in there, where nobody else may be beside him: the kernel gives
 * controllers only to cgroups that have no processes of their own. What a killed run has left is
 * found by its name, and by the lock that it does not hold any more.
 */
#ifndef KMODBOX_ORCHESTRATOR_CGROUP_DELEGATION_H
#define KMODBOX_ORCHESTRATOR_CGROUP_DELEGATION_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/cgroup.h"

struct cgroup_delegation {
	int base_fd; /* where it is made; -1: nowhere */
	int fd;	     /* the place, locked while anybody of the run lives; -1: there is none */
	bool inside; /* it is made in this process's own cgroup, which has to move into it */
	char name[CGROUP_NAME];
	const char *absent_because; /* why there is none; a text that stays */
	int keeper_fd;		    /* whose end tells the keeper to end it */
	pid_t keeper;
};

#define CGROUP_DELEGATION_NONE                                                                     \
	((struct cgroup_delegation){ .base_fd = -1, .fd = -1, .keeper_fd = -1 })

/* Looks for where one can be made: base_fd and inside, or absent_because. */
struct cgroup_delegation cgroup_delegation_find(void);
/*
 * Makes it in base_fd, for sandboxes started by owner, after removing what killed runs have left.
 * Where that fails there is none, and absent_because says why.
 */
void cgroup_delegation_begin(struct cgroup_delegation *self, uid_t owner);
/* This process moves into it, while it may: who starts sandboxes without being root must. */
int cgroup_delegation_enter(const struct cgroup_delegation *self) must_check;
/*
 * For who gives root up for good and starts the sandbox before that: a process that keeps root,
 * does nothing but wait, and removes the place when this one has ended, however that is.
 */
void cgroup_delegation_keep(struct cgroup_delegation *self);
/* Kills what is left in it, and removes it; by the keeper where there is one. */
void cgroup_delegation_end(struct cgroup_delegation *self);
/* Removes from base_fd what runs have left that are dead. */
void cgroup_delegation_sweep(int base_fd);

#endif
