/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees on disk (sandbox_tree.place): each is a directory of its own below its place, locked while
 * it is in use (flock(2): a lock that dies with its holders), measured while foreign code fills it,
 * and removed in the end, or by the next sandbox that uses the place. What is in it is hostile:
 * however deep, wide or unreadable. Internal to sandbox/.
 */
#ifndef KMODBOX_SANDBOX_DISK_H
#define KMODBOX_SANDBOX_DISK_H

#include "sandbox/setup.h"

/* The caller's side. NULL where no tree of the spec is on disk. */
int disk_new(const struct sandbox_spec *spec, struct sandbox_disk **ret_disk,
	     struct error **error) must_check;
/* Removes the trees, in the slot's name where they are the slot's. Accepts and returns NULL. */
struct sandbox_disk *disk_remove(struct sandbox_disk *disk);
/* Is the file system of a tree nearly full? Then limit says so. */
bool disk_is_full(int tree_fd, char *limit, size_t size) must_check;

/*
 * In the set-up, as the payload's uid with capabilities over what it owns: removes what dead
 * sandboxes left in the place, makes the tree's directory. ret_fd holds its lock; ret_mount_fd is a
 * detached mount of it.
 */
int disk_make_tree(const struct sandbox_disk *disk, size_t index, int *ret_mount_fd, int *ret_fd,
		   struct error **error) must_check;
/*
 * The same uid, but outside the sandbox: measures until the lifeline ends, says SETUP_LIMIT when a
 * tree is too large. No return.
 */
_Noreturn void disk_watch(const struct setup *setup);

#endif
