/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * INI texts, read by libinih: sections, KEY = VALUE, comments. What it does not tell is added here:
 * the line that each key stands in, and that a NUL or a line too long for it is no text of
 * anybody's. The first mistake of a text ends the reading, whoever saw it. The bytes may be
 * anything.
 */
#ifndef KMODBOX_BASE_INI_H
#define KMODBOX_BASE_INI_H

#include <stddef.h>

#include "lib/base/error.h"

/* One key. section is "" before the first one. The texts live as long as the call. */
struct ini_entry {
	const char *section;
	const char *name;
	const char *value;
	unsigned line;
};

/*
 * Hands over key by key, in order. What is wrong, with this text or, by take(), with a key of it,
 * is told as "PATH:LINE: reason"; reason is take()'s error, sanitised by whoever quotes the text.
 */
int ini_read(const char *path, const char *bytes, size_t length,
	     int (*take)(void *context, const struct ini_entry *entry, struct error **error),
	     void *context, struct error **error) must_check;

#endif
