/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modules.order and modules.builtin of a kernel: a path per line, "kernel/drivers/net/dummy.ko",
 * found by the name of the module.
 */
#ifndef KMODBOX_ORCHESTRATOR_MODULE_LIST_H
#define KMODBOX_ORCHESTRATOR_MODULE_LIST_H

#include "lib/base/text.h"

/* Zero-initialise. */
struct module_list {
	struct text text;
	const char **lines; /* sorted by name */
	size_t count;
};

/* Empty where the file is not there, or cannot be read. */
void module_list_read(int directory_fd, const char *file, struct module_list *list);
void module_list_clear(struct module_list *list);
/*
 * The path of the module of that name, in which '-' and '_' are the same, borrowed and not
 * terminated: its length; 0: it is not in the list.
 */
size_t module_list_find(const struct module_list *list, const char *name, const char **ret_path);

#endif
