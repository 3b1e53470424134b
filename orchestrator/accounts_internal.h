/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What accounts.c shares with accounts_own.c, which links nothing that asks the network. */
#ifndef KMODBOX_ORCHESTRATOR_ACCOUNTS_INTERNAL_H
#define KMODBOX_ORCHESTRATOR_ACCOUNTS_INTERNAL_H

#include "orchestrator/launcher.h"

/*
 * Above every range that systemd's "Users, Groups, UIDs and GIDs" gives to people, services,
 * containers or DynamicUser, and below 2^31.
 */
#define RESERVED_FIRST 2000000000u
#define RESERVED_COUNT 64u
#define OWN 3u
#define OWN_SLOT 18u

/* Is there anybody in the host's own files who has an id of the range? */
int accounts_check_files(struct error **error) must_check;
int accounts_refuse(const char *account, uid_t uid, struct error **error);
/* r, with the code of a sandbox that cannot be made. */
int accounts_coded(int r, struct error **error);

#endif
