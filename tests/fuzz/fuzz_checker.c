/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: a byte that says what is asked, of which kernel and which machine, then any bytes as a
 * module: the ELF reader, .modinfo, versions, exports, relocations, signatures. A verdict that
 * contradicts itself, or lines of what it says of itself that are none, are a crash.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checker/checker.h"
#include "tests/fuzz/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char symvers[] =
	"0x9060323f\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"
	"0x92997ed8\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n"
	"0x11111111\tgpl_thing\tvmlinux\tEXPORT_SYMBOL_GPL\tDMA_BUF\n"
	"0x33333333\treserved_thing\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:kvm,demo_*\n";

/* Bits 0 and 1: the purpose; 2: a newer kernel; 3: aarch64; 4: forced, 5: signed files are taken.
 */
static struct checker_facts facts_of(uint8_t choice)
{
	struct checker_facts facts = {
		.vermagic = "6.1.0-56-amd64 SMP preempt mod_unload modversions ",
		.module_name = "demo_mod",
		.compiler = "GCC: (Debian 12.2.0-14) 12.2.0",
		.machine = choice & 8 ? EM_AARCH64 : EM_X86_64,
		.modversions = 1,
		.purpose = choice & 3,
		.struct_module_size = 896,
		.marks = CHECKER_MARK_RETURN_SITES | CHECKER_MARK_KCFI | CHECKER_MARK_ORC,
		.flags = CHECKER_RETPOLINE | (choice & 16 ? CHECKER_FORCE_LOAD : 0) |
			 (choice & 32 ? CHECKER_MAY_BE_SIGNED : 0),
	};

	if (choice & 4)
		memcpy(facts.vermagic, "6.13.0", 6);
	return facts;
}

static bool is_plain(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
			return false;
	}
	return length == 0 || text[length - 1] == '\n';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct checker_facts facts = facts_of(size ? data[0] : 0);
	cleanup_text struct text exports = { 0 };
	struct checker_verdict verdict;
	const char *reason;
	int length;

	checker_examine(data + (size > 0), size - (size > 0), symvers, sizeof(symvers) - 1, &facts,
			&verdict, &exports);
	promise(verdict.outcome >= CHECKER_WILL_LOAD && verdict.outcome <= CHECKER_POLICY);
	promise((verdict.outcome == CHECKER_WILL_LOAD) == (verdict.errnum == 0));
	promise(verdict.outcome != CHECKER_POLICY || verdict.errnum == EPERM);
	promise(memchr(verdict.text, '\0', sizeof(verdict.text)) && verdict.text[0] != '\0');
	promise(is_plain(verdict.text, strlen(verdict.text)) || !strchr(verdict.text, '\n') ||
		verdict.text[strlen(verdict.text) - 1] != '\n');
	promise(verdict.exports == exports.length);
	promise(facts.purpose != CHECKER_DESCRIPTION || is_plain(exports.data, exports.length));
	reason = checker_verdict_reason(&verdict, "demo_mod", &length);
	promise(length > 0 && !memchr(reason, '\n', (size_t)length));
	return 0;
}
