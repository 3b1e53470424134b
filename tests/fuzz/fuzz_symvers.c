/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any bytes as a Module.symvers. What is read of it must be found again by its name, in
 * the first of its lines, and each line that is refused must be one of the text's.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checker/symvers.h"
#include "tests/fuzz/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symbol_index index = { 0 };
	size_t line = 0, lines = 1;
	const int r = symvers_parse((const char *)data, size, &index, &line);

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	promise(r == 0 || (r == -EINVAL && line >= 1 && line <= lines) || r == -ENOMEM);
	promise(index.count <= lines);
	for (size_t i = 0; i < index.count; i++) {
		promise(index.symbols[i].name.length > 0);
		promise(symbol_index_find(&index, index.symbols[i].name) == &index.symbols[i]);
	}
	symbol_index_clear(&index);
	return 0;
}
