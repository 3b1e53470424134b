/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that root (or the user whose trees they are) wrote for us: below CONFIGDIR and /etc/dkms.
 * What they say is done, so whose they are is looked at first: a regular file of root's or the
 * caller's, which nobody else may write to, and the same of each directory on the way, where
 * another file could be put in its place. A group counts as others: who is in it is not ours to
 * know.
 */
#ifndef KMODBOX_ORCHESTRATOR_CONFIGURATION_H
#define KMODBOX_ORCHESTRATOR_CONFIGURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

/* Opens one of their places, "/etc/dkms", by open_trusted(). -1: there is none. error_code() 1. */
int configuration_open(const char *path, int *ret_fd, struct error **error) must_check;
/*
 * A directory below it, by its name; place is the path of DIRECTORY_FD, for messages. -ENOENT and
 * -ENOTDIR, without an error: there is none of that name. error_code() 1.
 */
int configuration_open_below(int directory_fd, const char *place, const char *name, int *ret_fd,
			     struct error **error) must_check;
/*
 * Reads DIRECTORY_FD/path whole; place is the directory's path, for messages. -ENOENT, without an
 * error: there is none. ret_executable (may be NULL): by its owner. error_code() 1.
 */
int configuration_read(int directory_fd, const char *place, const char *path, uint64_t maximum,
		       struct text *ret_text, bool *ret_executable,
		       struct error **error) must_check;

#endif
