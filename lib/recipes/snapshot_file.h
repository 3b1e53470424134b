/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file that a snapshot is written to, in memory or on disk. Internal to lib/recipes. */
#ifndef KMODBOX_RECIPES_SNAPSHOT_FILE_H
#define KMODBOX_RECIPES_SNAPSHOT_FILE_H

#include "lib/base/error.h"

/* Empty, for writing: a memory file, or with place_fd >= 0 a nameless one in that directory. */
int snapshot_file_new(int place_fd, int *ret_fd, struct error **error) must_check;
/*
 * Ends the writing, when every process that had it is gone: seals it; or *fd becomes a descriptor
 * that only reads, the only one there is.
 */
int snapshot_file_finish(int place_fd, int *fd, struct error **error) must_check;

#endif
