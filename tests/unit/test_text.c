/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strings: growth and its limit, the sanitiser, cursors, numbers, names and paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/text.h"

static void test_append(void **state)
{
	cleanup_text struct text text = { 0 };

	(void)state;
	assert_int_equal(text_append(&text, NULL, 0), 0);
	assert_string_equal(text.data, "");
	assert_int_equal(text_append_string(&text, "abc"), 0);
	assert_int_equal(text_append_format(&text, "-%d", 42), 0);
	assert_string_equal(text.data, "abc-42");
	assert_int_equal(text_append(&text, "\0x", 2), 0);
	assert_int_equal(text.length, 8);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(text_append(&text, "0123456789", 10), 0);
	assert_int_equal(text.length, 100008);
	assert_true(text.capacity > text.length);
	assert_int_equal(text.data[text.length], 0);
	assert_memory_equal(text.data + 99998, "0123456789", 10);
}

static void test_append_limit(void **state)
{
	cleanup_text struct text text = { 0 };

	(void)state;
	assert_int_equal(text_append_string(&text, "x"), 0);
	/* The bytes are never read: the length alone is refused. */
	assert_int_equal(text_append(&text, "", (size_t)1 << 30), -EOVERFLOW);
	assert_int_equal(text_append(&text, "", SIZE_MAX), -EOVERFLOW);
	assert_int_equal(text.length, 1);
	assert_string_equal(text.data, "x");
}

static void test_little_endian(void **state)
{
	static const uint8_t expected[] = { 2, 1, 6, 5, 4, 3, 14, 13, 12, 11, 10, 9, 8, 7 };
	cleanup_text struct text text = { 0 };
	struct cursor cursor;

	(void)state;
	assert_int_equal(text_append_u16(&text, 0x0102), 0);
	assert_int_equal(text_append_u32(&text, 0x03040506), 0);
	assert_int_equal(text_append_u64(&text, UINT64_C(0x0708090a0b0c0d0e)), 0);
	assert_int_equal(text.length, sizeof(expected));
	assert_memory_equal(text.data, expected, sizeof(expected));
	cursor = (struct cursor){ .data = (uint8_t *)text.data, .length = text.length };
	assert_int_equal(cursor_u16(&cursor), 0x0102);
	assert_int_equal(cursor_u32(&cursor), 0x03040506);
	assert_true(cursor_u64(&cursor) == UINT64_C(0x0708090a0b0c0d0e));
	assert_false(cursor.failed);
}

static void test_take(void **state)
{
	struct text text = { 0 };
	char *taken = text_take(&text);

	(void)state;
	assert_string_equal(taken, "");
	free(taken);
	assert_int_equal(text_append_string(&text, "mine"), 0);
	taken = text_take(&text);
	assert_string_equal(taken, "mine");
	assert_null(text.data);
	assert_int_equal(text.length, 0);
	free(taken);
}

struct sanitised_case {
	const char *name;
	const char *bytes;
	const char *expected;
};

static const struct sanitised_case sanitised_cases[] = {
	{ "plain", "module.c:12: warning\ttab", "module.c:12: warning\ttab" },
	{ "empty", "", "" },
	{ "terminal title", "\033]0;owned\007", "\\x1b]0;owned\\x07" },
	{ "carriage return", "ok\rno", "ok\\x0dno" },
	{ "newline", "a\nb", "a\\x0ab" },
	{ "DEL", "\x7f", "\\x7f" },
	{ "two bytes", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
	{ "three and four bytes", "\xe2\x82\xac \xf0\x9f\x90\xa7",
	  "\xe2\x82\xac \xf0\x9f\x90\xa7" },
	{ "first after C1", "\xc2\xa0", "\xc2\xa0" },
	{ "C1 CSI as UTF-8",
	  "\xc2\x9b"
	  "31m",
	  "\\xc2\\x9b31m" },
	{ "C1 CSI as a byte",
	  "\x9b"
	  "31m",
	  "\\x9b31m" },
	{ "line separator", "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
	{ "paragraph separator", "\xe2\x80\xa9", "\\xe2\\x80\\xa9" },
	{ "right-to-left override", "\xe2\x80\xae", "\\xe2\\x80\\xae" },
	{ "isolate", "\xe2\x81\xa6", "\\xe2\\x81\\xa6" },
	{ "pop isolate", "\xe2\x81\xa9", "\\xe2\\x81\\xa9" },
	{ "neighbours of these", "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
	  "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa" },
	{ "overlong slash, two", "\xc0\xaf", "\\xc0\\xaf" },
	{ "overlong escape, two", "\xc1\x9b", "\\xc1\\x9b" },
	{ "overlong, three", "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
	{ "overlong, four", "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
	{ "surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80" },
	{ "last before surrogates", "\xed\x9f\xbf", "\xed\x9f\xbf" },
	{ "beyond U+10FFFF", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
	{ "five bytes", "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80" },
	{ "0xff", "\xff", "\\xff" },
	{ "lone continuation", "a\x80z", "a\\x80z" },
	{ "cut, two", "a\xc3", "a\\xc3" },
	{ "cut, three", "\xe2\x82", "\\xe2\\x82" },
	{ "cut, four", "\xf0\x9f\x90", "\\xf0\\x9f\\x90" },
	{ "cut by a letter", "\xe2\x82z", "\\xe2\\x82z" },
	{ "cut by an escape", "\xc3\033[", "\\xc3\\x1b[" },
};

static void test_sanitised(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sanitised_cases); i++) {
		const struct sanitised_case *c = &sanitised_cases[i];
		cleanup_free char *shown = sanitised(c->bytes);

		assert_non_null(shown);
		if (strcmp(shown, c->expected) != 0)
			fail_msg("%s: got \"%s\"", c->name, shown);
	}
}

static void test_sanitised_newlines_and_nul(void **state)
{
	cleanup_text struct text text = { 0 };

	(void)state;
	assert_int_equal(text_append_sanitised(&text, "a\nb\0c\r\n", 7, true), 0);
	assert_string_equal(text.data, "a\nb\\x00c\\x0d\n");
	assert_int_equal(text_append_sanitised(&text, NULL, 0, true), 0);
}

/* Every single byte and pair of bytes: what comes out holds no control byte, and is stable. */
static void test_sanitised_pairs(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		uint8_t bytes[] = { (uint8_t)(i >> 8), (uint8_t)i };
		cleanup_text struct text once = { 0 }, twice = { 0 };

		assert_int_equal(text_append_sanitised(&once, bytes, 2, false), 0);
		for (size_t j = 0; j < once.length; j++)
			if (((uint8_t)once.data[j] < 0x20 && once.data[j] != '\t') ||
			    once.data[j] == 0x7f)
				fail_msg("%04x leaves a control byte", i);
		assert_int_equal(text_append_sanitised(&twice, once.data, once.length, false), 0);
		assert_string_equal(once.data, twice.data);
	}
}

static void test_cursor(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
	struct cursor cursor = { .data = bytes, .length = sizeof(bytes) };
	struct cursor empty = { 0 };

	(void)state;
	assert_int_equal(cursor_u8(&cursor), 1);
	assert_ptr_equal(cursor_bytes(&cursor, 2), bytes + 1);
	assert_non_null(cursor_bytes(&cursor, 0));
	assert_int_equal(cursor_u32(&cursor), 0); /* two bytes are left */
	assert_true(cursor.failed);
	assert_int_equal(cursor_u8(&cursor), 0); /* failed stays failed */
	assert_null(cursor_bytes(&cursor, 0));
	cursor.failed = false;
	assert_null(cursor_bytes(&cursor, SIZE_MAX));
	assert_non_null(cursor_bytes(&empty, 0));
	assert_false(empty.failed);
	assert_int_equal(cursor_u8(&empty), 0);
	assert_true(empty.failed);
}

static void test_parse(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_int_equal(parse_u64("0", 0, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(parse_u64("18446744073709551615", UINT64_MAX, &value), 0);
	assert_true(value == UINT64_MAX);
	value = 7;
	assert_int_equal(parse_u64("18446744073709551616", UINT64_MAX, &value), -ERANGE);
	assert_int_equal(parse_u64("99999999999999999999999", UINT64_MAX, &value), -ERANGE);
	assert_int_equal(parse_u64("11", 10, &value), -ERANGE);
	assert_int_equal(parse_u64("", 10, &value), -EINVAL);
	assert_int_equal(parse_u64(NULL, 10, &value), -EINVAL);
	assert_int_equal(parse_u64("-1", 10, &value), -EINVAL);
	assert_int_equal(parse_u64("+1", 10, &value), -EINVAL);
	assert_int_equal(parse_u64(" 1", 10, &value), -EINVAL);
	assert_int_equal(parse_u64("1 ", 10, &value), -EINVAL);
	assert_int_equal(parse_u64("0x1", 10, &value), -EINVAL);
	assert_int_equal(value, 7);
}

static void test_comparisons(void **state)
{
	(void)state;
	assert_true(string_equal(NULL, NULL));
	assert_false(string_equal(NULL, ""));
	assert_false(string_equal("", NULL));
	assert_true(string_equal("a", "a"));
	assert_false(string_equal("a", "b"));
	assert_true(string_starts_with("evdi.ko", "evdi"));
	assert_false(string_starts_with("ev", "evdi"));
	assert_true(string_ends_with("evdi.ko", ".ko"));
	assert_false(string_ends_with("ko", ".ko"));
}

static void test_names(void **state)
{
	static const char *const good[] = { "demo", "0.1", "6.12.1+deb13-amd64", "acpi_call",
					    "1:2.0~rc1" };
	static const char *const bad[] = { "",	  "-k",	 ".hidden", "..",  "a/b",      "a b",
					   "a\n", "a\\", "a$b",	    "a;b", "\xc3\xbc", "a*" };
	char name[129];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(name_is_safe(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (name_is_safe(bad[i]))
			fail_msg("accepted \"%s\"", bad[i]);
	assert_false(name_is_safe(NULL));
	memset(name, 'a', sizeof(name));
	name[127] = '\0';
	assert_true(name_is_safe(name));
	name[127] = 'a';
	name[128] = '\0';
	assert_false(name_is_safe(name));
}

static void test_paths(void **state)
{
	static const char *const good[] = { "a",	"src/main.c", "...", "a/..b/.c",
					    "\xc3\xbc", "-x",	      "a b" };
	static const char *const bad[] = {
		"",	  "/",	  "/etc", ".",	 "..",	  "a/..", "../a",
		"a/../b", "a//b", "a/",	  "./a", "a/./b", "a\nb", "a\x7f"
	};
	char path[1025];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!path_is_safe(good[i], strlen(good[i])))
			fail_msg("refused \"%s\"", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (path_is_safe(bad[i], strlen(bad[i])))
			fail_msg("accepted \"%s\"", bad[i]);
	assert_false(path_is_safe("a\0b", 3));
	assert_false(path_is_safe(NULL, 1));
	assert_true(path_is_safe("ab/../c", 2)); /* the length counts, not the NUL */
	memset(path, 'a', sizeof(path));
	assert_true(path_is_safe(path, 1023));
	assert_false(path_is_safe(path, 1024));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_append_limit),
		cmocka_unit_test(test_little_endian),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_sanitised),
		cmocka_unit_test(test_sanitised_newlines_and_nul),
		cmocka_unit_test(test_sanitised_pairs),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_comparisons),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
