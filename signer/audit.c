/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The audit log's tail and its end; see audit.h. */
#include "signer/audit.h"

#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/base/files.h"

/* A line is below 1 KiB, so at least three whole ones are in it. */
#define TAIL_SIZE 4096

/* The second word of a line, 0 if that is no number. */
static uint64_t line_serial(const char *line, size_t length)
{
	const char *first = memchr(line, ' ', length);
	const char *second =
		first ? memchr(first + 1, ' ', length - (size_t)(first + 1 - line)) : NULL;
	cleanup_free char *number = NULL;
	uint64_t serial = 0;

	if (second)
		number = strndup(first + 1, (size_t)(second - first - 1));
	return number && parse_u64(number, UINT64_MAX / 2, &serial) == 0 ? serial : 0;
}

/*
 * The highest serial near the end; 0 in an empty log. A line that a crash tore is skipped, or
 * counts if its serial is whole: its ticket never left the signer.
 */
static int last_serial(const char *tail, size_t length, uint64_t *ret_serial, struct error **error)
{
	uint64_t highest = 0;

	for (size_t offset = 0; offset < length;) {
		const char *line = tail + offset;
		const char *end = memchr(line, '\n', length - offset);
		size_t line_length = end ? (size_t)(end - line) : length - offset;
		uint64_t serial = end ? line_serial(line, line_length) : 0;

		highest = serial > highest ? serial : highest;
		offset += line_length + 1;
	}
	if (highest == 0 && length == TAIL_SIZE)
		return error_set(
			error, EBADMSG,
			"the end of the audit log is damaged: move the log away, a new one "
			"is begun");
	*ret_serial = highest;
	return 0;
}

static int next_serial(int fd, uint64_t now, uint64_t *ret_serial, struct error **error)
{
	char tail[TAIL_SIZE];
	struct stat status;
	uint64_t last = 0;
	ssize_t length;
	int r;

	if (flock(fd, LOCK_EX) < 0 || fstat(fd, &status) < 0)
		return error_set_errno(error, errno, "the audit log cannot be locked");
	length = pread(fd, tail, sizeof(tail),
		       status.st_size > TAIL_SIZE ? status.st_size - TAIL_SIZE : 0);
	if (length < 0)
		return error_set_errno(error, errno, "the audit log cannot be read");
	r = last_serial(tail, (size_t)length, &last, error);
	if (r < 0)
		return r;
	if (length > 0 && tail[length - 1] != '\n') {
		r = write_all(fd, "\n", 1); /* ends a torn line */
		if (r < 0)
			return error_set_errno(error, -r, "the audit log cannot be written");
	}
	*ret_serial = last + 1 > now ? last + 1 : now;
	return 0;
}

int audit_begin(int fd, uint64_t now, uint64_t *ret_serial, struct error **error)
{
	int r = next_serial(fd, now, ret_serial, error);

	if (r < 0)
		audit_end(fd);
	return r;
}

int audit_append(int fd, const struct text *lines, struct error **error)
{
	int r = write_all(fd, lines->data, lines->length);

	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		return error_set_errno(error, -r, "the audit log cannot be written");
	return 0;
}

void audit_end(int fd)
{
	(void)flock(fd, LOCK_UN);
}
