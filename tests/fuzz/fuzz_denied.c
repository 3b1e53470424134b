/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any notifications of refused calls, each a struct seccomp_data and 16 bytes as a
 * program's name for itself; of the last one as much as there is. The table must hold at most what
 * it has places for, each call once, in order, in words that can be printed and are whole; nothing
 * may be counted twice or lost, in the table or in the summary. Anything else is a crash.
 */
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/denied.h"
#include "tests/fuzz/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(const char *words)
{
	size_t length = strnlen(words, CALL_WORDS);

	/* As long as could be: cut. */
	promise(length > 0 && length < CALL_WORDS - 1);
	for (size_t i = 0; i < length; i++)
		promise(words[i] >= ' ' && words[i] <= '~' && words[i] != ',');
}

/* What a call says of itself does not depend on what was asked before it. */
static void note(struct denied_calls *calls, const struct seccomp_data *data, const char *program,
		 size_t length)
{
	const struct denied_calls before = *calls;
	struct denied_calls alone = { .count = 0 };
	const struct denied_call *call = &alone.list[0];
	size_t place = 0;

	denied_note(&alone, data, program, length);
	promise(alone.count == 1 && alone.total == 1 && call->count == 1);
	check_words(call->what);
	promise(strnlen(call->program, DENIED_PROGRAM) < DENIED_PROGRAM &&
		!strchr(call->program, '\n') &&
		strncmp(call->program, program, strlen(call->program)) == 0);
	denied_note(calls, data, program, length);
	promise(calls->total == before.total + 1);
	while (place < before.count && (strcmp(before.list[place].what, call->what) != 0 ||
					strcmp(before.list[place].program, call->program) != 0))
		place++;
	promise(calls->count == (place < before.count || before.count == DENIED_CALLS
					 ? before.count
					 : before.count + 1));
	for (size_t i = 0; i < calls->count; i++) {
		const struct denied_call *was = i < before.count ? &before.list[i] : call;

		promise(strcmp(calls->list[i].what, was->what) == 0 &&
			strcmp(calls->list[i].program, was->program) == 0);
		promise(calls->list[i].count ==
			was->count + (i == place && i < before.count ? 1 : 0));
	}
}

/* "WORDS xN, WORDS xN": each words once, and all N together are all calls. */
static void check_summary(const struct denied_calls *calls)
{
	cleanup_text struct text text = { 0 };
	cleanup_free char *shown = NULL;
	uint64_t sum = 0;
	char *rest, *part;

	promise(denied_append_summary(calls, &text) == 0);
	promise((calls->total == 0) == (text.length == 0));
	shown = text.data ? sanitised(text.data) : strdup("");
	promise(shown && strcmp(shown, text.data ? text.data : "") == 0);
	rest = text.length > 0 ? shown : NULL;
	while ((part = strsep(&rest, ","))) {
		char *number = strrchr(part, 'x');
		uint64_t count = 0;

		promise(number && parse_u64(number + 1, UINT64_MAX, &count) == 0 && count > 0);
		sum += count;
		*number = '\0';
		part += part[0] == ' ';
		for (const char *other = rest ? strstr(rest, part) : NULL; other;
		     other = strstr(other + 1, part))
			promise(other[strlen(part)] != 'x' || other[-1] != ' ' || other[-2] != ',');
	}
	promise(sum == calls->total);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct denied_calls calls = { .count = 0 };

	while (size > 0) {
		struct seccomp_data asked = { 0 };
		char program[DENIED_PROGRAM + 1] = "";
		size_t length = size < sizeof(asked) ? size : sizeof(asked);

		memcpy(&asked, data, length);
		data += length;
		size -= length;
		length = size < DENIED_PROGRAM ? size : DENIED_PROGRAM;
		memcpy(program, data, length);
		data += length;
		size -= length;
		note(&calls, &asked, program, length);
	}
	check_summary(&calls);
	return 0;
}
