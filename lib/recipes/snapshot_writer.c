/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Serialises a directory. It is foreign and may change meanwhile: each entry is opened once, below
 * its directory's descriptor, never through a link and never so that a FIFO blocks. Also linked
 * into the privileged installer and the jailed unpacker.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_rules.h"
#include "lib/recipes/snapshot_writer.h"

#define WENT_AWAY "went away while the source was read; try again when it is at rest"

struct writer {
	FILE *file;		      /* may be NULL */
	bool outward;		      /* take links that lead out */
	struct digest_stream *stream; /* may be NULL */
	uint64_t maximum;
	uint64_t total;
	struct snapshot_rules rules;
	char path[SNAPSHOT_PATH]; /* of the entry being written, built up step by step */
};

static int check_room(const struct writer *writer, uint64_t length, struct error **error)
{
	if (length <= writer->maximum - writer->total)
		return 0;
	return error_set(error, EFBIG, "the source is larger than %llu MiB",
			 (unsigned long long)(writer->maximum >> 20));
}

static int put(struct writer *writer, const void *bytes, size_t length, struct error **error)
{
	int r = check_room(writer, length, error);

	if (r < 0)
		return r;
	writer->total += length;
	if ((writer->file && fwrite(bytes, 1, length, writer->file) != length) ||
	    (writer->stream && digest_stream_add(writer->stream, bytes, length) < 0))
		return error_set_errno(error, errno, "cannot write the snapshot of the source");
	return 0;
}

static int put_entry(struct writer *writer, char type, uint64_t length, struct error **error)
{
	size_t path_length = strlen(writer->path);
	uint8_t head[3] = { (uint8_t)type, (uint8_t)path_length, (uint8_t)(path_length >> 8) };
	uint8_t tail[8];
	int r = snapshot_rules_entry(&writer->rules, type, writer->path, path_length, error);

	if (r == 0)
		r = check_room(writer, length, error); /* before reading a sparse terabyte */
	for (size_t i = 0; i < sizeof(tail); i++)
		tail[i] = (uint8_t)(length >> (8 * i));
	if (r == 0)
		r = put(writer, head, sizeof(head), error);
	if (r == 0)
		r = put(writer, writer->path, path_length, error);
	return r < 0 ? r : put(writer, tail, sizeof(tail), error);
}

static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int put_file(struct writer *writer, int fd, const struct stat *before, struct error **error)
{
	uint64_t missing = (uint64_t)before->st_size;
	struct stat after;
	uint8_t buffer[32768];
	ssize_t got = 0;
	int r = put_entry(writer, before->st_mode & S_IXUSR ? 'x' : 'f', missing, error);

	while (r == 0 && (got = read(fd, buffer, sizeof(buffer))) != 0) {
		if (got < 0)
			return snapshot_refuse(error, errno, writer->path, "cannot be read");
		if ((uint64_t)got > missing)
			break;
		missing -= (uint64_t)got;
		r = put(writer, buffer, (size_t)got, error);
	}
	if (r < 0)
		return r;
	if (got != 0 || missing || fstat(fd, &after) < 0 || !same_content(before, &after))
		return snapshot_refuse(error, EAGAIN, writer->path,
				       "changed while it was read; try again when it is at rest");
	return 0;
}

static int put_link(struct writer *writer, int directory_fd, const char *name, struct error **error)
{
	char target[SNAPSHOT_PATH];
	ssize_t length = readlinkat(directory_fd, name, target, sizeof(target));
	bool out;
	int r;

	if (length < 0)
		return snapshot_refuse(error, errno, writer->path, "cannot be read as a link");
	out = snapshot_link_leads_out(writer->path, target, (size_t)length);
	if (out && !writer->outward)
		return snapshot_refuse(error, ELOOP, writer->path, SNAPSHOT_OUTWARD);
	r = put_entry(writer, out ? 'o' : 'l', (uint64_t)length, error);
	if (r == 0)
		r = snapshot_rules_link(&writer->rules, target, (size_t)length, error);
	return r < 0 ? r : put(writer, target, (size_t)length, error);
}

static int put_directory(struct writer *writer, int directory_fd, size_t length,
			 struct error **error);

/* One entry of a directory; its whole path, of length bytes, is in writer->path. */
static int put_node(struct writer *writer, int directory_fd, const char *name, size_t length,
		    struct error **error)
{
	cleanup_close int fd = -1;
	struct stat status;
	int r;

	if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return snapshot_refuse(error, errno, writer->path,
				       errno == ENOENT ? WENT_AWAY : "cannot be examined");
	if (S_ISLNK(status.st_mode))
		return put_link(writer, directory_fd, name, error);
	/* Before it is opened: opening a device can do something. */
	if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
		return snapshot_refuse(error, EINVAL, writer->path,
				       "is a device, FIFO or socket; remove it from the source");
	fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return snapshot_refuse(error, errno, writer->path,
				       errno == EACCES	 ? "may not be read by this user"
				       : errno == ENOENT ? WENT_AWAY
							 : "cannot be opened");
	if (fstat(fd, &status) < 0 || (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)))
		return snapshot_refuse(error, EAGAIN, writer->path, "changed while it was read");
	if (S_ISREG(status.st_mode))
		return put_file(writer, fd, &status, error);
	r = put_entry(writer, 'd', 0, error);
	if (r < 0)
		return r;
	writer->path[length] = '/'; /* room for it and a NUL: path_is_safe() took the path */
	return put_directory(writer, fd, length + 1, error);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Recursion ends at SNAPSHOT_DEPTH: snapshot_rules_entry() refuses what lies deeper. */
static int put_directory(struct writer *writer, int directory_fd, size_t length,
			 struct error **error)
{
	struct dirent **entries = NULL;
	int count = scandirat(directory_fd, ".", &entries, is_entry, compare_names);
	int r = 0;

	if (count < 0)
		return error_set_errno(error, errno, "cannot list a directory of the source");
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		size_t name_length = strlen(name);

		if (r == 0 && length + name_length >= SNAPSHOT_PATH)
			r = snapshot_refuse(error, ENAMETOOLONG, name, "has too long a path");
		if (r == 0) {
			memcpy(writer->path + length, name, name_length + 1);
			r = put_node(writer, directory_fd, name, length + name_length, error);
		}
		free(entries[i]);
	}
	free(entries);
	return r;
}

int snapshot_serialise(int directory_fd, bool outward, uint64_t maximum, FILE *file,
		       struct digest *ret_digest, struct error **error)
{
	struct writer writer = { .file = file,
				 .outward = outward,
				 .maximum = maximum,
				 .stream = ret_digest ? digest_stream_new() : NULL };
	int r = put(&writer, SNAPSHOT_MAGIC, strlen(SNAPSHOT_MAGIC), error);

	if (r == 0)
		r = put_directory(&writer, directory_fd, 0, error);
	if (r == 0)
		r = put(&writer, "", 1, error);
	if (r == 0 && ret_digest &&
	    (!writer.stream || digest_stream_finish(writer.stream, ret_digest) < 0))
		r = error_set(error, EIO, "cannot compute SHA-256");
	writer.stream = digest_stream_free(writer.stream);
	return r;
}
