/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* make.log, see build_log.h. */
#include "orchestrator/build_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/text.h"

/* "[... N bytes left out ...]", with a newline on either side. */
#define LEFT_OUT_LINE 64

int build_log_open(struct build_log *log, const char *module, const char *version,
		   const char *kernel, const char *architecture, struct error **error)
{
	time_t now = time(NULL);
	struct tm local;
	char date[64];
	int r;

	*log = (struct build_log){ .fd = -1, .maximum = BUILD_LOG_MAXIMUM };
	r = memfd_new("make.log", &log->fd, error);
	if (r < 0)
		return r;
	(void)snprintf(log->source, sizeof(log->source), "/usr/src/%s-%s", module, version);
	(void)localtime_r(&now, &local);
	(void)strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Z %Y", &local);
	build_log_note(log, "DKMS make.log for %s-%s for kernel %s (%s)", module, version, kernel,
		       architecture);
	build_log_note(log, "%s", date);
	return 0;
}

/* One line of the maximum is for what is said between the two. */
static uint64_t tail_size(const struct build_log *log)
{
	return log->maximum / 4 - LEFT_OUT_LINE;
}

static void append_to_tail(struct build_log *log, const char *bytes, size_t length)
{
	const uint64_t size = tail_size(log);

	if (!log->tail && !(log->tail = malloc(size))) {
		log->write_failed = true;
		return;
	}
	while (length > 0) {
		uint64_t at = log->behind_head % size;
		size_t count = length < size - at ? length : (size_t)(size - at);

		memcpy(log->tail + at, bytes, count);
		log->behind_head += count;
		bytes += count;
		length -= count;
	}
}

static void append(struct build_log *log, const void *bytes, size_t length)
{
	const uint64_t head_size = log->maximum - log->maximum / 4;
	uint64_t room = head_size > log->head ? head_size - log->head : 0;
	size_t count = length < room ? length : (size_t)room;

	if (log->sealed || log->write_failed)
		return;
	if (count > 0 && write_all(log->fd, bytes, count) < 0)
		log->write_failed = true;
	log->head += count;
	if (length > count && !log->write_failed)
		append_to_tail(log, (const char *)bytes + count, length - count);
}

/* What is in the ring, behind the head. */
static void write_tail(struct build_log *log)
{
	const uint64_t size = tail_size(log);
	uint64_t first = log->behind_head > size ? log->behind_head % size : 0;
	uint64_t left_out = log->behind_head > size ? log->behind_head - size : 0;
	uint64_t kept = log->behind_head - left_out;
	char line[LEFT_OUT_LINE];
	int length;

	length = snprintf(line, sizeof(line), "\n[... %llu bytes left out ...]\n",
			  (unsigned long long)left_out);
	if ((left_out > 0 && write_all(log->fd, line, (size_t)length) < 0) ||
	    write_all(log->fd, log->tail + first, kept - first) < 0 ||
	    write_all(log->fd, log->tail, first) < 0)
		log->write_failed = true;
}

void build_log_note(struct build_log *log, const char *format, ...)
{
	char line[4096];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	append(log, line, (size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
	append(log, "\n", 1);
}

/* How gcc, clang, make, modpost and shells begin the line that matters. */
static bool reads_like_error(const char *line)
{
	static const char *const marks[] = {
		" error: ", "fatal error",	 "ERROR: modpost",	   "FATAL: modpost",
		" *** ",    "command not found", "No space left on device"
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		if (strstr(line, marks[i]))
			return true;
	}
	/* A tool of the kernel's own build: "/bin/sh: 1: scripts/basic/fixdep: not found". */
	return string_starts_with(line, "/bin/sh: ") && strstr(line, ": scripts/") &&
	       string_ends_with(line, ": not found");
}

static void end_line(struct build_log *log)
{
	while (log->length > 0 && log->line[log->length - 1] == '\r')
		log->length--;
	log->line[log->length] = '\0';
	if (log->echo)
		log_info(log->echo, "  %s", log->line);
	if (log->length > 0) {
		/* build.sh's own lines begin with it: "# PRE_BUILD: ./configure". */
		if (log->line[0] != '#')
			memcpy(log->last_line, log->line, log->length + 1);
		if (!log->first_error[0] && reads_like_error(log->line))
			memcpy(log->first_error, log->line, log->length + 1);
		if (log->hint == HINT_NONE)
			log->hint = build_hint_find(log->line, log->source);
	}
	log->length = 0;
}

/* As a terminal has it: what comes behind a carriage return covers what was before, as a progress
 * bar of curl. */
static void add_to_line(struct build_log *log, char byte)
{
	if (byte != '\r' && log->length > 0 && log->line[log->length - 1] == '\r')
		log->length = 0;
	if (byte == '\r' && log->length == sizeof(log->line) - 1)
		log->length--;
	if (byte && log->length < sizeof(log->line) - 1)
		log->line[log->length++] = byte;
}

void build_log_output(void *context, const void *bytes, size_t length)
{
	struct build_log *log = context;
	const char *at = bytes;

	append(log, bytes, length);
	for (size_t i = 0; i < length; i++) {
		if (at[i] == '\n')
			end_line(log);
		else
			add_to_line(log, at[i]);
	}
}

char *build_log_reason(const struct build_log *log)
{
	const char *line = log->first_error[0] ? log->first_error : log->last_line;
	/* "/var/lib/dkms/evdi/1.12.0/build/evdi_drm.c:214:9: error: too few": from the file's name
	 * on. */
	const char *location = strstr(line, "/build/");
	const char *blank = strchr(line, ' ');

	if (!line[0])
		return NULL;
	return sanitised(location && (!blank || location < blank) ? location + strlen("/build/")
								  : line);
}

int build_log_seal(struct build_log *log, struct error **error)
{
	if (!log->sealed && !log->write_failed && log->tail)
		write_tail(log);
	if (log->write_failed)
		return error_set(error, ENOSPC, "make.log could not be kept: no memory is left");
	if (log->sealed)
		return 0;
	log->sealed = memfd_seal(log->fd, error) == 0;
	return log->sealed ? 0 : -EIO;
}

void build_log_close(struct build_log *log)
{
	log->fd = close_fd(log->fd);
	free(log->tail);
	log->tail = NULL;
}
