/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one iterator over a snapshot that every reader of it goes through. Internal to lib/recipes.
 */
#ifndef KMODBOX_RECIPES_SNAPSHOT_READER_H
#define KMODBOX_RECIPES_SNAPSHOT_READER_H

#include "lib/base/text.h"
#include "lib/recipes/snapshot_rules.h"

struct snapshot_reader {
	const uint8_t *bytes;
	size_t size;
	struct cursor cursor;
	struct snapshot_rules rules; /* path and type of the current entry */
	const uint8_t *content;
	size_t length;
};

int snapshot_reader_open(int fd, struct snapshot_reader *reader, struct error **error) must_check;
/* 1: there is a next entry, in rules, content and length; 0: the end. */
int snapshot_reader_next(struct snapshot_reader *reader, struct error **error) must_check;
void snapshot_reader_close(struct snapshot_reader *reader);

#endif
