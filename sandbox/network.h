/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The empty network namespace of a sandbox that starts without a slot. The kernel takes as long for
 * it as for all the other walls together (setup_net(), one initialiser after the other, under a
 * lock of the whole system), so a thread of pid 1 makes it while pid 1 builds them. The thread is
 * gone before the first step that changes what a process may do. clone(2), network_namespaces(7).
 */
#ifndef KMODBOX_SANDBOX_NETWORK_H
#define KMODBOX_SANDBOX_NETWORK_H

#include "lib/base/error.h"

struct network;

/* By a process with CAP_SYS_ADMIN in its user namespace, which will own the other; needs /proc. */
int network_begin(struct network **ret_network, struct error **error) must_check;
/* Waits until it is made and gives its descriptor; network is freed, whatever comes. */
int network_end(struct network *network, int *ret_netns_fd, struct error **error) must_check;

#endif
