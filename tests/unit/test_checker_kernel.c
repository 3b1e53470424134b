/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the verdict depends on the kernel: on its version, its configuration, its reference module;
 * and what a module is asked beside its verdict.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/module_image.h"

#define MARKER "~Module signature appended~\n"

static struct checker_verdict examine(const struct image *image, const struct checker_facts *facts,
				      struct text *exports)
{
	cleanup_text struct text unused = { 0 };
	struct checker_verdict verdict;

	checker_examine(image->bytes, image->size, symvers, sizeof(symvers) - 1, facts, &verdict,
			exports ? exports : &unused);
	return verdict;
}

static void expect(const struct image *image, const struct checker_facts *facts,
		   enum checker_outcome outcome, int errnum, const char *words)
{
	const struct checker_verdict verdict = examine(image, facts, NULL);

	if ((int)verdict.outcome != (int)outcome || verdict.errnum != errnum ||
	    !strstr(verdict.text, words))
		print_error("outcome %u, errno %d: %s\n", verdict.outcome, verdict.errnum,
			    verdict.text);
	assert_int_equal(verdict.outcome, outcome);
	assert_int_equal(verdict.errnum, errnum);
	assert_non_null(strstr(verdict.text, words));
}

/* Linux counts some sections, and measures struct module, since 6.4. */
static void test_counted_sections(void **state)
{
	static const struct {
		const char *words;
		size_t section;
		size_t offset;
		uint32_t value;
	} rows[] = {
		{ "Only one .modinfo", TEXT, offsetof(Elf64_Shdr, sh_name), 7 },
		{ "this_module section must", TEXT, offsetof(Elf64_Shdr, sh_name), 16 },
		{ "must have", THIS_MODULE, offsetof(Elf64_Shdr, sh_type), SHT_NOBITS },
		{ "struct module", THIS_MODULE, offsetof(Elf64_Shdr, sh_size), 895 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		struct checker_facts facts = good_facts();
		struct plan plan = good_plan();
		const bool counted = i % 2;
		struct image image;

		facts.struct_module_size = 896;
		if (counted) {
			strcpy(facts.vermagic, "6.12.1" FLAGS);
			change_plan(&plan, &facts, MODINFO_SET, "vermagic=6.12.1" FLAGS, 0, 0);
		}
		build(&plan, &image);
		expect(&image, &facts, CHECKER_WILL_LOAD, 0, "will load");
		memcpy((uint8_t *)image_section(&image, rows[i / 2].section) + rows[i / 2].offset,
		       &rows[i / 2].value, sizeof(rows[i / 2].value));
		if (counted)
			expect(&image, &facts, CHECKER_WILL_NOT_LOAD, ENOEXEC, rows[i / 2].words);
		else
			expect(&image, &facts, CHECKER_POLICY, EPERM, "policy: ");
	}
}

/* What a kernel with MODULE_FORCE_LOAD takes, with a taint. */
static void test_forced(void **state)
{
	struct checker_facts facts = good_facts();
	struct plan plan = good_plan(), without = good_plan();
	struct image image;

	(void)state;
	facts.flags = CHECKER_FORCE_LOAD;
	change_plan(&without, &facts, MODINFO_SET, "vermagic", 0, 0);
	build(&without, &image);
	expect(&image, &facts, CHECKER_POLICY, EPERM, "bad vermagic");
	without = plan;
	without.basic = false;
	build(&without, &image);
	expect(&image, &facts, CHECKER_POLICY, EPERM, "no symbol versions");
	without = plan;
	without.crc_table = false;
	build(&without, &image);
	expect(&image, &facts, CHECKER_POLICY, EPERM, "no versions for exported symbols");
}

/* The trailer of scripts/sign-file behind a module, and what the kernel says of it. */
static void test_signature_shapes(void **state)
{
	static const struct {
		uint8_t body[4];
		uint8_t trailer[8];
		uint32_t length;
		int errnum;
		const char *words;
	} rows[] = {
		{ { 0x30, 2, 5, 0 }, { 0, 0, 2 }, 4, 0, "will load" },
		{ { 0x30, 1, 5, 0 }, { 0, 0, 2 }, 4, 0, "will load" }, /* junk behind it */
		{ { 0x30, 3, 5, 0 }, { 0, 0, 2 }, 4, EBADMSG, "no PKCS#7 message" },
		{ { 0x31, 2, 5, 0 }, { 0, 0, 2 }, 4, EBADMSG, "no PKCS#7 message" },
		{ { 0x30, 0x84, 5, 0 }, { 0, 0, 2 }, 4, EBADMSG, "no PKCS#7 message" },
		{ { 0x30, 2, 5, 0 }, { 1, 0, 2 }, 4, EBADMSG, "non-zero params" },
		{ { 0x30, 2, 5, 0 }, { 0, 0, 2, 0, 0, 0, 0, 1 }, 4, EBADMSG, "non-zero params" },
		{ { 0x30, 2, 5, 0 }, { 0, 0, 2 }, UINT32_MAX, EBADMSG, "longer than the file" },
		{ { 0x30, 2, 5, 0 }, { 0, 0, 1 }, 4, 0, "signed by another scheme (1)" },
	};
	struct checker_facts facts = good_facts();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan plan = good_plan();
		struct image image;
		uint8_t *end;

		build(&plan, &image);
		end = image.bytes + image.size;
		end = mempcpy(end, rows[i].body, 4);
		end = mempcpy(end, rows[i].trailer, 8);
		for (int shift = 24; shift >= 0; shift -= 8)
			*end++ = (uint8_t)(rows[i].length >> shift);
		end = mempcpy(end, MARKER, strlen(MARKER));
		image.size = (size_t)(end - image.bytes);
		facts.flags = 0;
		expect(&image, &facts, CHECKER_POLICY, EPERM, "carries a signature already");
		facts.flags = CHECKER_MAY_BE_SIGNED;
		expect(&image, &facts, rows[i].errnum ? CHECKER_WILL_NOT_LOAD : CHECKER_WILL_LOAD,
		       rows[i].errnum, rows[i].words);
	}
	facts.flags = CHECKER_MAY_BE_SIGNED | CHECKER_SIGNATURE_FORCED;
	{
		struct plan plan = good_plan();
		struct image image;

		build(&plan, &image);
		expect(&image, &facts, CHECKER_WILL_NOT_LOAD, EKEYREJECTED, "not signed");
	}
}

/* What the kernel's own reference module has is missed where it is not. */
static void test_hardening(void **state)
{
	struct checker_facts facts = good_facts();
	struct checker_verdict verdict;
	struct plan plan = good_plan();
	struct image image;

	(void)state;
	build(&plan, &image);
	facts.flags = CHECKER_RETPOLINE;
	facts.marks = CHECKER_MARK_RETURN_SITES | CHECKER_MARK_ORC;
	snprintf(facts.compiler, sizeof(facts.compiler), "GCC: 12");
	verdict = examine(&image, &facts, NULL);
	assert_int_equal(verdict.outcome, CHECKER_WILL_LOAD);
	assert_int_equal(verdict.warnings, 3);
	assert_non_null(strstr(verdict.text, "warning: demo-mod: no return thunks"));
	assert_non_null(strstr(verdict.text, "warning: demo-mod: no ORC unwind tables"));
	assert_non_null(strstr(verdict.text, "compiled by '?', the kernel's modules by 'GCC: 12'"));
	facts.marks = CHECKER_MARK_KCFI;
	expect(&image, &facts, CHECKER_POLICY, EPERM, "control flow integrity");
	change_plan(&plan, &facts, MODINFO_SET, "retpoline", 0, 0);
	build(&plan, &image);
	facts.marks = 0;
	expect(&image, &facts, CHECKER_WILL_LOAD, 0, "not compiled with retpoline compiler");
	facts.flags = 0;
	*facts.compiler = '\0';
	expect(&image, &facts, CHECKER_WILL_LOAD, 0, "will load");
}

/* Asked of a module that is right: what others are held against. Its symbols are not looked at. */
static void test_reference(void **state)
{
	struct checker_facts facts = { .machine = EM_X86_64, .purpose = CHECKER_REFERENCE };
	struct checker_verdict verdict;
	struct plan plan = good_plan();
	struct image image;

	(void)state;
	change_plan(&plan, &facts, IMPORT_ADD, "__stack_chk_fail", 0, 7);
	build(&plan, &image);
	verdict = examine(&image, &facts, NULL);
	assert_int_equal(verdict.outcome, CHECKER_WILL_LOAD);
	assert_int_equal(verdict.struct_module_size, 896);
	assert_string_equal(verdict.vermagic, RELEASE FLAGS);
	assert_int_equal(verdict.marks, CHECKER_MARK_RETPOLINE | CHECKER_MARK_STACK_PROTECTOR);
	assert_string_equal(checker_mark_name(CHECKER_MARK_RETURN_SITES), "return thunks");
	image.size = 100;
	verdict = examine(&image, &facts, NULL);
	assert_int_equal(verdict.outcome, CHECKER_WILL_NOT_LOAD);
}

/* What a reference module adds to .config, and what it must not contradict. */
static void test_config_with_reference(void **state)
{
	static const struct {
		const char *config, *vermagic;
		enum checker_outcome outcome;
		uint32_t size;
		int result;
		const char *words;
	} rows[] = {
		{ "CONFIG_SMP=y\n", RELEASE " SMP ", CHECKER_WILL_LOAD, 896, 0, NULL },
		/* What its .config does not tell is expected of others, too. */
		{ "CONFIG_SMP=y\n", RELEASE " SMP vendor ", CHECKER_WILL_LOAD, 896, 0, NULL },
		{ "CONFIG_SMP=y\nCONFIG_RANDSTRUCT=y\n", RELEASE " SMP RANDSTRUCT_0123",
		  CHECKER_WILL_LOAD, 896, 0, NULL },
		{ "CONFIG_SMP=y\nCONFIG_RANDSTRUCT=y\n", RELEASE " SMP ", CHECKER_WILL_LOAD, 896,
		  -EINVAL, "randomised" },
		/* What .config says is never given up. */
		{ "CONFIG_SMP=y\n", RELEASE " ", CHECKER_WILL_LOAD, 896, -EINVAL, "different" },
		{ "CONFIG_SMP=y\n", "6.0.0 SMP ", CHECKER_WILL_LOAD, 896, -EINVAL, "different" },
		{ "CONFIG_SMP=y\n", "", CHECKER_WILL_LOAD, 896, -EINVAL, "different" },
		{ "CONFIG_SMP=y\n", RELEASE " SMP ", CHECKER_WILL_NOT_LOAD, 896, -EINVAL, "none" },
		{ "CONFIG_SMP=y\n", RELEASE " SMP ", CHECKER_WILL_LOAD, 0, -EINVAL, "none" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct checker_verdict reference = { .outcome = rows[i].outcome,
						     .struct_module_size = rows[i].size,
						     .marks = CHECKER_MARK_RETURN_SITES,
						     .compiler = "GCC: 12",
						     .text = "why" };
		cleanup_error struct error *error = NULL;
		cleanup_free char *text = NULL;
		struct checker_facts facts = { 0 };
		int r;

		snprintf(reference.vermagic, sizeof(reference.vermagic), "%s", rows[i].vermagic);
		r = checker_facts_with_reference(rows[i].config, strlen(rows[i].config), RELEASE,
						 "x86_64", "demo", &reference, &facts, &error);
		assert_int_equal(r, rows[i].result);
		if (r < 0) {
			text = error_describe(error);
			assert_non_null(strstr(text, rows[i].words));
			assert_int_equal(facts.machine, 0);
			continue;
		}
		assert_string_equal(facts.vermagic, rows[i].vermagic);
		assert_int_equal(facts.struct_module_size, 896);
		assert_int_equal(facts.marks, CHECKER_MARK_RETURN_SITES);
		assert_string_equal(facts.compiler, "GCC: 12");
	}
}

static void test_description(void **state)
{
	struct checker_facts facts = { .machine = EM_X86_64, .purpose = CHECKER_DESCRIPTION };
	cleanup_text struct text lines = { 0 };
	struct checker_verdict verdict;
	struct plan plan = good_plan();
	struct image image;

	(void)state;
	change_plan(&plan, &facts, MODINFO_SET, "depends=a,b", 0, 0);
	change_plan(&plan, &facts, MODINFO_ADD, "alias=pci:v1\nimport=evil\033", 0, 0);
	build(&plan, &image);
	verdict = examine(&image, &facts, &lines);
	assert_int_equal(verdict.outcome, CHECKER_WILL_LOAD);
	assert_int_equal(verdict.exports, lines.length);
	assert_string_equal(lines.data,
			    "name=demo_mod\nvermagic=" RELEASE FLAGS "\nlicense=GPL\ndepends=a,b\n"
			    "alias=pci:v1?import=evil?\nimport=_printk\n");
}

/* EXPORT_SYMBOL_FOR_MODULES: to those that it names, and no other that takes the name. */
static void test_reserved_symbols(void **state)
{
	struct checker_facts facts = good_facts();
	struct plan plan = good_plan();
	struct image image;

	(void)state;
	plan.name = "kvm";
	change_plan(&plan, &facts, MODINFO_SET, "name=kvm", 0, 0);
	change_plan(&plan, &facts, IMPORT_ADD, "reserved_thing", 0, 0x33333333);
	build(&plan, &image);
	expect(&image, &facts, CHECKER_WILL_NOT_LOAD, EINVAL, "reserved to module:kvm");
	snprintf(facts.module_name, sizeof(facts.module_name), "kvm");
	expect(&image, &facts, CHECKER_POLICY, EPERM, "takes the name of a module");
	facts.flags = CHECKER_OF_KERNEL;
	expect(&image, &facts, CHECKER_WILL_LOAD, 0, "will load");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counted_sections),
		cmocka_unit_test(test_forced),
		cmocka_unit_test(test_signature_shapes),
		cmocka_unit_test(test_hardening),
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_description),
		cmocka_unit_test(test_reserved_symbols),
		cmocka_unit_test(test_config_with_reference),
	};

	return cmocka_run_group_tests_name("checker_kernel", tests, NULL, NULL);
}
