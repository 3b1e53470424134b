/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes snapshots apart and puts them together, see snapshot_parts.h. The bytes are hostile; what
 * is written here is checked whole by the reader before it is given away, so nothing has to be
 * believed.
 */
#include "lib/recipes/snapshot_parts.h"

#include <fcntl.h>
#include <string.h>

#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_reader.h"

struct output {
	int fd;
	FILE *file; /* writes to a duplicate of it */
};

static void output_close(struct output *output)
{
	if (output->file)
		(void)fclose(output->file);
	output->fd = close_fd(output->fd);
}

static int fail(struct error **error)
{
	return error_set_errno(error, errno ? errno : EIO, "cannot write a snapshot");
}

static int output_open(struct output *output, struct error **error)
{
	cleanup_close int copy_fd = -1;
	int r = memfd_new("source", &output->fd, error);

	if (r < 0)
		return r;
	copy_fd = fcntl(output->fd, F_DUPFD_CLOEXEC, 0);
	output->file = copy_fd < 0 ? NULL : fdopen(copy_fd, "w");
	if (!output->file)
		return fail(error);
	(void)TAKE_FD(copy_fd);
	return fputs(SNAPSHOT_MAGIC, output->file) < 0 ? fail(error) : 0;
}

static int put_entry(struct output *output, char type, const char *path, const uint8_t *content,
		     size_t length, struct error **error)
{
	const size_t path_length = strlen(path);
	uint8_t head[3] = { (uint8_t)type, (uint8_t)path_length, (uint8_t)(path_length >> 8) };
	uint8_t tail[8];

	/* What is inside the whole may lead out of a part. */
	if (type == 'l' || type == 'o')
		head[0] = snapshot_link_leads_out(path, (const char *)content, length) ? 'o' : 'l';
	for (size_t i = 0; i < sizeof(tail); i++)
		tail[i] = (uint8_t)((uint64_t)length >> (8 * i));
	if (fwrite(head, 1, sizeof(head), output->file) != sizeof(head) ||
	    fwrite(path, 1, path_length, output->file) != path_length ||
	    fwrite(tail, 1, sizeof(tail), output->file) != sizeof(tail) ||
	    (length > 0 && fwrite(content, 1, length, output->file) != length))
		return fail(error);
	return 0;
}

static int visit_nothing(void *context, char type, const char *path, uint64_t length)
{
	(void)context;
	(void)type;
	(void)path;
	(void)length;
	return 0;
}

/* Ends it, and checks it as what it will be taken for. Without a digest to give, outward links may
 * be in it. */
static int output_finish(struct output *output, int *ret_fd, struct digest *ret_digest,
			 struct error **error)
{
	bool written = putc('\0', output->file) == '\0';
	int r;

	written = fclose(output->file) == 0 && written;
	output->file = NULL;
	if (!written)
		return fail(error);
	if (ret_digest) {
		r = snapshot_from_stream(output->fd, ret_digest, error);
	} else {
		r = memfd_seal(output->fd, error);
		if (r == 0)
			r = snapshot_walk(output->fd, visit_nothing, NULL, error);
	}
	if (r == 0)
		*ret_fd = TAKE_FD(output->fd);
	return r;
}

static bool is_link(char type)
{
	return type == 'l' || type == 'o';
}

/* An entry below the directory that is taken out; the link may be good in the whole alone. */
static int put_below(struct output *output, const struct snapshot_reader *reader, const char *path,
		     struct error **error)
{
	if (is_link(reader->rules.type) &&
	    snapshot_link_leads_out(path, (const char *)reader->content, reader->length))
		return snapshot_refuse(error, ELOOP, reader->rules.path, SNAPSHOT_OUTWARD);
	return put_entry(output, reader->rules.type, path, reader->content, reader->length, error);
}

int snapshot_subtree(int snapshot_fd, const char *directory, int *ret_fd, struct digest *ret_digest,
		     struct error **error)
{
	cleanup(snapshot_reader_close) struct snapshot_reader reader = { 0 };
	cleanup(output_close) struct output output = { .fd = -1 };
	const size_t length = strlen(directory);
	bool found = false;
	int r = snapshot_reader_open(snapshot_fd, &reader, error);

	if (r == 0)
		r = output_open(&output, error);
	if (r < 0)
		return r;
	while ((r = snapshot_reader_next(&reader, error)) > 0) {
		const char *path = reader.rules.path;

		if (strncmp(path, directory, length) != 0)
			continue;
		if (path[length] == '\0')
			found = reader.rules.type == 'd';
		else if (path[length] == '/')
			r = put_below(&output, &reader, path + length + 1, error);
		if (r < 0)
			return r;
	}
	if (r == 0 && !found)
		r = snapshot_refuse(error, ENOENT, directory, "is no directory here");
	return r < 0 ? r : output_finish(&output, ret_fd, ret_digest, error);
}

/* The directories of path, but for those that last, the part before, was in already. */
static int put_directories(struct output *output, const char *path, const char *last,
			   struct error **error)
{
	int r = 0;

	for (const char *slash = strchr(path, '/'); r == 0 && slash;
	     slash = strchr(slash + 1, '/')) {
		const size_t length = (size_t)(slash - path);
		char directory[SNAPSHOT_PATH] = "";

		if (strncmp(last, path, length + 1) == 0)
			continue;
		if (length >= sizeof(directory))
			return snapshot_refuse(error, ENAMETOOLONG, path, "has too long a path");
		memcpy(directory, path, length);
		r = put_entry(output, 'd', directory, NULL, 0, error);
	}
	return r;
}

static int put_file(struct output *output, const struct snapshot_part *part, struct error **error)
{
	const uint8_t *bytes;
	size_t size;
	int r = memfd_map(part->fd, SNAPSHOT_BYTES, &bytes, &size, error);

	if (r < 0)
		return r;
	r = put_entry(output, 'f', part->path, bytes, size, error);
	memfd_unmap(bytes, size);
	return r;
}

static int put_tree(struct output *output, const struct snapshot_part *part, struct error **error)
{
	cleanup(snapshot_reader_close) struct snapshot_reader reader = { 0 };
	int r = put_entry(output, 'd', part->path, NULL, 0, error);

	if (r < 0 || part->fd < 0)
		return r;
	r = snapshot_reader_open(part->fd, &reader, error);
	if (r < 0)
		return r;
	while ((r = snapshot_reader_next(&reader, error)) > 0) {
		cleanup_free char *path = format_string("%s/%s", part->path, reader.rules.path);
		char type = reader.rules.type;

		if (!path)
			return error_set_errno(error, ENOMEM, "cannot write a snapshot");
		if (strlen(path) >= SNAPSHOT_PATH)
			return snapshot_refuse(error, ENAMETOOLONG, path, "has too long a path");
		/* What leads out of the part may stay within the whole. */
		if (is_link(type))
			type = snapshot_link_leads_out(path, (const char *)reader.content,
						       reader.length)
				       ? 'o'
				       : 'l';
		r = put_entry(output, type, path, reader.content, reader.length, error);
		if (r < 0)
			return r;
	}
	return r;
}

int snapshot_join(const struct snapshot_part *parts, size_t count, int *ret_fd,
		  struct error **error)
{
	cleanup(output_close) struct output output = { .fd = -1 };
	const char *last = "";
	int r = output_open(&output, error);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = put_directories(&output, parts[i].path, last, error);
		if (r == 0)
			r = parts[i].is_file ? put_file(&output, &parts[i], error)
					     : put_tree(&output, &parts[i], error);
		last = parts[i].path;
	}
	return r < 0 ? r : output_finish(&output, ret_fd, NULL, error);
}
