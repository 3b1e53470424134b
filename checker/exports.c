/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The symbols a module gives: verify_exported_symbols() of kernel/module/main.c, and the lines of
 * Module.symvers for modules that use them. Names are read where the kernel will find them, through
 * the relocations of the export tables.
 */
#include <stdio.h>
#include <string.h>

#include "checker/examination.h"

/* struct kernel_symbol with CONFIG_HAVE_ARCH_PREL32_RELOCATIONS: 32-bit offsets of value, name,
 * space */
#define EXPORT_SIZE 12
#define EXPORT_NAME_OFFSET 4
#define EXPORT_SPACE_OFFSET 8

struct export
{
	const char *name;
	const char *space;
};

/* The string a relocation of an export's name points to; NULL where it is none. */
static const char *relocated_string(const struct examination *e, const Elf64_Rela *relocation)
{
	uint64_t number = ELF64_R_SYM(relocation->r_info);
	const uint8_t *contents;
	Elf64_Sym symbol;
	uint64_t offset;
	size_t size;

	if (number >= e->file.symbol_count)
		return NULL;
	symbol = elf_symbol(&e->file, (uint32_t)number);
	if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= e->file.section_count)
		return NULL;
	contents = elf_contents(&e->file, symbol.st_shndx, &size);
	/* A sum that wraps is only another offset, checked like any. */
	offset = symbol.st_value + (uint64_t)relocation->r_addend;
	if (offset >= size || !memchr(contents + offset, '\0', size - offset))
		return NULL;
	return (const char *)contents + offset;
}

/* Whether the owner, "drivers/net/foo", is the module of the kernel that this one replaces. */
static bool module_replaces(const struct examination *e, struct span owner)
{
	const char *name = e->facts->module_name;
	size_t start = owner.length;

	while (start > 0 && owner.text[start - 1] != '/')
		start--;
	if (owner.length - start != strlen(name))
		return false;
	for (size_t i = 0; name[i]; i++) {
		char theirs = owner.text[start + i];

		if ((theirs == '-' ? '_' : theirs) != (name[i] == '-' ? '_' : name[i]))
			return false;
	}
	return true;
}

static bool is_plain(const char *string)
{
	for (; *string; string++) {
		if (*string <= ' ' || *string > '~')
			return false;
	}
	return true;
}

static void examine_export(struct examination *e, const struct export *export, uint32_t crc,
			   const char *kind)
{
	const char *space = export->space ? export->space : "";
	const struct symbol *known;
	int r;

	if (!export->name || !*export->name || !is_plain(export->name) || !is_plain(space)) {
		finding_object(e, "an exported symbol has no name");
		return;
	}
	known = symbol_index_find(e->kernel, span_from_string(export->name));
	/* Of a module that was signed before nothing stands in the place of the kernel's own. */
	if (known && e->facts->purpose == CHECKER_EXPORTS)
		return;
	if (known && !module_replaces(e, known->owner)) {
		const int shown = known->owner.length < 120 ? (int)known->owner.length : 120;

		/* verify_exported_symbols() knows those of modules that are loaded. */
		if (span_equal(known->owner, span_from_string("vmlinux")))
			finding_refuse(e, ENOEXEC,
				       "exports duplicate symbol %" SHOWN " (owned by kernel)",
				       export->name);
		else
			finding_object(e, "exports duplicate symbol %" SHOWN " (owned by %.*s)",
				       export->name, shown, known->owner.text);
		return;
	}
	r = text_append_format(e->exports, "0x%08x\t%s\t%s\t%s\t%s\n", crc, export->name,
			       e->facts->module_name, kind, space);
	if (r == 0 && e->exports->length > CHECKER_EXPORTS_MAXIMUM)
		r = -E2BIG;
	if (r < 0)
		finding_refuse(e, -r, "exports too many symbols");
}

/* Collects name and namespace of each entry of the table. */
static void read_exports(const struct examination *e, uint32_t table, struct export *exports,
			 size_t count)
{
	for (uint32_t i = 1; i < e->file.section_count; i++) {
		Elf64_Shdr section = elf_section(&e->file, i);
		size_t size;
		const uint8_t *bytes = elf_contents(&e->file, i, &size);

		if (section.sh_type != SHT_RELA || section.sh_info != table)
			continue;
		for (size_t at = 0; at + sizeof(Elf64_Rela) <= size; at += sizeof(Elf64_Rela)) {
			Elf64_Rela relocation;
			uint64_t entry;

			memcpy(&relocation, bytes + at, sizeof(relocation));
			entry = relocation.r_offset / EXPORT_SIZE;
			if (entry >= count)
				continue;
			if (relocation.r_offset % EXPORT_SIZE == EXPORT_NAME_OFFSET)
				exports[entry].name = relocated_string(e, &relocation);
			else if (relocation.r_offset % EXPORT_SIZE == EXPORT_SPACE_OFFSET)
				exports[entry].space = relocated_string(e, &relocation);
		}
	}
}

static void examine_table(struct examination *e, uint32_t table, const uint8_t *crcs,
			  const char *kind)
{
	size_t count = elf_section(&e->file, table).sh_size / EXPORT_SIZE;
	cleanup_free struct export *exports = calloc(count ? count : 1, sizeof(*exports));

	if (!exports) {
		finding_refuse(e, ENOMEM, "exports too many symbols");
		return;
	}
	read_exports(e, table, exports, count);
	for (size_t i = 0; i < count && e->exports->length <= CHECKER_EXPORTS_MAXIMUM; i++) {
		uint32_t crc = 0;

		if (crcs)
			memcpy(&crc, crcs + i * sizeof(crc), sizeof(crc));
		examine_export(e, &exports[i], crc, kind);
	}
}

void examine_exports(struct examination *e)
{
	static const char *const tables[][3] = {
		{ "__ksymtab", "__kcrctab", "EXPORT_SYMBOL" },
		{ "__ksymtab_gpl", "__kcrctab_gpl", "EXPORT_SYMBOL_GPL" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		uint32_t table = 0, crc_table = 0;
		const uint8_t *crcs = NULL;
		size_t table_size, crc_size;

		if (examination_section(e, tables[i][0], &table) <= 0)
			continue;
		(void)elf_contents(&e->file, table, &table_size);
		if (e->facts->modversions && table_size > 0) {
			if (examination_section(e, tables[i][1], &crc_table) > 0)
				crcs = elf_contents(&e->file, crc_table, &crc_size);
			/* The kernel would read behind a table that is too short. */
			if (!crcs || crc_size / sizeof(uint32_t) < table_size / EXPORT_SIZE) {
				finding_refuse_unless_forced(e, ENOEXEC,
							     "no versions for exported symbols");
				continue;
			}
		}
		examine_table(e, table, crcs, tables[i][2]);
	}
}
