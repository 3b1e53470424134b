/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Mounts by descriptor: open_tree, fsopen, fsmount, mount_setattr, move_mount (Linux 5.2, 5.12).
 * Nothing is looked up by name twice, and attributes are only ever added: in a user namespace the
 * kernel refuses to clear what the host has set.
 */
#ifndef KMODBOX_SANDBOX_MOUNTS_H
#define KMODBOX_SANDBOX_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

/* A detached, recursive copy of what source_fd (O_PATH) shows, nosuid and nodev; read-only or not.
 */
int mounts_clone(int source_fd, bool writable, int *ret_fd, struct error **error) must_check;
/* The same for one device node, which must stay usable: no NODEV, but read-only, so no chmod. */
int mounts_clone_device(int source_fd, int *ret_fd, struct error **error) must_check;
/*
 * Makes a detached mount show ids through a user namespace; nothing changes where the file system
 * cannot do that (EINVAL: NFS, overlayfs, tmpfs before Linux 6.3).
 */
int mounts_map(int mount_fd, int userns_fd, struct error **error) must_check;
/* A detached tmpfs of the given size, nosuid and nodev, root directory mode octal ("0755"). */
int mounts_new_tmpfs(uint64_t bytes, uint64_t inodes, const char *mode, int *ret_fd,
		     struct error **error) must_check;
/* Attaches at a path (no links followed) below directory_fd; "" means on directory_fd itself. */
int mounts_attach(int mount_fd, int directory_fd, const char *path,
		  struct error **error) must_check;
/* Makes one mount read-only, not what is mounted below it. */
int mounts_seal(int fd, struct error **error) must_check;

#endif
