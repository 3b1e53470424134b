/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where root starts kmodbox: directories that lie behind ones only root may walk (/root, a private
 * checkout) are mounted where every part can reach them, in a mount namespace of our own, so that
 * the host sees nothing of it. Sandboxes can only show what their maker can name.
 */
#ifndef KMODBOX_ORCHESTRATOR_STAGING_H
#define KMODBOX_ORCHESTRATOR_STAGING_H

#include "lib/base/error.h"

/* Once a run, as root: leaves the host's mount namespace, which stays open as a descriptor. */
int staging_begin(struct error **error) must_check;
/* The same, but leaves nothing on disk: can it be done here? error_code() 30, and the remedy. */
int staging_try(struct error **error) must_check;
/*
 * Mounts what path shows, recursively. Gives the path at which it is now, to be freed. userns_fd >=
 * 0: root's files appear as those of that namespace's uid 0 (idmapped mount, Linux 5.12), where the
 * file system can do it; else their permissions for others decide.
 */
int staging_show(const char *path, int userns_fd, char **ret_path, struct error **error) must_check;

#endif
