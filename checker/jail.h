/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the checker reads hostile bytes: a process that can compute, ask for memory that is not
 * executable, write to one pipe and end. All else kills it.
 */
#ifndef KMODBOX_CHECKER_JAIL_H
#define KMODBOX_CHECKER_JAIL_H

#include "lib/base/error.h"

/*
 * Closes every descriptor but record_fd, then for good: limits, no capabilities, no new privileges,
 * not dumpable, seccomp. What the process needs from elsewhere must be mapped before.
 */
int checker_jail_enter(int record_fd, struct error **error) must_check;

#endif
