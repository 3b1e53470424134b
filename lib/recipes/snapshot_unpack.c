/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes a snapshot's tree into an empty directory that nobody else writes to. Runs in the trusted
 * set-up of a sandbox, and in the installer.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_reader.h"

/* The directories between the top and the entry being written, at most SNAPSHOT_DEPTH. */
struct unpacker {
	int fds[SNAPSHOT_DEPTH + 1];
	size_t depth; /* fds[depth] is the innermost open one */
};

static const struct timespec first_second[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

/* A directory's time is set when nothing more is written into it. */
static int unpacker_leave(struct unpacker *unpacker, size_t depth, struct error **error)
{
	for (; unpacker->depth > depth; unpacker->depth--) {
		if (futimens(unpacker->fds[unpacker->depth], first_second) < 0)
			return error_set_errno(error, errno, "cannot set a directory's time");
		unpacker->fds[unpacker->depth] = close_fd(unpacker->fds[unpacker->depth]);
	}
	return 0;
}

static void unpacker_close(struct unpacker *unpacker)
{
	for (; unpacker->depth > 0; unpacker->depth--)
		(void)close_fd(unpacker->fds[unpacker->depth]);
}

static int unpack_directory(struct unpacker *unpacker, const char *name)
{
	int parent_fd = unpacker->fds[unpacker->depth];
	int fd;

	if (mkdirat(parent_fd, name, 0755) < 0)
		return -errno;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unpacker->fds[++unpacker->depth] = fd;
	return fchmod(fd, 0755) < 0 ? -errno : 0; /* whatever the umask is */
}

static int unpack_file(int parent_fd, const char *name, const struct snapshot_reader *reader)
{
	mode_t mode = reader->rules.type == 'x' ? 0755 : 0644;
	cleanup_close int fd =
		openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, reader->content, reader->length);
	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0 || futimens(fd, first_second) < 0)
		return -errno;
	return 0;
}

static int unpack_link(int parent_fd, const char *name, const struct snapshot_reader *reader)
{
	char target[SNAPSHOT_PATH] = ""; /* snapshot_rules_link() bounds it */

	memcpy(target, reader->content, reader->length);
	if (symlinkat(target, parent_fd, name) < 0 ||
	    utimensat(parent_fd, name, first_second, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int unpack_entry(struct unpacker *unpacker, const struct snapshot_reader *reader,
			struct error **error)
{
	const char *path = reader->rules.path;
	const char *name = path;
	size_t depth = 0;
	int r;

	for (const char *p = path; *p; p++) {
		if (*p == '/') {
			depth++;
			name = p + 1;
		}
	}
	r = unpacker_leave(unpacker, depth, error);
	if (r < 0)
		return r;
	if (reader->rules.type == 'd')
		r = unpack_directory(unpacker, name);
	else if (reader->rules.type == 'l' || reader->rules.type == 'o')
		r = unpack_link(unpacker->fds[depth], name, reader);
	else
		r = unpack_file(unpacker->fds[depth], name, reader);
	if (r < 0) {
		cleanup_free char *shown = sanitised(path);

		return error_set_errno(error, -r, "cannot write '%s' of the source",
				       shown ? shown : "?");
	}
	return 0;
}

int snapshot_unpack(int snapshot_fd, int directory_fd, bool outward, struct error **error)
{
	cleanup(snapshot_reader_close) struct snapshot_reader reader = { 0 };
	cleanup(unpacker_close) struct unpacker unpacker = { .fds = { directory_fd } };
	int r = snapshot_reader_open(snapshot_fd, &reader, error);

	if (r < 0)
		return r;
	while ((r = snapshot_reader_next(&reader, error)) > 0) {
		if (reader.rules.type == 'o' && !outward)
			return snapshot_refuse(error, ELOOP, reader.rules.path, SNAPSHOT_OUTWARD);
		r = unpack_entry(&unpacker, &reader, error);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = unpacker_leave(&unpacker, 0, error);
	if (r == 0 && futimens(directory_fd, first_second) < 0)
		return error_set_errno(error, errno, "cannot set a directory's time");
	return r;
}
