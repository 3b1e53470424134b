/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any bytes as a module's file, compressed or not. It comes out as it is, or unpacked
 * and within its limit, or is refused as damaged; the same bytes once more give the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checker/decompress.h"
#include "tests/fuzz/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *module = NULL, *again = NULL;
	size_t length = 0, same = 0;
	const int r = decompress(data, size, &module, &length);

	promise(r == 0 || r == -EBADMSG || r == -EFBIG || r == -ENOMEM);
	promise(decompress(data, size, &again, &same) == r);
	if (r < 0)
		return 0;
	promise(length <= UNPACKED_MAXIMUM || module == data);
	promise(same == length && (length == 0 || memcmp(module, again, length) == 0));
	if (module != data) {
		free((void *)(uintptr_t)module);
		free((void *)(uintptr_t)again);
	}
	return 0;
}
