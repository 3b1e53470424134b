/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * BUILD_DEPENDS_REBUILD: modules that are installed, but were built against another build of what
 * they depend on than the one that is installed now, are built and installed again.
 */
#ifndef KMODBOX_ORCHESTRATOR_REBUILD_H
#define KMODBOX_ORCHESTRATOR_REBUILD_H

#include "orchestrator/orchestrator.h"

/*
 * Is there an installed build for one of these kernels that depended on anything? No more than a
 * look at names: if it is worth to start verb_rebuild().
 */
int rebuild_may_be_due(const struct options *options, bool *ret_due,
		       struct error **error) must_check;
/* For the kernels of the command line, each behind what it depends on. */
int verb_rebuild(struct orchestrator *orchestrator, struct error **error) must_check;

#endif
