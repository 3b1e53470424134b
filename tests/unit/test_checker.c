/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checker: a small valid module made in memory is the positive control; each row of the table
 * changes one thing of it and says what must become of it. Then damage at random, the kernel's
 * facts. The jail and the client are in test_checker_run.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "checker/checker.h"
#include "checker/symvers.h"
#include "lib/base/files.h"
#include "tests/unit/module_image.h"

struct mutation {
	const char *name;
	int errnum;	      /* 0: it will load */
	const char *expected; /* a part of the verdict's text */
	enum change change;
	const char *text;
	size_t section;
	size_t offset;
	size_t width;
	uint64_t value;
	/* A second change of the plan. */
	enum change and;
	const char *and_text;
	uint64_t and_value;
};

#define IN_HEADER(field, to)                                                                       \
	HEADER, .offset = offsetof(Elf64_Ehdr, field),                                             \
		.width = sizeof(((Elf64_Ehdr *)NULL)->field), .value = (to)
#define IN_SECTION(number, field, to)                                                              \
	SECTION, .section = (number), .offset = offsetof(Elf64_Shdr, field),                       \
		 .width = sizeof(((Elf64_Shdr *)NULL)->field), .value = (to)
#define IN_CONTENT(number, at, bytes, to)                                                          \
	CONTENT, .section = (number), .offset = (at), .width = (bytes), .value = (to)

#define LONG_NAME "a_name_that_is_longer_than_the_fifty_five_bytes_of_a_versions_entry"

static const struct mutation mutations[] = {
	{ "unchanged", 0, "will load", .change = NOTHING },
	{ "magic", ENOEXEC, "header magic", HEADER, .offset = 0, .width = 1, .value = 'X' },
	{ "class_32", EPERM, "ELF class", HEADER, .offset = 4, .width = 1, .value = 1 },
	{ "big_endian", EPERM, "byte order", HEADER, .offset = 5, .width = 1, .value = 2 },
	{ "ident_version", EPERM, "ELF version", HEADER, .offset = 6, .width = 1, .value = 0 },
	{ "shared_object", ENOEXEC, "header type: 3 != 1", IN_HEADER(e_type, ET_DYN) },
	{ "other_machine", ENOEXEC, "architecture in ELF header: 183", IN_HEADER(e_machine, 183) },
	{ "header_size", EPERM, "ELF header size", IN_HEADER(e_ehsize, 52) },
	{ "section_header_size", ENOEXEC, "section header size", IN_HEADER(e_shentsize, 40) },
	{ "no_sections", ENOEXEC, "section name index", IN_HEADER(e_shnum, 0) },
	{ "too_many_sections", ENOEXEC, "header overflow", IN_HEADER(e_shnum, 0xfff) },
	{ "headers_beyond_end", ENOEXEC, "header overflow", IN_HEADER(e_shoff, 1 << 20) },
	{ "header_offset_wraps", ENOEXEC, "header overflow", IN_HEADER(e_shoff, ~UINT64_C(63)) },
	{ "section_zero_in_use", ENOEXEC, "Spec violation: section 0",
	  IN_SECTION(0, sh_type, SHT_PROGBITS) },
	{ "null_section", EPERM, "type 0", IN_SECTION(TEXT, sh_type, SHT_NULL) },
	{ "section_beyond_end", ENOEXEC, "section 1 type 1", IN_SECTION(TEXT, sh_size, 1 << 20) },
	{ "section_offset_wraps", ENOEXEC, "section 1 type 1",
	  IN_SECTION(TEXT, sh_offset, UINT64_MAX) },
	{ "section_size_wraps", ENOEXEC, "section 1 type 1",
	  IN_SECTION(TEXT, sh_size, UINT64_MAX) },
	{ "bss_is_not_in_the_file", EPERM, "over 4 GiB",
	  IN_SECTION(BSS, sh_size, UINT64_C(1) << 40) },
	{ "name_index_zero", ENOEXEC, "section name index", IN_HEADER(e_shstrndx, 0) },
	{ "name_index_beyond", ENOEXEC, "section name index", IN_HEADER(e_shstrndx, 99) },
	{ "names_without_contents", EPERM, "section name table has type 8",
	  IN_SECTION(SECTION_NAMES, sh_type, SHT_NOBITS) },
	{ "names_unterminated", ENOEXEC, "null terminated",
	  IN_SECTION(SECTION_NAMES, sh_size, 20) },
	{ "section_name_beyond", ENOEXEC, "Invalid ELF section name",
	  IN_SECTION(TEXT, sh_name, 100000) },
	{ "no_modinfo", ENOEXEC, "no .modinfo", IN_SECTION(MODINFO, sh_name, 0) },
	{ "modinfo_empty", EPERM, "is empty or not NUL", IN_SECTION(MODINFO, sh_size, 0) },
	{ "modinfo_unterminated", EPERM, "not NUL", IN_SECTION(MODINFO, sh_size, 5) },
	{ "modinfo_not_in_the_file", EPERM, ".modinfo section must have contents",
	  IN_SECTION(MODINFO, sh_type, SHT_NOBITS) },
	{ "modinfo_not_allocated", ENOEXEC, "no .modinfo section",
	  IN_SECTION(MODINFO, sh_flags, 0) },
	{ "two_modinfo", EPERM, "Only one .modinfo", IN_SECTION(TEXT, sh_name, 7) },
	{ "no_this_module", ENOEXEC, "Exactly one", IN_SECTION(THIS_MODULE, sh_name, 0) },
	{ "two_this_module", EPERM, "Only one .gnu", IN_SECTION(TEXT, sh_name, 16) },
	{ "this_module_not_in_the_file", EPERM, "must have contents",
	  IN_SECTION(THIS_MODULE, sh_type, SHT_NOBITS) },
	{ "this_module_not_allocated", ENOEXEC, "must occupy memory",
	  IN_SECTION(THIS_MODULE, sh_flags, SHF_WRITE) },
	{ "this_module_small", EPERM, "no room for a name", IN_SECTION(THIS_MODULE, sh_size, 79) },
	{ "no_symbols", ENOEXEC, "no symbols (stripped?)",
	  IN_SECTION(SYMBOLS, sh_type, SHT_PROGBITS) },
	{ "two_symbol_tables", ENOEXEC, "sh_link", IN_SECTION(TEXT, sh_type, SHT_SYMTAB) },
	{ "symbol_size", EPERM, "symbol size", IN_SECTION(SYMBOLS, sh_entsize, 16) },
	{ "half_a_symbol", EPERM, "symbol size", IN_SECTION(SYMBOLS, sh_size, 30) },
	{ "symbol_names_missing", ENOEXEC, "sh_link", IN_SECTION(SYMBOLS, sh_link, 0) },
	{ "symbol_names_beyond", ENOEXEC, "sh_link", IN_SECTION(SYMBOLS, sh_link, 99) },
	{ "symbol_names_not_in_the_file", EPERM, "empty symbol string",
	  IN_SECTION(STRINGS, sh_type, SHT_NOBITS) },
	{ "symbol_names_start", EPERM, "leading NUL", IN_CONTENT(STRINGS, 0, 1, 'x') },
	{ "symbol_names_unterminated", EPERM, "isn't NUL", IN_SECTION(STRINGS, sh_size, 4) },
	{ "symbol_name_beyond", EPERM, "out of bounds", IN_CONTENT(SYMBOLS, 24, 4, 100000) },
	{ "symbol_section_beyond", EPERM, "does not exist", SYMBOL_ADD, .text = "x", .section = 99,
	  .value = 1 },
	{ "symbol_of_a_live_patch", EPERM, "does not exist", SYMBOL_ADD, .text = "x",
	  .section = 0xff20, .value = 1 },
	{ "absolute_symbol", 0, "will load", SYMBOL_ADD, .text = "x", .section = SHN_ABS,
	  .value = 1 },
	{ "common_symbol", ENOEXEC, "-fno-common", SYMBOL_ADD, .text = "x", .section = SHN_COMMON,
	  .value = 1 },
	{ "writable_code", ENOEXEC, "section .text (index 1) has invalid WRITE|EXEC",
	  IN_SECTION(TEXT, sh_flags, SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR) },
	{ "no_vermagic", ENOEXEC, "bad vermagic", MODINFO_SET, .text = "vermagic" },
	{ "vermagic_flags", ENOEXEC, "should be '" RELEASE FLAGS "'", MODINFO_SET,
	  .text = "vermagic=" RELEASE " SMP mod_unload modversions " },
	{ "vermagic_blank_missing", ENOEXEC, "version magic", MODINFO_SET,
	  .text = "vermagic=" RELEASE " SMP preempt mod_unload modversions" },
	{ "vermagic_release", EPERM, "built for kernel '6.1.0-55-amd64', not for '" RELEASE "'",
	  MODINFO_SET, .text = "vermagic=6.1.0-55-amd64" FLAGS },
	{ "two_vermagics", EPERM, "more than one vermagic", MODINFO_ADD,
	  .text = "vermagic=6.2 SMP " },
	{ "same_vermagic_twice", 0, "will load", MODINFO_ADD, .text = "vermagic=" RELEASE FLAGS },
	{ "name_is_another", EPERM, "named 'other' inside", NAME_SET, .text = "other" },
	{ "name_unterminated", EPERM, "struct module is not NUL", NAME_SET,
	  .text = "01234567890123456789012345678901234567890123456789012345" },
	{ "modinfo_name_is_another", EPERM, ".modinfo gives the name 'other'", MODINFO_SET,
	  .text = "name=other" },
	{ "two_names", EPERM, "more than one name", MODINFO_ADD, .text = "name=other" },
	{ "modinfo_without_name", 0, "will load", MODINFO_SET, .text = "name" },
	{ "no_license", EPERM, "missing MODULE_LICENSE", MODINFO_SET, .text = "license" },
	{ "two_licenses_that_agree", 0, "will load", MODINFO_ADD, .text = "license=Dual BSD/GPL" },
	{ "two_licenses", EPERM, "contradict", MODINFO_ADD, .text = "license=Proprietary" },
	{ "proprietary", 0, "warning: demo-mod: module license 'Proprietary' taints kernel.",
	  MODINFO_SET, .text = "license=Proprietary" },
	{ "escape_in_license", 0, "license '?[31m?' taints", MODINFO_SET,
	  .text = "license=\033[31m\n" },
	{ "intree", EPERM, "in-tree", MODINFO_ADD, .text = "intree=Y" },
	{ "livepatch", EPERM, "live patch", MODINFO_ADD, .text = "livepatch=Y" },
	{ "signature_named_in_modinfo", 0, "will load", MODINFO_ADD, .text = "sig_id=PKCS#7" },
	{ "signed", EPERM, "carries a signature", TAIL_SET,
	  .text = "x~Module signature appended~\n" },
	{ "marker_not_at_the_end", 0, "will load", TAIL_SET,
	  .text = "~Module signature appended~\n " },
	{ "unknown_symbol", ENOENT, "Unknown symbol nowhere (err -2)", IMPORT_ADD,
	  .text = "nowhere" },
	{ "unknown_weak_symbol", 0, "will load", SYMBOL_ADD, .text = "nowhere",
	  .section = SHN_UNDEF, .value = STB_WEAK },
	{ "offset_table", 0, "will load", SYMBOL_ADD, .text = "_GLOBAL_OFFSET_TABLE_",
	  .section = SHN_UNDEF, .value = STB_GLOBAL },
	{ "escape_in_symbol", ENOENT, "Unknown symbol ?]0;x?", IMPORT_ADD, .text = "\033]0;x\007" },
	{ "gpl_symbol", 0, "will load", IMPORT_ADD, .text = "gpl_thing", .value = 0x11111111 },
	{ "gpl_symbol_proprietary", ENOENT,
	  "Unknown symbol gpl_thing (err -2): kernel 6.1.0-56-amd64 exports it GPL-only, but the "
	  "license is 'Proprietary'",
	  IMPORT_ADD, .text = "gpl_thing", .value = 0x11111111, .and = MODINFO_SET,
	  .and_text = "license=Proprietary" },
	{ "namespace_imported", 0, "will load", IMPORT_ADD, .text = "spaced_thing",
	  .value = 0x22222222, .and = MODINFO_ADD, .and_text = "import_ns=DMA_BUF" },
	{ "namespace_not_imported", EINVAL,
	  "module uses symbol (spaced_thing) from namespace DMA_BUF, but does not import it.",
	  IMPORT_ADD, .text = "spaced_thing", .value = 0x22222222 },
	{ "namespace_is_another", EINVAL, "does not import it", IMPORT_ADD, .text = "spaced_thing",
	  .value = 0x22222222, .and = MODINFO_ADD, .and_text = "import_ns=DMA_BUFFER" },
	{ "namespace_of_named_modules", EINVAL, "reserved to module:kvm", IMPORT_ADD,
	  .text = "reserved_thing", .value = 0x33333333, .and = MODINFO_ADD,
	  .and_text = "import_ns=module:kvm" },
	{ "symbol_crc", EINVAL, "disagrees about version of symbol _printk", VERSION_SET,
	  .text = "_printk", .value = 0x92997ed9 },
	{ "symbol_crc_high_bits", EINVAL, "disagrees about", VERSION_SET, .text = "_printk",
	  .value = UINT64_C(0x192997ed8) },
	{ "symbol_crc_of_the_shadow", EINVAL, "disagrees about", VERSION_SET, .text = "_printk",
	  .value = 0x55555555 },
	{ "layout_crc", ENOEXEC, "disagrees about version of symbol module_layout", VERSION_SET,
	  .text = "module_layout", .value = 1 },
	{ "symbol_without_version", EINVAL, "no symbol version for _printk", VERSION_DROP,
	  .text = "_printk" },
	{ "layout_without_version", ENOEXEC, "no symbol version for module_layout", VERSION_DROP,
	  .text = "module_layout" },
	{ "no_versions", ENOEXEC, "forced to load", .change = BASIC_DROP },
	{ "extended_versions", 0, "will load", .change = EXTENDED_ONLY },
	{ "both_versions", 0, "will load", .change = BOTH_VERSIONS },
	{ "extended_crc_wrong", EINVAL, "disagrees about", .change = EXTENDED_ONLY,
	  .and = VERSION_SET, .and_text = "_printk", .and_value = 1 },
	{ "extended_long_name", ENOENT, "Unknown symbol " LONG_NAME, .change = EXTENDED_ONLY,
	  .and = IMPORT_ADD, .and_text = LONG_NAME },
	{ "version_name_unterminated", ENOENT, "Unknown symbol", IMPORT_ADD, .text = LONG_NAME },
	{ "half_a_version", EINVAL, "whole number", IN_SECTION(VERSIONS, sh_size, 100) },
	{ "two_versions_of_a_symbol", EPERM, "two versions", IMPORT_ADD, .text = "_printk",
	  .value = 7 },
	{ "without_modversions", 0, "will load", .change = NO_MODVERSIONS, .and = BASIC_DROP },
	{ "duplicate_export", ENOEXEC, "exports duplicate symbol _printk (owned by kernel)",
	  EXPORT_SET, .text = "_printk" },
	{ "export_of_the_replaced", 0, "will load", EXPORT_SET, .text = "ours_in_tree" },
	{ "export_without_name", EPERM, "has no name", IN_SECTION(EXPORT_STRINGS, sh_size, 0) },
	{ "export_of_no_symbol", EPERM, "which does not exist",
	  IN_CONTENT(EXPORT_RELOCATIONS, 12, 4, 99) },
	{ "export_name_wraps", EPERM, "has no name",
	  IN_CONTENT(EXPORT_RELOCATIONS, 16, 8, UINT64_MAX) },
	{ "export_names_a_line", EPERM, "has no name", EXPORT_SET,
	  .text = "x\n0x1\tshadow\tvmlinux\tEXPORT_SYMBOL\t" },
	{ "export_space_is_a_line", EPERM, "has no name", IN_CONTENT(EXPORT_STRINGS, 14, 1, '\n') },
	{ "bss_of_three_gigabytes", ENOMEM, "MiB of memory",
	  IN_SECTION(BSS, sh_size, UINT64_C(3) << 30) },
	{ "bss_of_a_gigabyte", 0, "will load", IN_SECTION(BSS, sh_size, UINT64_C(1) << 30) },
	{ "alignment_odd", EPERM, "alignment 3", IN_SECTION(TEXT, sh_addralign, 3) },
	{ "alignment_huge", EPERM, "alignment 1048576", IN_SECTION(TEXT, sh_addralign, 1 << 20) },
	{ "relocation_unknown", ENOEXEC, "Unknown rela relocation: 77",
	  IN_CONTENT(EXPORT_RELOCATIONS, 8, 4, 77) },
	{ "relocation_outside", EPERM, "outside of its section",
	  IN_CONTENT(EXPORT_RELOCATIONS, 0, 8, 9) },
	{ "relocation_wraps", EPERM, "outside of its section",
	  IN_CONTENT(EXPORT_RELOCATIONS, 0, 8, UINT64_MAX) },
	{ "relocation_of_what_is_set", ENOEXEC, "existing value is nonzero",
	  IN_CONTENT(EXPORTS, 4, 1, 1) },
	{ "relocation_narrow", ENOEXEC, "overflow in relocation type 10",
	  IN_CONTENT(EXPORT_RELOCATIONS, 8, 4, R_X86_64_32) },
	{ "relocations_without_addends", ENOEXEC, "REL relocation unsupported",
	  IN_SECTION(EXPORT_RELOCATIONS, sh_type, SHT_REL) },
	{ "relocations_of_what_is_not_loaded", EPERM, "has no name",
	  IN_SECTION(EXPORT_RELOCATIONS, sh_info, SECTION_NAMES) },
	{ "export_crcs_too_few", ENOEXEC, "no versions for exported symbols",
	  IN_SECTION(EXPORT_CRCS, sh_size, 3) },
	{ "export_without_crc", ENOEXEC, "no versions for exported symbols",
	  .change = CRC_TABLE_DROP },
};

static void change_image(struct image *image, const struct mutation *mutation)
{
	uint8_t *target = image->bytes;

	if (mutation->change == SECTION)
		target = (uint8_t *)image_section(image, mutation->section);
	else if (mutation->change == CONTENT)
		target += image_section(image, mutation->section)->sh_offset;
	else if (mutation->change != HEADER)
		return;
	memcpy(target + mutation->offset, &mutation->value, mutation->width);
}

/* From an allocation of just this size, so that the sanitizer sees a read behind it. */
static void examine(const void *bytes, size_t size, const struct checker_facts *facts,
		    struct checker_verdict *verdict)
{
	uint8_t *copy = malloc(size ? size : 1);
	cleanup_text struct text exports = { 0 };

	assert_non_null(copy);
	memcpy(copy, bytes, size);
	checker_examine(copy, size, symvers, sizeof(symvers) - 1, facts, verdict, &exports);
	free(copy);
	assert_true(verdict->outcome == CHECKER_WILL_LOAD ? verdict->errnum == 0
							  : verdict->errnum > 0);
	assert_true(verdict->outcome >= CHECKER_WILL_LOAD && verdict->outcome <= CHECKER_POLICY);
	if (verdict->outcome == CHECKER_POLICY)
		assert_int_equal(verdict->errnum, EPERM);
	assert_non_null(memchr(verdict->text, '\0', sizeof(verdict->text)));
	assert_true(verdict->text[0] != '\0');
	assert_int_equal(verdict->exports, exports.length);
}

static void test_mutation(void **state)
{
	const struct mutation *mutation = *state;
	struct checker_facts facts = good_facts();
	struct plan plan = good_plan();
	struct checker_verdict verdict;
	struct image image;

	change_plan(&plan, &facts, mutation->change, mutation->text, mutation->section,
		    mutation->value);
	change_plan(&plan, &facts, mutation->and, mutation->and_text, 0, mutation->and_value);
	build(&plan, &image);
	change_image(&image, mutation);
	examine(image.bytes, image.size, &facts, &verdict);
	if (verdict.errnum != mutation->errnum || !strstr(verdict.text, mutation->expected))
		print_message("%s: errno %d: %s\n", mutation->name, verdict.errnum, verdict.text);
	assert_int_equal(verdict.errnum, mutation->errnum);
	assert_non_null(strstr(verdict.text, mutation->expected));
}

static void test_verdict_facts(void **state)
{
	struct checker_facts facts = good_facts();
	struct plan plan = good_plan();
	struct checker_verdict verdict;
	struct image image;

	(void)state;
	change_plan(&plan, &facts, IMPORT_ADD, "gpl_thing", 0, 0x11111111);
	change_plan(&plan, &facts, SYMBOL_ADD, "nowhere", SHN_UNDEF, STB_WEAK);
	build(&plan, &image);
	examine(image.bytes, image.size, &facts, &verdict);
	assert_int_equal(verdict.imports, 2);
	assert_int_equal(verdict.warnings, 0);
	assert_string_equal(verdict.license, "GPL");
	assert_string_equal(verdict.vermagic, RELEASE FLAGS);
	change_plan(&plan, &facts, MODINFO_SET, "license=Proprietary", 0, 0);
	build(&plan, &image);
	examine(image.bytes, image.size, &facts, &verdict);
	assert_int_equal(verdict.imports, 1);
	assert_int_equal(verdict.warnings, 1);
}

/* What one module exports, as the checker says it, is what the next one is checked against. */
static void test_siblings(void **state)
{
	cleanup_text struct text exports = { 0 }, all = { 0 };
	struct checker_facts facts = good_facts();
	struct plan plan = good_plan();
	struct checker_verdict verdict;
	struct image image;

	(void)state;
	build(&plan, &image);
	checker_examine(image.bytes, image.size, symvers, sizeof(symvers) - 1, &facts, &verdict,
			&exports);
	assert_int_equal(verdict.outcome, CHECKER_WILL_LOAD);
	assert_string_equal(exports.data,
			    "0xfeedf00d\tdemo_symbol\tdemo-mod\tEXPORT_SYMBOL\tDEMO_SPACE\n");
	assert_int_equal(text_append(&all, symvers, sizeof(symvers) - 1), 0);
	assert_int_equal(text_append(&all, exports.data, exports.length), 0);
	plan.exported = NULL;
	plan.name = "sibling";
	change_plan(&plan, &facts, MODINFO_SET, "name=sibling", 0, 0);
	change_plan(&plan, &facts, MODINFO_ADD, "import_ns=DEMO_SPACE", 0, 0);
	change_plan(&plan, &facts, IMPORT_ADD, "demo_symbol", 0, 0xfeedf00d);
	snprintf(facts.module_name, sizeof(facts.module_name), "sibling");
	build(&plan, &image);
	examine(image.bytes, image.size, &facts, &verdict);
	assert_int_equal(verdict.errnum, ENOENT);
	checker_examine(image.bytes, image.size, all.data, all.length, &facts, &verdict, &exports);
	assert_int_equal(verdict.outcome, CHECKER_WILL_LOAD);
	assert_int_equal(verdict.imports, 2);
	assert_int_equal(verdict.exports, 0);
}

/* More findings than there is room for, with names as long as can be: bounded, and it says so. */
static void test_many_findings(void **state)
{
	struct checker_facts facts = good_facts();
	struct plan plan = good_plan();
	struct checker_verdict verdict;
	static char name[140];
	struct image image;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	plan.basic = false;
	facts.modversions = 0;
	for (size_t i = 2; i < ITEMS; i++) {
		plan.symbols[i].name = name;
		plan.symbols[i].bind = STB_GLOBAL;
	}
	build(&plan, &image);
	examine(image.bytes, image.size, &facts, &verdict);
	assert_int_equal(verdict.errnum, ENOENT);
	assert_non_null(strstr(verdict.text, " more findings"));
	assert_non_null(strstr(verdict.text, "Unknown symbol nnnnnnnn"));
}

static void test_truncated(void **state)
{
	struct checker_facts facts = good_facts();
	struct plan plan = good_plan();
	struct checker_verdict verdict;
	struct image image;

	(void)state;
	plan.extended = true;
	build(&plan, &image);
	for (size_t size = 0; size < image.size; size++) {
		examine(image.bytes, size, &facts, &verdict);
		assert_int_equal(verdict.outcome, CHECKER_WILL_NOT_LOAD);
	}
	examine(image.bytes, image.size, &facts, &verdict);
	assert_int_equal(verdict.outcome, CHECKER_WILL_LOAD);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void test_damaged(void **state)
{
	struct checker_facts facts = good_facts();
	struct plan plan = good_plan();
	struct checker_verdict verdict;
	uint32_t seed = 20230610, refused = 0, headers;
	struct image image, damaged;

	(void)state;
	plan.extended = true;
	build(&plan, &image);
	headers = SECTIONS * sizeof(Elf64_Shdr);
	for (int round = 0; round < 6000; round++) {
		size_t changes = 1 + next_random(&seed) % 4;

		damaged = image;
		while (changes-- > 0) {
			/* Half of them hit the section headers, where most decisions are made. */
			size_t at = next_random(&seed) % image.size;

			if (next_random(&seed) % 2)
				at = image.size - 1 - at % headers;
			damaged.bytes[at] = (uint8_t)next_random(&seed);
		}
		examine(damaged.bytes, damaged.size, &facts, &verdict);
		refused += verdict.outcome == CHECKER_WILL_NOT_LOAD;
	}
	/* Neither all nor nothing, else the rounds tried only one path. */
	assert_in_range(refused, 1000, 5999);
}

static void test_symvers(void **state)
{
	static const char *const bad[] = {
		"\n",
		"0x1\ta\tvmlinux\n",
		"1\ta\tvmlinux\tEXPORT_SYMBOL\t\n",
		"0x123456789\ta\tvmlinux\tEXPORT_SYMBOL\t\n",
		"0xg\ta\tvmlinux\tEXPORT_SYMBOL\t\n",
		"0x1\t\tvmlinux\tEXPORT_SYMBOL\t\n",
		"0x1\ta\tvmlinux\tEXPORT_SYMBOL_X\t\n",
		"0x1\ta\tvmlinux\tEXPORT_SYMBOL\tNS\tmore\n",
	};
	struct symbol_index index = { 0 };
	const struct symbol *symbol;
	size_t line = 0;

	(void)state;
	assert_int_equal(symvers_parse(symvers, sizeof(symvers) - 1, &index, &line), 0);
	assert_int_equal(index.count, 6);
	symbol = symbol_index_find(&index, span_from_string("_printk"));
	assert_non_null(symbol);
	assert_int_equal(symbol->crc, 0x92997ed8);
	assert_false(symbol->gpl_only);
	assert_true(span_equal(symbol->owner, span_from_string("vmlinux")));
	assert_null(symbol_index_find(&index, span_from_string("_print")));
	symbol_index_clear(&index);
	assert_null(symbol_index_find(&index, span_from_string("_printk")));
	/* Without a namespace column, and without a newline at the end. */
	assert_int_equal(symvers_parse("0x1\ta\tvmlinux\tEXPORT_SYMBOL", 27, &index, &line), 0);
	assert_int_equal(index.count, 1);
	symbol_index_clear(&index);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(symvers_parse(bad[i], strlen(bad[i]), &index, &line), -EINVAL);
		assert_int_equal(line, 1);
		symbol_index_clear(&index);
	}
}

static void test_symvers_malformed_is_said(void **state)
{
	struct checker_facts facts = good_facts();
	cleanup_text struct text exports = { 0 };
	static const char text[] = "0x1\ta\tvmlinux\tEXPORT_SYMBOL\t\nnonsense\n";
	struct checker_verdict verdict;

	(void)state;
	checker_examine((const uint8_t *)"", 0, text, sizeof(text) - 1, &facts, &verdict, &exports);
	assert_int_equal(verdict.outcome, CHECKER_WILL_NOT_LOAD);
	assert_non_null(strstr(verdict.text, "line 2"));
}

static void test_index_grows(void **state)
{
	enum { COUNT = 20000 };
	struct symbol_index index = { 0 };
	static char names[COUNT][16];

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct symbol symbol = { .crc = i };

		snprintf(names[i], sizeof(names[i]), "symbol_%zu", i);
		symbol.name = span_from_string(names[i]);
		assert_int_equal(symbol_index_add(&index, &symbol), 0);
	}
	for (size_t i = 0; i < COUNT; i++) {
		const struct symbol *found = symbol_index_find(&index, span_from_string(names[i]));

		assert_non_null(found);
		assert_int_equal(found->crc, i);
	}
	symbol_index_clear(&index);
}

/* The index and the real thing: every line of a kernel's Module.symvers. */
static void test_real_symvers(void **state)
{
	const char *kernels = secure_getenv("KERNELS_DIR");
	cleanup_free char *pattern =
		format_string("%s/*/usr/src/*/Module.symvers", kernels ? kernels : "build/kernels");
	glob_t found = { 0 };

	(void)state;
	assert_non_null(pattern);
	if (glob(pattern, 0, NULL, &found) != 0) {
		print_message("no kernel headers at %s\n", pattern);
		globfree(&found);
		skip();
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		cleanup_close int fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		cleanup_text struct text text = { 0 };
		struct symbol_index index = { 0 };
		size_t line = 0, lines = 0;

		assert_true(fd >= 0);
		assert_int_equal(read_fd(fd, CHECKER_SYMVERS_MAXIMUM, &text, NULL), 0);
		assert_int_equal(symvers_parse(text.data, text.length, &index, &line), 0);
		for (size_t at = 0; at < text.length; at++)
			lines += text.data[at] == '\n';
		assert_int_equal(index.count, lines);
		assert_non_null(symbol_index_find(&index, span_from_string("module_layout")));
		assert_non_null(symbol_index_find(&index, span_from_string("_printk")));
		symbol_index_clear(&index);
	}
	globfree(&found);
}

static void test_config(void **state)
{
	static const struct {
		const char *config, *architecture, *vermagic;
		int result;
	} rows[] = {
		{ "CONFIG_SMP=y\nCONFIG_PREEMPT_BUILD=y\nCONFIG_MODULE_UNLOAD=y\n"
		  "CONFIG_MODVERSIONS=y\n",
		  "x86_64", RELEASE FLAGS, 0 },
		{ "CONFIG_MODVERSIONS=y", "x86_64", RELEASE " modversions ", 0 },
		{ "", "x86_64", RELEASE " ", 0 },
		{ "# CONFIG_SMP is not set\nCONFIG_SMP_X=y\nXCONFIG_SMP=y\nCONFIG_SMP=yes\n"
		  " CONFIG_SMP=y\n",
		  "x86_64", RELEASE " ", 0 },
		{ "CONFIG_SMP=y\nCONFIG_PREEMPT_RT=y\n", "x86_64", RELEASE " SMP preempt_rt ", 0 },
		{ "CONFIG_PREEMPT=y\n", "x86_64", RELEASE " preempt ", 0 },
		{ "CONFIG_PREEMPT_VOLUNTARY=y\n", "x86_64", RELEASE " ", 0 },
		{ "CONFIG_SMP=y\nCONFIG_RANDSTRUCT=y\n", "x86_64", NULL, -EOPNOTSUPP },
		{ "CONFIG_GCC_PLUGIN_RANDSTRUCT=y\n", "x86_64", NULL, -EOPNOTSUPP },
		{ "CONFIG_SMP=y\n", "s390x", NULL, -EOPNOTSUPP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_error struct error *error = NULL;
		struct checker_facts facts = { 0 };
		int r = checker_facts_from_config(rows[i].config, strlen(rows[i].config), RELEASE,
						  rows[i].architecture, "demo", &facts, &error);

		assert_int_equal(r, rows[i].result);
		if (r < 0) {
			assert_non_null(error);
			continue;
		}
		assert_string_equal(facts.vermagic, rows[i].vermagic);
		assert_string_equal(facts.module_name, "demo");
		assert_int_equal(facts.machine, EM_X86_64);
		assert_int_equal(facts.modversions, strstr(rows[i].config, "MODVERSIONS") != NULL);
	}
}

static void test_sanitise(void **state)
{
	struct checker_verdict verdict;

	(void)state;
	memset(&verdict, 'x', sizeof(verdict));
	memcpy(verdict.text, "one\n\033]0;two\x9b\r", 13);
	memcpy(verdict.license, "GPL\0behind", 11);
	checker_verdict_sanitise(&verdict);
	assert_memory_equal(verdict.text, "one\n?]0;two??x", 14);
	assert_int_equal(strlen(verdict.text), sizeof(verdict.text) - 1);
	assert_int_equal(strlen(verdict.vermagic), sizeof(verdict.vermagic) - 1);
	assert_string_equal(verdict.license, "GPL");
	for (size_t i = 3; i < sizeof(verdict.license); i++)
		assert_int_equal(verdict.license[i], 0);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_verdict_facts),
		cmocka_unit_test(test_siblings),
		cmocka_unit_test(test_many_findings),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_symvers),
		cmocka_unit_test(test_symvers_malformed_is_said),
		cmocka_unit_test(test_index_grows),
		cmocka_unit_test(test_real_symvers),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_sanitise),
	};
	static struct CMUnitTest tests[ARRAY_SIZE(mutations) + ARRAY_SIZE(others)];

	for (size_t i = 0; i < ARRAY_SIZE(mutations); i++) {
		tests[i].name = mutations[i].name;
		tests[i].test_func = test_mutation;
		tests[i].initial_state = (void *)(uintptr_t)&mutations[i];
	}
	memcpy(&tests[ARRAY_SIZE(mutations)], others, sizeof(others));
	return cmocka_run_group_tests_name("checker", tests, NULL, NULL);
}
