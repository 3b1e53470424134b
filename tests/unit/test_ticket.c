/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tickets: what is issued comes back the same; whatever else a memfd holds is refused. */
#include "lib/artifacts/ticket.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
/* cmocka.h needs the headers above. */
#include <cmocka.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/message.h"

#define HEAD_SIZE 488 /* the layout as ticket.h documents it */
#define FILE_SIZE 424
#define MODULE_OFFSET 32
#define COUNT_OFFSET 480
#define RESERVED_OFFSET 484

struct keys {
	EVP_PKEY *key;
	uint8_t raw[32];
};

static void keys_make(struct keys *keys)
{
	size_t size = sizeof(keys->raw);

	keys->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(keys->key);
	assert_int_equal(EVP_PKEY_get_raw_public_key(keys->key, keys->raw, &size), 1);
	assert_int_equal(size, 32);
}

static int set_up(void **state)
{
	static struct keys keys;

	keys_make(&keys);
	*state = &keys;
	return 0;
}

static int tear_down(void **state)
{
	struct keys *keys = *state;

	EVP_PKEY_free(keys->key);
	return 0;
}

static void ticket_fill(struct ticket *ticket, struct ticket_file *files, uint32_t count)
{
	*ticket = (struct ticket){ .serial = 7, .issued = 1700000000, .file_count = count };
	ticket->files = files;
	assert_int_equal(MESSAGE_STRING_SET(ticket->module, "demo"), 0);
	assert_int_equal(MESSAGE_STRING_SET(ticket->version, "0.1"), 0);
	assert_int_equal(MESSAGE_STRING_SET(ticket->kernel, "6.1.0-56-amd64"), 0);
	assert_int_equal(MESSAGE_STRING_SET(ticket->architecture, "x86_64"), 0);
	memset(ticket->source.bytes, 0x5a, DIGEST_SIZE);
	for (uint32_t i = 0; i < count; i++) {
		memset(&files[i], 0, sizeof(files[i]));
		(void)snprintf(files[i].name, sizeof(files[i].name), "demo%u.ko.xz", i);
		assert_int_equal(MESSAGE_STRING_SET(files[i].directory, "updates/dkms"), 0);
		files[i].size = 1000 + i;
		memset(files[i].digest.bytes, (int)(i & 0xff), DIGEST_SIZE);
	}
}

static int issue(const struct keys *keys, const struct ticket *ticket, int *ret_fd)
{
	cleanup_error struct error *error = NULL;
	int result = ticket_issue(ticket, keys->key, ret_fd, &error);

	assert_int_equal(error != NULL, result < 0);
	return result;
}

/* ticket_verify() of what a memfd holds. */
static int verify_fd(const struct keys *keys, int fd, struct ticket *ticket, struct error **error)
{
	const uint8_t *bytes;
	size_t size;
	int r = memfd_map(fd, 2 * TICKET_MAXIMUM, &bytes, &size, error);

	if (r < 0)
		return r;
	r = ticket_verify(bytes, size, keys->raw, ticket, error);
	memfd_unmap(bytes, size);
	return r;
}

/* Takes the fd. 0 means that the ticket was accepted. */
static int verify(const struct keys *keys, int fd)
{
	cleanup_error struct error *error = NULL;
	cleanup_ticket struct ticket ticket = { .serial = 99 };
	cleanup_close int owned_fd = fd;
	int result = verify_fd(keys, owned_fd, &ticket, &error);

	assert_int_equal(error != NULL, result < 0);
	if (result < 0) {
		assert_int_equal(ticket.serial, 99);
		assert_null(ticket.files);
	}
	return result;
}

/* The bytes of a valid ticket with count files, without their signature. */
static void ticket_bytes(const struct keys *keys, uint32_t count, struct text *bytes)
{
	struct ticket_file *files = calloc(count, sizeof(*files));
	struct ticket ticket;
	const uint8_t *mapped;
	size_t size;
	int fd = -1;

	assert_non_null(files);
	ticket_fill(&ticket, files, count);
	assert_int_equal(issue(keys, &ticket, &fd), 0);
	assert_int_equal(memfd_map(fd, TICKET_MAXIMUM, &mapped, &size, NULL), 0);
	assert_int_equal(size, HEAD_SIZE + count * FILE_SIZE + 64);
	assert_int_equal(text_append(bytes, mapped, size - 64), 0);
	memfd_unmap(mapped, size);
	(void)close_fd(fd);
	free(files);
}

/* Signs any bytes: what a signer with a bug, or one that was lied to, could send. */
static int verify_signed(const struct keys *keys, const struct text *bytes)
{
	cleanup_text struct text text = { 0 };
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[64];
	size_t size = sizeof(signature);
	int fd = -1;

	assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, keys->key), 1);
	assert_int_equal(
		EVP_DigestSign(context, signature, &size, (uint8_t *)bytes->data, bytes->length),
		1);
	EVP_MD_CTX_free(context);
	assert_int_equal(text_append(&text, bytes->data, bytes->length), 0);
	assert_int_equal(text_append(&text, signature, size), 0);
	assert_int_equal(memfd_from_bytes("test", text.data, text.length, &fd, NULL), 0);
	return verify(keys, fd);
}

static void test_round_trip(void **state)
{
	const struct keys *keys = *state;
	const uint32_t counts[] = { 1, 3, TICKET_FILES };

	for (size_t n = 0; n < ARRAY_SIZE(counts); n++) {
		struct ticket_file *files = calloc(counts[n], sizeof(*files));
		cleanup_ticket struct ticket got = { 0 };
		cleanup_close int fd = -1;
		struct ticket sent;

		assert_non_null(files);
		ticket_fill(&sent, files, counts[n]);
		assert_int_equal(issue(keys, &sent, &fd), 0);
		assert_int_equal(verify_fd(keys, fd, &got, NULL), 0);
		assert_int_equal(got.serial, 7);
		assert_int_equal(got.issued, 1700000000);
		assert_string_equal(got.module, "demo");
		assert_string_equal(got.version, "0.1");
		assert_string_equal(got.kernel, "6.1.0-56-amd64");
		assert_string_equal(got.architecture, "x86_64");
		assert_true(digest_equal(&got.source, &sent.source));
		assert_int_equal(got.file_count, counts[n]);
		assert_memory_equal(got.files, files, counts[n] * sizeof(*files));
		free(files);
	}
}

static void test_changed_bytes_are_refused(void **state)
{
	const struct keys *keys = *state;
	struct ticket_file files[1];
	struct ticket ticket;
	const uint8_t *mapped;
	size_t size;
	int fd = -1;

	ticket_fill(&ticket, files, 1);
	assert_int_equal(issue(keys, &ticket, &fd), 0);
	assert_int_equal(memfd_map(fd, TICKET_MAXIMUM, &mapped, &size, NULL), 0);
	for (size_t i = 0; i < size; i++) {
		cleanup_free uint8_t *copy = malloc(size);
		int copy_fd = -1;

		assert_non_null(copy);
		memcpy(copy, mapped, size);
		copy[i] ^= (uint8_t)(1 << (i % 8));
		assert_int_equal(memfd_from_bytes("test", copy, size, &copy_fd, NULL), 0);
		assert_int_equal(verify(keys, copy_fd), -EKEYREJECTED);
	}
	memfd_unmap(mapped, size);
	assert_int_equal(verify(keys, fd), 0);
}

static void test_other_lengths_are_refused(void **state)
{
	const struct keys *keys = *state;
	struct ticket_file files[2];
	struct ticket ticket;
	const uint8_t *mapped;
	uint8_t *longer;
	size_t size;
	int fd = -1;

	ticket_fill(&ticket, files, 2);
	assert_int_equal(issue(keys, &ticket, &fd), 0);
	assert_int_equal(memfd_map(fd, TICKET_MAXIMUM, &mapped, &size, NULL), 0);
	longer = calloc(1, size + 1);
	assert_non_null(longer);
	memcpy(longer, mapped, size);
	for (size_t length = 0; length <= size + 1; length++) {
		int copy_fd = -1;
		int result;

		assert_int_equal(memfd_from_bytes("test", longer, length, &copy_fd, NULL), 0);
		result = verify(keys, copy_fd);
		if (length == size)
			assert_int_equal(result, 0);
		else
			assert_true(result == -EKEYREJECTED || result == -EBADMSG);
	}
	free(longer);
	memfd_unmap(mapped, size);
	(void)close_fd(fd);
}

static void test_wrong_keys_are_refused(void **state)
{
	const struct keys *keys = *state;
	struct ticket_file files[1];
	EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	struct ticket ticket;
	struct keys others;
	int fd = -1;

	keys_make(&others);
	ticket_fill(&ticket, files, 1);
	assert_int_equal(issue(&others, &ticket, &fd), 0);
	assert_int_equal(verify(keys, fd), -EKEYREJECTED);
	EVP_PKEY_free(others.key);
	others.key = rsa;
	assert_int_equal(issue(&others, &ticket, &fd), -EINVAL);
	EVP_PKEY_free(rsa);
}

static void test_unsealed_memfds_are_refused(void **state)
{
	const struct keys *keys = *state;
	cleanup_text struct text bytes = { 0 };
	int fd = -1;

	ticket_bytes(keys, 1, &bytes);
	assert_int_equal(verify_signed(keys, &bytes), 0);
	assert_int_equal(memfd_new("test", &fd, NULL), 0);
	assert_int_equal(write_all(fd, bytes.data, bytes.length), 0);
	assert_true(verify(keys, fd) < 0);
}

/* Correctly signed, wrong inside: the last wall when a signer was lied to. */
static void test_signed_nonsense_is_refused(void **state)
{
	static const struct {
		size_t offset;
		const char *bytes;
		size_t length;
	} changes[] = {
		{ 0, "K", 1 },
		{ COUNT_OFFSET, "\0", 1 },
		{ COUNT_OFFSET, "\2", 1 },
		{ COUNT_OFFSET, "\1\4", 2 }, /* 1025 */
		{ COUNT_OFFSET, "\377\377\377\377", 4 },
		{ RESERVED_OFFSET, "\1", 1 },
		{ MODULE_OFFSET, "\0", 1 },
		{ MODULE_OFFSET, "../x", 4 },
		{ MODULE_OFFSET, "-rf", 4 },
		{ MODULE_OFFSET, "a\n", 2 },
		{ MODULE_OFFSET + 10, "x", 1 }, /* behind the NUL */
		{ MODULE_OFFSET + TICKET_NAME, "a b", 3 },
		{ MODULE_OFFSET + 2 * TICKET_NAME, "6/1", 3 },
		{ MODULE_OFFSET + 3 * TICKET_NAME, "", 1 },
	};
	const struct keys *keys = *state;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		cleanup_text struct text bytes = { 0 };

		ticket_bytes(keys, 1, &bytes);
		assert_int_equal(verify_signed(keys, &bytes), 0);
		memcpy(bytes.data + changes[i].offset, changes[i].bytes, changes[i].length);
		assert_int_equal(verify_signed(keys, &bytes), -EBADMSG);
	}
}

static void test_a_full_field_without_nul_is_refused(void **state)
{
	const struct keys *keys = *state;
	cleanup_text struct text bytes = { 0 };

	ticket_bytes(keys, 1, &bytes);
	memset(bytes.data + MODULE_OFFSET, 'a', TICKET_NAME - 1);
	assert_int_equal(verify_signed(keys, &bytes), 0);
	bytes.data[MODULE_OFFSET + TICKET_NAME - 1] = 'a';
	assert_int_equal(verify_signed(keys, &bytes), -EBADMSG);
}

static void test_signed_left_over_bytes_are_refused(void **state)
{
	const struct keys *keys = *state;
	cleanup_text struct text bytes = { 0 };

	ticket_bytes(keys, 2, &bytes);
	assert_int_equal(text_append(&bytes, "", 1), 0);
	assert_int_equal(verify_signed(keys, &bytes), -EBADMSG);
	bytes.length -= 2;
	assert_int_equal(verify_signed(keys, &bytes), -EBADMSG);
}

/* Both sides: the signer does not issue it, the installer does not take it. */
static void test_destinations(void **state)
{
	static const struct {
		const char *directory, *name;
		bool good;
	} cases[] = {
		{ "updates", "demo.ko", true },
		{ "extra", "demo.ko.gz", true },
		{ "kernel/drivers/acpi", "demo.ko.zst", true },
		{ "updates/dkms", "demo.ko.xz", true },
		{ "", "demo.ko", false },
		{ "build", "demo.ko", false },
		{ "updatesx", "demo.ko", false },
		{ "kernel/", "demo.ko", false },
		{ "kernel/../..", "demo.ko", false },
		{ "kernel//x", "demo.ko", false },
		{ "/kernel", "demo.ko", false },
		{ "kernel/\033[2J", "demo.ko", false },
		{ "../updates", "demo.ko", false },
		{ "updates", "", false },
		{ "updates", ".ko", false },
		{ "updates", "-demo.ko", false },
		{ "updates", "a/demo.ko", false },
		{ "updates", "modules.dep", false },
		{ "updates", "demo.ko.bz2", false },
		{ "updates", "demo.ko\n", false },
	};
	const struct keys *keys = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_text struct text bytes = { 0 };
		struct ticket_file files[1];
		struct ticket ticket;
		char *entry;
		int fd = -1;

		ticket_fill(&ticket, files, 1);
		memset(files, 0, sizeof(files));
		assert_int_equal(MESSAGE_STRING_SET(files[0].name, cases[i].name), 0);
		assert_int_equal(MESSAGE_STRING_SET(files[0].directory, cases[i].directory), 0);
		assert_int_equal(issue(keys, &ticket, &fd), cases[i].good ? 0 : -EBADMSG);
		(void)close_fd(fd);
		ticket_bytes(keys, 1, &bytes);
		entry = bytes.data + HEAD_SIZE;
		memcpy(entry, files[0].name, TICKET_NAME);
		memcpy(entry + TICKET_NAME, files[0].directory, TICKET_DIRECTORY);
		assert_int_equal(verify_signed(keys, &bytes), cases[i].good ? 0 : -EBADMSG);
	}
}

static void test_a_file_named_twice_is_refused(void **state)
{
	const struct keys *keys = *state;
	cleanup_text struct text bytes = { 0 };
	struct ticket_file files[3];
	struct ticket ticket;
	int fd = -1;

	ticket_bytes(keys, 3, &bytes);
	memcpy(bytes.data + HEAD_SIZE + 2 * FILE_SIZE, bytes.data + HEAD_SIZE, TICKET_NAME);
	assert_int_equal(verify_signed(keys, &bytes), -EBADMSG);
	/* The same name in another directory is another file. */
	memcpy(bytes.data + HEAD_SIZE + 2 * FILE_SIZE + TICKET_NAME, "extra\0\0\0\0\0\0\0", 12);
	assert_int_equal(verify_signed(keys, &bytes), 0);
	ticket_fill(&ticket, files, 3);
	files[2] = files[0];
	assert_int_equal(issue(keys, &ticket, &fd), -EBADMSG);
}

static void test_counts_are_bounded(void **state)
{
	const struct keys *keys = *state;
	struct ticket_file *files = calloc(TICKET_FILES + 1, sizeof(*files));
	struct ticket ticket;
	int fd = -1;

	assert_non_null(files);
	ticket_fill(&ticket, files, TICKET_FILES + 1);
	assert_int_equal(issue(keys, &ticket, &fd), -EBADMSG);
	ticket.file_count = 0;
	assert_int_equal(issue(keys, &ticket, &fd), -EBADMSG);
	ticket.file_count = TICKET_FILES;
	assert_int_equal(issue(keys, &ticket, &fd), 0);
	(void)close_fd(fd);
	free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_changed_bytes_are_refused),
		cmocka_unit_test(test_other_lengths_are_refused),
		cmocka_unit_test(test_wrong_keys_are_refused),
		cmocka_unit_test(test_unsealed_memfds_are_refused),
		cmocka_unit_test(test_signed_nonsense_is_refused),
		cmocka_unit_test(test_a_full_field_without_nul_is_refused),
		cmocka_unit_test(test_signed_left_over_bytes_are_refused),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_a_file_named_twice_is_refused),
		cmocka_unit_test(test_counts_are_bounded),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
