/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compression against the command-line tools, which are other code than made it. */
#include "tests/unit/signer_support.h"

#include "signer/compress.h"

#define CONTENT_SIZE 700000u

/* Bytes that compress somewhat, the same in every run. */
static struct text make_content(size_t length)
{
	struct text content = { 0 };
	uint32_t state = 12345;

	for (size_t i = 0; i < length; i++) {
		char byte;

		state = state * 1664525u + 1013904223u;
		byte = (char)((state >> 24) & ((i / 4096) % 2 ? 0xff : 0x07));
		assert_int_equal(text_append(&content, &byte, 1), 0);
	}
	return content;
}

static void check_with_tool(uint32_t compression, const char *tool, size_t length)
{
	cleanup_scratch struct scratch scratch;
	cleanup_text struct text content = make_content(length), again = make_content(length);
	cleanup_text struct text original = make_content(length), output = { 0 };
	int status;

	scratch_make(&scratch);
	assert_int_equal(compress_text(compression, &content, NULL), 0);
	assert_int_equal(compress_text(compression, &again, NULL), 0);
	assert_int_equal(content.length, again.length);
	assert_memory_equal(content.data, again.data, content.length);
	assert_int_equal(content.data[content.length], '\0');
	if (length == CONTENT_SIZE)
		assert_true(content.length < length);
	scratch_write(&scratch, "file", content.data, content.length, 0600);
	status = RUN(&scratch, &output, "sh", "-c", "exec $0 -dc <file", tool);
	if (status == 127) {
		print_message("no %s here\n", tool);
		skip();
	}
	assert_int_equal(status, 0);
	assert_int_equal(output.length, length);
	assert_memory_equal(output.data, original.data, length);
}

static void test_gzip(void **state)
{
	cleanup_text struct text content = make_content(5000);
	static const uint8_t head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0 }; /* no name, no time */

	(void)state;
	check_with_tool(KERNEL_COMPRESSION_GZIP, "gzip", CONTENT_SIZE);
	check_with_tool(KERNEL_COMPRESSION_GZIP, "gzip", 1);
	assert_int_equal(compress_text(KERNEL_COMPRESSION_GZIP, &content, NULL), 0);
	assert_memory_equal(content.data, head, sizeof(head));
	assert_string_equal(compress_suffix(KERNEL_COMPRESSION_GZIP), ".gz");
}

/* The kernel's decoder takes CRC32 and this dictionary. */
static void test_xz(void **state)
{
	cleanup_text struct text content = make_content(5000), output = { 0 };
	cleanup_scratch struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	check_with_tool(KERNEL_COMPRESSION_XZ, "xz", CONTENT_SIZE);
	check_with_tool(KERNEL_COMPRESSION_XZ, "xz", 1);
	assert_int_equal(compress_text(KERNEL_COMPRESSION_XZ, &content, NULL), 0);
	scratch_write(&scratch, "file.xz", content.data, content.length, 0600);
	assert_int_equal(RUN(&scratch, &output, "xz", "--robot", "-lvv", "file.xz"), 0);
	assert_non_null(strstr(output.data, "CRC32"));
	assert_non_null(strstr(output.data, "--lzma2=dict=1MiB"));
	assert_string_equal(compress_suffix(KERNEL_COMPRESSION_XZ), ".xz");
}

static void test_zstd(void **state)
{
	(void)state;
	check_with_tool(KERNEL_COMPRESSION_ZSTD, "zstd", CONTENT_SIZE);
	check_with_tool(KERNEL_COMPRESSION_ZSTD, "zstd", 1);
	assert_string_equal(compress_suffix(KERNEL_COMPRESSION_ZSTD), ".zst");
}

static void test_none_and_unknown(void **state)
{
	cleanup_text struct text content = { 0 };
	cleanup_error struct error *error = NULL;

	(void)state;
	assert_int_equal(text_append_string(&content, "module"), 0);
	assert_int_equal(compress_text(KERNEL_COMPRESSION_NONE, &content, NULL), 0);
	assert_string_equal(content.data, "module");
	assert_string_equal(compress_suffix(KERNEL_COMPRESSION_NONE), "");
	assert_int_equal(compress_text(KERNEL_COMPRESSION_ZSTD + 1, &content, &error), -EINVAL);
	assert_error(&error, "compression 4 is not known");
	assert_string_equal(content.data, "module");
	assert_null(compress_suffix(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_xz),
		cmocka_unit_test(test_zstd),
		cmocka_unit_test(test_none_and_unknown),
	};

	return cmocka_run_group_tests_name("signer_compress", tests, NULL, NULL);
}
