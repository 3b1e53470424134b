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
	make_printable(verdict->compiler, sizeof(verdict->compiler), false);
	make_printable(verdict->text, sizeof(verdict->text), true);
}

void checker_lines_sanitise(char *lines, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if ((lines[i] < ' ' || lines[i] > '~') && lines[i] != '\n' && lines[i] != '\t')
			lines[i] = '?';
	}
}

static bool begins(const char *line, const char *prefix)
{
	return strncmp(line, prefix, strlen(prefix)) == 0;
}

const char *checker_verdict_reason(const struct checker_verdict *verdict, const char *name,
				   int *ret_length)
{
	const char *line = verdict->text;

	while (strchr(line, '\n') &&
	       (begins(line, "warning: ") ||
		(begins(line, "policy: ") && verdict->outcome == CHECKER_WILL_NOT_LOAD)))
		line = strchr(line, '\n') + 1;
	if (begins(line, "policy: "))
		line += strlen("policy: ");
	if (begins(line, name) && begins(line + strlen(name), ": "))
		line += strlen(name) + 2;
	*ret_length = (int)strcspn(line, "\n");
	return line;
}
