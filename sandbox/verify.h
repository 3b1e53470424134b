/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What "walls verified" looks at, a function for each step of steps.c and payload.c whose wall can
 * be seen from inside. Each asks the kernel and believes no step. None allocates but for an error:
 * the limit of memory holds already.
 */
#ifndef KMODBOX_SANDBOX_VERIFY_H
#define KMODBOX_SANDBOX_VERIFY_H

#include "sandbox/setup.h"

/*
 * Which namespaces the caller is in, by the host's /proc; not the network, which is joined when
 * /proc is another one, if there is one: that has a number of its own (SO_NETNS_COOKIE).
 */
int verify_note_namespaces(uint64_t ret_inodes[SETUP_NAMESPACES], struct error **error) must_check;
int verify_note_network(uint64_t *ret_cookie, struct error **error) must_check;

int verify_namespaces(const struct setup *setup, struct error **error);
int verify_no_nesting(const struct setup *setup, struct error **error);
int verify_root(const struct setup *setup, struct error **error);
int verify_system(const struct setup *setup, struct error **error);
int verify_etc(const struct setup *setup, struct error **error);
int verify_devices(const struct setup *setup, struct error **error);
int verify_tmp(const struct setup *setup, struct error **error);
int verify_proc(const struct setup *setup, struct error **error);
int verify_mounts(const struct setup *setup, struct error **error);
int verify_trees(const struct setup *setup, struct error **error);
int verify_scratch_limit(const struct setup *setup, struct error **error);
int verify_program(const struct setup *setup, struct error **error);
int verify_sealed_root(const struct setup *setup, struct error **error);
int verify_inside_root(const struct setup *setup, struct error **error);
int verify_no_network(const struct setup *setup, struct error **error);
int verify_host_name(const struct setup *setup, struct error **error);
int verify_session(const struct setup *setup, struct error **error);
int verify_closed(const struct setup *setup, struct error **error);
int verify_no_capabilities(const struct setup *setup, struct error **error);
int verify_no_privileges(const struct setup *setup, struct error **error);
int verify_clean(const struct setup *setup, struct error **error);
int verify_landlock(const struct setup *setup, struct error **error);

#endif
