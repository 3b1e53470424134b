/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The symbols a module wants, against those of the kernel: versions (kernel/module/version.c) and
 * simplify_symbols() of kernel/module/main.c.
 */
#include <stdio.h>
#include <string.h>

#include "checker/examination.h"

/* struct modversion_info */
#define VERSION_SIZE 64
#define VERSION_NAME_OFFSET 8
#define VERSION_NAME_LENGTH (VERSION_SIZE - VERSION_NAME_OFFSET)

static int add_version(struct examination *e, const char *name, size_t length, uint64_t crc)
{
	struct symbol symbol = { .name = { name, length }, .crc = crc };
	const struct symbol *known = symbol_index_find(&e->versions, symbol.name);
	int r;

	if (known && known->crc != crc)
		finding_object(e, "gives two versions of symbol %" SHOWN, name);
	r = symbol_index_add(&e->versions, &symbol);
	if (r < 0)
		finding_refuse(e, -r, "too many symbol versions");
	return r;
}

static int read_versions(struct examination *e, uint32_t section)
{
	size_t size;
	const uint8_t *versions = elf_contents(&e->file, section, &size);

	if (size % VERSION_SIZE != 0)
		finding_object(e, "__versions is not a whole number of entries");
	for (size_t offset = 0; offset + VERSION_SIZE <= size; offset += VERSION_SIZE) {
		const char *name = (const char *)versions + offset + VERSION_NAME_OFFSET;
		size_t length = strnlen(name, VERSION_NAME_LENGTH);
		uint64_t crc;
		int r;

		if (length == VERSION_NAME_LENGTH) {
			finding_object(e, "a name in __versions is not NUL terminated");
			continue;
		}
		memcpy(&crc, versions + offset, sizeof(crc));
		r = add_version(e, name, length, crc);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Linux 6.14 and newer, for names that are longer than a __versions entry. */
static int read_extended_versions(struct examination *e, uint32_t crc_section,
				  uint32_t name_section)
{
	size_t crc_size, name_size;
	const uint8_t *crcs = elf_contents(&e->file, crc_section, &crc_size);
	const char *names = (const char *)elf_contents(&e->file, name_section, &name_size);

	for (size_t offset = 0; offset + sizeof(uint32_t) <= crc_size; offset += sizeof(uint32_t)) {
		size_t length = strnlen(names, name_size);
		uint32_t crc;
		int r;

		if (length == name_size) {
			finding_refuse(e, ENOEXEC, "more extended version crcs than names");
			return -ENOEXEC;
		}
		memcpy(&crc, crcs + offset, sizeof(crc));
		r = add_version(e, names, length, crc);
		if (r < 0)
			return r;
		names += length + 1;
		name_size -= length + 1;
	}
	return 0;
}

/* Whether the module was built against this version of the symbol; else refused. */
static bool version_is_right(struct examination *e, const struct symbol *symbol, const char *name,
			     int errnum)
{
	const struct symbol *version = symbol_index_find(&e->versions, symbol->name);

	if (!e->facts->modversions)
		return true;
	if (!version && e->has_versions)
		finding_refuse(e, errnum, "no symbol version for %" SHOWN, name);
	else if (version && version->crc != symbol->crc)
		finding_refuse(e, errnum, "disagrees about version of symbol %" SHOWN, name);
	return version && version->crc == symbol->crc;
}

int examine_versions(struct examination *e)
{
	uint32_t section = 0, crcs = 0, names = 0;
	int basic = examination_section(e, "__versions", &section);
	int extended = examination_section(e, "__version_ext_crcs", &crcs);
	int named = examination_section(e, "__version_ext_names", &names);
	const struct symbol *layout;
	int r;

	if (basic < 0 || extended < 0 || named < 0)
		return -EPERM;
	if (extended != named) {
		finding_refuse(e, ENOEXEC, "extended version crc+name presence does not match");
		return -ENOEXEC;
	}
	if (basic > 0) {
		r = read_versions(e, section);
		if (r < 0)
			return r;
	}
	if (extended > 0) {
		r = read_extended_versions(e, crcs, names);
		if (r < 0)
			return r;
	}
	e->has_versions = basic > 0 || extended > 0;
	if (!e->facts->modversions)
		return 0;
	if (!e->has_versions)
		finding_refuse_unless_forced(e, ENOEXEC, "no symbol versions: forced to load");
	layout = symbol_index_find(e->kernel, span_from_string("module_layout"));
	if (!layout)
		finding_refuse(e, EINVAL, "the kernel's Module.symvers lacks module_layout");
	else
		(void)version_is_right(e, layout, "module_layout", ENOEXEC);
	return 0;
}

/* EXPORT_SYMBOL_FOR_MODULES (6.16): only for the kernel's own modules that it names. */
static bool is_reserved(const struct symbol *symbol)
{
	return symbol->spaces.length > 7 && memcmp(symbol->spaces.text, "module:", 7) == 0;
}

/* verify_module_namespace(): "module:kvm,kvm-*", by name. */
static bool is_reserved_to(const struct symbol *symbol, const char *module_name)
{
	const char *at = symbol->spaces.text + 7, *end = at + symbol->spaces.length - 7;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		size_t length = (size_t)((comma ? comma : end) - at), i = 0;
		const bool prefix = length > 0 && at[length - 1] == '*';

		length -= prefix;
		while (i < length && module_name[i] &&
		       (at[i] == '-' ? '_' : at[i]) ==
			       (module_name[i] == '-' ? '_' : module_name[i]))
			i++;
		if (i == length && (prefix || !module_name[i]))
			return true;
		at += length + prefix + 1;
	}
	return false;
}

/* verify_namespace_is_imported() */
static bool namespace_is_imported(struct examination *e, const struct symbol *symbol,
				  const char *name)
{
	int shown = (int)(symbol->spaces.length < 120 ? symbol->spaces.length : 120);

	if (symbol->spaces.length == 0)
		return true;
	if (is_reserved(symbol) && is_reserved_to(symbol, e->facts->module_name)) {
		if (!(e->facts->flags & CHECKER_OF_KERNEL))
			finding_object(e,
				       "takes the name of a module that %" SHOWN
				       " is reserved to (%.*s)",
				       name, shown, symbol->spaces.text);
		return true;
	}
	if (is_reserved(symbol)) {
		finding_refuse(e, EINVAL, "uses symbol (%" SHOWN ") which is reserved to %.*s",
			       name, shown, symbol->spaces.text);
		return false;
	}
	for (const char *space = modinfo_next(e, "import_ns", NULL); space;
	     space = modinfo_next(e, "import_ns", space)) {
		if (span_equal(span_from_string(space), symbol->spaces))
			return true;
	}
	finding_refuse(e, EINVAL,
		       "module uses symbol (%" SHOWN
		       ") from namespace %.*s, but does not import it.",
		       name, shown, symbol->spaces.text);
	return false;
}

/* resolve_symbol() and what simplify_symbols() makes of its answer. */
static void examine_import(struct examination *e, const Elf64_Sym *undefined)
{
	const char *name = elf_symbol_name(&e->file, undefined);
	const struct symbol *symbol = symbol_index_find(e->kernel, span_from_string(name));
	bool hidden = symbol && symbol->gpl_only && !e->gpl_compatible;

	if (!symbol || hidden) {
		if (ELF64_ST_BIND(undefined->st_info) == STB_WEAK ||
		    (e->facts->machine == EM_X86_64 && strcmp(name, "_GLOBAL_OFFSET_TABLE_") == 0))
			return;
		if (hidden)
			finding_refuse(e, ENOENT,
				       "Unknown symbol %" SHOWN
				       " (err -%d): kernel %.*s exports it GPL-only, but the "
				       "license is '%" SHOWN "'",
				       name, ENOENT, (int)strcspn(e->facts->vermagic, " "),
				       e->facts->vermagic,
				       *e->verdict->license ? e->verdict->license : "unspecified");
		else
			finding_refuse(e, ENOENT, "Unknown symbol %" SHOWN " (err -%d)", name,
				       ENOENT);
		return;
	}
	if (version_is_right(e, symbol, name, EINVAL) && namespace_is_imported(e, symbol, name))
		e->verdict->imports++;
}

void examine_imports(struct examination *e)
{
	for (uint32_t i = 1; i < e->file.symbol_count; i++) {
		Elf64_Sym symbol = elf_symbol(&e->file, i);

		if (symbol.st_shndx == SHN_UNDEF)
			examine_import(e, &symbol);
		else if (symbol.st_shndx == SHN_COMMON &&
			 strncmp(elf_symbol_name(&e->file, &symbol), "__gnu_lto", 9) != 0)
			finding_refuse(e, ENOEXEC,
				       "please compile with -fno-common (symbol %" SHOWN
				       " is common)",
				       elf_symbol_name(&e->file, &symbol));
	}
}
