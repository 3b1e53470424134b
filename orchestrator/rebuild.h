/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * BUILD_DEPENDS_REBUILD: modules that are installed, but were built against another build of what
 * they depend on than the one that is installed now, are built and installed again.
 */
#ifndef KMODBOX_ORCHESTRATOR_REBUILD_H
#define KMODBOX_ORCHESTRATOR_REBUILD_H

#include "orchestrator/orchestrator.h"

/*
 * What verb_rebuild() may touch: " MODULE/VERSION MODULE/VERSION ", to be freed; NULL: nothing, it
 * need not be started. Those that are installed on the kernels of the command line and depend, by
 * the marks beside their builds, on the module that was named or on another one of the list; on
 * anything where none was named.
 */
int rebuild_list(const struct options *options, char **ret_list, struct error **error) must_check;
/* Those of the list, for the kernels of the command line, each behind what it depends on. */
int verb_rebuild(struct orchestrator *orchestrator, struct error **error) must_check;

#endif
