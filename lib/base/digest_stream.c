/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 step by step, of what comes in pieces. */
#include <openssl/evp.h>

#include "lib/base/digest.h"

struct digest_stream {
	EVP_MD_CTX *context;
};

struct digest_stream *digest_stream_new(void)
{
	struct digest_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->context = EVP_MD_CTX_new();
	if (!stream->context || EVP_DigestInit_ex(stream->context, EVP_sha256(), NULL) != 1)
		return digest_stream_free(stream);
	return stream;
}

int digest_stream_add(struct digest_stream *stream, const void *bytes, size_t length)
{
	return EVP_DigestUpdate(stream->context, bytes, length) == 1 ? 0 : -EIO;
}

int digest_stream_finish(struct digest_stream *stream, struct digest *ret_digest)
{
	return EVP_DigestFinal_ex(stream->context, ret_digest->bytes, NULL) == 1 ? 0 : -EIO;
}

struct digest_stream *digest_stream_free(struct digest_stream *stream)
{
	if (stream)
		EVP_MD_CTX_free(stream->context);
	free(stream);
	return NULL;
}
