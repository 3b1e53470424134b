/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes a sound module expensive to read, for tests/hostile/check.sh:
 *
 *	expensive NAME IN.ko OUT.ko
 *
 * What grows is put behind the file, as a section's new contents or as a new table of sections.
 */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEBIBYTE ((size_t)1 << 20)
#define FNV_START 2166136261u
#define FNV_PRIME 16777619u

struct module {
	uint8_t *bytes;
	size_t size;
};

static _Noreturn void fail(const char *what)
{
	(void)fprintf(stderr, "expensive: %s\n", what);
	exit(1);
}

/* Zeros behind the file. */
static uint8_t *grow(struct module *module, size_t size)
{
	uint8_t *bytes = realloc(module->bytes, module->size + size);

	if (!bytes)
		fail("out of memory");
	memset(bytes + module->size, 0, size);
	module->bytes = bytes;
	module->size += size;
	return bytes + module->size - size;
}

static Elf64_Ehdr *header(const struct module *module)
{
	return (Elf64_Ehdr *)(void *)module->bytes;
}

static Elf64_Shdr *section_at(const struct module *module, unsigned index)
{
	return (Elf64_Shdr *)(void *)(module->bytes + header(module)->e_shoff) + index;
}

static Elf64_Shdr *find(const struct module *module, const char *name)
{
	const Elf64_Shdr *names = section_at(module, header(module)->e_shstrndx);

	for (unsigned i = 1; i < header(module)->e_shnum; i++) {
		Elf64_Shdr *section = section_at(module, i);

		if (strcmp((char *)module->bytes + names->sh_offset + section->sh_name, name) == 0)
			return section;
	}
	fail(name);
}

/* The section's contents with so many bytes more, behind the file; returns where those begin. */
static uint8_t *extend(struct module *module, const char *name, size_t more)
{
	const Elf64_Shdr old = *find(module, name);
	const size_t offset = (module->size + 63) & ~(size_t)63;
	Elf64_Shdr *section;

	(void)grow(module, offset - module->size + old.sh_size + more);
	memcpy(module->bytes + offset, module->bytes + old.sh_offset, old.sh_size);
	section = find(module, name);
	section->sh_offset = offset;
	section->sh_size = old.sh_size + more;
	return module->bytes + offset + old.sh_size;
}

/* Calls it otherwise; it gets new contents of so many zeros, which are returned. */
static uint8_t *replace(struct module *module, const char *name, const char *new_name, size_t size)
{
	const unsigned names = header(module)->e_shstrndx;
	const size_t at = section_at(module, names)->sh_size;
	Elf64_Shdr *section;

	find(module, name)->sh_size = 0;
	(void)extend(module, name, size);
	(void)memcpy(extend(module, ".shstrtab", strlen(new_name) + 1), new_name,
		     strlen(new_name) + 1);
	section = find(module, name);
	section->sh_name = (uint32_t)at;
	section->sh_type = SHT_PROGBITS;
	return module->bytes + section->sh_offset;
}

/* A hundred MiB of the smallest entries there can be. */
static void modinfo(struct module *module)
{
	uint8_t *at = extend(module, ".modinfo", 100 * MEBIBYTE);

	for (size_t i = 0; i < 100 * MEBIBYTE; i += 2)
		at[i] = 'a';
}

/* The first one, four million times. */
static void relocations(struct module *module)
{
	const size_t count = 4000000;
	uint8_t *at = extend(module, ".rela.init.text", count * sizeof(Elf64_Rela));
	const uint8_t *first = module->bytes + find(module, ".rela.init.text")->sh_offset;

	for (size_t i = 0; i < count; i++)
		memcpy(at + i * sizeof(Elf64_Rela), first, sizeof(Elf64_Rela));
}

static void versions(struct module *module)
{
	const size_t count = 1000000;
	char *at = (char *)extend(module, "__versions", count * 64);

	for (size_t i = 0; i < count; i++)
		(void)snprintf(at + i * 64 + 8, 56, "symbol_%zu", i);
}

/* A million imports that share one name of fifty MiB. */
static void long_name(struct module *module)
{
	const size_t first = find(module, ".strtab")->sh_size, length = 50 * MEBIBYTE;
	const size_t count = 1000000;
	uint8_t *at;

	memset(extend(module, ".strtab", length), 'n', length - 1);
	at = extend(module, ".symtab", count * sizeof(Elf64_Sym));
	for (size_t i = 0; i < count; i++) {
		const Elf64_Sym symbol = { .st_name = (uint32_t)first,
					   .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE) };

		memcpy(at + i * sizeof(symbol), &symbol, sizeof(symbol));
	}
}

#define BLOCK_LENGTH 6

static void put_block(char *at, uint32_t block)
{
	const uint32_t spread = block * 2654435761u;

	for (int i = 0; i < BLOCK_LENGTH; i++)
		at[i] = (char)('0' + (spread >> 6 * i & 63));
}

static uint32_t hash(uint32_t state, uint32_t block)
{
	char letters[BLOCK_LENGTH];

	put_block(letters, block);
	for (int i = 0; i < BLOCK_LENGTH; i++)
		state = (state ^ (uint8_t)letters[i]) * FNV_PRIME;
	return state;
}

struct step {
	uint32_t state;
	uint32_t block;
};

static int compare_steps(const void *left, const void *right)
{
	const struct step *a = left, *b = right;

	return a->state < b->state ? -1 : a->state > b->state;
}

/*
 * Two blocks that take FNV-1a from this state to the same next one: of 2^17 blocks about two pairs
 * do, by the birthday. 0: for this one none does.
 */
static uint32_t collide(uint32_t state, uint32_t ret_blocks[2])
{
	static struct step steps[1 << 17];

	for (uint32_t i = 0; i < 1u << 17; i++)
		steps[i] = (struct step){ hash(state, i), i };
	qsort(steps, 1 << 17, sizeof(steps[0]), compare_steps);
	for (size_t i = 1; i < 1u << 17; i++) {
		if (steps[i].state == steps[i - 1].state) {
			ret_blocks[0] = steps[i - 1].block;
			ret_blocks[1] = steps[i].block;
			return steps[i].state;
		}
	}
	return 0;
}

/*
 * Versions of 2^16 symbols whose names have one hash (A. Joux, Multicollisions in Iterated Hash
 * Functions): of sixteen stages each has two blocks to choose from, behind one that leads to a
 * state for which there are such two.
 */
static void collisions(struct module *module)
{
	enum { STAGES = 16, STAGE = 2 * BLOCK_LENGTH, LENGTH = STAGES * STAGE };
	uint32_t leads[STAGES], pairs[STAGES][2], state = FNV_START;
	char *at;

	for (size_t stage = 0; stage < STAGES; stage++) {
		uint32_t next = 0;

		for (uint32_t block = 0; !next; block++) {
			leads[stage] = block;
			next = collide(hash(state, block), pairs[stage]);
		}
		state = next;
	}
	(void)replace(module, ".note.gnu.build-id", "__version_ext_crcs",
		      sizeof(uint32_t) << STAGES);
	at = (char *)replace(module, ".note.Linux", "__version_ext_names", (LENGTH + 1) << STAGES);
	for (size_t i = 0; i < (size_t)1 << STAGES; i++) {
		for (size_t stage = 0; stage < STAGES; stage++) {
			char *here = at + i * (LENGTH + 1) + stage * STAGE;

			put_block(here, leads[stage]);
			put_block(here + BLOCK_LENGTH, pairs[stage][i >> stage & 1]);
		}
	}
}

/* As many sections as there can be, of them all but the first few empty. */
static void sections(struct module *module)
{
	const unsigned old = header(module)->e_shnum, count = 65000;
	const size_t at = (module->size + 7) & ~(size_t)7;

	(void)grow(module, at - module->size + count * sizeof(Elf64_Shdr));
	memcpy(module->bytes + at, section_at(module, 0), old * sizeof(Elf64_Shdr));
	header(module)->e_shoff = at;
	header(module)->e_shnum = (uint16_t)count;
	for (unsigned i = old; i < count; i++)
		*section_at(module, i) = (Elf64_Shdr){ .sh_name = section_at(module, 1)->sh_name,
						       .sh_type = SHT_PROGBITS,
						       .sh_flags = SHF_ALLOC,
						       .sh_addralign = 1 };
}

static const struct {
	const char *name;
	void (*make)(struct module *module);
} kinds[] = {
	{ "modinfo", modinfo },	    { "relocations", relocations }, { "versions", versions },
	{ "long-name", long_name }, { "collisions", collisions },   { "sections", sections },
};

static void read_module(const char *path, struct module *ret_module)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = malloc(MEBIBYTE);

	if (!file || !bytes)
		fail(path);
	ret_module->size = fread(bytes, 1, MEBIBYTE, file);
	ret_module->bytes = bytes;
	if (ret_module->size < sizeof(Elf64_Ehdr) || ret_module->size == MEBIBYTE)
		fail("no module that is small");
	(void)fclose(file);
}

int main(int argc, char **argv)
{
	struct module module;
	FILE *file;

	if (argc != 4) {
		(void)fputs("usage: expensive NAME IN.ko OUT.ko\n", stderr);
		return 2;
	}
	read_module(argv[2], &module);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		kinds[i].make(&module);
		file = fopen(argv[3], "wb");
		if (!file || fwrite(module.bytes, 1, module.size, file) != module.size ||
		    fclose(file) != 0)
			fail(argv[3]);
		free(module.bytes);
		return 0;
	}
	fail("no such kind");
}
