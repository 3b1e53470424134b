/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads snapshots, see snapshot_reader.h: every rule is checked again, so a snapshot is never
 * believed because somebody checked it before. Trusts the seal (or that a file which its maker left
 * without name and without writer has no other) and nothing else of what it reads.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_reader.h"

void snapshot_reader_close(struct snapshot_reader *reader)
{
	if (reader->bytes)
		memfd_unmap(reader->bytes, reader->size);
}

/*
 * A sealed memfd; or a file on disk without a name, open for reading only. That is no seal: what
 * comes from another process must be required to be sealed where it arrives (lib/base/message).
 */
static int map_file(int fd, struct snapshot_reader *reader, struct error **error)
{
	struct stat status;
	void *bytes;

	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink > 0 ||
	    status.st_size <= 0 || (uint64_t)status.st_size > SNAPSHOT_BYTES ||
	    (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
		return memfd_map(fd, SNAPSHOT_BYTES, &reader->bytes, &reader->size, error);
	bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return error_set_errno(error, errno, "cannot map the snapshot of a source");
	reader->bytes = bytes;
	reader->size = (size_t)status.st_size;
	return 0;
}

int snapshot_reader_open(int fd, struct snapshot_reader *reader, struct error **error)
{
	const uint8_t *magic;
	int r = map_file(fd, reader, error);

	if (r < 0)
		return r;
	reader->cursor = (struct cursor){ .data = reader->bytes, .length = reader->size };
	magic = cursor_bytes(&reader->cursor, strlen(SNAPSHOT_MAGIC));
	if (!magic || memcmp(magic, SNAPSHOT_MAGIC, strlen(SNAPSHOT_MAGIC)) != 0)
		return error_set(error, EBADMSG, "this is not a snapshot of a source tree");
	return 0;
}

int snapshot_reader_next(struct snapshot_reader *reader, struct error **error)
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
	if (type == 'l' || type == 'o')
		r = snapshot_rules_link(&reader->rules, (const char *)reader->content,
					reader->length, error);
	return r < 0 ? r : 1;
}
