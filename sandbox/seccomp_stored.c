/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs that were compiled beforehand, see seccomp.h. The file holds the whole text that its
 * program was made of: who loads it compares that, so a program of another text, version or
 * architecture is never taken. Beyond that it is trusted as the text beside it is.
 */
#include <seccomp.h>
#include <stdint.h>
#include <string.h>

#include "sandbox/seccomp.h"

#define MAGIC "kmodbox filter 1"

struct header {
	char magic[16];
	uint32_t architecture; /* AUDIT_ARCH_* */
	uint32_t can_report;
	uint32_t count; /* of struct sock_filter, which follow; then the text */
	uint32_t text_length;
};

int seccomp_stored_make(const struct seccomp_program *program, const char *text, size_t length,
			struct text *stored)
{
	struct header header = { .architecture = seccomp_arch_native(),
				 .can_report = program->can_report,
				 .count = program->count,
				 .text_length = (uint32_t)length };
	int r;

	memcpy(header.magic, MAGIC, sizeof(header.magic));
	r = text_append(stored, (const char *)&header, sizeof(header));
	if (r == 0)
		r = text_append(stored, (const char *)program->instructions,
				program->count * sizeof(*program->instructions));
	return r < 0 ? r : text_append(stored, text, length);
}

int seccomp_stored_read(const char *stored, size_t stored_length, const char *text, size_t length,
			struct seccomp_program *ret_program)
{
	struct sock_filter *instructions;
	struct header header;
	size_t size;

	if (stored_length < sizeof(header))
		return -ESTALE;
	memcpy(&header, stored, sizeof(header));
	size = (size_t)header.count * sizeof(*instructions);
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0 ||
	    header.architecture != seccomp_arch_native() || header.count == 0 ||
	    header.count > BPF_MAXINSNS || header.text_length != length ||
	    stored_length != sizeof(header) + size + length ||
	    memcmp(stored + sizeof(header) + size, text, length) != 0)
		return -ESTALE;
	instructions = malloc(size);
	if (!instructions)
		return -ENOMEM;
	memcpy(instructions, stored + sizeof(header), size);
	*ret_program = (struct seccomp_program){ .instructions = instructions,
						 .count = (unsigned short)header.count,
						 .can_report = header.can_report != 0 };
	return 0;
}
