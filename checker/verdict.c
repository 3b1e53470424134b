/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A verdict made safe to show: used by the checker on its own words and by its client on
 * everything. */
#include <stdbool.h>
#include <string.h>

#include "checker/checker.h"

static void make_printable(char *field, size_t size, bool keep_newlines)
{
	size_t length = strnlen(field, size - 1);

	memset(field + length, 0, size - length);
	for (size_t i = 0; i < length; i++) {
		if ((field[i] < ' ' || field[i] > '~') && !(keep_newlines && field[i] == '\n'))
			field[i] = '?';
	}
}

void checker_verdict_sanitise(struct checker_verdict *verdict)
{
	make_printable(verdict->vermagic, sizeof(verdict->vermagic), false);
	make_printable(verdict->license, sizeof(verdict->license), false);
	make_printable(verdict->text, sizeof(verdict->text), true);
}
