/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the checker reads hostile bytes: a process that can compute, ask for memory that is not
 * executable, write to one pipe and end. All else kills it. And the process that starts such
 * readers: it can do that, and talk over the sockets it has. No more.
 */
#ifndef KMODBOX_CHECKER_JAIL_H
#define KMODBOX_CHECKER_JAIL_H

#include <linux/filter.h>

#include "lib/base/error.h"

struct checker_jail {
	struct sock_fprog reader; /* made beforehand: compiling it takes longer than a module */
};

/*
 * For good: no capabilities, no new privileges, not dumpable, a filter that has room for the
 * readers'. ret_jail lives as long as the process.
 */
int checker_jail_prepare(struct checker_jail *ret_jail, struct error **error) must_check;
/*
 * In a child: closes every descriptor but record_fd, which becomes CHECKER_RECORD_FD; limits and
 * filter of a reader, which gets SIGXCPU after so many seconds of processor time. What it needs
 * from elsewhere must be mapped before.
 */
int checker_jail_enter(const struct checker_jail *jail, int record_fd, unsigned seconds,
		       struct error **error) must_check;

#endif
