/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What no rlimit holds: memory and CPU time of all processes of a sandbox together. Its init looks
 * through a /proc of its own, ten times a second at most, and ends the sandbox when it is too much;
 * between two looks more may be used, and what the kernel holds for a process (pipes, page tables)
 * is not seen. It also remembers which limits that the kernel holds were reached. Where there is no
 * /proc there is no watchdog. Internal to sandbox/.
 */
#ifndef KMODBOX_SANDBOX_WATCHDOG_H
#define KMODBOX_SANDBOX_WATCHDOG_H

#include "sandbox/setup.h"

struct watchdog;

/* A step of the set-up, before pivot_root: opens what it looks at. 1: there is no /proc. */
int watchdog_prepare(struct setup *setup, struct error **error);
/* In the init, when the payload runs. NULL: there is none, which the other two accept. */
struct watchdog *watchdog_new(const struct setup *setup) must_check;
/* Looks if it is time to; sends SETUP_LIMIT and ends the sandbox. For poll(2): when to come again.
 */
int watchdog_look(struct watchdog *watchdog) must_check;
/* A last look; bits 1 << enum limit of those that were reached. */
uint32_t watchdog_reached(struct watchdog *watchdog) must_check;

#endif
