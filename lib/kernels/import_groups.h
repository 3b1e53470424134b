/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a module can do, by the symbols of the kernel that it imports: profiles/imports, whose
 * head tells its format. A symbol belongs to one group.
 */
#ifndef KMODBOX_KERNELS_IMPORT_GROUPS_H
#define KMODBOX_KERNELS_IMPORT_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"

struct import_group {
	char *name;	/* "packet-filters" */
	char *title;	/* "sees, changes or drops packets of others" */
	bool attention; /* a person should know of it */
};

/* A symbol, or the beginning of symbols, without underscores in front. */
struct import_pattern {
	char *text;
	bool beginning;
	size_t group;
	unsigned line;
};

/* Zero-initialise. */
struct import_groups {
	struct import_group *groups; /* in the order of the file */
	size_t count;
	struct import_pattern *patterns; /* sorted */
	size_t pattern_count;
};

/* -EINVAL: "PATH:LINE: reason". */
int import_groups_read(const char *path, const char *text, size_t length,
		       struct import_groups *ret_groups, struct error **error) must_check;
/* The number of the group of a symbol, or groups->count where none has it. */
size_t import_groups_find(const struct import_groups *groups, const char *symbol);
void import_groups_clear(struct import_groups *groups);
#define cleanup_import_groups cleanup(import_groups_clear)

#endif
