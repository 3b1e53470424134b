/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any bytes as a module. Built with -fsanitize=fuzzer,address,undefined from this file
 * checker/*.c but for the jail, and lib/base/text.c. A verdict that
 * contradicts itself is a crash.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checker/checker.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char symvers[] =
		"0x9060323f\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"
		"0x92997ed8\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n"
		"0x11111111\tgpl_thing\tvmlinux\tEXPORT_SYMBOL_GPL\tDMA_BUF\n";
	static const struct checker_facts facts = {
		.vermagic = "6.1.0-56-amd64 SMP preempt mod_unload modversions ",
		.module_name = "demo_mod",
		.machine = EM_X86_64,
		.modversions = 1,
	};
	cleanup_text struct text exports = { 0 };
	struct checker_verdict verdict;

	checker_examine(data, size, symvers, sizeof(symvers) - 1, &facts, &verdict, &exports);
	if ((verdict.outcome == CHECKER_WILL_LOAD) != (verdict.errnum == 0) ||
	    !memchr(verdict.text, '\0', sizeof(verdict.text)) || verdict.text[0] == '\0' ||
	    verdict.exports != exports.length)
		abort();
	return 0;
}
