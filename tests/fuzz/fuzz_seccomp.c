/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any text as a system call policy. What is refused must say so in one line; what it
 * extends must be a safe name; what is compiled must be a program that the kernel would look at,
 * and the same each time. Anything else is a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "sandbox/seccomp.h"
#include "tests/fuzz/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct error *error)
{
	cleanup_free char *text = error_describe(error);
	cleanup_free char *shown = text ? sanitised(text) : NULL;

	promise(shown && strcmp(shown, text) == 0);
}

static void check_extended(const char *bytes, size_t size)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *name = NULL;

	if (seccomp_extended(bytes, size, &name, &error) < 0)
		check_refusal(error);
	else
		promise(!name || name_is_safe(name));
}

static void check_program(const struct seccomp_program *program)
{
	promise(program->instructions && program->count > 0 && program->count <= BPF_MAXINSNS);
	/* Every way through it ends. */
	promise(BPF_CLASS(program->instructions[program->count - 1].code) == BPF_RET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_program first = { 0 }, second = { 0 };
	cleanup_error struct error *error = NULL;

	check_extended((const char *)data, size);
	if (seccomp_compile("policy", (const char *)data, size, &first, &error) < 0) {
		check_refusal(error);
		return 0;
	}
	check_program(&first);
	promise(seccomp_compile("policy", (const char *)data, size, &second, NULL) == 0);
	promise(first.count == second.count &&
		memcmp(first.instructions, second.instructions,
		       first.count * sizeof(*first.instructions)) == 0);
	seccomp_program_clear(&first);
	seccomp_program_clear(&second);
	return 0;
}
