/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * See elf.h. Messages and order follow elf_validity_cache_copy() of the kernel's module/main.c.
 * What that function leaves unchecked (the header's class, section numbers of symbols, tables
 * without contents) is an oddity, or where nothing behind it could be read, -EPERM.
 */
#include "checker/elf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the reader copies little-endian structs");

#define refuse(file, ...) (snprintf((file)->reason, sizeof((file)->reason), __VA_ARGS__), -ENOEXEC)
/* Where the kernel does not look, and we cannot read on. */
#define object(file, ...) (snprintf((file)->reason, sizeof((file)->reason), __VA_ARGS__), -EPERM)

static printf_like(2, 3) void note_oddity(struct elf_file *file, const char *format, ...)
{
	va_list arguments;

	if (file->oddity[0])
		return;
	va_start(arguments, format);
	(void)vsnprintf(file->oddity, sizeof(file->oddity), format, arguments);
	va_end(arguments);
}

/* Whether [offset, offset + length) lies within size bytes. */
static bool range_is_inside(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static void note_header(struct elf_file *file, const Elf64_Ehdr *header)
{
	if (header->e_ident[EI_CLASS] != ELFCLASS64)
		note_oddity(file, "Invalid ELF class: %u != %u (64-bit)", header->e_ident[EI_CLASS],
			    ELFCLASS64);
	if (header->e_ident[EI_DATA] != ELFDATA2LSB)
		note_oddity(file, "Invalid ELF byte order: %u != %u (little-endian)",
			    header->e_ident[EI_DATA], ELFDATA2LSB);
	if (header->e_ident[EI_VERSION] != EV_CURRENT || header->e_version != EV_CURRENT)
		note_oddity(file, "Invalid ELF version");
	if (header->e_ehsize != sizeof(Elf64_Ehdr))
		note_oddity(file, "Invalid ELF header size");
}

static int check_header(struct elf_file *file, uint32_t machine, Elf64_Ehdr *ret_header)
{
	Elf64_Ehdr header;

	if (file->size < sizeof(header))
		return refuse(file, "Invalid ELF header len %zu", file->size);
	memcpy(&header, file->bytes, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(file, "Invalid ELF header magic");
	if (header.e_type != ET_REL)
		return refuse(file, "Invalid ELF header type: %u != %u", header.e_type, ET_REL);
	if (header.e_machine != machine)
		return refuse(file, "Invalid architecture in ELF header: %u", header.e_machine);
	if (header.e_shentsize != sizeof(Elf64_Shdr))
		return refuse(file, "Invalid ELF section header size");
	if (header.e_shoff >= file->size ||
	    !range_is_inside(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr), file->size))
		return refuse(file, "Invalid ELF section header overflow");
	if (header.e_shstrndx == SHN_UNDEF || header.e_shstrndx >= header.e_shnum)
		return refuse(file,
			      "Invalid ELF section name index: %u || e_shstrndx (%u) >= "
			      "e_shnum (%u)",
			      header.e_shstrndx, header.e_shstrndx, header.e_shnum);
	/* From there on a symbol's section number means something else than a section. */
	if (header.e_shnum >= SHN_LORESERVE)
		return object(file, "it has %u sections", header.e_shnum);
	note_header(file, &header);
	*ret_header = header;
	return 0;
}

static int check_section_names(struct elf_file *file, uint32_t index)
{
	Elf64_Shdr table = elf_section(file, index), first = elf_section(file, 0);
	const uint8_t *names;

	if (!range_is_inside(table.sh_offset, table.sh_size, file->size))
		return refuse(file, "Invalid ELF section hdr(type %u)", table.sh_type);
	names = file->bytes + table.sh_offset;
	if (table.sh_size == 0)
		return refuse(file, "empty section name table");
	if (names[table.sh_size - 1] != '\0')
		return refuse(file, "ELF Spec violation: section name table isn't null terminated");
	if (first.sh_type != SHT_NULL || first.sh_size != 0 || first.sh_addr != 0)
		return refuse(file,
			      "ELF Spec violation: section 0 type(%u)!=SH_NULL or non-zero "
			      "len or addr",
			      first.sh_type);
	if (table.sh_type != SHT_STRTAB && file->version >= ELF_CHECKS_TABLES)
		return refuse(file, "Invalid ELF section name table type: %u", table.sh_type);
	if (table.sh_type != SHT_STRTAB)
		note_oddity(file, "the section name table has type %u", table.sh_type);
	file->section_names = (const char *)names;
	file->section_names_size = table.sh_size;
	return 0;
}

/* The kernel looks at the names of allocated sections with contents alone, and uses all. */
static int check_section(struct elf_file *file, uint32_t index)
{
	Elf64_Shdr section = elf_section(file, index);
	const bool contents = section.sh_type != SHT_NULL && section.sh_type != SHT_NOBITS;
	const bool named = section.sh_name < file->section_names_size;

	if (section.sh_type == SHT_NULL)
		note_oddity(file, "Invalid ELF section in module (section %u type 0)", index);
	if (section.sh_type == SHT_SYMTAB &&
	    (section.sh_link == SHN_UNDEF || section.sh_link >= file->section_count))
		return refuse(file,
			      "Invalid ELF sh_link!=SHN_UNDEF(%u) or (sh_link(%u) >= "
			      "hdr->e_shnum(%u)",
			      section.sh_link, section.sh_link, file->section_count);
	if (contents && !range_is_inside(section.sh_offset, section.sh_size, file->size))
		return refuse(file, "Invalid ELF section in module (section %u type %u)", index,
			      section.sh_type);
	if (!named && contents && (section.sh_flags & SHF_ALLOC))
		return refuse(file, "Invalid ELF section name in module (section %u type %u)",
			      index, section.sh_type);
	if (!named)
		return object(file, "Invalid ELF section name in module (section %u type %u)",
			      index, section.sh_type);
	return 0;
}

int elf_open(struct elf_file *file, const uint8_t *bytes, size_t size, uint32_t machine,
	     unsigned version)
{
	Elf64_Ehdr header;
	int r;

	*file = (struct elf_file){ .bytes = bytes, .size = size, .version = version };
	r = check_header(file, machine, &header);
	if (r < 0)
		return r;
	file->section_offset = header.e_shoff;
	file->section_count = header.e_shnum;
	r = check_section_names(file, header.e_shstrndx);
	for (uint32_t i = 1; r == 0 && i < file->section_count; i++)
		r = check_section(file, i);
	return r;
}

static int find_symbol_table(struct elf_file *file)
{
	uint32_t found = 0;

	for (uint32_t i = 1; i < file->section_count; i++) {
		if (elf_section(file, i).sh_type != SHT_SYMTAB)
			continue;
		if (found++ == 0)
			file->symbol_section = i;
	}
	if (found == 0)
		return refuse(file, "module has no symbols (stripped?)");
	if (found > 1 && file->version >= ELF_COUNTS_SECTIONS)
		return refuse(file, "module has %u symbol tables, exactly one must exist", found);
	if (found > 1)
		note_oddity(file, "module has %u symbol tables, exactly one must exist", found);
	return 0;
}

static int check_symbols(struct elf_file *file)
{
	for (uint32_t i = 0; i < file->symbol_count; i++) {
		Elf64_Sym symbol = elf_symbol(file, i);

		if (symbol.st_name >= file->symbol_names_size) {
			(void)object(file, "symbol name out of bounds in string table (symbol %u)",
				     i);
			return file->version >= ELF_CHECKS_STRINGS ? -ENOEXEC : -EPERM;
		}
		/* simplify_symbols() uses the number as an index and does not look. */
		if (symbol.st_shndx >= file->section_count && symbol.st_shndx != SHN_ABS &&
		    symbol.st_shndx != SHN_COMMON)
			return object(file, "symbol %u is in section %u, which does not exist", i,
				      symbol.st_shndx);
	}
	return 0;
}

/* Linux before 6.13 looks at none of it. */
static int check_symbol_names(struct elf_file *file, const Elf64_Shdr *section)
{
	const int r = file->version >= ELF_CHECKS_STRINGS ? -ENOEXEC : -EPERM;
	size_t size;
	const char *names = (const char *)elf_contents(file, section->sh_link, &size);

	const uint32_t type = elf_section(file, section->sh_link).sh_type;

	if (type != SHT_STRTAB && file->version >= ELF_CHECKS_TABLES)
		return refuse(file, "Invalid ELF symbol string table type: %u", type);
	if (size == 0)
		(void)object(file, "empty symbol string table");
	else if (names[size - 1] != '\0')
		(void)object(file, "symbol string table isn't NUL terminated");
	else
		file->symbol_names = names;
	if (!file->symbol_names)
		return r;
	file->symbol_names_size = size;
	if (names[0] != '\0') {
		(void)object(file, "symbol string table missing leading NUL");
		return r;
	}
	if (type != SHT_STRTAB)
		note_oddity(file, "the symbol string table has type %u", type);
	return 0;
}

int elf_open_symbols(struct elf_file *file)
{
	Elf64_Shdr section;
	int r;

	r = find_symbol_table(file);
	if (r < 0)
		return r;
	section = elf_section(file, file->symbol_section);
	r = check_symbol_names(file, &section);
	if (r < 0)
		return r;
	if (section.sh_size / sizeof(Elf64_Sym) > ELF_SYMBOLS_MAXIMUM)
		return object(file, "more than %u symbols", ELF_SYMBOLS_MAXIMUM);
	if (section.sh_entsize != sizeof(Elf64_Sym) || section.sh_size % sizeof(Elf64_Sym) != 0)
		note_oddity(file, "Invalid ELF symbol size");
	file->symbols = file->bytes + section.sh_offset;
	file->symbol_count = (uint32_t)(section.sh_size / sizeof(Elf64_Sym));
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
		/* find_sec(): "Alloc bit cleared means 'ignore it.'" */
		if ((found++ == 0 || !(elf_section(file, *ret_index).sh_flags & SHF_ALLOC)))
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
