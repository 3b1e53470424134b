/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines for people. What is told may hold foreign bytes; none reaches the terminal as it came. */
#include "lib/base/log.h"

#include <stdarg.h>

#include "lib/base/text.h"

/* One write per line, so that lines of several processes do not mix. Out of memory is said too. */
static void put_line(FILE *file, const char *prefix, const char *second, const char *string)
{
	cleanup_free char *shown = string ? sanitised(string) : NULL;

	if (!file)
		return;
	(void)fprintf(file, "%s%s%s\n", prefix, second, shown ? shown : "out of memory");
	(void)fflush(file);
}

static const char *program_name(const struct log *log)
{
	return log->program ? log->program : "kmodbox";
}

void log_info(const struct log *log, const char *format, ...)
{
	cleanup_free char *string = NULL;
	va_list arguments;

	if (log->quiet)
		return;
	va_start(arguments, format);
	if (vasprintf(&string, format, arguments) < 0)
		string = NULL;
	va_end(arguments);
	put_line(log->out, "", "", string);
}

void log_warning(const struct log *log, const char *format, ...)
{
	cleanup_free char *string = NULL;
	va_list arguments;

	if (log->quiet)
		return;
	va_start(arguments, format);
	if (vasprintf(&string, format, arguments) < 0)
		string = NULL;
	va_end(arguments);
	put_line(log->err, program_name(log), ": warning: ", string);
}

void log_error(const struct log *log, const struct error *error)
{
	cleanup_free char *string = error_describe(error);

	put_line(log->err, program_name(log), ": ", string);
}
