/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Module.symvers and the index made of it: a hash table with open addressing, because glibc's
 * qsort() asks the system for its memory size, which the checker's jail kills.
 */
#include "checker/symvers.h"

#include <string.h>
#include <sys/auxv.h>

#define SYMBOLS_MAXIMUM (1u << 22)

struct span span_from_string(const char *string)
{
	return (struct span){ string, strlen(string) };
}

bool span_equal(struct span a, struct span b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.text, b.text, a.length) == 0);
}

static uint32_t hash_bytes(uint32_t hash, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		hash = (uint32_t)((hash ^ (uint8_t)bytes[i]) * UINT64_C(16777619));
	return hash;
}

/*
 * FNV-1a, from a start that differs with each process: nobody can make a module beforehand whose
 * names all fall into one slot. AT_RANDOM, since the jail has no getrandom(2).
 */
static uint32_t choose_seed(void)
{
	const char *random = (const char *)getauxval(AT_RANDOM); /* sixteen bytes */

	return hash_bytes(2166136261u, random, random ? 16 : 0);
}

static uint32_t hash_of(const struct symbol_index *index, struct span name)
{
	return hash_bytes(index->seed, name.text, name.length);
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t slot_of(const struct symbol_index *index, struct span name, uint32_t hash)
{
	size_t slot = hash & (index->slot_count - 1);

	while (index->slots[slot] != 0) {
		const struct symbol *symbol = &index->symbols[index->slots[slot] - 1];

		if (symbol->hash == hash && span_equal(symbol->name, name))
			break;
		slot = (slot + 1) & (index->slot_count - 1);
	}
	return slot;
}

/* Doubles both tables; half of the slots stay free. */
static int grow(struct symbol_index *index)
{
	size_t slot_count = index->slot_count ? 2 * index->slot_count : 1024;
	cleanup_free uint32_t *slots = calloc(slot_count, sizeof(*slots));
	struct symbol *symbols;

	if (!slots)
		return -ENOMEM;
	symbols = reallocarray(index->symbols, slot_count / 2, sizeof(*symbols));
	if (!symbols)
		return -ENOMEM;
	free(index->slots);
	index->slots = TAKE_PTR(slots);
	index->slot_count = slot_count;
	index->symbols = symbols;
	for (size_t i = 0; i < index->count; i++)
		index->slots[slot_of(index, symbols[i].name, symbols[i].hash)] = (uint32_t)i + 1;
	return 0;
}

int symbol_index_add(struct symbol_index *index, const struct symbol *symbol)
{
	uint32_t hash;
	size_t slot;

	if (index->count >= SYMBOLS_MAXIMUM)
		return -E2BIG;
	if (index->slot_count == 0)
		index->seed = choose_seed();
	if (index->count >= index->slot_count / 2) {
		int r = grow(index);

		if (r < 0)
			return r;
	}
	hash = hash_of(index, symbol->name);
	slot = slot_of(index, symbol->name, hash);
	if (index->slots[slot] != 0)
		return 0;
	index->symbols[index->count] = *symbol;
	index->symbols[index->count].hash = hash;
	index->slots[slot] = (uint32_t)++index->count;
	return 0;
}

const struct symbol *symbol_index_find(const struct symbol_index *index, struct span name)
{
	size_t slot;

	if (index->count == 0)
		return NULL;
	slot = slot_of(index, name, hash_of(index, name));
	return index->slots[slot] ? &index->symbols[index->slots[slot] - 1] : NULL;
}

void symbol_index_clear(struct symbol_index *index)
{
	free(index->symbols);
	free(index->slots);
	*index = (struct symbol_index){ 0 };
}

/* Cuts the bytes before the separator off rest; all of it where there is none. */
static struct span cut(struct span *rest, char separator)
{
	const char *end = rest->length ? memchr(rest->text, separator, rest->length) : NULL;
	struct span head = { rest->text, end ? (size_t)(end - rest->text) : rest->length };
	size_t used = head.length + (end ? 1 : 0);

	rest->text += used;
	rest->length -= used;
	return head;
}

/* "0x" and one to eight hexadecimal digits. */
static bool parse_crc(struct span text, uint64_t *ret_crc)
{
	uint64_t crc = 0;

	if (text.length < 3 || text.length > 10 || memcmp(text.text, "0x", 2) != 0)
		return false;
	for (size_t i = 2; i < text.length; i++) {
		char c = text.text[i];

		if (c >= '0' && c <= '9')
			crc = crc << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			crc = crc << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret_crc = crc;
	return true;
}

/* "0xCRC\tname\tmodule\tEXPORT_SYMBOL[_GPL][\tnamespace]" */
static bool parse_line(struct span line, struct symbol *ret_symbol)
{
	struct symbol symbol = { 0 };
	struct span crc = cut(&line, '\t'), export;

	symbol.name = cut(&line, '\t');
	symbol.owner = cut(&line, '\t');
	export = cut(&line, '\t');
	symbol.spaces = cut(&line, '\t');
	symbol.gpl_only = span_equal(export, span_from_string("EXPORT_SYMBOL_GPL"));
	if (!symbol.gpl_only && !span_equal(export, span_from_string("EXPORT_SYMBOL")))
		return false;
	if (symbol.name.length == 0 || line.length != 0 || !parse_crc(crc, &symbol.crc))
		return false;
	*ret_symbol = symbol;
	return true;
}

int symvers_parse(const char *text, size_t length, struct symbol_index *index, size_t *ret_line)
{
	struct span rest = { text, length };

	for (size_t line = 1; rest.length > 0; line++) {
		struct symbol symbol;
		int r;

		if (!parse_line(cut(&rest, '\n'), &symbol)) {
			*ret_line = line;
			return -EINVAL;
		}
		r = symbol_index_add(index, &symbol);
		if (r < 0)
			return r;
	}
	return 0;
}

void symvers_add(struct symvers *symvers, const char *text, size_t length)
{
	if (symvers->result == 0)
		symvers->result = symvers_parse(text, length, &symvers->index, &symvers->line);
}

void symvers_clear(struct symvers *symvers)
{
	symbol_index_clear(&symvers->index);
	*symvers = (struct symvers){ 0 };
}
