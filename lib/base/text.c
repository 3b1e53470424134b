/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings and bytes. Every length may come from somebody hostile; every addition is checked. */
#include "lib/base/text.h"

#include <stdarg.h>
#include <string.h>

#define TEXT_MAXIMUM ((size_t)1 << 30)

/* Makes room for length more bytes and a NUL. */
static int reserve(struct text *text, size_t length)
{
	size_t capacity = text->capacity ? text->capacity : 64;
	char *data;

	if (length > TEXT_MAXIMUM - text->length)
		return -EOVERFLOW;
	if (text->data && text->length + length < text->capacity)
		return 0;
	while (capacity <= text->length + length)
		capacity *= 2;
	data = realloc(text->data, capacity);
	if (!data)
		return -ENOMEM;
	data[text->length] = '\0';
	text->data = data;
	text->capacity = capacity;
	return 0;
}

int text_append(struct text *text, const void *bytes, size_t length)
{
	int r = reserve(text, length);

	if (r < 0)
		return r;
	if (length > 0)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
	return 0;
}

int text_append_string(struct text *text, const char *string)
{
	return text_append(text, string, strlen(string));
}

int text_append_format(struct text *text, const char *format, ...)
{
	cleanup_free char *string = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&string, format, arguments);
	va_end(arguments);
	if (length < 0) {
		string = NULL;
		return -ENOMEM;
	}
	return text_append(text, string, (size_t)length);
}

/* Length of the UTF-8 sequence at the start of bytes, 0 if there is none (Unicode 15, table 3-7).
 */
static size_t decode_utf8(const uint8_t *bytes, size_t length, uint32_t *ret_character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t character = bytes[0];
	size_t size;

	if (character < 0x80)
		size = 1;
	else if (character >= 0xc2 && character < 0xe0)
		size = 2;
	else if (character >= 0xe0 && character < 0xf0)
		size = 3;
	else if (character >= 0xf0 && character < 0xf5)
		size = 4;
	else
		return 0;
	if (size > length)
		return 0;
	if (size > 1)
		character &= 0x7fu >> size;
	for (size_t i = 1; i < size; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (bytes[i] & 0x3f);
	}
	if (character < least[size] || character > 0x10ffff ||
	    (character >= 0xd800 && character < 0xe000))
		return 0;
	*ret_character = character;
	return size;
}

/*
 * Also refused: line separators, and the controls that let text be shown in another order than it
 * has (CVE-2021-42574).
 */
static bool character_is_printable(uint32_t character, bool keep_newlines)
{
	if (character == '\n')
		return keep_newlines;
	if (character == '\t')
		return true;
	return !(character < 0x20 || (character >= 0x7f && character < 0xa0) ||
		 (character >= 0x2028 && character <= 0x202e) ||
		 (character >= 0x2066 && character <= 0x2069));
}

static int append_escaped(struct text *text, const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	int r = 0;

	for (size_t i = 0; i < length && r == 0; i++) {
		char escape[] = { '\\', 'x', digits[bytes[i] >> 4], digits[bytes[i] & 15] };

		r = text_append(text, escape, sizeof(escape));
	}
	return r;
}

int text_append_sanitised(struct text *text, const void *bytes, size_t length, bool keep_newlines)
{
	const uint8_t *data = bytes;
	size_t before = text->length, good = 0, offset = 0;
	int r = text_append(text, "", 0);

	while (r == 0 && offset < length) {
		uint32_t character = 0;
		size_t size = decode_utf8(data + offset, length - offset, &character);

		if (size > 0 && character_is_printable(character, keep_newlines)) {
			offset += size;
			continue;
		}
		if (size == 0)
			size = 1;
		r = text_append(text, data + good, offset - good);
		if (r == 0)
			r = append_escaped(text, data + offset, size);
		offset += size;
		good = offset;
	}
	if (r == 0 && good < length)
		r = text_append(text, data + good, length - good);
	if (r < 0 && text->data) {
		text->length = before;
		text->data[before] = '\0';
	}
	return r;
}

char *text_take(struct text *text)
{
	char *data = text->data ? text->data : strdup("");

	*text = (struct text){ 0 };
	return data;
}

void text_clear(struct text *text)
{
	free(text->data);
	*text = (struct text){ 0 };
}

char *format_string(const char *format, ...)
{
	char *string = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&string, format, arguments);
	va_end(arguments);
	return length < 0 ? NULL : string;
}

char *sanitised(const char *string)
{
	cleanup_text struct text text = { 0 };

	if (text_append_sanitised(&text, string, strlen(string), false) < 0)
		return NULL;
	return text_take(&text);
}

const uint8_t *cursor_bytes(struct cursor *cursor, size_t length)
{
	const uint8_t *bytes;

	if (cursor->failed || length > cursor->length - cursor->offset) {
		cursor->failed = true;
		return NULL;
	}
	bytes = cursor->data ? cursor->data + cursor->offset : (const uint8_t *)"";
	cursor->offset += length;
	return bytes;
}

static uint64_t cursor_little_endian(struct cursor *cursor, size_t size)
{
	const uint8_t *bytes = cursor_bytes(cursor, size);
	uint64_t value = 0;

	for (size_t i = size; bytes && i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

uint8_t cursor_u8(struct cursor *cursor)
{
	return (uint8_t)cursor_little_endian(cursor, 1);
}

uint16_t cursor_u16(struct cursor *cursor)
{
	return (uint16_t)cursor_little_endian(cursor, 2);
}

uint32_t cursor_u32(struct cursor *cursor)
{
	return (uint32_t)cursor_little_endian(cursor, 4);
}

uint64_t cursor_u64(struct cursor *cursor)
{
	return cursor_little_endian(cursor, 8);
}

int parse_u64(const char *string, uint64_t maximum, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!string || !*string || string[strspn(string, "0123456789")])
		return -EINVAL;
	for (; *string; string++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*string - '0'), &value) ||
		    value > maximum)
			return -ERANGE;
	*ret_value = value;
	return 0;
}

bool string_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool string_starts_with(const char *string, const char *prefix)
{
	return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool string_ends_with(const char *string, const char *suffix)
{
	size_t length = strlen(string), end = strlen(suffix);

	return length >= end && strcmp(string + length - end, suffix) == 0;
}

bool name_is_safe(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_.+~:-";
	size_t length = name ? strnlen(name, 128) : 0;

	return length > 0 && length < 128 && name[0] != '-' && name[0] != '.' &&
	       strspn(name, allowed) == length;
}

bool path_is_safe(const char *path, size_t length)
{
	size_t start = 0;

	if (!path || length == 0 || length > 1023)
		return false;
	for (size_t i = 0; i <= length; i++) {
		if (i < length && path[i] != '/') {
			if ((uint8_t)path[i] < 0x20 || path[i] == 0x7f)
				return false;
			continue;
		}
		if (i == start || (i - start == 1 && path[start] == '.') ||
		    (i - start == 2 && path[start] == '.' && path[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}
