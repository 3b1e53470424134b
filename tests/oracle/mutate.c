/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damages a sound module in one way, for the oracle (tests/oracle/run.sh):
 *
 *	mutate --list			a name per line; behind it, before which version of the
 *kernel it may bring it down, which does not look: 6004 for 6.4 mutate IN.ko NAME OUT.ko	2:
 *this module has not what the mutation changes
 *
 * A new mutation is one line of mutations[]. What grows is put behind the file, as a new section's
 * contents; the rest stays where it is.
 */
#include <elf.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (1 << 20)
#define NOT_HERE 2

struct module {
	uint8_t *bytes;
	size_t size;
};

struct mutation {
	const char *name;
	bool (*change)(struct module *module, const struct mutation *mutation);
	const char *section; /* name of a section, key of .modinfo, symbol */
	uint64_t field;	     /* offset in a structure */
	uint64_t width;
	uint64_t value;
	const char *text;
	unsigned wild_before; /* version of the kernel, 6004 for 6.4; WILD: of any */
};

#define WILD 9000

static Elf64_Ehdr *header(const struct module *module)
{
	return (Elf64_Ehdr *)(void *)module->bytes;
}

static Elf64_Shdr *section_at(const struct module *module, unsigned index)
{
	return (Elf64_Shdr *)(void *)(module->bytes + header(module)->e_shoff) + index;
}

static const char *section_name(const struct module *module, unsigned index)
{
	const Elf64_Shdr *names = section_at(module, header(module)->e_shstrndx);

	return (const char *)module->bytes + names->sh_offset + section_at(module, index)->sh_name;
}

static Elf64_Shdr *find(const struct module *module, const char *name)
{
	for (unsigned i = 1; i < header(module)->e_shnum; i++) {
		if (strcmp(section_name(module, i), name) == 0)
			return section_at(module, i);
	}
	return NULL;
}

static uint8_t *contents(const struct module *module, const Elf64_Shdr *section)
{
	return module->bytes + section->sh_offset;
}

/* Its contents once more behind the file, with so much room after them. */
static uint8_t *grow(struct module *module, Elf64_Shdr *section, size_t more)
{
	size_t at = (module->size + 15) & ~(size_t)15;

	memcpy(module->bytes + at, contents(module, section), section->sh_size);
	memset(module->bytes + at + section->sh_size, 0, more);
	section->sh_offset = at;
	section->sh_size += more;
	module->size = at + section->sh_size;
	return module->bytes + at + section->sh_size - more;
}

static void put(uint8_t *at, uint64_t value, uint64_t width)
{
	memcpy(at, &value, width); /* little-endian, as the file */
}

/* ---- fields */

static bool set_header(struct module *module, const struct mutation *mutation)
{
	put(module->bytes + mutation->field, mutation->value, mutation->width);
	return true;
}

static bool set_section(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, mutation->section);

	if (section)
		put((uint8_t *)section + mutation->field, mutation->value, mutation->width);
	return section;
}

static bool add_to_section(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, mutation->section);
	uint64_t old = 0;

	if (!section)
		return false;
	memcpy(&old, (uint8_t *)section + mutation->field, mutation->width);
	put((uint8_t *)section + mutation->field, old + mutation->value, mutation->width);
	return true;
}

static bool set_contents(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, mutation->section);

	if (section && section->sh_size >= mutation->field + mutation->width)
		put(contents(module, section) + mutation->field, mutation->value, mutation->width);
	return section && section->sh_size >= mutation->field + mutation->width;
}

static bool truncate_file(struct module *module, const struct mutation *mutation)
{
	module->size = mutation->value ? module->size * mutation->value / 100 : 0;
	return true;
}

static bool append(struct module *module, const struct mutation *mutation)
{
	memcpy(module->bytes + module->size, mutation->text, mutation->value);
	module->size += mutation->value;
	return true;
}

/* Another section gets this one's name, so there are two. */
static bool double_section(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, mutation->section),
		   *other = find(module, mutation->text);

	if (!section || !other)
		return false;
	other->sh_name = section->sh_name;
	return true;
}

static bool rename_section(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, mutation->section);

	if (section)
		section->sh_name = 0;
	return section;
}

/* ---- .modinfo */

/* All entries with this key get another value; text NULL: they go. Adds one where there is none. */
static bool set_modinfo(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, ".modinfo");
	const size_t key = strlen(mutation->section);
	size_t size, end = 0;
	char *entry, *old, *to;
	bool found = false;

	if (!section)
		return false;
	size = section->sh_size;
	old = malloc(size);
	if (!old)
		return false;
	memcpy(old, contents(module, section), size);
	(void)grow(module, section, 256);
	to = (char *)contents(module, section);
	for (entry = old; entry < old + size; entry += strlen(entry) + 1) {
		bool same = strncmp(entry, mutation->section, key) == 0 && entry[key] == '=';

		found = found || same;
		if (!*entry || same)
			continue;
		end += (size_t)sprintf(to + end, "%s", entry) + 1;
	}
	free(old);
	if (mutation->text)
		end += (size_t)sprintf(to + end, "%s=%s", mutation->section, mutation->text) + 1;
	section->sh_size = end;
	return found || mutation->text;
}

static bool add_modinfo(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, ".modinfo");
	char line[256];
	size_t length = (size_t)sprintf(line, "%s=%s", mutation->section, mutation->text) + 1;

	if (section)
		memcpy(grow(module, section, length), line, length);
	return section;
}

/* Every value of this key has text in place of what stands before its first blank, or behind. */
static bool change_vermagic(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, ".modinfo");
	struct mutation set = { .section = "vermagic" };
	char value[256] = "", changed[512];
	const char *entry;

	if (!section)
		return false;
	entry = (const char *)contents(module, section);
	for (const char *end = entry + section->sh_size; entry < end; entry += strlen(entry) + 1) {
		if (strncmp(entry, "vermagic=", 9) == 0)
			(void)snprintf(value, sizeof(value), "%s", entry + 9);
	}
	if (mutation->value == 0) /* the release */
		(void)snprintf(changed, sizeof(changed), "%s%s", mutation->text,
			       strchr(value, ' ') ? strchr(value, ' ') : "");
	else /* the flags */
		(void)snprintf(changed, sizeof(changed), "%.*s%s", (int)strcspn(value, " "), value,
			       mutation->text);
	set.text = changed;
	return *value && set_modinfo(module, &set);
}

/* ---- versions */

static uint8_t *find_version(const struct module *module, const char *name)
{
	Elf64_Shdr *section = find(module, "__versions");

	for (size_t at = 0; section && at + 64 <= section->sh_size; at += 64) {
		uint8_t *entry = contents(module, section) + at;
		const char *here = (const char *)entry + 8;

		/* "": any but the layout's. */
		if (*name ? strcmp(here, name) == 0 : strcmp(here, "module_layout") != 0)
			return entry;
	}
	return NULL;
}

static bool change_crc(struct module *module, const struct mutation *mutation)
{
	uint8_t *entry = find_version(module, mutation->section);

	if (entry)
		entry[mutation->field] ^= 0x5a;
	return entry;
}

static bool drop_version(struct module *module, const struct mutation *mutation)
{
	uint8_t *entry = find_version(module, mutation->section);
	Elf64_Shdr *section = find(module, "__versions");
	uint8_t *end;

	if (!entry)
		return false;
	end = contents(module, section) + section->sh_size;
	memmove(entry, entry + 64, (size_t)(end - entry) - 64);
	section->sh_size -= 64;
	return true;
}

/* ---- symbols */

static Elf64_Sym *find_symbol(const struct module *module, const char *name, bool undefined)
{
	Elf64_Shdr *table = find(module, ".symtab"), *names = find(module, ".strtab");

	for (size_t i = 1; table && names && i < table->sh_size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym *symbol = (Elf64_Sym *)(void *)contents(module, table) + i;
		const char *here = (const char *)contents(module, names) + symbol->st_name;

		if ((symbol->st_shndx == SHN_UNDEF) == undefined &&
		    (*name ? strcmp(here, name) == 0 : *here != '\0'))
			return symbol;
	}
	return NULL;
}

/* One more symbol, whose name is text: section number value, binding field. */
static bool add_symbol(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *table = find(module, ".symtab"), *names = find(module, ".strtab");
	const size_t length = strlen(mutation->text) + 1;
	Elf64_Sym symbol = { .st_shndx = (uint16_t)mutation->value,
			     .st_info = (uint8_t)ELF64_ST_INFO(mutation->field, STT_NOTYPE),
			     .st_value = mutation->width };

	if (!table || !names)
		return false;
	symbol.st_name = (uint32_t)names->sh_size;
	memcpy(grow(module, names, length), mutation->text, length);
	memcpy(grow(module, table, sizeof(symbol)), &symbol, sizeof(symbol));
	return true;
}

/* A local one: nobody looks it up. */
static bool set_symbol(struct module *module, const struct mutation *mutation)
{
	Elf64_Sym *symbol = find_symbol(module, mutation->section, mutation->text);

	if (symbol)
		put((uint8_t *)symbol + mutation->field, mutation->value, mutation->width);
	return symbol;
}

/* ---- relocations */

static bool set_relocation(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, mutation->section);
	Elf64_Rela *relocation;

	if (!section || section->sh_size < sizeof(*relocation))
		return false;
	relocation = (Elf64_Rela *)(void *)contents(module, section);
	put((uint8_t *)relocation + mutation->field, mutation->value, mutation->width);
	return true;
}

/* What stands where it will be written is not zero. */
static bool fill_target(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *section = find(module, mutation->section);
	Elf64_Rela *relocation;
	Elf64_Shdr *target;

	if (!section || section->sh_size < sizeof(*relocation))
		return false;
	relocation = (Elf64_Rela *)(void *)contents(module, section);
	target = section_at(module, section->sh_info);
	contents(module, target)[relocation->r_offset] = 1;
	return true;
}

/* ---- exports: the string that names one, of the same length */

static bool rename_export(struct module *module, const struct mutation *mutation)
{
	Elf64_Shdr *strings = find(module, "__ksymtab_strings");
	const size_t length = strlen(mutation->text) + 1;

	if (!strings || strings->sh_size < length)
		return false;
	memcpy(grow(module, strings, 0), mutation->text, length);
	memcpy(contents(module, strings), mutation->text, length);
	return true;
}

#define HEADER(member, to)                                                                         \
	.change = set_header, .field = offsetof(Elf64_Ehdr, member),                               \
	.width = sizeof(((Elf64_Ehdr *)NULL)->member), .value = (to)
#define IDENT(at, to) .change = set_header, .field = (at), .width = 1, .value = (to)
#define SECTION(name, member, to)                                                                  \
	.change = set_section, .section = (name), .field = offsetof(Elf64_Shdr, member),           \
	.width = sizeof(((Elf64_Shdr *)NULL)->member), .value = (to)
#define LARGER(name, by)                                                                           \
	.change = add_to_section, .section = (name), .field = offsetof(Elf64_Shdr, sh_size),       \
	.width = sizeof(Elf64_Xword), .value = (uint64_t)(by)
#define MODINFO(key, to) .change = set_modinfo, .section = (key), .text = (to)
#define INFO_TO(symbol, type) (((uint64_t)(symbol) << 32) | (type))
#define RELOCATION(name, member, to)                                                               \
	.change = set_relocation, .section = (name), .field = offsetof(Elf64_Rela, member),        \
	.width = sizeof(((Elf64_Rela *)NULL)->member), .value = (to)
#define THIS ".gnu.linkonce.this_module"
#define MARKER "~Module signature appended~\n"
/* id_type 2, no more but the length. */
#define TRAILER(algorithm, id, length) algorithm "\0" id "\0\0\0\0\0" length MARKER
#define TRAILER_SIZE (12 + sizeof(MARKER) - 1)

static bool change_nothing(struct module *module, const struct mutation *mutation)
{
	(void)mutation;
	return module->size > 0;
}

static const struct mutation mutations[] = {
	{ "sound", .change = change_nothing },
	/* the file */
	{ "empty", .change = truncate_file },
	{ "truncated_1", .change = truncate_file, .value = 1 },
	{ "truncated_30", .change = truncate_file, .value = 30 },
	{ "truncated_60", .change = truncate_file, .value = 60 },
	{ "truncated_99", .change = truncate_file, .value = 99 },
	{ "magic", IDENT(0, 'X') },
	{ "class_32", IDENT(EI_CLASS, ELFCLASS32) },
	{ "big_endian", IDENT(EI_DATA, ELFDATA2MSB) },
	{ "ident_version", IDENT(EI_VERSION, 9) },
	{ "file_version", HEADER(e_version, 9) },
	{ "executable", HEADER(e_type, ET_EXEC) },
	{ "shared", HEADER(e_type, ET_DYN) },
	{ "machine_aarch64", HEADER(e_machine, EM_AARCH64) },
	{ "machine_386", HEADER(e_machine, EM_386) },
	{ "header_size", HEADER(e_ehsize, 52) },
	{ "section_header_size", HEADER(e_shentsize, 40) },
	{ "no_sections", HEADER(e_shnum, 0) },
	{ "many_sections", HEADER(e_shnum, 60000) },
	{ "headers_beyond", HEADER(e_shoff, UINT64_C(1) << 40) },
	{ "headers_wrap", HEADER(e_shoff, ~UINT64_C(63)) },
	{ "names_zero", HEADER(e_shstrndx, 0) },
	{ "names_beyond", HEADER(e_shstrndx, 5000) },
	/* sections */
	{ "code_beyond", SECTION(".text", sh_offset, UINT64_C(1) << 40) },
	{ "code_too_long", LARGER(".text", 1 << 24) },
	{ "modinfo_wraps", SECTION(".modinfo", sh_offset, ~UINT64_C(15)) },
	{ "name_beyond", SECTION(".modinfo", sh_name, 1 << 20) },
	{ "comment_name_beyond", SECTION(".strtab", sh_name, 1 << 20), .wild_before = WILD },
	{ "writable_code", SECTION(".text", sh_flags, SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR) },
	{ "executable_data", SECTION(THIS, sh_flags, SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR) },
	{ "bss_of_two_terabytes", SECTION(".bss", sh_size, UINT64_C(1) << 41),
	  .wild_before = WILD },
	{ "bss_of_eight_gigabytes", SECTION(".bss", sh_size, UINT64_C(1) << 33),
	  .wild_before = WILD },
	{ "bss_of_three_gigabytes", SECTION(".bss", sh_size, UINT64_C(3) << 30) },
	{ "alignment_odd", SECTION(".modinfo", sh_addralign, 3) },
	{ "stripped", SECTION(".symtab", sh_type, SHT_PROGBITS) },
	{ "two_symbol_tables", SECTION(".comment", sh_type, SHT_SYMTAB) },
	{ "strings_of_none", SECTION(".symtab", sh_link, 0) },
	{ "strings_beyond", SECTION(".symtab", sh_link, 9999) },
	{ "strings_of_other_type", SECTION(".strtab", sh_type, SHT_PROGBITS) },
	{ "strings_start", .change = set_contents, .section = ".strtab", .width = 1, .value = 'x' },
	{ "half_a_symbol", LARGER(".symtab", -5), .wild_before = WILD },
	{ "symbol_name_beyond", .change = set_symbol, .section = "",
	  .field = offsetof(Elf64_Sym, st_name), .width = 4, .value = UINT32_C(1) << 30,
	  .wild_before = WILD },
	{ "symbol_section_beyond", .change = set_symbol, .section = "",
	  .field = offsetof(Elf64_Sym, st_shndx), .width = 2, .value = 0xfe00,
	  .wild_before = WILD },
	{ "half_a_version", LARGER("__versions", -30) },
	{ "versions_not_allocated", SECTION("__versions", sh_flags, 0) },
	{ "names_of_other_type", SECTION(".shstrtab", sh_type, SHT_PROGBITS) },
	{ "null_section", SECTION(".comment", sh_type, SHT_NULL) },
	{ "symbol_size", SECTION(".symtab", sh_entsize, 16) },
	/* struct module */
	{ "no_this_module", .change = rename_section, .section = THIS },
	{ "this_module_larger", LARGER(THIS, 64) },
	{ "this_module_nobits", SECTION(THIS, sh_type, SHT_NOBITS), .wild_before = 6004 },
	{ "this_module_not_allocated", SECTION(THIS, sh_flags, SHF_WRITE) },
	{ "two_this_module", .change = double_section, .section = THIS, .text = ".comment" },
	/* .modinfo */
	{ "no_modinfo", .change = rename_section, .section = ".modinfo" },
	{ "two_modinfo", .change = double_section, .section = ".modinfo", .text = ".comment" },
	{ "modinfo_not_allocated", SECTION(".modinfo", sh_flags, 0) },
	{ "vermagic_release", .change = change_vermagic, .value = 0, .text = "6.66.0-other" },
	{ "vermagic_flags", .change = change_vermagic, .value = 1,
	  .text = " SMP mod_unload modversions " },
	{ "vermagic_no_blank", .change = change_vermagic, .value = 1,
	  .text = " SMP preempt mod_unload modversions" },
	{ "no_vermagic", MODINFO("vermagic", NULL) },
	{ "no_license", MODINFO("license", NULL) },
	{ "proprietary", MODINFO("license", "Proprietary") },
	{ "license_with_blank", MODINFO("license", "GPL ") },
	{ "license_mit", MODINFO("license", "MIT") },
	{ "no_retpoline", MODINFO("retpoline", NULL) },
	{ "no_intree", MODINFO("intree", NULL) },
	{ "staging", .change = add_modinfo, .section = "staging", .text = "Y" },
	{ "livepatch", .change = add_modinfo, .section = "livepatch", .text = "Y" },
	{ "no_namespace", MODINFO("import_ns", NULL) },
	{ "other_namespace", MODINFO("import_ns", "ANOTHER") },
	{ "other_depends", MODINFO("depends", "nothing,of,this") },
	{ "no_name", MODINFO("name", NULL) },
	/* versions */
	{ "crc_of_layout", .change = change_crc, .section = "module_layout" },
	{ "crc_of_symbol", .change = change_crc, .section = "" },
	{ "crc_high_bits", .change = change_crc, .section = "", .field = 5 },
	{ "layout_without_version", .change = drop_version, .section = "module_layout" },
	{ "symbol_without_version", .change = drop_version, .section = "" },
	{ "no_versions", .change = rename_section, .section = "__versions" },
	/* symbols */
	{ "unknown_symbol", .change = add_symbol, .text = "no_such_symbol", .field = STB_GLOBAL },
	{ "unknown_weak_symbol", .change = add_symbol, .text = "no_such_symbol",
	  .field = STB_WEAK },
	{ "offset_table", .change = add_symbol, .text = "_GLOBAL_OFFSET_TABLE_",
	  .field = STB_GLOBAL },
	{ "common_symbol", .change = add_symbol, .text = "common", .field = STB_GLOBAL,
	  .value = SHN_COMMON },
	{ "common_of_lto", .change = add_symbol, .text = "__gnu_lto_v1", .field = STB_GLOBAL,
	  .value = SHN_COMMON },
	{ "absolute_symbol", .change = add_symbol, .text = "absolute", .field = STB_GLOBAL,
	  .value = SHN_ABS },
	{ "weak_import", .change = set_symbol, .section = "", .field = offsetof(Elf64_Sym, st_info),
	  .width = 1, .value = ELF64_ST_INFO(STB_WEAK, STT_NOTYPE), .text = "undefined" },
	/* relocations */
	{ "relocation_unknown", RELOCATION(".rela.text", r_info, INFO_TO(1, 77)) },
	{ "relocation_got", RELOCATION(".rela.text", r_info, INFO_TO(1, R_X86_64_GOTPCREL)) },
	{ "relocation_narrow", RELOCATION(".rela.text", r_info, INFO_TO(2, R_X86_64_32)) },
	{ "relocation_target_set", .change = fill_target, .section = ".rela.text" },
	{ "relocations_of_exit_set", .change = fill_target, .section = ".rela.exit.text" },
	{ "relocations_without_addends", SECTION(".rela.text", sh_type, SHT_REL) },
	{ "relocations_of_no_section", SECTION(".rela.orc_unwind_ip", sh_info, 9999) },
	/* exports */
	{ "duplicate_export", .change = rename_export, .text = "_printk" },
	{ "exports_without_crc", .change = rename_section, .section = "__kcrctab" },
	/* behind the file */
	{ "junk", .change = append, .text = "junk", .value = 4 },
	{ "marker_alone", .change = append, .text = MARKER, .value = sizeof(MARKER) - 1 },
	{ "signature_too_long", .change = append, .text = TRAILER("\0", "\2", "\x7f\0\0\0"),
	  .value = TRAILER_SIZE },
	{ "signature_of_junk", .change = append, .text = "junk" TRAILER("\0", "\2", "\0\0\0\4"),
	  .value = 4 + TRAILER_SIZE },
	{ "signature_parameters", .change = append, .text = "0\0" TRAILER("\1", "\2", "\0\0\0\2"),
	  .value = 2 + TRAILER_SIZE },
	{ "signature_of_another_scheme", .change = append,
	  .text = "junk" TRAILER("\0", "\1", "\0\0\0\4"), .value = 4 + TRAILER_SIZE },
};

static bool read_module(const char *path, struct module *module)
{
	FILE *file = fopen(path, "rb");

	module->bytes = file ? calloc(1, 64 * ROOM) : NULL;
	module->size = module->bytes ? fread(module->bytes, 1, 60 * ROOM, file) : 0;
	if (file)
		(void)fclose(file);
	return module->size > sizeof(Elf64_Ehdr) && memcmp(module->bytes, ELFMAG, SELFMAG) == 0;
}

/* Without its signature: what is changed would no longer fit it. */
static void strip_signature(struct module *module)
{
	const size_t marker = sizeof(MARKER) - 1;
	uint32_t length;

	if (module->size < marker + 12 ||
	    memcmp(module->bytes + module->size - marker, MARKER, marker) != 0)
		return;
	memcpy(&length, module->bytes + module->size - marker - 4, 4);
	module->size -= marker + 12 + be32toh(length);
}

int main(int argc, char **argv)
{
	const size_t count = sizeof(mutations) / sizeof(*mutations);
	struct module module = { 0 };
	FILE *file;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (size_t i = 0; i < count; i++)
			(void)printf("%s %u\n", mutations[i].name, mutations[i].wild_before);
		return 0;
	}
	if (argc != 4 || !read_module(argv[1], &module)) {
		(void)fprintf(stderr, "usage: mutate --list | IN.ko NAME OUT.ko\n");
		return 1;
	}
	strip_signature(&module);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(mutations[i].name, argv[2]) != 0)
			continue;
		if (!mutations[i].change(&module, &mutations[i]))
			return NOT_HERE;
		file = fopen(argv[3], "wb");
		return file && fwrite(module.bytes, 1, module.size, file) == module.size &&
				       fclose(file) == 0
			       ? 0
			       : 1;
	}
	(void)fprintf(stderr, "mutate: no mutation is called %s\n", argv[2]);
	return 1;
}
