/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slots: what sandboxes that run one after the other share, made beforehand: a user namespace and
 * an empty network namespace that belongs to it, which takes the kernel as long as all the others.
 * Nothing of a sandbox stays in them: its processes are dead, and none of them ever had a
 * capability there. Root makes a slot for another uid while it is still root: so process limits
 * count per slot, two builds at a time cannot touch each other, and hosts that forbid unprivileged
 * user namespaces are served. After facts measured on Linux 6.1 to 6.18; user_namespaces(7).
 */
#ifndef KMODBOX_SANDBOX_SLOT_H
#define KMODBOX_SANDBOX_SLOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/error.h"

struct slot {
	int userns_fd; /* -1: there is no slot */
	int netns_fd;
	bool by_root; /* made by root, whoever uses it */
};

#define SLOT_NONE ((struct slot){ .userns_fd = -1, .netns_fd = -1 })

/*
 * Must be called by root. owner is the uid that may join it later (and then has every capability in
 * it); uid is the uid and gid that its 0 stands for outside. error_code() SANDBOX_EXIT_CODE.
 */
int slot_new(uid_t owner, uid_t uid, struct slot *ret_slot, struct error **error) must_check;
/* The same for an ordinary user: its 0 is himself. */
int slot_new_own(struct slot *ret_slot, struct error **error) must_check;
void slot_clear(struct slot *slot);
#define cleanup_slot cleanup(slot_clear)

/*
 * For who is about to be confined: this process becomes the slot's uid, with every capability over
 * what that owns; then, by those, it leaves the host's network.
 */
int slot_join(int userns_fd, struct error **error) must_check;
int slot_join_network(int netns_fd, struct error **error) must_check;

/*
 * Writes the maps of the new user namespace that a process is in (its name in /proc): its 0 stands
 * for uid and gid outside. Root may do it for all, a process itself ("self") for its own ids.
 */
int slot_write_maps(const char *process, uid_t uid, gid_t gid, struct error **error) must_check;

#endif
