/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* INI texts by libinih, see ini.h. */
#include "lib/base/ini.h"

#include <ini.h>
#include <stdbool.h>
#include <string.h>

/* A text being read: what is left of it, and what was wrong first. */
struct reading {
	const char *at;
	const char *end;
	unsigned line; /* that was read last */
	int (*take)(void *context, const struct ini_entry *entry, struct error **error);
	void *context;
	int failed; /* -errno of the first mistake that was seen here; 0 */
	struct error *mistake;
	unsigned mistake_line;
};

static void stop(struct reading *reading, int failed)
{
	reading->failed = failed;
	reading->mistake_line = reading->line;
}

/* Of libinih: non-zero means that all is well. */
static int take(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;
	const struct ini_entry entry = { section, name, value, reading->line };
	int r;

	if (reading->failed)
		return 0;
	r = reading->take(reading->context, &entry, &reading->mistake);
	if (r < 0)
		stop(reading, r);
	return r == 0;
}

/* Like fgets(3): libinih tells no line of what it calls back for, so lines are counted here. */
static char *next_line(char *line, int size, void *stream)
{
	struct reading *reading = stream;
	size_t left = (size_t)(reading->end - reading->at);
	const char *end = left > 0 ? memchr(reading->at, '\n', left) : NULL;
	size_t length = end ? (size_t)(end - reading->at) + 1 : left;

	if (length == 0 || reading->failed)
		return NULL;
	reading->line++;
	if (length >= (size_t)size) {
		stop(reading, error_set(&reading->mistake, EINVAL,
					"the line is longer than libinih takes: use several"));
		return NULL;
	}
	if (memchr(reading->at, '\0', length)) {
		stop(reading, error_set(&reading->mistake, EINVAL,
					"the line holds a NUL byte, and so is no text"));
		return NULL;
	}
	memcpy(line, reading->at, length);
	line[length] = '\0';
	reading->at += length;
	return line;
}

int ini_read(const char *path, const char *bytes, size_t length,
	     int (*take_entry)(void *context, const struct ini_entry *entry, struct error **error),
	     void *context, struct error **error)
{
	struct reading reading = {
		.at = bytes, .end = bytes + length, .take = take_entry, .context = context
	};
	cleanup_error struct error *mistake = NULL;
	int line;

	if (length == 0)
		return 0;
	line = ini_parse_stream(next_line, &reading, take, &reading);
	mistake = reading.mistake;
	/* What libinih itself cannot read it does not hand to take(). */
	if (line > 0 && (!reading.failed || (unsigned)line < reading.mistake_line))
		return error_set(error, EINVAL,
				 "%s:%d: neither [SECTION] nor KEY = VALUE, nor a comment", path,
				 line);
	if (line < 0 && !reading.failed)
		return error_set_errno(error, ENOMEM, "%s", path);
	if (!reading.failed)
		return 0;
	if (error)
		*error = TAKE_PTR(mistake);
	(void)error_context(error, "%s:%u", path, reading.mistake_line);
	return reading.failed;
}
