/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slot user namespaces: made while there is still root to make them, joined later by a process that
 * is not root. Each maps one host uid, that nobody else has, to 0; so process limits count per
 * slot, two builds cannot touch each other, and hosts that forbid unprivileged user namespaces are
 * served. After facts measured on Linux 6.1 to 6.18; user_namespaces(7).
 */
#ifndef KMODBOX_SANDBOX_SLOT_H
#define KMODBOX_SANDBOX_SLOT_H

#include <sys/types.h>

#include "lib/base/error.h"

/*
 * Must be called by root. owner is the uid that may join it later (and then has every capability in
 * it); slot is the uid and gid that its 0 stands for outside. error_code() SANDBOX_EXIT_CODE.
 */
int slot_new(uid_t owner, uid_t slot, int *ret_userns_fd, struct error **error) must_check;

#endif
