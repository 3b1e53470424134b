/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reader of relocatable ELF64 files that somebody hostile wrote. Trusts no byte: after elf_open()
 * and elf_open_symbols() every section, section name and symbol name handed out lies inside the
 * file and every string ends there. Allocates nothing, copies structures out (they may be
 * unaligned).
 */
#ifndef KMODBOX_CHECKER_ELF_H
#define KMODBOX_CHECKER_ELF_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/cleanup.h"

#define ELF_SYMBOLS_MAXIMUM (1u << 22)

struct elf_file {
	const uint8_t *bytes;
	size_t size;
	uint64_t section_offset;
	uint32_t section_count;
	const char *section_names;
	size_t section_names_size;
	uint32_t symbol_section;
	const uint8_t *symbols;
	uint32_t symbol_count;
	const char *symbol_names;
	size_t symbol_names_size;
	unsigned version; /* of the kernel */
	/* What is wrong, as the kernel says it where it does; no byte of the file. */
	char reason[160];
	/* The first thing that is odd and that the kernel does not look at; empty: none. */
	char oddity[160];
};

/* Of Linux: its modules' files were looked at more closely with time. */
#define ELF_COUNTS_SECTIONS 6004 /* 6.4: one .modinfo, one this_module, one symbol table */
#define ELF_CHECKS_TABLES 6012	 /* 6.12.y: that tables of names are string tables */
#define ELF_CHECKS_STRINGS 6013	 /* 6.13: and what is in it */

/*
 * Header, section headers and their names: 0; -ENOEXEC and file->reason: the kernel refuses it;
 * -EPERM and file->reason: the kernel would read on, beyond the file or at random. version: of the
 * kernel, 6012 for 6.12. The bytes are borrowed.
 */
int elf_open(struct elf_file *file, const uint8_t *bytes, size_t size, uint32_t machine,
	     unsigned version) must_check;
/* The one symbol table, its strings, each symbol's name and section: as elf_open(). */
int elf_open_symbols(struct elf_file *file) must_check;

Elf64_Shdr elf_section(const struct elf_file *file, uint32_t index);
const char *elf_section_name(const struct elf_file *file, uint32_t index);
/* How many sections have this name, allocated or not, and the first of them that is. */
uint32_t elf_find(const struct elf_file *file, const char *name, uint32_t *ret_index);
/* The bytes of a section; NULL and 0 for one that has none in the file. */
const uint8_t *elf_contents(const struct elf_file *file, uint32_t index, size_t *ret_size);

Elf64_Sym elf_symbol(const struct elf_file *file, uint32_t index);
const char *elf_symbol_name(const struct elf_file *file, const Elf64_Sym *symbol);

#endif
