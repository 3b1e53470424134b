/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256. Trusts libcrypto; the bytes may be anybody's. */
#include "lib/base/digest.h"

#include <openssl/evp.h>
#include <string.h>

/* Of a block at a time, until it ends. */
static int hash_file(int fd, EVP_MD_CTX *context, struct digest *ret_digest)
{
	uint8_t block[65536];
	ssize_t count = 1;

	if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (off_t offset = 0; count > 0; offset += count) {
		do {
			count = pread(fd, block, sizeof(block), offset);
		} while (count < 0 && errno == EINTR);
		if (count < 0)
			return -errno;
		if (EVP_DigestUpdate(context, block, (size_t)count) != 1)
			return -EIO;
	}
	return EVP_DigestFinal_ex(context, ret_digest->bytes, NULL) == 1 ? 0 : -EIO;
}

int digest_file(int fd, struct digest *ret_digest, struct error **error)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int r = hash_file(fd, context, ret_digest);

	EVP_MD_CTX_free(context);
	return r < 0 ? error_set_errno(error, -r, "cannot compute the SHA-256 of a file") : 0;
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

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}
