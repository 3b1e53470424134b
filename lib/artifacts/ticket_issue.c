/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing and signing tickets. Only the signer and tests do that, so the installer does not link
 * it. A ticket that would not be accepted is not issued.
 */
#include <openssl/evp.h>

#include "lib/artifacts/ticket_internal.h"
#include "lib/base/memfd.h"
#include "lib/base/text.h"

/* Appending fails for want of memory only. */
static int write_ticket(struct text *text, const struct ticket *ticket)
{
	if (text_append(text, TICKET_MAGIC, TICKET_MAGIC_SIZE) ||
	    text_append_u64(text, ticket->serial) || text_append_u64(text, ticket->issued) ||
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
	uint8_t signature[TICKET_SIGNATURE_SIZE];
	size_t size = sizeof(signature);
	EVP_MD_CTX *context;
	int result;

	result = ticket_check(ticket, error);
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
