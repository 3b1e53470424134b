/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels whose headers are here: for a verb that takes them as they come. */
#ifndef KMODBOX_ORCHESTRATOR_KERNEL_LIST_H
#define KMODBOX_ORCHESTRATOR_KERNEL_LIST_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "orchestrator/places.h"

struct kernel_list {
	char **releases; /* with a build/ below the module tree; sorted */
	size_t count;
};

/* owner: as for kernel_load(). A module tree that is not there holds none. */
int kernel_list_load(const struct places *places, uid_t owner, struct kernel_list *ret_list,
		     struct error **error) must_check;
void kernel_list_clear(struct kernel_list *list);
#define cleanup_kernel_list cleanup(kernel_list_clear)

#endif
