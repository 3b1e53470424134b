/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a sandbox may say to a person's terminal. Terminals answer some sequences by typing (DSR,
 * DA, DECRQSS, a window's title), and let others change the clipboard, the keyboard or a printer:
 * what was typed so would be read by the next shell (CVE-2003-0063, CVE-2019-9535 and their like).
 * So a sequence passes whole and only if it is on the list: moving the cursor, erasing, scrolling,
 * colours, the alternate screen; what bash, less and vi draw with. All else is dropped. Hostile
 * bytes in; out come bytes after which every terminal is again where it takes text.
 */
#ifndef KMODBOX_ORCHESTRATOR_TERMINAL_FILTER_H
#define KMODBOX_ORCHESTRATOR_TERMINAL_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#define TERMINAL_FILTER_HELD 64

enum terminal_filter_state { FILTER_TEXT, FILTER_ESCAPE, FILTER_CONTROL, FILTER_STRING };

/* Zero-initialise, then set utf8. */
struct terminal_filter {
	bool utf8;  /* the terminal takes UTF-8; else bytes from 0x80 on may be controls to it */
	bool drawn; /* a sequence has passed: the terminal may look otherwise than before */
	bool alternate; /* its other screen is shown */
	enum terminal_filter_state state;
	unsigned char held[TERMINAL_FILTER_HELD]; /* of a character or sequence that is not whole */
	size_t held_length;
	bool too_long; /* more than could be held: dropped when it ends */
};

/* At most this much comes out for that much. */
#define TERMINAL_FILTER_OUTPUT(length) ((length) + TERMINAL_FILTER_HELD + 4)

/* Filters length bytes into output. Returns how many it put there. */
size_t terminal_filter(struct terminal_filter *filter, const unsigned char *bytes, size_t length,
		       unsigned char *output);
/* What gives the terminal its usual looks back; "" where nothing changed them. */
const char *terminal_filter_reset(const struct terminal_filter *filter);

#endif
