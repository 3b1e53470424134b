/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a module was built, as its sections, symbols and strings show it, against how its kernel's
 * own reference module was. Nothing here keeps a module from loading; without a disassembler it
 * says what is missing, not what is wrong.
 */
#include <stdio.h>
#include <string.h>

#include "checker/examination.h"

static const struct {
	enum checker_mark mark;
	const char *name;
	const char *section; /* that shows it; NULL: something else does */
	const char *lack;    /* what it means where the kernel has it; NULL: nothing to tell */
} marks[] = {
	{ CHECKER_MARK_RETPOLINE, "retpoline", NULL, NULL }, /* examine_modinfo() */
	{ CHECKER_MARK_RETPOLINE_SITES, "retpoline sites", ".retpoline_sites", NULL },
	{ CHECKER_MARK_RETURN_SITES, "return thunks", ".return_sites",
	  "its returns are open to speculation: it was built without the kernel's flags" },
	{ CHECKER_MARK_CALL_SITES, "call depth tracking", ".call_sites",
	  "its calls are not counted against speculation: it was built without the kernel's "
	  "flags" },
	{ CHECKER_MARK_IBT_SEAL, "indirect branch tracking", ".ibt_endbr_seal", NULL },
	{ CHECKER_MARK_KCFI, "kernel control flow integrity", ".kcfi_traps",
	  "a call into it by pointer would end in a panic: it was built without the kernel's "
	  "flags" },
	{ CHECKER_MARK_ORC, "ORC unwind tables", ".orc_unwind",
	  "its stack cannot be unwound: it was built without objtool" },
	{ CHECKER_MARK_TRACING, "function tracing", "__mcount_loc",
	  "its functions cannot be traced: it was built without the kernel's flags" },
	{ CHECKER_MARK_STACK_PROTECTOR, "stack protector", NULL, NULL },
	{ CHECKER_MARK_BTF, "BTF", ".BTF", NULL },
	{ CHECKER_MARK_BUILD_ID, "build ID", ".note.gnu.build-id", NULL },
};

const char *checker_mark_name(enum checker_mark mark)
{
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (marks[i].mark == mark)
			return marks[i].name;
	}
	return "?";
}

static uint64_t marks_of_symbols(const struct examination *e)
{
	uint64_t found = 0;

	for (uint32_t i = 1; i < e->file.symbol_count; i++) {
		Elf64_Sym symbol = elf_symbol(&e->file, i);
		const char *name = elf_symbol_name(&e->file, &symbol);

		if (strncmp(name, "__cfi_", 6) == 0 || strncmp(name, "__kcfi_typeid_", 14) == 0)
			found |= CHECKER_MARK_KCFI;
		if (symbol.st_shndx == SHN_UNDEF && strcmp(name, "__stack_chk_fail") == 0)
			found |= CHECKER_MARK_STACK_PROTECTOR;
	}
	return found;
}

/* Strings one behind the other, often the same ones; the first is the main compiler's. */
static bool compiler_is_among(const struct examination *e, const char *wanted, char first[128])
{
	uint32_t index = 0;
	size_t size = 0;
	const char *comment = NULL;

	if (elf_find(&e->file, ".comment", &index) > 0)
		comment = (const char *)elf_contents(&e->file, index, &size);
	while (size > 0) {
		size_t length = strnlen(comment, size);

		if (length > 0 && !*first)
			snprintf(first, 128, "%.*s", length < 128 ? (int)length : 127, comment);
		/* The section begins with an empty one. */
		if (length > 0 && length == strlen(wanted) && memcmp(comment, wanted, length) == 0)
			return true;
		comment += length < size ? length + 1 : length;
		size -= length < size ? length + 1 : length;
	}
	return false;
}

void examine_marks(struct examination *e)
{
	const char *vermagic = modinfo_next(e, "vermagic", NULL);
	const char *license = modinfo_next(e, "license", NULL);
	uint32_t index = 0;

	snprintf(e->verdict->vermagic, sizeof(e->verdict->vermagic), "%s",
		 vermagic ? vermagic : "");
	snprintf(e->verdict->license, sizeof(e->verdict->license), "%s", license ? license : "");
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (marks[i].section && elf_find(&e->file, marks[i].section, &index) > 0)
			e->verdict->marks |= marks[i].mark;
	}
	if (elf_find(&e->file, "__patchable_function_entries", &index) > 0)
		e->verdict->marks |= CHECKER_MARK_TRACING;
	if (modinfo_next(e, "retpoline", NULL))
		e->verdict->marks |= CHECKER_MARK_RETPOLINE;
	e->verdict->marks |= marks_of_symbols(e);
	(void)compiler_is_among(e, "", e->verdict->compiler);
}

/* Somebody's home is nobody else's business, and its path makes a build like no other. */
static void examine_paths(struct examination *e)
{
	static const char *const homes[] = { "/home/", "/root/" };

	for (uint32_t i = 1; i < e->file.section_count; i++) {
		Elf64_Shdr section = elf_section(&e->file, i);
		size_t size;
		const uint8_t *bytes = elf_contents(&e->file, i, &size);

		if (section.sh_type != SHT_PROGBITS || section.sh_flags & SHF_EXECINSTR)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(homes) && size > 0; k++) {
			const char *at = memmem(bytes, size, homes[k], strlen(homes[k]));
			const size_t left = at ? size - (size_t)(at - (const char *)bytes) : 0;

			/* The beginning of a string, not the middle of a path. */
			if (!at || (at != (const char *)bytes && at[-1] != '\0'))
				continue;
			finding_warn(e, "section %" SHOWN " tells where it was built: %.*s",
				     elf_section_name(&e->file, i),
				     (int)strnlen(at, left < 120 ? left : 120), at);
			return;
		}
	}
}

void examine_hardening(struct examination *e)
{
	const uint64_t missing = e->facts->marks & ~e->verdict->marks;
	char compiler[128] = "";
	uint32_t text = 0;

	examine_paths(e);
	/* Of what has no code nothing is to be expected. */
	if (elf_find(&e->file, ".text", &text) > 0 && elf_section(&e->file, text).sh_size > 0) {
		for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
			if (missing & marks[i].mark && marks[i].lack)
				finding_warn(e, "no %s: %s", marks[i].name, marks[i].lack);
		}
	}
	if (missing & CHECKER_MARK_KCFI)
		finding_object(e, "the kernel has control flow integrity (CFI), the module not");
	if (*e->facts->compiler && !compiler_is_among(e, e->facts->compiler, compiler))
		finding_warn(e, "compiled by '%" SHOWN "', the kernel's modules by '%" SHOWN "'",
			     *compiler ? compiler : "?", e->facts->compiler);
}
