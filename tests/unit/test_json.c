/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON: the same facts give the same bytes; reading is strict and bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/json.h"
#include "lib/base/memfd.h"

static void test_text(void **state)
{
	cleanup_json json_t *one = json_object(), *two = json_object();
	cleanup_free char *first = NULL, *second = NULL;

	(void)state;
	assert_int_equal(json_object_set_new(one, "b", json_integer(2)), 0);
	assert_int_equal(json_object_set_new(one, "a", json_string("x\033y")), 0);
	assert_int_equal(json_object_set_new(two, "a", json_string("x\033y")), 0);
	assert_int_equal(json_object_set_new(two, "b", json_integer(2)), 0);
	first = json_to_text(one);
	second = json_to_text(two);
	assert_non_null(first);
	assert_string_equal(first, "{\n  \"a\": \"x\\u001By\",\n  \"b\": 2\n}\n");
	assert_string_equal(first, second);
}

static int parse(const char *text, size_t length, size_t maximum, json_t **ret_json,
		 struct error **error)
{
	cleanup_close int fd = -1;

	assert_int_equal(memfd_from_bytes("json", text, length, &fd, NULL), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return json_from_fd(fd, maximum, ret_json, error);
}

static void test_round_trip(void **state)
{
	static const char text[] = "{\n  \"list\": [\n    1,\n    true,\n    null\n  ]\n}\n";
	cleanup_json json_t *json = NULL;
	cleanup_free char *again = NULL;

	(void)state;
	assert_int_equal(parse(text, strlen(text), strlen(text), &json, NULL), 0);
	again = json_to_text(json);
	assert_string_equal(again, text);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"{} {}",
		"{}x",
		"{\"a\":1,\"a\":2}",
		"[1,]",
		"{\"a\":\"\\u0000\"}",
		"\"\xff\"",
		"nul",
	};
	cleanup_json json_t *json = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_error struct error *error = NULL;

		if (parse(bad[i], strlen(bad[i]), 100, &json, &error) != -EBADMSG)
			fail_msg("accepted %s", bad[i]);
		assert_non_null(error);
		assert_null(json);
	}
	assert_int_equal(parse("{}\0", 3, 100, &json, NULL), -EBADMSG);
	assert_int_equal(parse("[1, 2]", 6, 5, &json, NULL), -EFBIG);
	assert_null(json);
	assert_int_equal(parse("[1, 2]", 6, 6, &json, NULL), 0);
}

/* Nesting that would exhaust a recursive parser's stack. */
static void test_deep(void **state)
{
	cleanup_free char *text = malloc(1000000);
	cleanup_json json_t *json = NULL;

	(void)state;
	assert_non_null(text);
	memset(text, '[', 1000000);
	assert_int_equal(parse(text, 1000000, 1000000, &json, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
