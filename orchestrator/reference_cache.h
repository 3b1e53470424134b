/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reference modules from one run to the next: a file per kernel, place and profile in STATE/cache,
 * which is the orchestrator's own. Whatever is wrong with it, a file there is as if it were none.
 */
#ifndef KMODBOX_ORCHESTRATOR_REFERENCE_CACHE_H
#define KMODBOX_ORCHESTRATOR_REFERENCE_CACHE_H

#include "lib/base/digest.h"

struct build;

/* -ENOENT: there is none with this key that is whole and ours. ret_module_fd: a sealed memfd. */
int reference_cache_read(const struct build *build, const struct digest *key, int *ret_module_fd,
			 struct digest *ret_digest) must_check;
/*
 * Also removes those of kernels whose headers are gone. -errno: it is not kept, and is made anew
 * the next time.
 */
int reference_cache_write(const struct build *build, const struct digest *key,
			  int module_fd) must_check;

#endif
