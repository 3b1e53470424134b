// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reads snapshots: every reader goes through one iterator that checks every rule again, so a
 * snapshot is never believed because somebody checked it before. Trusts the seal and nothing else
 * of what it reads. Also linked into the privileged installer.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_rules.h"

struct reader {
	const uint8_t *bytes;
	size_t size;
	struct cursor cursor;
	struct snapshot_rules rules; /* path and type of the current entry */
	const uint8_t *content;
	size_t length;
};

static void reader_close(struct reader *reader)
{
	if (reader->bytes)
		memfd_unmap(reader->bytes, reader->size);
}

static int reader_open(int fd, struct reader *reader, struct error **error)
{
	const uint8_t *magic;
	int r = memfd_map(fd, SNAPSHOT_BYTES, &reader->bytes, &reader->size, error);

	if (r < 0)
		return r;
	reader->cursor.data = reader->bytes;
	reader->cursor.length = reader->size;
	magic = cursor_bytes(&reader->cursor, strlen(SNAPSHOT_MAGIC));
	if (!magic || memcmp(magic, SNAPSHOT_MAGIC, strlen(SNAPSHOT_MAGIC)) != 0)
		return error_set(error, EBADMSG, "this is not a snapshot of a source tree");
	return 0;
}

/* 1: there is a next entry; 0: the end. */
static int reader_next(struct reader *reader, struct error **error)
{
	struct cursor *cursor = &reader->cursor;
	uint8_t type = cursor_u8(cursor);
	uint16_t path_length;
	const uint8_t *path;
	uint64_t length;
	int r;

	if (!cursor->failed && type == 0) {
		if (cursor->offset == cursor->length)
			return 0;
		return error_set(error, EBADMSG, "the snapshot has bytes behind its end");
	}
	path_length = cursor_u16(cursor);
	path = cursor_bytes(cursor, path_length);
	length = cursor_u64(cursor);
	if (length > SNAPSHOT_BYTES)
		cursor->failed = true;
	reader->length = cursor->failed ? 0 : (size_t)length;
	reader->content = cursor_bytes(cursor, reader->length);
	if (cursor->failed)
		return error_set(error, EBADMSG, "the snapshot ends early");
	r = snapshot_rules_entry(&reader->rules, (char)type, (const char *)path, path_length,
				 error);
	if (r < 0)
		return r;
	if (type == 'd' && length != 0)
		return snapshot_refuse(error, EBADMSG, reader->rules.path,
				       "is a directory with content of its own");
	if (type == 'l')
		r = snapshot_rules_link(&reader->rules, (const char *)reader->content,
					reader->length, error);
	return r < 0 ? r : 1;
}

int snapshot_walk(int snapshot_fd,
		  int (*visit)(void *context, char type, const char *path, uint64_t length),
		  void *context, struct error **error)
{
	cleanup(reader_close) struct reader reader = { 0 };
	int r = reader_open(snapshot_fd, &reader, error);

	if (r < 0)
		return r;
	while ((r = reader_next(&reader, error)) > 0) {
		r = visit(context, reader.rules.type, reader.rules.path, reader.length);
		if (r != 0)
			return r;
	}
	return r;
}

static int visit_nothing(void *context, char type, const char *path, uint64_t length)
{
	(void)context;
	(void)type;
	(void)path;
	(void)length;
	return 0;
}

int snapshot_from_stream(int memfd, struct digest *ret_digest, struct error **error)
{
	int r = memfd_seal(memfd, error);

	if (r == 0)
		r = snapshot_walk(memfd, visit_nothing, NULL, error);
	return r < 0 ? r : digest_file(memfd, ret_digest, error);
}

int snapshot_from_directory(int directory_fd, int *ret_fd, struct digest *ret_digest,
			    struct error **error)
{
	cleanup_close int fd = -1;
	struct digest digest;
	int r = memfd_new("source", &fd, error);

	if (r == 0)
		r = snapshot_write_directory(directory_fd, fd, error);
	if (r == 0)
		r = memfd_seal(fd, error);
	if (r == 0)
		r = digest_file(fd, &digest, error);
	if (r < 0)
		return r;
	*ret_digest = digest;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int snapshot_read_file(int snapshot_fd, const char *path, uint64_t maximum, int *ret_fd,
		       struct error **error)
{
	cleanup(reader_close) struct reader reader = { 0 };
	int r = reader_open(snapshot_fd, &reader, error);

	if (r < 0)
		return r;
	while ((r = reader_next(&reader, error)) > 0) {
		if ((reader.rules.type != 'f' && reader.rules.type != 'x') ||
		    strcmp(reader.rules.path, path) != 0)
			continue;
		if (reader.length > maximum)
			return snapshot_refuse(error, EFBIG, path, "is too large");
		return memfd_from_bytes("source-file", reader.content, reader.length, ret_fd,
					error);
	}
	return r < 0 ? r : snapshot_refuse(error, ENOENT, path, "is no regular file of the source");
}

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

static int unpack_file(int parent_fd, const char *name, const struct reader *reader)
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

static int unpack_link(int parent_fd, const char *name, const struct reader *reader)
{
	char target[SNAPSHOT_PATH] = ""; /* snapshot_rules_link() bounds it */

	memcpy(target, reader->content, reader->length);
	if (symlinkat(target, parent_fd, name) < 0 ||
	    utimensat(parent_fd, name, first_second, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int unpack_entry(struct unpacker *unpacker, const struct reader *reader,
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
	else if (reader->rules.type == 'l')
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

int snapshot_unpack(int snapshot_fd, int directory_fd, struct error **error)
{
	cleanup(reader_close) struct reader reader = { 0 };
	cleanup(unpacker_close) struct unpacker unpacker = { .fds = { directory_fd } };
	int r = reader_open(snapshot_fd, &reader, error);

	if (r < 0)
		return r;
	while ((r = reader_next(&reader, error)) > 0) {
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
