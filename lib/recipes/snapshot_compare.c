/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Is a directory what a snapshot says? For the installer, which need not make a second snapshot to
 * know. Every entry of the snapshot must be there with the same content, and the directories must
 * hold no more names than it has. Both sides are foreign: nothing is followed, nothing blocks.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_reader.h"

static int count_names(int directory_fd, const char *path, uint32_t *count, struct error **error)
{
	cleanup_list DIR *list = NULL;
	int r = list_open(directory_fd, path, &list, error);

	if (r < 0)
		return r;
	while (*count <= SNAPSHOT_ENTRIES && list_next(list))
		++*count;
	return 0;
}

static bool same_bytes(int fd, const uint8_t *bytes, size_t length)
{
	uint8_t block[32768];
	ssize_t count = 1;

	for (size_t offset = 0; offset < length; offset += (size_t)count) {
		count = pread(fd, block, sizeof(block), (off_t)offset);
		if (count <= 0 || (size_t)count > length - offset ||
		    memcmp(block, bytes + offset, (size_t)count) != 0)
			return false;
	}
	return true;
}

static bool same_entry(int directory_fd, const struct snapshot_reader *reader)
{
	const char *path = reader->rules.path;
	cleanup_close int fd = -1, content_fd = -1;
	char target[SNAPSHOT_PATH];
	struct stat status;

	if (open_beneath(directory_fd, path, O_PATH | O_NOFOLLOW, 0, &fd, NULL) < 0 ||
	    fstat(fd, &status) < 0)
		return false;
	if (reader->rules.type == 'd')
		return S_ISDIR(status.st_mode);
	if (reader->rules.type == 'l' || reader->rules.type == 'o')
		return S_ISLNK(status.st_mode) &&
		       readlinkat(fd, "", target, sizeof(target)) == (ssize_t)reader->length &&
		       memcmp(target, reader->content, reader->length) == 0;
	return S_ISREG(status.st_mode) && (uint64_t)status.st_size == reader->length &&
	       (reader->rules.type == 'x') == !!(status.st_mode & S_IXUSR) &&
	       open_beneath(directory_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, &content_fd,
			    NULL) == 0 &&
	       same_bytes(content_fd, reader->content, reader->length);
}

int snapshot_compare_directory(int snapshot_fd, int directory_fd, struct error **error)
{
	cleanup(snapshot_reader_close) struct snapshot_reader reader = { 0 };
	uint32_t names = 0;
	int r = snapshot_reader_open(snapshot_fd, &reader, error);

	if (r == 0)
		r = count_names(directory_fd, ".", &names, error);
	while (r == 0 && (r = snapshot_reader_next(&reader, error)) > 0) {
		if (!same_entry(directory_fd, &reader))
			return snapshot_refuse(error, EBUSY, reader.rules.path, "is not the same");
		r = reader.rules.type == 'd'
			    ? count_names(directory_fd, reader.rules.path, &names, error)
			    : 0;
	}
	if (r == 0 && names != reader.rules.entries)
		r = error_set(error, EBUSY, "there are %u files and directories instead of %u",
			      names, reader.rules.entries);
	return r;
}
