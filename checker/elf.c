/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See elf.h. Messages and order follow elf_validity_cache_copy() of the kernel's module/main.c;
 * stricter where that function leaves something unchecked (section numbers of symbols, tables
 * without contents).
 */
#include "checker/elf.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the reader copies little-endian structs");

#define refuse(file, ...) (snprintf((file)->reason, sizeof((file)->reason), __VA_ARGS__), -ENOEXEC)

/* Whether [offset, offset + length) lies within size bytes. */
static bool range_is_inside(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static int check_header(struct elf_file *file, uint32_t machine, Elf64_Ehdr *ret_header)
{
	Elf64_Ehdr header;

	if (file->size < sizeof(header))
		return refuse(file, "Invalid ELF header len %zu", file->size);
	memcpy(&header, file->bytes, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(file, "Invalid ELF header magic");
	if (header.e_ident[EI_CLASS] != ELFCLASS64)
		return refuse(file, "Invalid ELF class: %u != %u (64-bit)",
			      header.e_ident[EI_CLASS], ELFCLASS64);
	if (header.e_ident[EI_DATA] != ELFDATA2LSB)
		return refuse(file, "Invalid ELF byte order: %u != %u (little-endian)",
			      header.e_ident[EI_DATA], ELFDATA2LSB);
	if (header.e_ident[EI_VERSION] != EV_CURRENT || header.e_version != EV_CURRENT)
		return refuse(file, "Invalid ELF version");
	if (header.e_type != ET_REL)
		return refuse(file, "Invalid ELF header type: %u != %u", header.e_type, ET_REL);
	if (header.e_machine != machine)
		return refuse(file, "Invalid architecture in ELF header: %u", header.e_machine);
	if (header.e_ehsize != sizeof(Elf64_Ehdr))
		return refuse(file, "Invalid ELF header size");
	if (header.e_shentsize != sizeof(Elf64_Shdr))
		return refuse(file, "Invalid ELF section header size");
	/* From SHN_LORESERVE on a symbol's section number means something else than a section. */
	if (header.e_shnum == 0 || header.e_shnum >= SHN_LORESERVE ||
	    !range_is_inside(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr), file->size))
		return refuse(file, "Invalid ELF section header overflow");
	*ret_header = header;
	return 0;
}

static int check_sections(struct elf_file *file)
{
	Elf64_Shdr first = elf_section(file, 0);

	if (first.sh_type != SHT_NULL || first.sh_size != 0 || first.sh_addr != 0)
		return refuse(file,
			      "ELF Spec violation: section 0 type(%u)!=SH_NULL or non-zero "
			      "len or addr",
			      first.sh_type);
	for (uint32_t i = 1; i < file->section_count; i++) {
		Elf64_Shdr section = elf_section(file, i);

		/* The kernel finds such a section by name, yet proves neither its name nor its
		 * place. */
		if (section.sh_type == SHT_NULL)
			return refuse(file, "Invalid ELF section in module (section %u type 0)", i);
		if (section.sh_type != SHT_NOBITS &&
		    !range_is_inside(section.sh_offset, section.sh_size, file->size))
			return refuse(file, "Invalid ELF section in module (section %u type %u)", i,
				      section.sh_type);
	}
	return 0;
}

static int check_section_names(struct elf_file *file, uint32_t index)
{
	const uint8_t *names;
	size_t size;

	if (index == SHN_UNDEF || index >= file->section_count)
		return refuse(file,
			      "Invalid ELF section name index: %u || e_shstrndx (%u) >= "
			      "e_shnum (%u)",
			      index, index, file->section_count);
	names = elf_contents(file, index, &size);
	if (size == 0 || elf_section(file, index).sh_type != SHT_STRTAB)
		return refuse(file, "empty section name table");
	if (names[size - 1] != '\0')
		return refuse(file, "ELF Spec violation: section name table isn't null terminated");
	for (uint32_t i = 0; i < file->section_count; i++) {
		Elf64_Shdr section = elf_section(file, i);

		if (section.sh_name >= size)
			return refuse(file,
				      "Invalid ELF section name in module (section %u type %u)", i,
				      section.sh_type);
	}
	file->section_names = (const char *)names;
	return 0;
}

int elf_open(struct elf_file *file, const uint8_t *bytes, size_t size, uint32_t machine)
{
	Elf64_Ehdr header;
	int r;

	*file = (struct elf_file){ .bytes = bytes, .size = size };
	r = check_header(file, machine, &header);
	if (r < 0)
		return r;
	file->section_offset = header.e_shoff;
	file->section_count = header.e_shnum;
	r = check_sections(file);
	if (r < 0)
		return r;
	return check_section_names(file, header.e_shstrndx);
}

static int find_symbol_table(struct elf_file *file)
{
	uint32_t found = 0;

	for (uint32_t i = 1; i < file->section_count; i++) {
		if (elf_section(file, i).sh_type != SHT_SYMTAB)
			continue;
		file->symbol_section = i;
		found++;
	}
	if (found == 0)
		return refuse(file, "module has no symbols (stripped?)");
	if (found > 1)
		return refuse(file, "module has %u symbol tables, exactly one must exist", found);
	return 0;
}

static int check_symbols(struct elf_file *file)
{
	for (uint32_t i = 0; i < file->symbol_count; i++) {
		Elf64_Sym symbol = elf_symbol(file, i);

		if (symbol.st_name >= file->symbol_names_size)
			return refuse(file, "symbol name out of bounds in string table (symbol %u)",
				      i);
		/* simplify_symbols() uses the number as an index and does not look (as of 6.12). */
		if (symbol.st_shndx >= file->section_count && symbol.st_shndx != SHN_ABS &&
		    symbol.st_shndx != SHN_COMMON)
			return refuse(file, "symbol %u is in section %u, which does not exist", i,
				      symbol.st_shndx);
	}
	return 0;
}

int elf_open_symbols(struct elf_file *file)
{
	Elf64_Shdr section;
	const uint8_t *names;
	size_t size;
	int r;

	r = find_symbol_table(file);
	if (r < 0)
		return r;
	section = elf_section(file, file->symbol_section);
	if (section.sh_entsize != sizeof(Elf64_Sym) || section.sh_size % sizeof(Elf64_Sym) != 0)
		return refuse(file, "Invalid ELF symbol size");
	if (section.sh_size / sizeof(Elf64_Sym) > ELF_SYMBOLS_MAXIMUM)
		return refuse(file, "more than %u symbols", ELF_SYMBOLS_MAXIMUM);
	if (section.sh_link == SHN_UNDEF || section.sh_link >= file->section_count)
		return refuse(file,
			      "Invalid ELF sh_link!=SHN_UNDEF(%u) or (sh_link(%u) >= "
			      "hdr->e_shnum(%u)",
			      section.sh_link, section.sh_link, file->section_count);
	names = elf_contents(file, section.sh_link, &size);
	if (size == 0 || elf_section(file, section.sh_link).sh_type != SHT_STRTAB)
		return refuse(file, "empty symbol string table");
	if (names[0] != '\0')
		return refuse(file, "symbol string table missing leading NUL");
	if (names[size - 1] != '\0')
		return refuse(file, "symbol string table isn't NUL terminated");
	file->symbols = file->bytes + section.sh_offset;
	file->symbol_count = (uint32_t)(section.sh_size / sizeof(Elf64_Sym));
	file->symbol_names = (const char *)names;
	file->symbol_names_size = size;
	return check_symbols(file);
}

Elf64_Shdr elf_section(const struct elf_file *file, uint32_t index)
{
	Elf64_Shdr section;

	memcpy(&section, file->bytes + file->section_offset + index * sizeof(section),
	       sizeof(section));
	return section;
}

const char *elf_section_name(const struct elf_file *file, uint32_t index)
{
	return file->section_names + elf_section(file, index).sh_name;
}

uint32_t elf_find(const struct elf_file *file, const char *name, uint32_t *ret_index)
{
	uint32_t found = 0;

	for (uint32_t i = 1; i < file->section_count; i++) {
		if (strcmp(elf_section_name(file, i), name) != 0)
			continue;
		if (found++ == 0)
			*ret_index = i;
	}
	return found;
}

const uint8_t *elf_contents(const struct elf_file *file, uint32_t index, size_t *ret_size)
{
	Elf64_Shdr section = elf_section(file, index);

	*ret_size = 0;
	if (section.sh_type == SHT_NULL || section.sh_type == SHT_NOBITS)
		return NULL;
	*ret_size = section.sh_size;
	return file->bytes + section.sh_offset;
}

Elf64_Sym elf_symbol(const struct elf_file *file, uint32_t index)
{
	Elf64_Sym symbol;

	memcpy(&symbol, file->symbols + index * sizeof(symbol), sizeof(symbol));
	return symbol;
}

const char *elf_symbol_name(const struct elf_file *file, const Elf64_Sym *symbol)
{
	return file->symbol_names + symbol->st_name;
}
