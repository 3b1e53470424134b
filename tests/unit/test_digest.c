/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 against the examples of FIPS 180-2, of bytes, in pieces and of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/digest.h"
#include "lib/base/memfd.h"

#define OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define OF_MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void assert_digest(const struct digest *digest, const char *expected)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	assert_string_equal(hex, expected);
}

static void test_bytes(void **state)
{
	struct digest digest;

	(void)state;
	assert_int_equal(digest_bytes("abc", 3, &digest, NULL), 0);
	assert_digest(&digest, OF_ABC);
	assert_int_equal(digest_bytes("", 0, &digest, NULL), 0);
	assert_digest(&digest, OF_NOTHING);
}

static void test_stream(void **state)
{
	struct digest_stream *stream = digest_stream_new();
	struct digest digest;

	(void)state;
	assert_non_null(stream);
	for (int i = 0; i < 40000; i++)
		assert_int_equal(digest_stream_add(stream, "aaaaaaaaaaaaaaaaaaaaaaaaa", 25), 0);
	assert_int_equal(digest_stream_finish(stream, &digest), 0);
	assert_digest(&digest, OF_MILLION_A);
	assert_null(digest_stream_free(stream));
	assert_null(digest_stream_free(NULL));
}

static void test_file(void **state)
{
	cleanup_free char *bytes = malloc(1000000);
	cleanup_close int fd = -1;
	struct digest digest;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'a', 1000000);
	assert_int_equal(memfd_from_bytes("test", bytes, 1000000, &fd, NULL), 0);
	/* The descriptor stands at the end, and stays there. */
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1000000);
	assert_int_equal(digest_file(fd, &digest, NULL), 0);
	assert_digest(&digest, OF_MILLION_A);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1000000);
}

static void test_file_unreadable(void **state)
{
	cleanup_error struct error *error = NULL;
	struct digest digest, before;
	int fds[2];

	(void)state;
	memset(&before, 0x55, sizeof(before));
	digest = before;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(digest_file(fds[0], &digest, &error), -ESPIPE);
	assert_non_null(error);
	assert_true(digest_equal(&digest, &before));
	(void)close_fd(fds[0]);
	(void)close_fd(fds[1]);
}

static void test_hex(void **state)
{
	char hex[DIGEST_HEX_SIZE + 1] = OF_ABC;
	struct digest digest, same, other;

	(void)state;
	assert_int_equal(digest_bytes("abc", 3, &digest, NULL), 0);
	assert_int_equal(digest_from_hex(hex, &same), 0);
	assert_true(digest_equal(&digest, &same));
	other = same;
	other.bytes[31] ^= 1;
	assert_false(digest_equal(&digest, &other));
	for (size_t i = 0; i < 64; i++) {
		char kept = hex[i];

		hex[i] = 'G';
		assert_int_equal(digest_from_hex(hex, &other), -EINVAL);
		hex[i] = 'A';
		assert_int_equal(digest_from_hex(hex, &other), -EINVAL);
		hex[i] = kept;
	}
	hex[64] = '0';
	assert_int_equal(digest_from_hex(hex, &other), -EINVAL);
	hex[63] = '\0';
	assert_int_equal(digest_from_hex(hex, &other), -EINVAL);
	assert_int_equal(digest_from_hex("", &other), -EINVAL);
	assert_int_equal(digest_from_hex(NULL, &other), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes), cmocka_unit_test(test_stream),
		cmocka_unit_test(test_file),  cmocka_unit_test(test_file_unreadable),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
