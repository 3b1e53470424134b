/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing, signing, verifying and reading tickets. Linked into the signer and the installer. Before
 * the signature is verified nothing of a ticket is looked at; after it, every field still is: the
 * signer may have been asked for nonsense by a taken-over orchestrator.
 */
#include "lib/artifacts/ticket.h"

#include <openssl/evp.h>
#include <string.h>

#include "lib/base/memfd.h"
#include "lib/base/message.h"
#include "lib/base/text.h"

#define MAGIC "kmodbox-ticket-1"
#define MAGIC_SIZE 16
#define SIGNATURE_SIZE 64
#define HEAD_SIZE (MAGIC_SIZE + 8 + 8 + 3 * TICKET_NAME + TICKET_ARCHITECTURE + DIGEST_SIZE + 4 + 4)
#define FILE_SIZE (TICKET_NAME + TICKET_DIRECTORY + 8 + DIGEST_SIZE)

_Static_assert(HEAD_SIZE + TICKET_FILES * FILE_SIZE + SIGNATURE_SIZE <= TICKET_MAXIMUM,
	       "the largest ticket fits");

void ticket_clear(struct ticket *ticket)
{
	free(ticket->files);
	*ticket = (struct ticket){ 0 };
}

/* Below one of the three directories that out-of-tree modules go to, and nowhere else. */
static bool directory_is_allowed(const char *directory)
{
	static const char *const tops[] = { "updates", "extra", "kernel" };

	if (!path_is_safe(directory, strlen(directory)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		size_t length = strlen(tops[i]);

		if (string_starts_with(directory, tops[i]) &&
		    (directory[length] == '\0' || directory[length] == '/'))
			return true;
	}
	return false;
}

/* Never "modules.dep" or the like, which /lib/modules/K also holds. */
static bool file_name_is_allowed(const char *name)
{
	static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (string_ends_with(name, suffixes[i]))
			return name_is_safe(name);
	return false;
}

static int bad_field(struct error **error, const char *field)
{
	return error_set(
		error, EBADMSG,
		"the ticket is malformed (its %s); build the module again to get a new one", field);
}

static int check_files(const struct ticket *ticket, struct error **error)
{
	if (ticket->file_count == 0 || ticket->file_count > TICKET_FILES)
		return bad_field(error, "number of files");
	for (uint32_t i = 0; i < ticket->file_count; i++) {
		const struct ticket_file *file = &ticket->files[i];

		if (!MESSAGE_STRING_IS_VALID(file->name) || !file_name_is_allowed(file->name))
			return bad_field(error, "file name");
		if (!MESSAGE_STRING_IS_VALID(file->directory) ||
		    !directory_is_allowed(file->directory))
			return bad_field(error, "directory");
		for (uint32_t j = 0; j < i; j++)
			if (string_equal(ticket->files[j].name, file->name) &&
			    string_equal(ticket->files[j].directory, file->directory))
				return bad_field(error, "list of files, which names one twice");
	}
	return 0;
}

static int check_ticket(const struct ticket *ticket, struct error **error)
{
	if (!MESSAGE_STRING_IS_VALID(ticket->module) || !name_is_safe(ticket->module))
		return bad_field(error, "module name");
	if (!MESSAGE_STRING_IS_VALID(ticket->version) || !name_is_safe(ticket->version))
		return bad_field(error, "module version");
	if (!MESSAGE_STRING_IS_VALID(ticket->kernel) || !name_is_safe(ticket->kernel))
		return bad_field(error, "kernel release");
	if (!MESSAGE_STRING_IS_VALID(ticket->architecture) || !name_is_safe(ticket->architecture))
		return bad_field(error, "architecture");
	return check_files(ticket, error);
}

/* Appending fails for want of memory only. */
static int write_ticket(struct text *text, const struct ticket *ticket)
{
	if (text_append(text, MAGIC, MAGIC_SIZE) || text_append_u64(text, ticket->serial) ||
	    text_append_u64(text, ticket->issued) ||
	    text_append(text, ticket->module, TICKET_NAME) ||
	    text_append(text, ticket->version, TICKET_NAME) ||
	    text_append(text, ticket->kernel, TICKET_NAME) ||
	    text_append(text, ticket->architecture, TICKET_ARCHITECTURE) ||
	    text_append(text, ticket->source.bytes, DIGEST_SIZE) ||
	    text_append_u32(text, ticket->file_count) || text_append_u32(text, 0))
		return -ENOMEM;
	for (uint32_t i = 0; i < ticket->file_count; i++) {
		const struct ticket_file *file = &ticket->files[i];

		if (text_append(text, file->name, TICKET_NAME) ||
		    text_append(text, file->directory, TICKET_DIRECTORY) ||
		    text_append_u64(text, file->size) ||
		    text_append(text, file->digest.bytes, DIGEST_SIZE))
			return -ENOMEM;
	}
	return 0;
}

int ticket_issue(const struct ticket *ticket, struct evp_pkey_st *key, int *ret_fd,
		 struct error **error)
{
	cleanup_text struct text text = { 0 };
	uint8_t signature[SIGNATURE_SIZE];
	size_t size = sizeof(signature);
	EVP_MD_CTX *context;
	int result;

	result = check_ticket(ticket, error);
	if (result < 0)
		return result;
	if (EVP_PKEY_get_id(key) != EVP_PKEY_ED25519)
		return error_set(error, EINVAL, "the ticket key is not an Ed25519 key");
	result = write_ticket(&text, ticket);
	if (result < 0)
		return error_set_errno(error, -result, "cannot write the ticket");
	context = EVP_MD_CTX_new();
	if (!context)
		return error_set_errno(error, ENOMEM, "cannot sign the ticket");
	/* No digest is named: Ed25519 hashes by itself and signs in one go,
	 * EVP_SIGNATURE-ED25519(7). */
	result = EVP_DigestSignInit(context, NULL, NULL, NULL, key);
	if (result == 1)
		result = EVP_DigestSign(context, signature, &size, (const uint8_t *)text.data,
					text.length);
	EVP_MD_CTX_free(context);
	if (result != 1 || size != sizeof(signature))
		return error_set(error, EIO, "cannot sign the ticket: OpenSSL refused the key");
	result = text_append(&text, signature, sizeof(signature));
	if (result < 0)
		return error_set_errno(error, -result, "cannot write the ticket");
	return memfd_from_bytes("kmodbox-ticket", text.data, text.length, ret_fd, error);
}

static int verify_signature(const uint8_t *bytes, size_t size, const uint8_t raw_public_key[32],
			    struct error **error)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw_public_key, 32);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int result = 0;

	if (key && context)
		result = EVP_DigestVerifyInit(context, NULL, NULL, NULL, key);
	if (result == 1)
		result = EVP_DigestVerify(context, bytes + size - SIGNATURE_SIZE, SIGNATURE_SIZE,
					  bytes, size - SIGNATURE_SIZE);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	if (result != 1)
		return error_set(
			error, EKEYREJECTED,
			"the ticket's signature does not verify: it was changed, or made with "
			"another key; build the module again to get a new one");
	return 0;
}

/* A size is fixed for every field, so a field is copied whole and judged later by check_ticket().
 */
static void read_field(struct cursor *cursor, void *field, size_t size)
{
	const uint8_t *bytes = cursor_bytes(cursor, size);

	if (bytes)
		memcpy(field, bytes, size);
}

static int read_files(struct cursor *cursor, struct ticket *ticket, struct error **error)
{
	if (ticket->file_count == 0 || ticket->file_count > TICKET_FILES)
		return bad_field(error, "number of files");
	ticket->files = calloc(ticket->file_count, sizeof(*ticket->files));
	if (!ticket->files)
		return error_set_errno(error, ENOMEM, "cannot read the ticket");
	for (uint32_t i = 0; i < ticket->file_count; i++) {
		struct ticket_file *file = &ticket->files[i];

		read_field(cursor, file->name, sizeof(file->name));
		read_field(cursor, file->directory, sizeof(file->directory));
		file->size = cursor_u64(cursor);
		read_field(cursor, file->digest.bytes, DIGEST_SIZE);
	}
	return 0;
}

static int read_ticket(const uint8_t *bytes, size_t size, struct ticket *ticket,
		       struct error **error)
{
	struct cursor cursor = { .data = bytes, .length = size };
	const uint8_t *magic = cursor_bytes(&cursor, MAGIC_SIZE);
	int result;

	if (!magic || memcmp(magic, MAGIC, MAGIC_SIZE) != 0)
		return bad_field(error, "first bytes");
	ticket->serial = cursor_u64(&cursor);
	ticket->issued = cursor_u64(&cursor);
	read_field(&cursor, ticket->module, TICKET_NAME);
	read_field(&cursor, ticket->version, TICKET_NAME);
	read_field(&cursor, ticket->kernel, TICKET_NAME);
	read_field(&cursor, ticket->architecture, TICKET_ARCHITECTURE);
	read_field(&cursor, ticket->source.bytes, DIGEST_SIZE);
	ticket->file_count = cursor_u32(&cursor);
	if (cursor_u32(&cursor) != 0)
		return bad_field(error, "reserved field");
	result = read_files(&cursor, ticket, error);
	if (result < 0)
		return result;
	if (cursor.failed || cursor.offset != cursor.length)
		return bad_field(error, "length");
	return check_ticket(ticket, error);
}

int ticket_verify(int fd, const uint8_t raw_public_key[32], struct ticket *ret_ticket,
		  struct error **error)
{
	cleanup_ticket struct ticket ticket = { 0 };
	const uint8_t *bytes;
	size_t size;
	int result = memfd_map(fd, TICKET_MAXIMUM, &bytes, &size, error);

	if (result < 0)
		return result;
	if (size < HEAD_SIZE + FILE_SIZE + SIGNATURE_SIZE)
		result = bad_field(error, "length");
	if (result == 0)
		result = verify_signature(bytes, size, raw_public_key, error);
	if (result == 0)
		result = read_ticket(bytes, size - SIGNATURE_SIZE, &ticket, error);
	memfd_unmap(bytes, size);
	if (result < 0)
		return result;
	*ret_ticket = ticket;
	ticket = (struct ticket){ 0 };
	return 0;
}
