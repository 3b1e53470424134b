/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 of bytes and of files, by OpenSSL's libcrypto. */
#ifndef KMODBOX_BASE_DIGEST_H
#define KMODBOX_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/cleanup.h"
#include "lib/base/error.h"

#define DIGEST_SIZE 32
#define DIGEST_HEX_SIZE (2 * DIGEST_SIZE + 1)

struct digest {
	uint8_t bytes[DIGEST_SIZE];
};

/* Of a file from offset 0 to its end; by pread, so the descriptor's position does not matter. */
int digest_file(int fd, struct digest *ret_digest, struct error **error) must_check;
int digest_bytes(const void *bytes, size_t length, struct digest *ret_digest,
		 struct error **error) must_check;

/* Step by step. new returns NULL when memory is out; free accepts NULL and returns NULL. */
struct digest_stream *digest_stream_new(void) must_check;
int digest_stream_add(struct digest_stream *stream, const void *bytes, size_t length) must_check;
int digest_stream_finish(struct digest_stream *stream, struct digest *ret_digest) must_check;
struct digest_stream *digest_stream_free(struct digest_stream *stream);

void digest_to_hex(const struct digest *digest, char hex[DIGEST_HEX_SIZE]);
int digest_from_hex(const char *hex, struct digest *ret_digest) must_check; /* 64 of [0-9a-f] */
bool digest_equal(const struct digest *a, const struct digest *b);

#endif
