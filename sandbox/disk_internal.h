/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What disk.c (who makes and removes trees) and disk_watch.c (who measures them) share. */
#ifndef KMODBOX_SANDBOX_DISK_INTERNAL_H
#define KMODBOX_SANDBOX_DISK_INTERNAL_H

#include "sandbox/disk.h"

struct disk_tree {
	char *place; /* absolute, without links; NULL: this tree is no tree on disk */
	char name[48];
};

struct sandbox_disk {
	int userns_fd; /* the slot whose uid owns what is in the trees; -1: the caller's */
	struct disk_tree trees[SANDBOX_TREES];
};

/* 0 or -errno. */
int disk_open_place(const char *place, int *ret_fd) must_check;

#endif
