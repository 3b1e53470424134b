/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may follow what in a snapshot: one set of rules for who writes one and who reads one, so
 * that each tree has exactly one serialisation and nothing else is taken.
 */
#ifndef KMODBOX_RECIPES_SNAPSHOT_RULES_H
#define KMODBOX_RECIPES_SNAPSHOT_RULES_H

#include <stdint.h>

#include "lib/base/error.h"

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
/* May the entry just accepted be a link to this target? */
int snapshot_rules_link(const struct snapshot_rules *rules, const char *target, size_t length,
			struct error **error) must_check;
/* "'PATH' REASON" with the path sanitised; returns -errnum. */
int snapshot_refuse(struct error **error, int errnum, const char *path, const char *reason);

#endif
