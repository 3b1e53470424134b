/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of the host goes into a build: a kernel's headers and the toolchain. As digests for the
 * record, and watched, so that an upgrade under a running build is seen. The digests are remembered
 * in a directory of the caller's own, with the stamp that the files had: reading 100 MB for each of
 * many builds would tell nothing new. A stamp holds inodes, sizes and ctimes, which nobody can set;
 * so if it is the remembered one when a build has ended, nothing changed since it was remembered.
 */
#ifndef KMODBOX_KERNELS_INPUTS_H
#define KMODBOX_KERNELS_INPUTS_H

#include "lib/kernels/kernel.h"
#include "lib/kernels/toolchain.h"

struct inputs;

/*
 * Before a build. cache_fd: the directory, -1 for none; whatever is wrong with what is in it, the
 * digests are then made anew. kernel and toolchain are borrowed until inputs_free().
 */
int inputs_begin(const struct kernel *kernel, const struct toolchain *toolchain, int cache_fd,
		 struct inputs **ret_inputs, struct error **error) must_check;
/*
 * After it: begins to look at everything again, in a process of its own, and says later if anything
 * is not what it was before, or that it could not look. What did not change is then remembered.
 */
void inputs_end(struct inputs *inputs);
int inputs_changed(struct inputs *inputs, bool *ret_changed, struct error **error) must_check;
const struct digest *inputs_headers(const struct inputs *inputs);
const struct digest *inputs_tool(const struct inputs *inputs, size_t index); /* as in toolchain */
struct inputs *inputs_free(struct inputs *inputs);

#endif
