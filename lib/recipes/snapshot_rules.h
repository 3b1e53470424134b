/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may follow what in a snapshot: one set of rules for who writes one and who reads one, so
 * that each tree has exactly one serialisation and nothing else is taken.
 */
#ifndef KMODBOX_RECIPES_SNAPSHOT_RULES_H
#define KMODBOX_RECIPES_SNAPSHOT_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

/* Why a link that leads out is refused where only a tree of its own will do. */
#define SNAPSHOT_OUTWARD                                                                           \
	"is a symbolic link that leads out of the source, or has '..' behind a name"
#define SNAPSHOT_PATH 1024 /* path_is_safe() takes at most 1023 bytes */

/* Where in the order we are. Zero-initialise. */
struct snapshot_rules {
	char path[SNAPSHOT_PATH]; /* of the last entry */
	char type;
	uint32_t entries;
};

/* Accepts the next entry (path of length bytes, foreign) or says why not. */
int snapshot_rules_entry(struct snapshot_rules *rules, char type, const char *path, size_t length,
			 struct error **error) must_check;
/* Does a link at path with this target lead out of the tree, or might it? */
bool snapshot_link_leads_out(const char *path, const char *target, size_t length);
/* May the entry just accepted, of type 'l' or 'o', be a link to this target? */
int snapshot_rules_link(const struct snapshot_rules *rules, const char *target, size_t length,
			struct error **error) must_check;
/* "'PATH' REASON" with the path sanitised; returns -errnum. */
int snapshot_refuse(struct error **error, int errnum, const char *path, const char *reason);

#endif
