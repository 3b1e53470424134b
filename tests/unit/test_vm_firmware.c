/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UEFI variables as edk2 reads them, byte for byte, and what is refused instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runners/vm.h"

#define SIZE 4096

/* The start of OVMF_VARS_4M.fd, for a store that ends with the file. */
static struct text empty(void)
{
	static const unsigned char kind[] = { 0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
					      0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92 };
	struct text text = { 0 };
	char bytes[SIZE];
	const uint32_t size = SIZE - 0x48;

	memset(bytes, 0xff, sizeof(bytes));
	memset(bytes, 0, 0x64);
	memcpy(bytes + 40, "_FVH", 4);
	bytes[48] = 0x48;
	memcpy(bytes + 0x48, kind, sizeof(kind));
	memcpy(bytes + 0x58, &size, sizeof(size));
	bytes[0x5c] = 0x5a;
	bytes[0x5d] = (char)0xfe;
	assert_int_equal(text_append(&text, bytes, sizeof(bytes)), 0);
	return text;
}

/* DER of that length, as far as anybody looks. */
static struct text certificate(size_t length)
{
	struct text text = { 0 };
	char bytes[SIZE];

	memset(bytes, 'c', sizeof(bytes));
	bytes[0] = 0x30;
	bytes[1] = (char)0x82;
	bytes[2] = (char)((length - 4) >> 8);
	bytes[3] = (char)((length - 4) & 0xff);
	assert_int_equal(text_append(&text, bytes, length), 0);
	return text;
}

static uint32_t number(const struct text *text, size_t at)
{
	uint32_t value;

	assert_in_range(at, 0, text->length - 4);
	memcpy(&value, text->data + at, sizeof(value));
	return value;
}

static void test_filled(void **state)
{
	static const char names[3][8] = { "P\0K\0\0", "K\0E\0K\0", "d\0b\0\0" };
	static const uint32_t sizes[] = { 6, 8, 6 };
	cleanup_text struct text text = empty(), one = certificate(301);
	size_t at = 0x64;

	(void)state;
	assert_int_equal(vm_fill_variables(&text, &one, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const size_t data = at + 60 + sizes[i];

		assert_int_equal(at % 4, 0);
		assert_int_equal(number(&text, at), 0x3f55aa);
		assert_int_equal(number(&text, at + 4), 0x27);
		assert_int_equal(number(&text, at + 36), sizes[i]);
		assert_int_equal(number(&text, at + 40), 44 + 301);
		assert_memory_equal(text.data + at + 60, names[i], sizes[i]);
		assert_int_equal(number(&text, data + 16), 44 + 301);
		assert_int_equal(number(&text, data + 20), 0);
		assert_int_equal(number(&text, data + 24), 16 + 301);
		assert_memory_equal(text.data + data + 44, one.data, 301);
		at = (data + 44 + 301 + 3) & ~(size_t)3;
	}
	assert_int_equal(number(&text, at), 0xffffffff);
	assert_int_equal(text.length, SIZE);
}

static void refused(struct text *text, const struct text *one, const char *words)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *said = NULL;

	assert_true(vm_fill_variables(text, one, &error) < 0);
	said = error_describe(error);
	assert_non_null(strstr(said, words));
}

static void test_refused(void **state)
{
	cleanup_text struct text text = empty(), one = certificate(301), cut = certificate(301);
	cleanup_text struct text large = certificate(1300), other = empty(), taken = empty();

	(void)state;
	cut.length--;
	refused(&text, &cut, "no certificate in DER");
	refused(&text, &(struct text){ 0 }, "no certificate in DER");
	refused(&text, &large, "no empty store");
	refused(&(struct text){ 0 }, &one, "no empty store");
	other.data[0x48]++;
	refused(&other, &one, "no empty store");
	assert_int_equal(vm_fill_variables(&taken, &one, NULL), 0);
	refused(&taken, &one, "no empty store");
	/* It says that it is longer than the file. */
	memset(text.data + 0x58, 0x7f, 4);
	refused(&text, &one, "no empty store");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filled),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
