/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Standard output of what runs in a sandbox, see printer.h. */
#include "orchestrator/printer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/base/files.h"

#define CHUNK 4096

bool printer_takes_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *value = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names) && (!value || !*value); i++)
		value = secure_getenv(names[i]);
	value = value ? strchr(value, '.') : NULL;
	return value && (strcasecmp(value, ".UTF-8") == 0 || strcasecmp(value, ".UTF8") == 0);
}

struct printer printer_begin(int fd)
{
	return (struct printer){ .fd = fd,
				 .filtered = isatty(fd) == 1,
				 .filter = { .utf8 = printer_takes_utf8() } };
}

void printer_output(void *context, const void *bytes, size_t length)
{
	struct printer *printer = context;
	const unsigned char *at = bytes;

	if (!printer->filtered)
		ignore_result(write_all(printer->fd, bytes, length));
	for (size_t part; printer->filtered && length > 0; at += part, length -= part) {
		unsigned char shown[TERMINAL_FILTER_OUTPUT(CHUNK)];
		size_t count;

		part = length < CHUNK ? length : CHUNK;
		count = terminal_filter(&printer->filter, at, part, shown);
		ignore_result(write_all(printer->fd, shown, count));
	}
}

void printer_end(const struct printer *printer)
{
	const char *reset = terminal_filter_reset(&printer->filter);

	ignore_result(write_all(printer->fd, reset, strlen(reset)));
}
