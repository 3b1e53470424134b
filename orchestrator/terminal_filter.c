/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filter, see terminal_filter.h: the states of a VT500's parser (ECMA-48; P. Williams,
 * vt100.net/emu/dec_ansi_parser), as far as they tell where a sequence ends, and the list of those
 * that pass. Names as in xterm's ctlseqs.
 */
#include "orchestrator/terminal_filter.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/text.h"

#define ESCAPE 0x1b
#define DIGITS_MAXIMUM 4 /* REP and its like would print that often */

struct output {
	unsigned char *bytes;
	size_t length;
};

static void put(struct output *output, const void *bytes, size_t length)
{
	memcpy(output->bytes + output->length, bytes, length);
	output->length += length;
}

static void hold(struct terminal_filter *filter, unsigned char byte)
{
	if (filter->held_length < sizeof(filter->held))
		filter->held[filter->held_length++] = byte;
	else
		filter->too_long = true;
}

static void begin(struct terminal_filter *filter, enum terminal_filter_state state)
{
	filter->state = state;
	filter->held_length = 0;
	filter->too_long = false;
}

/* Bell, backspace, tab, line feeds, carriage return, and the two that change the character set. Not
 * ENQ, which is answered, nor those of flow control.
 */
static bool is_plain_control(unsigned char byte)
{
	return byte >= 0x07 && byte <= 0x0f;
}

/* The length that a UTF-8 character of this first byte has; 0: it begins none. */
static size_t character_length(unsigned char first)
{
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* May this byte follow? Not where it makes an overlong form, a surrogate, or a C1 control. */
static bool may_continue(const struct terminal_filter *filter, unsigned char byte)
{
	unsigned char low = 0x80, high = 0xbf;

	if (filter->held_length == 1) {
		switch (filter->held[0]) {
		case 0xc2:
			low = 0xa0;
			break;
		case 0xe0:
			low = 0xa0;
			break;
		case 0xed:
			high = 0x9f;
			break;
		case 0xf0:
			low = 0x90;
			break;
		case 0xf4:
			high = 0x8f;
			break;
		default:
			break;
		}
	}
	return byte >= low && byte <= high;
}

/* Not whole, or none at all: a mark for it. */
static void end_character(struct terminal_filter *filter, struct output *output)
{
	if (filter->held_length > 0)
		put(output, "?", 1);
	filter->held_length = 0;
}

static void take_text(struct terminal_filter *filter, unsigned char byte, struct output *output)
{
	if (filter->held_length > 0 && may_continue(filter, byte)) {
		hold(filter, byte);
		if (filter->held_length == character_length(filter->held[0])) {
			put(output, filter->held, filter->held_length);
			filter->held_length = 0;
		}
		return;
	}
	end_character(filter, output);
	if (byte == ESCAPE)
		begin(filter, FILTER_ESCAPE);
	else if ((byte >= 0x20 && byte < 0x7f) || is_plain_control(byte))
		put(output, &byte, 1);
	else if (byte >= 0x80 && filter->utf8 && character_length(byte) > 0)
		hold(filter, byte);
	else if (byte >= 0x80)
		put(output, "?", 1);
}

/* ESC ( 0 and its like: which character set. Not "%", which ends UTF-8. */
static bool escape_passes(const struct terminal_filter *filter, unsigned char final)
{
	if (filter->too_long)
		return false;
	if (filter->held_length == 0)
		/* DECSC DECRC DECKPAM DECKPNM IND NEL HTS RI RIS */
		return strchr("78=>DEHMc", final) != NULL;
	return filter->held_length == 1 && strchr("()*+", filter->held[0]) &&
	       strchr("012ABCEHKQRYZ<=>", final);
}

static void pass(struct terminal_filter *filter, const char *start, unsigned char final,
		 struct output *output)
{
	put(output, start, strlen(start));
	put(output, filter->held, filter->held_length);
	put(output, &final, 1);
	filter->drawn = true;
}

static void take_escape(struct terminal_filter *filter, unsigned char byte, struct output *output)
{
	if (byte == '[' && filter->held_length == 0) {
		begin(filter, FILTER_CONTROL);
	} else if (filter->held_length == 0 && byte != 0 && strchr("]P^_Xk", byte)) {
		/* OSC DCS PM APC SOS, and screen's title: none passes. */
		begin(filter, FILTER_STRING);
	} else if (byte >= 0x20 && byte <= 0x2f) {
		hold(filter, byte);
	} else if (byte >= 0x30 && byte <= 0x7e) {
		if (escape_passes(filter, byte))
			pass(filter, "\033", byte, output);
		begin(filter, FILTER_TEXT);
	} else {
		begin(filter, FILTER_TEXT);
		take_text(filter, byte, output);
	}
}

/* Whether all numbers, at least one, are on the list, which ends with -1. */
static bool only_numbers(const char *text, size_t length, const int *list)
{
	for (size_t at = 0; at <= length; at++) {
		int number = 0;
		size_t found = 0, first = at;

		while (at < length && text[at] >= '0' && text[at] <= '9')
			number = number * 10 + (text[at++] - '0');
		while (list[found] >= 0 && list[found] != number)
			found++;
		if (at == first || list[found] < 0 || (at < length && text[at] != ';'))
			return false;
	}
	return true;
}

/* Numbers of few digits, and ';' or ':' between them. */
static bool are_parameters(const char *text, size_t length)
{
	size_t digits = 0;

	for (size_t i = 0; i < length; i++) {
		digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
		if (digits > DIGITS_MAXIMUM || (digits == 0 && text[i] != ';' && text[i] != ':'))
			return false;
	}
	return true;
}

/*
 * DECSET: cursor keys, reverse, origin, wrap, cursor, the alternate screen, bracketed paste.
 * Nothing that has mouse, focus or keyboard type other bytes than the person means.
 */
static bool private_mode_passes(struct terminal_filter *filter, const char *text, size_t length,
				bool set)
{
	static const int modes[] = { 1, 5, 6, 7, 12, 25, 47, 1047, 1048, 1049, 2004, -1 };
	static const int screens[] = { 47, 1047, 1049, -1 };

	if (!only_numbers(text, length, modes))
		return false;
	if (only_numbers(text, length, screens))
		filter->alternate = set;
	return true;
}

static bool control_passes(struct terminal_filter *filter, unsigned char final)
{
	static const int modes[] = { 4, -1 }; /* insert */
	const char *text = (const char *)filter->held;
	size_t length = filter->held_length;

	if (filter->too_long)
		return false;
	if (length > 0 && text[0] == '?')
		return are_parameters(text + 1, length - 1) && (final == 'h' || final == 'l') &&
		       private_mode_passes(filter, text + 1, length - 1, final == 'h');
	/* DECSTR; DECSCUSR */
	if (length == 1 && text[0] == '!' && final == 'p')
		return true;
	if (length > 0 && text[length - 1] == ' ' && final == 'q')
		return are_parameters(text, length - 1);
	if (!are_parameters(text, length))
		return false;
	if (final == 'h' || final == 'l')
		return only_numbers(text, length, modes);
	/* With more than one parameter this one tracks the mouse. */
	if (final == 'T')
		return !memchr(text, ';', length);
	/* CUU..CUP CHT ED EL IL DL DCH SU ECH CBT ICH HPA HPR REP VPA VPR HVP TBC SGR DECSTBM
	 * SCOSC SCORC */
	return strchr("ABCDEFGHIJKLMPSXZ@`abdefgmrsu", final) != NULL;
}

static void take_control(struct terminal_filter *filter, unsigned char byte, struct output *output)
{
	if (byte >= 0x20 && byte <= 0x3f) {
		hold(filter, byte);
	} else if (byte >= 0x40 && byte <= 0x7e) {
		if (control_passes(filter, byte))
			pass(filter, "\033[", byte, output);
		begin(filter, FILTER_TEXT);
	} else {
		begin(filter, FILTER_TEXT);
		take_text(filter, byte, output);
	}
}

size_t terminal_filter(struct terminal_filter *filter, const unsigned char *bytes, size_t length,
		       unsigned char *output)
{
	struct output out = { .bytes = output };

	for (size_t i = 0; i < length; i++) {
		switch (filter->state) {
		case FILTER_TEXT:
			take_text(filter, bytes[i], &out);
			break;
		case FILTER_ESCAPE:
			take_escape(filter, bytes[i], &out);
			break;
		case FILTER_CONTROL:
			take_control(filter, bytes[i], &out);
			break;
		case FILTER_STRING:
		default:
			/* BEL, CAN and SUB end it; ESC begins what does. */
			if (bytes[i] == 0x07 || bytes[i] == 0x18 || bytes[i] == 0x1a)
				begin(filter, FILTER_TEXT);
			else if (bytes[i] == ESCAPE)
				begin(filter, FILTER_ESCAPE);
			break;
		}
	}
	return out.length;
}

/* DECSTR and what it leaves out: colours, wrap, paste, keypad, character sets. */
#define RESET "\033[!p\033[0m\033[?25h\033[?7h\033[?5l\033[?2004l\033>\033(B\033)B\017"

const char *terminal_filter_reset(const struct terminal_filter *filter)
{
	if (!filter->drawn)
		return "";
	return filter->alternate ? "\033[?1049l" RESET : RESET;
}
