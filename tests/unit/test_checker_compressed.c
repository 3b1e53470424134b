/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The exports of compressed and signed modules, through the real kmodbox-checker: what the signer
 * compresses comes back, and compressed files that are made to hurt cost a refusal, no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <lzma.h>

#include "lib/artifacts/build_files.h"
#include "lib/base/memfd.h"
#include "signer/compress.h"
#include "tests/unit/module_image.h"

#define SIGNATURE_MARKER "~Module signature appended~\n"
#define BOMB ((size_t)(BUILD_MODULE_MAXIMUM) + 4096)
#define CHANGES 64

static int checker_fd = -1;

static int prepare(void **state)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 32);

	(void)state;
	assert_true(length > 0);
	path[length] = '\0';
	(void)snprintf(strrchr(path, '/'), 32, "/../bin/kmodbox-checker");
	checker_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (checker_fd < 0)
		print_error("bin/kmodbox-checker is not built: make it before its test\n");
	return checker_fd < 0 ? -1 : 0;
}

static int clean(void **state)
{
	(void)state;
	checker_fd = close_fd(checker_fd);
	return 0;
}

/* 0: it said something; then *verdict. Else the checker itself ended, as its limits allow. */
static int ask(const struct text *file, uint32_t purpose, struct checker_verdict *verdict,
	       struct text *exports)
{
	struct checker_facts facts = good_facts();
	cleanup_close int module_fd = -1, symvers_fd = -1;

	facts.purpose = purpose;
	assert_int_equal(memfd_from_bytes("module", file->data, file->length, &module_fd, NULL), 0);
	assert_int_equal(
		memfd_from_bytes("symvers", symvers, sizeof(symvers) - 1, &symvers_fd, NULL), 0);
	return checker_run(checker_fd, module_fd, symvers_fd, &facts, CHECKER_MILLISECONDS, verdict,
			   exports, NULL);
}

static void make_file(uint32_t compression, struct text *ret_file)
{
	struct plan plan = good_plan();
	struct image image;

	plan.exported = "given_away";
	build(&plan, &image);
	assert_int_equal(text_append(ret_file, image.bytes, image.size), 0);
	assert_int_equal(text_append(ret_file, "signature" SIGNATURE_MARKER,
				     sizeof("signature" SIGNATURE_MARKER) - 1),
			 0);
	assert_int_equal(compress_text(compression, ret_file, NULL), 0);
}

static void test_every_compression(void **state)
{
	(void)state;
	for (uint32_t i = KERNEL_COMPRESSION_NONE; i <= KERNEL_COMPRESSION_ZSTD; i++) {
		cleanup_text struct text file = { 0 }, exports = { 0 };
		struct checker_verdict verdict;

		make_file(i, &file);
		assert_int_equal(ask(&file, CHECKER_EXPORTS, &verdict, &exports), 0);
		assert_int_equal(verdict.outcome, CHECKER_WILL_LOAD);
		assert_non_null(strstr(exports.data, "\tgiven_away\t"));
		/* To be signed it must be neither compressed nor signed: that is the signer's. */
		assert_int_equal(ask(&file, CHECKER_LOADING, &verdict, NULL), 0);
		assert_int_equal(verdict.outcome, i == KERNEL_COMPRESSION_NONE
							  ? CHECKER_POLICY
							  : CHECKER_WILL_NOT_LOAD);
	}
}

static void test_damaged(void **state)
{
	(void)state;
	for (uint32_t i = KERNEL_COMPRESSION_GZIP; i <= KERNEL_COMPRESSION_ZSTD; i++) {
		cleanup_text struct text file = { 0 }, longer = { 0 };
		struct checker_verdict verdict;

		make_file(i, &file);
		assert_int_equal(text_append(&longer, file.data, file.length), 0);
		assert_int_equal(text_append(&longer, "behind", 6), 0);
		assert_int_equal(ask(&longer, CHECKER_EXPORTS, &verdict, NULL), 0);
		assert_int_equal(verdict.errnum, EBADMSG);
		file.length--;
		assert_int_equal(ask(&file, CHECKER_EXPORTS, &verdict, NULL), 0);
		assert_int_equal(verdict.outcome, CHECKER_WILL_NOT_LOAD);
		assert_string_equal(verdict.text, "it cannot be decompressed");
		/* Anything at all in its place: a verdict, never a crash. */
		for (size_t change = 0; change < CHANGES; change++) {
			size_t at = 6 + change * (file.length - 6) / CHANGES;

			file.data[at] = (char)(file.data[at] ^ (1 << change % 8));
			assert_int_equal(ask(&file, CHECKER_EXPORTS, &verdict, NULL), 0);
		}
	}
}

static void test_bombs(void **state)
{
	(void)state;
	for (uint32_t i = KERNEL_COMPRESSION_GZIP; i <= KERNEL_COMPRESSION_ZSTD; i++) {
		cleanup_text struct text bomb = { .data = calloc(1, BOMB), .length = BOMB - 1 };
		struct checker_verdict verdict;

		assert_non_null(bomb.data);
		bomb.capacity = BOMB;
		assert_int_equal(compress_text(i, &bomb, NULL), 0);
		assert_true(bomb.length < BOMB / 100);
		assert_int_equal(ask(&bomb, CHECKER_EXPORTS, &verdict, NULL), 0);
		assert_int_equal(verdict.outcome, CHECKER_POLICY);
		assert_non_null(strstr(verdict.text, "more memory"));
	}
}

/* The dictionary that an xz file wants: 2 or 3 shifted (The .xz File Format, 5.3.1). */
static void set_dictionary(struct text *file, uint8_t properties)
{
	uint8_t *header = (uint8_t *)file->data + 12;
	size_t size = (header[0] + 1u) * 4 - 4;
	uint8_t *filter = memmem(header, size, "\x21\x01", 2);
	uint32_t crc;

	assert_non_null(filter);
	filter[2] = properties;
	crc = lzma_crc32(header, size, 0);
	memcpy(header + size, &crc, sizeof(crc));
}

/* A header may ask for 1 or 4 GiB of dictionary; it gets none of it. */
static void test_greedy(void **state)
{
	static const struct {
		uint8_t properties;
		bool good;
	} dictionaries[] = {
		{ 18, true }, { 28, true }, { 29, false }, { 36, false }, { 40, false }
	};
	cleanup_text struct text file = { 0 };

	(void)state;
	make_file(KERNEL_COMPRESSION_XZ, &file);
	for (size_t i = 0; i < ARRAY_SIZE(dictionaries); i++) {
		cleanup_text struct text exports = { 0 };
		struct checker_verdict verdict;

		set_dictionary(&file, dictionaries[i].properties);
		assert_int_equal(ask(&file, CHECKER_EXPORTS, &verdict, &exports), 0);
		assert_int_equal(verdict.errnum, dictionaries[i].good ? 0 : EPERM);
		assert_int_equal(exports.length > 0, dictionaries[i].good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_compression),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_greedy),
	};

	return cmocka_run_group_tests_name("checker_compressed", tests, prepare, clean);
}
