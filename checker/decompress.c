/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decoding by zlib, liblzma and libzstd, each in one go into memory that is large enough for any
 * module and costs only what is written to. See decompress.h.
 */
#include "checker/decompress.h"

#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "lib/artifacts/build_files.h"

#define XZ_MEMORY (UINT64_C(68) << 20) /* a dictionary of 64 MiB, xz -9; kbuild's have 1 or 2 */

/* Each decodes all of in: 0, -EBADMSG or -EFBIG; *ret_size is undefined where that fails. */
struct decoder {
	const char *magic;
	size_t magic_size;
	int (*run)(const uint8_t *in, size_t size, uint8_t *out, size_t capacity, size_t *ret_size);
};

static int gzip_run(const uint8_t *in, size_t size, uint8_t *out, size_t capacity, size_t *ret_size)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)in,
			    .avail_in = (uInt)size,
			    .next_out = out,
			    .avail_out = (uInt)capacity };
	int r;

	if (inflateInit2(&stream, 15 + 16) != Z_OK)
		return -ENOMEM;
	r = inflate(&stream, Z_FINISH);
	*ret_size = stream.total_out;
	(void)inflateEnd(&stream);
	if (r == Z_STREAM_END && stream.avail_in == 0)
		return 0;
	return r == Z_BUF_ERROR && stream.avail_out == 0 ? -EFBIG : -EBADMSG;
}

static int xz_run(const uint8_t *in, size_t size, uint8_t *out, size_t capacity, size_t *ret_size)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret r = lzma_stream_decoder(&stream, XZ_MEMORY, 0);

	if (r != LZMA_OK)
		return -ENOMEM;
	stream.next_in = in;
	stream.avail_in = size;
	stream.next_out = out;
	stream.avail_out = capacity;
	r = lzma_code(&stream, LZMA_FINISH);
	*ret_size = stream.total_out;
	lzma_end(&stream);
	if (r == LZMA_STREAM_END && stream.avail_in == 0)
		return 0;
	return r == LZMA_MEMLIMIT_ERROR || r == LZMA_MEM_ERROR || stream.avail_out == 0 ? -EFBIG
											: -EBADMSG;
}

/* In one go the output is its own window: no memory but for that. */
static int zstd_run(const uint8_t *in, size_t size, uint8_t *out, size_t capacity, size_t *ret_size)
{
	*ret_size = ZSTD_decompress(out, capacity, in, size);
	if (!ZSTD_isError(*ret_size))
		return 0;
	return ZSTD_getErrorCode(*ret_size) == ZSTD_error_dstSize_tooSmall ? -EFBIG : -EBADMSG;
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
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(decoders) && !decoder; i++)
		if (size >= decoders[i].magic_size &&
		    memcmp(bytes, decoders[i].magic, decoders[i].magic_size) == 0)
			decoder = &decoders[i];
	if (!decoder) {
		*ret_bytes = bytes;
		*ret_size = size;
		return 0;
	}
	if (size > BUILD_MODULE_MAXIMUM)
		return -EFBIG;
	out = malloc(UNPACKED_MAXIMUM);
	if (!out)
		return -ENOMEM;
	r = decoder->run(bytes, size, out, UNPACKED_MAXIMUM, &length);
	if (r < 0)
		return r;
	*ret_bytes = TAKE_PTR(out);
	*ret_size = length;
	return 0;
}
