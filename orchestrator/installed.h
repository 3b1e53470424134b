/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a module file is installed below INSTALLTREE/K, and if it is still the file that was
 * built. Looks in the places drivers go to; only when it is in none of them the tree of that kernel
 * is read, once. Reads only: regular files by descriptor, never through a link.
 */
#ifndef KMODBOX_ORCHESTRATOR_INSTALLED_H
#define KMODBOX_ORCHESTRATOR_INSTALLED_H

#include <stdbool.h>

#include "lib/base/cleanup.h"

struct installed;

/* install_tree_fd is borrowed. NULL when memory is out. free accepts NULL and returns NULL. */
struct installed *installed_new(int install_tree_fd) must_check;
struct installed *installed_free(struct installed *installed);
/*
 * Is the file name ("demo.ko.xz", a safe name) of the directory module_fd installed for this
 * kernel, with the same bytes? What is missing, unreadable or no regular file is not the same.
 * -ENOMEM.
 */
int installed_is_same(struct installed *installed, const char *kernel, int module_fd,
		      const char *name, bool *ret_same) must_check;
/* The same to their ends, from their beginnings. */
bool installed_same_bytes(struct installed *installed, int fd_a, int fd_b);
/* Length of the stem of "demo.ko", "demo.ko.gz", "demo.ko.xz" or "demo.ko.zst"; 0: no module. */
size_t installed_stem_length(const char *name);

#endif
