/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verifying and reading tickets. Before the signature is verified nothing of a ticket is looked at;
 * after it, every field still is: the signer may have been asked for nonsense by a taken-over
 * orchestrator.
 */
#include "lib/artifacts/ticket.h"

#include <openssl/evp.h>
#include <string.h>

#include "lib/artifacts/ticket_internal.h"
#include "lib/base/message.h"
#include "lib/base/text.h"

#define HEAD_SIZE                                                                                  \
	(TICKET_MAGIC_SIZE + 8 + 8 + 3 * TICKET_NAME + TICKET_ARCHITECTURE + DIGEST_SIZE + 4 + 4)
#define FILE_SIZE (TICKET_NAME + TICKET_DIRECTORY + 8 + DIGEST_SIZE)

_Static_assert(HEAD_SIZE + TICKET_FILES * FILE_SIZE + TICKET_SIGNATURE_SIZE <= TICKET_MAXIMUM,
	       "the largest ticket fits");

void ticket_clear(struct ticket *ticket)
{
	free(ticket->files);
	*ticket = (struct ticket){ 0 };
}

bool ticket_directory_is_allowed(const char *directory)
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

size_t ticket_module_stem(const char *name)
{
	static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (string_ends_with(name, suffixes[i]))
			return strlen(name) - strlen(suffixes[i]);
	return 0;
}

/* Never "modules.dep" or the like, which /lib/modules/K also holds. */
static bool file_name_is_allowed(const char *name)
{
	return ticket_module_stem(name) > 0 && name_is_safe(name);
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
		    !ticket_directory_is_allowed(file->directory))
			return bad_field(error, "directory");
		for (uint32_t j = 0; j < i; j++)
			if (string_equal(ticket->files[j].name, file->name) &&
			    string_equal(ticket->files[j].directory, file->directory))
				return bad_field(error, "list of files, which names one twice");
	}
	return 0;
}

int ticket_check(const struct ticket *ticket, struct error **error)
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

static int verify_signature(const uint8_t *bytes, size_t size, const uint8_t raw_public_key[32],
			    struct error **error)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw_public_key, 32);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int result = 0;

	if (key && context)
		result = EVP_DigestVerifyInit(context, NULL, NULL, NULL, key);
	if (result == 1)
		result = EVP_DigestVerify(context, bytes + size - TICKET_SIGNATURE_SIZE,
					  TICKET_SIGNATURE_SIZE, bytes,
					  size - TICKET_SIGNATURE_SIZE);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	if (result != 1)
		return error_set(
			error, EKEYREJECTED,
			"the ticket's signature does not verify: it was changed, or made with "
			"another key; build the module again to get a new one");
	return 0;
}

/* A size is fixed for every field, so a field is copied whole and judged later by ticket_check().
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
	const uint8_t *magic = cursor_bytes(&cursor, TICKET_MAGIC_SIZE);
	int result;

	if (!magic || memcmp(magic, TICKET_MAGIC, TICKET_MAGIC_SIZE) != 0)
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
	return ticket_check(ticket, error);
}

int ticket_verify(const uint8_t *bytes, size_t size, const uint8_t raw_public_key[32],
		  struct ticket *ret_ticket, struct error **error)
{
	cleanup_ticket struct ticket ticket = { 0 };
	int r;

	if (size < HEAD_SIZE + FILE_SIZE + TICKET_SIGNATURE_SIZE || size > TICKET_MAXIMUM)
		return bad_field(error, "length");
	r = verify_signature(bytes, size, raw_public_key, error);
	if (r == 0)
		r = read_ticket(bytes, size - TICKET_SIGNATURE_SIZE, &ticket, error);
	if (r < 0)
		return r;
	*ret_ticket = ticket;
	ticket = (struct ticket){ 0 };
	return 0;
}
