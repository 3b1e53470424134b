/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256. Trusts libcrypto; the bytes may be anybody's. */
#include "lib/base/digest.h"

#include <openssl/evp.h>
#include <string.h>

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

static void cleanup_stream(struct digest_stream **stream)
{
	*stream = digest_stream_free(*stream);
}

int digest_file(int fd, struct digest *ret_digest, struct error **error)
{
	cleanup(cleanup_stream) struct digest_stream *stream = digest_stream_new();
	uint8_t block[65536];
	ssize_t count = 0;
	int r = stream ? 0 : -ENOMEM;

	for (off_t offset = 0; r == 0; offset += count) {
		do {
			count = pread(fd, block, sizeof(block), offset);
		} while (count < 0 && errno == EINTR);
		if (count < 0)
			return error_set_errno(error, errno, "cannot read a file to hash it");
		if (count == 0)
			break;
		r = digest_stream_add(stream, block, (size_t)count);
	}
	if (r == 0)
		r = digest_stream_finish(stream, ret_digest);
	return r < 0 ? error_set_errno(error, -r, "cannot compute SHA-256") : 0;
}

int digest_bytes(const void *bytes, size_t length, struct digest *ret_digest, struct error **error)
{
	if (EVP_Digest(bytes, length, ret_digest->bytes, NULL, EVP_sha256(), NULL) != 1)
		return error_set(error, EIO, "cannot compute SHA-256");
	return 0;
}

void digest_to_hex(const struct digest *digest, char hex[DIGEST_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		hex[2 * i] = digits[digest->bytes[i] >> 4];
		hex[2 * i + 1] = digits[digest->bytes[i] & 15];
	}
	hex[DIGEST_HEX_SIZE - 1] = '\0';
}

static int hex_value(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

int digest_from_hex(const char *hex, struct digest *ret_digest)
{
	struct digest digest;

	if (!hex || strnlen(hex, DIGEST_HEX_SIZE) != DIGEST_HEX_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		digest.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_digest = digest;
	return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}
