/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Strings and bytes: a growing buffer, a bounded reading cursor, checks of names and relative
 * paths, and the sanitiser that every foreign byte passes before it reaches a terminal.
 */
#ifndef KMODBOX_BASE_TEXT_H
#define KMODBOX_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/cleanup.h"

/* A growing buffer. Zero-initialise. data is NUL-terminated behind length once anything was added.
 */
struct text {
	char *data;
	size_t length;
	size_t capacity;
};

/* Each returns 0 or -ENOMEM (-EOVERFLOW beyond 1 GiB) and leaves the buffer as it was on failure.
 */
int text_append(struct text *text, const void *bytes, size_t length) must_check;
int text_append_string(struct text *text, const char *string) must_check;
int text_append_format(struct text *text, const char *format, ...) printf_like(2, 3) must_check;
/* Little-endian integers, for the fixed layouts of messages, snapshots and tickets. */
int text_append_u16(struct text *text, uint16_t value) must_check;
int text_append_u32(struct text *text, uint32_t value) must_check;
int text_append_u64(struct text *text, uint64_t value) must_check;
/*
 * Appends bytes so that a terminal cannot be driven by them: C0 (but '\t', and '\n' where
 * keep_newlines) and C1 controls, DEL, and every byte that is not valid UTF-8 become \xNN.
 * Lesson of CVE-2023-28101 (flatpak, escapes in metadata).
 */
int text_append_sanitised(struct text *text, const void *bytes, size_t length,
			  bool keep_newlines) must_check;
/* Gives the string away (never NULL but for out of memory) and empties the buffer. */
char *text_take(struct text *text) must_check;
void text_clear(struct text *text);
#define cleanup_text cleanup(text_clear)

/* printf to new memory; NULL if it is out. */
char *format_string(const char *format, ...) printf_like(1, 2) must_check;
/* A sanitised copy of a string, without newlines; NULL if memory is out. */
char *sanitised(const char *string) must_check;

/* Reads bytes that somebody else wrote: never past the end, one flag tells if it ever tried to. */
struct cursor {
	const uint8_t *data;
	size_t length;
	size_t offset;
	bool failed;
};
uint8_t cursor_u8(struct cursor *cursor);
uint16_t cursor_u16(struct cursor *cursor); /* little-endian, as all of them */
uint32_t cursor_u32(struct cursor *cursor);
uint64_t cursor_u64(struct cursor *cursor);
/* length bytes in place, or NULL and failed. Also NULL-safe for length 0. */
const uint8_t *cursor_bytes(struct cursor *cursor, size_t length);

/* Decimal digits only, no sign, no blank, at most maximum: 0 or -EINVAL, -ERANGE. */
int parse_u64(const char *string, uint64_t maximum, uint64_t *ret_value) must_check;

bool string_equal(const char *a, const char *b); /* NULL equals only NULL */
bool string_starts_with(const char *string, const char *prefix);
bool string_ends_with(const char *string, const char *suffix);

/*
 * A name of a module, version, kernel release or file: 1 to 127 bytes of [A-Za-z0-9_.+~:-], not
 * starting with '-' or '.'. So it is no option, no hidden file, no path and no terminal sequence.
 */
bool name_is_safe(const char *name);
/*
 * A relative path below somebody's directory: 1 to 1023 bytes, no empty, "." or ".." component,
 * no leading '/', no byte below 0x20, no 0x7f. (One trailing '/' is not accepted either.)
 */
bool path_is_safe(const char *path, size_t length);

#endif
