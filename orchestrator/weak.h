/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Weak modules, as RHEL's and SUSE's tools make them: a module that was built for and installed on
 * one kernel is linked into INSTALLTREE/K/weak-updates of others that it fits. Which package it is
 * of, is told by its bytes, as DKMS does. Reads the trees alone, both root's; runs nothing.
 */
#ifndef KMODBOX_ORCHESTRATOR_WEAK_H
#define KMODBOX_ORCHESTRATOR_WEAK_H

#include "orchestrator/state.h"

/*
 * Those that are installed on a kernel in this way with all their modules; any of module, version,
 * kernel, architecture may be NULL. kernel of an entry is where it is linked, weak_from the one it
 * was built for. Sorted as state_list_load() does. install_fd may be -1: there are none.
 */
int weak_list_load(int dkms_fd, int install_fd, const char *module, const char *version,
		   const char *kernel, const char *architecture, struct state_list *ret_list,
		   struct error **error) must_check;
int weak_is_installed(int dkms_fd, int install_fd, const char *module, const char *version,
		      const char *kernel, const char *architecture, bool *ret_installed,
		      struct error **error) must_check;

#endif
