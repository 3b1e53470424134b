/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip by zlib, xz by liblzma, zstd by libzstd, each over a whole buffer; see compress.h. */
#include "signer/compress.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

/* Each fills memory of *capacity bytes and sets *ret_length; false when the library fails. */
struct compressor {
	const char *suffix;
	size_t (*bound)(size_t length);
	bool (*run)(const struct text *in, uint8_t *out, size_t capacity, size_t *ret_length);
};

/* As `gzip -n`: deflateInit2 with 16 added writes a gzip header with no time and no name. */
static size_t gzip_bound(size_t length)
{
	return compressBound(length) + 18; /* 6 of zlib's framing are in it, gzip's are 18 */
}

static bool gzip_run(const struct text *in, uint8_t *out, size_t capacity, size_t *ret_length)
{
	z_stream stream = { .next_in = (Bytef *)in->data,
			    .avail_in = (uInt)in->length,
			    .next_out = out,
			    .avail_out = (uInt)capacity };
	bool good;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return false;
	good = deflate(&stream, Z_FINISH) == Z_STREAM_END;
	*ret_length = stream.total_out;
	(void)deflateEnd(&stream);
	return good;
}

static size_t xz_bound(size_t length)
{
	return lzma_stream_buffer_bound(length);
}

/*
 * As `xz --check=crc32 --lzma2=dict=1MiB`: the kernel's decoder knows no CRC64 (modules made with
 * xz's defaults do not load: dkms issue 386).
 */
static bool xz_run(const struct text *in, uint8_t *out, size_t capacity, size_t *ret_length)
{
	lzma_options_lzma options;
	lzma_filter filters[] = { { .id = LZMA_FILTER_LZMA2, .options = &options },
				  { .id = LZMA_VLI_UNKNOWN } };

	if (lzma_lzma_preset(&options, LZMA_PRESET_DEFAULT))
		return false;
	options.dict_size = 1u << 20;
	*ret_length = 0;
	return lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL, (const uint8_t *)in->data,
					 in->length, out, ret_length, capacity) == LZMA_OK;
}

static bool zstd_run(const struct text *in, uint8_t *out, size_t capacity, size_t *ret_length)
{
	*ret_length = ZSTD_compress(out, capacity, in->data, in->length, ZSTD_CLEVEL_DEFAULT);
	return !ZSTD_isError(*ret_length);
}

static const struct compressor compressors[] = {
	[KERNEL_COMPRESSION_NONE] = { .suffix = "" },
	[KERNEL_COMPRESSION_GZIP] = { ".gz", gzip_bound, gzip_run },
	[KERNEL_COMPRESSION_XZ] = { ".xz", xz_bound, xz_run },
	[KERNEL_COMPRESSION_ZSTD] = { ".zst", ZSTD_compressBound, zstd_run },
};

const char *compress_suffix(uint32_t compression)
{
	return compression < ARRAY_SIZE(compressors) ? compressors[compression].suffix : NULL;
}

int compress_text(uint32_t compression, struct text *content, struct error **error)
{
	const struct compressor *compressor;
	cleanup_free uint8_t *out = NULL;
	size_t capacity, length;

	if (!compress_suffix(compression))
		return error_set(error, EINVAL, "compression %u is not known", compression);
	compressor = &compressors[compression];
	if (!compressor->run)
		return 0;
	capacity = compressor->bound(content->length);
	if (capacity < content->length || capacity > UINT32_MAX)
		return error_set(error, EFBIG, "%zu bytes are too many to compress",
				 content->length);
	out = malloc(capacity + 1);
	if (!out)
		return error_set(error, ENOMEM, "out of memory");
	if (!compressor->run(content, out, capacity, &length))
		return error_set(error, EIO, "compression to %s failed", compressor->suffix);
	out[length] = '\0'; /* struct text's promise */
	text_clear(content);
	*content = (struct text){ (char *)TAKE_PTR(out), length, capacity + 1 };
	return 0;
}
