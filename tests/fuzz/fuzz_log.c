/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: a byte that says into which slices they are cut, then any bytes as what a build
 * prints. What is shown of them must be valid UTF-8 that no terminal acts on and that is shown once
 * more as it is; the log must keep the beginning and the end as they came, and say how much is
 * missing; and all of it must be the same into whatever slices it came. Anything else is a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "orchestrator/build_log.h"
#include "tests/fuzz/promise.h"
#include "tests/fuzz/sliced.h"
#include "tests/fuzz/utf8.h"

#define MAXIMUM 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_shown(const char *shown, size_t length, bool newlines)
{
	size_t offset = 0;

	while (offset < length) {
		uint32_t character = 0;

		offset +=
			promise_utf8((const uint8_t *)shown + offset, length - offset, &character);
		if (character == '\t' || (character == '\n' && newlines))
			continue;
		promise(character >= 0x20 && (character < 0x7f || character >= 0xa0));
		/* Separators of lines, and what turns the direction of text. */
		promise(character != 0x2028 && character != 0x2029);
		promise((character < 0x202a || character > 0x202e) &&
			(character < 0x2066 || character > 0x2069));
	}
}

static void check_sanitised(const uint8_t *data, size_t size)
{
	cleanup_text struct text whole = { 0 }, again = { 0 }, lines = { 0 };
	const uint8_t *end = data + size;

	promise(text_append_sanitised(&whole, data, size, true) == 0);
	check_shown(whole.data, whole.length, true);
	promise(strlen(whole.data) == whole.length);
	promise(text_append_sanitised(&again, whole.data, whole.length, true) == 0);
	promise(strcmp(again.data, whole.data) == 0);
	/* Line by line it is the same. */
	for (const uint8_t *line = data; line < end;) {
		const uint8_t *newline = memchr(line, '\n', (size_t)(end - line));

		promise(text_append_sanitised(&lines, line,
					      (size_t)((newline ? newline : end) - line),
					      false) == 0);
		if (newline)
			promise(text_append_string(&lines, "\n") == 0);
		line = newline ? newline + 1 : end;
	}
	promise(strcmp(lines.data ? lines.data : "", whole.data) == 0);
}

struct logged {
	struct build_log log;
	struct text file;
	char *echo; /* what --verbose shows */
	char *reason;
};

static void feed(struct build_log *log, struct slices slices)
{
	const uint8_t *data;
	size_t size;

	while (next_slice(&slices, &data, &size))
		build_log_output(log, data, size);
}

static void log_one(struct logged *logged, const uint8_t *data, size_t size, const uint8_t *cut)
{
	size_t length = 0;
	FILE *out = open_memstream(&logged->echo, &length);
	const struct log echo = { .out = out };
	const char *behind_head;

	promise(out && build_log_open(&logged->log, "demo", "0.1", "6.1", "x86_64", NULL) == 0);
	logged->log.maximum = MAXIMUM;
	logged->log.echo = &echo;
	if (cut)
		feed(&logged->log, (struct slices){ .data = data, .size = size, .random = *cut });
	else
		build_log_output(&logged->log, data, size);
	promise(fclose(out) == 0);
	promise(build_log_seal(&logged->log, NULL) == 0 && lseek(logged->log.fd, 0, SEEK_SET) == 0);
	promise(read_fd(logged->log.fd, 1 << 20, &logged->file, NULL) == 0);
	logged->reason = build_log_reason(&logged->log);
	/* A line of ours, then the date, which is another each second. */
	behind_head = strchr(logged->file.data, '\n');
	promise(behind_head && strchr(behind_head + 1, '\n'));
}

static void logged_clear(struct logged *logged)
{
	build_log_close(&logged->log);
	text_clear(&logged->file);
	free(logged->echo);
	free(logged->reason);
}

/* The file as it must be, made from the whole: the first three quarters, a line, the last one. */
static void check_file(const struct logged *logged, const uint8_t *data, size_t size)
{
	const size_t first = MAXIMUM - MAXIMUM / 4, last = MAXIMUM / 4 - 64;
	const char *file = logged->file.data;
	size_t heading = (size_t)(strchr(strchr(file, '\n') + 1, '\n') + 1 - file);
	size_t head = size < first - heading ? size : first - heading;
	size_t tail = size - head < last ? size - head : last;
	size_t left_out = size - head - tail;
	cleanup_free char *line =
		left_out > 0 ? format_string("\n[... %zu bytes left out ...]\n", left_out)
			     : strdup("");

	promise(line && logged->file.length == heading + head + strlen(line) + tail);
	promise(logged->file.length <= MAXIMUM);
	promise(size == 0 || memcmp(file + heading, data, head) == 0);
	promise(memcmp(file + heading + head, line, strlen(line)) == 0);
	promise(size == 0 ||
		memcmp(file + logged->file.length - tail, data + size - tail, tail) == 0);
}

static void check_log(const uint8_t *data, size_t size, const uint8_t *cut)
{
	struct logged whole = { 0 }, sliced = { 0 };

	log_one(&whole, data, size, NULL);
	log_one(&sliced, data, size, cut);
	check_file(&whole, data, size);
	check_file(&sliced, data, size);
	check_shown(whole.echo, strlen(whole.echo), true);
	promise(strcmp(whole.echo, sliced.echo) == 0);
	promise(string_equal(whole.reason, sliced.reason));
	promise(whole.log.hint == sliced.log.hint);
	if (whole.reason)
		check_shown(whole.reason, strlen(whole.reason), false);
	logged_clear(&whole);
	logged_clear(&sliced);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	check_sanitised(data + 1, size - 1);
	check_log(data + 1, size - 1, data);
	return 0;
}
