/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots taken apart and put together: a directory of one becomes one of its own, several become
 * directories of one. For what holds more than one tree, as DKMS's archives of builds do.
 */
#ifndef KMODBOX_RECIPES_SNAPSHOT_PARTS_H
#define KMODBOX_RECIPES_SNAPSHOT_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"

/*
 * What lies below directory ("dkms_source_tree") as a snapshot of its own, a sealed memfd: the same
 * bytes that snapshot_from_directory() would give for it. -ENOENT: there is no such directory;
 * -ELOOP: a link in it leads out of it.
 */
int snapshot_subtree(int snapshot_fd, const char *directory, int *ret_fd, struct digest *ret_digest,
		     struct error **error) must_check;

struct snapshot_part {
	const char *path; /* "dkms_main_tree/6.1.0/x86_64": where it goes; borrowed */
	int fd;		  /* sealed memfd, borrowed: a snapshot, whose tree it is; -1: empty */
	bool is_file;	  /* fd is the content of a regular file instead */
};

/*
 * One snapshot of the parts, a sealed memfd; the directories above them are made. The parts must be
 * in the order of a snapshot, and none may lie within another.
 */
int snapshot_join(const struct snapshot_part *parts, size_t count, int *ret_fd,
		  struct error **error) must_check;

#endif
