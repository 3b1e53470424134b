/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where below /lib/modules/K a module goes. DKMS lets the distribution decide over dkms.conf: its
 * users' tools look there. Read from the host's own os-release.
 */
#ifndef KMODBOX_ORCHESTRATOR_DESTINATION_H
#define KMODBOX_ORCHESTRATOR_DESTINATION_H

#include "lib/base/error.h"

/* declared: DEST_MODULE_LOCATION, checked. Gives "updates/dkms" and its like, to be freed. */
int destination_directory(const char *declared, char **ret_directory,
			  struct error **error) must_check;

#endif
