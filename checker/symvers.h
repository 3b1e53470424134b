/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols by name: what Module.symvers says the kernel exports, and which versions a module was
 * built against. Names are borrowed from the text they were read from; of two symbols with one
 * name the first counts, so what stands behind the kernel's own text cannot shadow it.
 */
#ifndef KMODBOX_CHECKER_SYMVERS_H
#define KMODBOX_CHECKER_SYMVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/cleanup.h"

/* Text that is not NUL-terminated. */
struct span {
	const char *text;
	size_t length;
};

struct symbol {
	struct span name;
	struct span owner;  /* "vmlinux", "drivers/dma-buf/dma-buf" */
	struct span spaces; /* namespace; empty: none */
	uint64_t crc;
	uint32_t hash;
	bool gpl_only;
};

/* Zero-initialise. */
struct symbol_index {
	struct symbol *symbols;
	size_t count;
	uint32_t *slots; /* number of a symbol + 1; 0: free */
	size_t slot_count;
	uint32_t seed; /* of their hashes */
};

/* Adds a copy unless the name is there already: 0, -ENOMEM, -E2BIG. */
int symbol_index_add(struct symbol_index *index, const struct symbol *symbol) must_check;
const struct symbol *symbol_index_find(const struct symbol_index *index, struct span name);
void symbol_index_clear(struct symbol_index *index);

/* Adds each line of a Module.symvers. -EINVAL: *ret_line is the first that is not one. */
int symvers_parse(const char *text, size_t length, struct symbol_index *index,
		  size_t *ret_line) must_check;

/* All that is known of a kernel's symbols, from several texts. Zero-initialise. */
struct symvers {
	struct symbol_index index;
	int result; /* of symvers_parse(): the first that failed */
	size_t line;
};

/* The text must outlive it. */
void symvers_add(struct symvers *symvers, const char *text, size_t length);
void symvers_clear(struct symvers *symvers);

struct span span_from_string(const char *string);
bool span_equal(struct span a, struct span b);

#endif
