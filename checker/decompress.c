/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoding by zlib, liblzma and libzstd, each in one go into memory that is large enough for any
 * module and costs only what is written to. See decompress.h.
 */
#include "checker/decompress.h"

#include <lzma.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "checker/checker.h"
#include "lib/artifacts/build_files.h"

#define XZ_MEMORY (UINT64_C(160) << 20) /* a dictionary of 128 MiB; ours have 1 MiB */

/* Each decodes all of in, or is false; *ret_size is then undefined. */
struct decoder {
	const char *magic;
	size_t magic_size;
	bool (*run)(const uint8_t *in, size_t size, uint8_t *out, size_t capacity,
		    size_t *ret_size);
};

static bool gzip_run(const uint8_t *in, size_t size, uint8_t *out, size_t capacity,
		     size_t *ret_size)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)in,
			    .avail_in = (uInt)size,
			    .next_out = out,
			    .avail_out = (uInt)capacity };
	bool good;

	if (inflateInit2(&stream, 15 + 16) != Z_OK)
		return false;
	good = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
	*ret_size = stream.total_out;
	(void)inflateEnd(&stream);
	return good;
}

static bool xz_run(const uint8_t *in, size_t size, uint8_t *out, size_t capacity, size_t *ret_size)
{
	uint64_t memory = XZ_MEMORY;
	size_t read = 0;

	*ret_size = 0;
	return lzma_stream_buffer_decode(&memory, 0, NULL, in, &read, size, out, ret_size,
					 capacity) == LZMA_OK &&
	       read == size;
}

/* In one go the output is its own window: no memory but for that. */
static bool zstd_run(const uint8_t *in, size_t size, uint8_t *out, size_t capacity,
		     size_t *ret_size)
{
	*ret_size = ZSTD_decompress(out, capacity, in, size);
	return !ZSTD_isError(*ret_size);
}

static const struct decoder decoders[] = {
	{ "\x1f\x8b", 2, gzip_run },
	{ "\xfd"
	  "7zXZ\0",
	  6, xz_run },
	{ "\x28\xb5\x2f\xfd", 4, zstd_run },
};

int decompress(const uint8_t *bytes, size_t size, const uint8_t **ret_bytes, size_t *ret_size)
{
	const struct decoder *decoder = NULL;
	cleanup_free uint8_t *out = NULL;
	size_t length = 0;

	for (size_t i = 0; i < ARRAY_SIZE(decoders) && !decoder; i++)
		if (size >= decoders[i].magic_size &&
		    memcmp(bytes, decoders[i].magic, decoders[i].magic_size) == 0)
			decoder = &decoders[i];
	if (!decoder) {
		*ret_bytes = bytes;
		*ret_size = size;
		return 0;
	}
	out = malloc(BUILD_MODULE_MAXIMUM);
	if (!out)
		return -ENOMEM;
	if (size > BUILD_MODULE_MAXIMUM ||
	    !decoder->run(bytes, size, out, BUILD_MODULE_MAXIMUM, &length))
		return -EBADMSG;
	*ret_bytes = TAKE_PTR(out);
	*ret_size = length;
	return 0;
}
