/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A small module made in memory: a plan of what it says, changes to the plan, and the ELF file made
 * of it. With the symvers of a kernel that it loads on. For the checker's tests.
 */
#ifndef KMODBOX_TESTS_UNIT_MODULE_IMAGE_H
#define KMODBOX_TESTS_UNIT_MODULE_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include "checker/checker.h"

#define RELEASE "6.1.0-56-amd64"
#define FLAGS " SMP preempt mod_unload modversions "
#define ITEMS 16

static const char symvers[] =
	"0x9060323f\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"
	"0x92997ed8\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n"
	"0x11111111\tgpl_thing\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
	"0x22222222\tspaced_thing\tdrivers/dma-buf/x\tEXPORT_SYMBOL_GPL\tDMA_BUF\n"
	"0x33333333\treserved_thing\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:kvm\n"
	"0x44444444\tours_in_tree\tdrivers/demo-mod\tEXPORT_SYMBOL\t\n"
	"0x55555555\t_printk\tdrivers/shadow\tEXPORT_SYMBOL\t\n";

/* The module to be made. */
struct plan {
	const char *modinfo[ITEMS];
	struct {
		const char *name;
		uint64_t crc;
	} versions[ITEMS];
	struct {
		const char *name;
		unsigned char bind;
		uint16_t section;
	} symbols[ITEMS];
	const char *exported;
	const char *name; /* in struct module */
	bool basic;	  /* has __versions */
	bool extended;	  /* has __version_ext_* */
	bool crc_table;
	const char *tail; /* behind everything */
};

enum {
	TEXT = 1,
	MODINFO,
	THIS_MODULE,
	VERSIONS,
	EXPORTS,
	EXPORT_RELOCATIONS,
	EXPORT_STRINGS,
	EXPORT_CRCS,
	EXTENDED_CRCS,
	EXTENDED_NAMES,
	BSS,
	SYMBOLS,
	STRINGS,
	SECTION_NAMES,
	SECTIONS,
};

struct section {
	const char *name;
	uint32_t type;
	uint64_t flags;
	uint32_t link;
	uint32_t info;
	uint64_t entry_size;
	uint8_t data[2048];
	size_t size;
};

struct image {
	uint8_t bytes[32768];
	size_t size;
};

static inline void add(struct section *section, const void *bytes, size_t length)
{
	assert_true(section->size + length <= sizeof(section->data));
	memcpy(section->data + section->size, bytes, length);
	section->size += length;
}

static inline void add_string(struct section *section, const char *string)
{
	add(section, string, strlen(string) + 1);
}

static inline void add_symbol(struct section *sections, const char *name, unsigned char info,
			      uint16_t section)
{
	Elf64_Sym symbol = { .st_name = (Elf64_Word)sections[STRINGS].size,
			     .st_info = info,
			     .st_shndx = section };

	if (*name)
		add_string(&sections[STRINGS], name);
	else
		symbol.st_name = 0;
	add(&sections[SYMBOLS], &symbol, sizeof(symbol));
}

static inline void fill_versions(const struct plan *plan, struct section *sections)
{
	for (size_t i = 0; i < ITEMS && plan->versions[i].name; i++) {
		uint32_t crc = (uint32_t)plan->versions[i].crc;
		char name[56] = "";

		/* Longer ones fill the field, without a NUL. */
		memcpy(name, plan->versions[i].name, strnlen(plan->versions[i].name, 56));
		add(&sections[VERSIONS], &plan->versions[i].crc, 8);
		add(&sections[VERSIONS], name, sizeof(name));
		add(&sections[EXTENDED_CRCS], &crc, sizeof(crc));
		add_string(&sections[EXTENDED_NAMES], plan->versions[i].name);
	}
}

static inline void fill_exports(const struct plan *plan, struct section *sections)
{
	Elf64_Rela relocation = { .r_offset = 4, .r_info = ELF64_R_INFO(1, R_X86_64_PC32) };
	uint32_t crc = 0xfeedf00d;

	add_symbol(sections, "__kstrtab_x", ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), EXPORT_STRINGS);
	if (!plan->exported)
		return;
	add(&sections[EXPORTS], (uint8_t[12]){ 0 }, 12);
	add(&sections[EXPORT_RELOCATIONS], &relocation, sizeof(relocation));
	add_string(&sections[EXPORT_STRINGS], plan->exported);
	relocation.r_offset = 8;
	relocation.r_addend = (int64_t)sections[EXPORT_STRINGS].size;
	add(&sections[EXPORT_RELOCATIONS], &relocation, sizeof(relocation));
	add_string(&sections[EXPORT_STRINGS], "DEMO_SPACE");
	add(&sections[EXPORT_CRCS], &crc, sizeof(crc));
}

static inline void fill_sections(const struct plan *plan, struct section *sections)
{
	static const struct section empty[SECTIONS] = {
		[0] = { .name = "" },
		[TEXT] = { ".text", SHT_PROGBITS, .flags = SHF_ALLOC | SHF_EXECINSTR },
		[MODINFO] = { ".modinfo", SHT_PROGBITS, .flags = SHF_ALLOC },
		[THIS_MODULE] = { ".gnu.linkonce.this_module", SHT_PROGBITS,
				  .flags = SHF_ALLOC | SHF_WRITE },
		[VERSIONS] = { "__versions", SHT_PROGBITS, .flags = SHF_ALLOC },
		[EXPORTS] = { "__ksymtab", SHT_PROGBITS, .flags = SHF_ALLOC },
		[EXPORT_RELOCATIONS] = { ".rela__ksymtab", SHT_RELA, .flags = SHF_INFO_LINK,
					 SYMBOLS, EXPORTS, sizeof(Elf64_Rela) },
		[EXPORT_STRINGS] = { "__ksymtab_strings", SHT_PROGBITS, .flags = SHF_ALLOC },
		[EXPORT_CRCS] = { "__kcrctab", SHT_PROGBITS, .flags = SHF_ALLOC },
		[EXTENDED_CRCS] = { "__version_ext_crcs", SHT_PROGBITS, .flags = SHF_ALLOC },
		[EXTENDED_NAMES] = { "__version_ext_names", SHT_PROGBITS, .flags = SHF_ALLOC },
		[BSS] = { ".bss", SHT_NOBITS, .flags = SHF_ALLOC | SHF_WRITE },
		[SYMBOLS] = { ".symtab", SHT_SYMTAB, .flags = 0, STRINGS, 1, sizeof(Elf64_Sym) },
		[STRINGS] = { ".strtab", .type = SHT_STRTAB },
		[SECTION_NAMES] = { ".shstrtab", .type = SHT_STRTAB },
	};

	memcpy(sections, empty, sizeof(empty));
	if (!plan->basic)
		sections[VERSIONS].name = "none1";
	if (!plan->extended)
		sections[EXTENDED_CRCS].name = sections[EXTENDED_NAMES].name = "none2";
	if (!plan->crc_table)
		sections[EXPORT_CRCS].name = "none3";
	add(&sections[TEXT], "\xc3", 1);
	for (size_t i = 0; i < ITEMS && plan->modinfo[i]; i++)
		add_string(&sections[MODINFO], plan->modinfo[i]);
	sections[THIS_MODULE].size = 896;
	memcpy(sections[THIS_MODULE].data + 24, plan->name, strlen(plan->name));
	add_string(&sections[STRINGS], "");
	add_symbol(sections, "", 0, SHN_UNDEF);
	fill_versions(plan, sections);
	fill_exports(plan, sections);
	for (size_t i = 0; i < ITEMS && plan->symbols[i].name; i++)
		add_symbol(sections, plan->symbols[i].name,
			   (unsigned char)ELF64_ST_INFO(plan->symbols[i].bind, STT_NOTYPE),
			   plan->symbols[i].section);
	sections[BSS].size = 1024;
}

static inline Elf64_Shdr *image_section(struct image *image, size_t index)
{
	Elf64_Ehdr *header = (void *)image->bytes;

	return (Elf64_Shdr *)(void *)(image->bytes + header->e_shoff) + index;
}

static inline void build(const struct plan *plan, struct image *image)
{
	static struct section sections[SECTIONS];
	Elf64_Ehdr header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
			      .e_type = ET_REL,
			      .e_machine = EM_X86_64,
			      .e_version = 1,
			      .e_ehsize = sizeof(Elf64_Ehdr),
			      .e_shentsize = sizeof(Elf64_Shdr),
			      .e_shnum = SECTIONS,
			      .e_shstrndx = SECTION_NAMES };
	Elf64_Shdr headers[SECTIONS];
	size_t at = sizeof(header);

	memset(headers, 0, sizeof(headers));
	memset(image, 0, sizeof(*image));
	fill_sections(plan, sections);
	for (size_t i = 0; i < SECTIONS; i++) {
		headers[i].sh_name = (Elf64_Word)sections[SECTION_NAMES].size;
		add_string(&sections[SECTION_NAMES], sections[i].name);
	}
	for (size_t i = 1; i < SECTIONS; i++) {
		headers[i].sh_type = sections[i].type;
		headers[i].sh_flags = sections[i].flags;
		headers[i].sh_link = sections[i].link;
		headers[i].sh_info = sections[i].info;
		headers[i].sh_entsize = sections[i].entry_size;
		headers[i].sh_offset = at;
		headers[i].sh_size = sections[i].size;
		if (sections[i].type == SHT_NOBITS)
			continue;
		memcpy(image->bytes + at, sections[i].data, sections[i].size);
		at = (at + sections[i].size + 7) & ~(size_t)7;
	}
	header.e_shoff = at;
	memcpy(image->bytes, &header, sizeof(header));
	memcpy(image->bytes + at, headers, sizeof(headers));
	image->size = at + sizeof(headers);
	if (plan->tail)
		memcpy(image->bytes + image->size, plan->tail, strlen(plan->tail));
	image->size += plan->tail ? strlen(plan->tail) : 0;
}

static inline struct plan good_plan(void)
{
	return (struct plan){
		.modinfo = { "license=GPL", "depends=", "retpoline=Y", "name=demo_mod",
			     "vermagic=" RELEASE FLAGS },
		.versions = { { "module_layout", 0x9060323f }, { "_printk", 0x92997ed8 } },
		.symbols = { { "init_module", STB_GLOBAL, TEXT },
			     { "_printk", STB_GLOBAL, SHN_UNDEF } },
		.exported = "demo_symbol",
		.name = "demo_mod",
		.basic = true,
		.crc_table = true,
	};
}

static inline struct checker_facts good_facts(void)
{
	return (struct checker_facts){ .vermagic = RELEASE FLAGS,
				       .module_name = "demo-mod",
				       .machine = EM_X86_64,
				       .modversions = 1 };
}

enum change {
	NOTHING,
	HEADER,	      /* width bytes at offset of the ELF header = value */
	SECTION,      /* the same in a section header */
	CONTENT,      /* the same in a section's bytes */
	MODINFO_SET,  /* text replaces the entry with its key; without '=': removes it */
	MODINFO_ADD,  /* text behind the others */
	SYMBOL_ADD,   /* text is the name, section where it is, value its binding */
	IMPORT_ADD,   /* an undefined symbol, and value as its version */
	VERSION_SET,  /* text is the name, value the CRC */
	VERSION_DROP, /* text is the name */
	EXPORT_SET,
	NAME_SET,
	TAIL_SET,
	BASIC_DROP,    /* no __versions */
	EXTENDED_ONLY, /* __version_ext_* instead */
	BOTH_VERSIONS,
	CRC_TABLE_DROP,
	NO_MODVERSIONS, /* a kernel without them */
};

static inline void change_modinfo(struct plan *plan, const char *text, bool replace)
{
	size_t key = strcspn(text, "="), i, kept = 0;

	for (i = 0; i < ITEMS && plan->modinfo[i]; i++) {
		bool same =
			strncmp(plan->modinfo[i], text, key) == 0 && plan->modinfo[i][key] == '=';

		if (!replace || !same)
			plan->modinfo[kept++] = plan->modinfo[i];
	}
	plan->modinfo[kept] = text[key] ? text : NULL;
	for (i = kept + 1; i < ITEMS; i++)
		plan->modinfo[i] = NULL;
}

static inline size_t last_symbol(const struct plan *plan)
{
	size_t i = 0;

	while (plan->symbols[i].name)
		i++;
	return i;
}

static inline void change_version(struct plan *plan, const char *name, bool drop, uint64_t crc)
{
	size_t i = 0;

	while (plan->versions[i].name && strcmp(plan->versions[i].name, name) != 0)
		i++;
	assert_non_null(plan->versions[i].name);
	plan->versions[i].crc = crc;
	for (; drop && i + 1 < ITEMS; i++)
		plan->versions[i] = plan->versions[i + 1];
}

static inline void change_plan(struct plan *plan, struct checker_facts *facts, enum change change,
			       const char *text, size_t section, uint64_t value)
{
	size_t i = last_symbol(plan);

	switch (change) {
	case MODINFO_SET:
	case MODINFO_ADD:
		change_modinfo(plan, text, change == MODINFO_SET);
		break;
	case IMPORT_ADD:
		plan->versions[i].name =
			text; /* as many versions as symbols: init_module, layout */
		plan->versions[i].crc = value;
		section = SHN_UNDEF;
		value = STB_GLOBAL;
		/* fall through */
	case SYMBOL_ADD:
		plan->symbols[i].name = text;
		plan->symbols[i].section = (uint16_t)section;
		plan->symbols[i].bind = (unsigned char)value;
		break;
	case VERSION_SET:
	case VERSION_DROP:
		change_version(plan, text, change == VERSION_DROP, value);
		break;
	case EXPORT_SET:
		plan->exported = text;
		break;
	case NAME_SET:
		plan->name = text;
		break;
	case TAIL_SET:
		plan->tail = text;
		break;
	case BASIC_DROP:
	case EXTENDED_ONLY:
		plan->basic = false;
		plan->extended = change == EXTENDED_ONLY;
		break;
	case BOTH_VERSIONS:
		plan->extended = true;
		break;
	case CRC_TABLE_DROP:
		plan->crc_table = false;
		break;
	case NO_MODVERSIONS:
		facts->modversions = 0;
		break;
	case NOTHING:
	case HEADER:
	case SECTION:
	case CONTENT:
		break;
	}
}

#endif
