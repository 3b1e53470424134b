/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the signer gives up before it reads the first message: its user, every capability, and every
 * system call it does not need. From there on it has its keys in memory and nothing else.
 */
#ifndef KMODBOX_SIGNER_JAIL_H
#define KMODBOX_SIGNER_JAIL_H

#include <sys/types.h>

#include "lib/base/error.h"

/* Nobody may trace this process or read its memory; nothing it opened survives an exec. */
int jail_prepare(struct error **error) must_check;
/* Become uid and the gid of that number, with no other group (0: stay). Then everything else. */
int jail_enter(uid_t uid, struct error **error) must_check;

#endif
