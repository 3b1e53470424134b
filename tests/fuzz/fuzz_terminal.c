/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: a byte that says into which slices they are cut and (its lowest bit) whether the
 * terminal takes UTF-8, then any bytes as what a sandbox says to a terminal. What comes out must
 * hold no control but the plain ones and sequences of the list, each whole; be let through once
 * more as it is; and be the same into whatever slices it came. Anything else is a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "orchestrator/terminal_filter.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/sliced.h"
#include "tests/fuzz/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void filter_slice(struct terminal_filter *filter, const uint8_t *data, size_t size,
			 struct text *shown)
{
	/* Of just its size, so that a byte too many is seen. */
	cleanup_free unsigned char *out = malloc(TERMINAL_FILTER_OUTPUT(size));
	size_t length;

	promise(out != NULL);
	length = terminal_filter(filter, data, size, out);
	promise(length <= TERMINAL_FILTER_OUTPUT(size));
	promise(text_append(shown, out, length) == 0);
}

/* What the standard calls a control sequence, behind "ESC [": its length, or 0. */
static size_t control_length(const char *at, size_t length)
{
	size_t used = 0;

	while (used < length && at[used] >= '0' && at[used] <= '?')
		used++;
	while (used < length && at[used] >= ' ' && at[used] <= '/')
		used++;
	return used < length && at[used] >= '@' && at[used] <= '~' ? used + 1 : 0;
}

/*
 * None that is answered, as DA, DSR, DECREQTPARM, reports of the window, DECRQM, DECRQCRA; none
 * that prints, resizes, locks the keyboard; of the private ones only modes.
 */
static void check_control(const char *at, size_t length)
{
	const char final = at[length - 1];
	const bool mode = final == 'h' || final == 'l';

	promise(!strchr("cntixyvw|}{~", final));
	promise(!memchr(at, '>', length) && !memchr(at, '<', length) && !memchr(at, '=', length));
	promise(!memchr(at, '$', length) && !memchr(at, '*', length) && !memchr(at, '\'', length));
	promise(!memchr(at, '?', length) || (at[0] == '?' && mode));
	promise(final != 'q' || at[length - 2] == ' ');
	promise(final != 'p' || at[length - 2] == '!');
	/* The mouse and focus, which type what nobody typed. */
	for (size_t i = 0, number = 0; mode && i < length; i++) {
		if (at[i] >= '0' && at[i] <= '9') {
			number = number * 10 + (size_t)(at[i] - '0');
			continue;
		}
		promise(number != 9 && (number < 1000 || number > 1046));
		number = 0;
	}
}

static void check_shown(const struct text *shown, bool utf8)
{
	for (size_t i = 0; i < shown->length; i++) {
		const char *at = shown->data + i;
		const uint8_t byte = (uint8_t)*at;
		uint32_t character;
		size_t length;

		promise(byte < 0x80 || utf8);
		if (byte >= 0x80) {
			i += promise_utf8((const uint8_t *)at, shown->length - i, &character) - 1;
			promise(character >= 0xa0); /* no C1 */
			continue;
		}
		if (byte != 0x1b) {
			promise((byte >= 0x20 && byte != 0x7f) || (byte >= 0x07 && byte <= 0x0f));
			continue;
		}
		promise(i + 1 < shown->length && !strchr("]P^_XkZn%# ", at[1]));
		length = at[1] == '[' ? control_length(at + 2, shown->length - i - 2) : 0;
		promise(at[1] != '[' || length > 0);
		if (length > 0)
			check_control(at + 2, length);
		i += length > 0 ? 1 + length : 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const bool utf8 = size > 0 && (data[0] & 1);
	struct terminal_filter whole = { .utf8 = utf8 }, sliced = whole, again = whole;
	cleanup_text struct text at_once = { 0 }, in_slices = { 0 }, twice = { 0 };
	struct slices slices;
	const uint8_t *slice;
	size_t length;

	if (size == 0)
		return 0;
	filter_slice(&whole, data + 1, size - 1, &at_once);
	slices = (struct slices){ .data = data + 1, .size = size - 1, .random = data[0] };
	while (next_slice(&slices, &slice, &length))
		filter_slice(&sliced, slice, length, &in_slices);
	promise(at_once.length == in_slices.length);
	promise(at_once.length == 0 || memcmp(at_once.data, in_slices.data, at_once.length) == 0);
	promise(strcmp(terminal_filter_reset(&whole), terminal_filter_reset(&sliced)) == 0);
	check_shown(&at_once, utf8);
	filter_slice(&again, (const uint8_t *)at_once.data, at_once.length, &twice);
	promise(twice.length == at_once.length);
	promise(twice.length == 0 || memcmp(twice.data, at_once.data, twice.length) == 0);
	return 0;
}
