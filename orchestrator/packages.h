/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The module versions that are added, each with its source open: what a verb that builds may need
 * beside the one it is about (BUILD_DEPENDS, autoinstall). Opened by the launcher, since only it
 * may resolve the links of the DKMS tree.
 */
#ifndef KMODBOX_ORCHESTRATOR_PACKAGES_H
#define KMODBOX_ORCHESTRATOR_PACKAGES_H

#include "orchestrator/orchestrator.h"

/* All that dkms_tree holds, by name and version, bytewise. owner: as for kernel_load(). */
int packages_open(const struct places *places, uid_t owner, struct package **ret_packages,
		  size_t *ret_count, struct error **error) must_check;
/* version NULL: the highest, as DKMS ranks them. NULL: there is none. */
const struct package *packages_find(const struct orchestrator *orchestrator, const char *module,
				    const char *version);
void packages_close(struct package *packages, size_t count);

#endif
