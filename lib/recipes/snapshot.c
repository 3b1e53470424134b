/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks into snapshots: checks what a jailed program wrote, lists entries, takes one file out. */
#include <errno.h>
#include <string.h>

#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_reader.h"

int snapshot_walk(int snapshot_fd,
		  int (*visit)(void *context, char type, const char *path, uint64_t length),
		  void *context, struct error **error)
{
	cleanup(snapshot_reader_close) struct snapshot_reader reader = { 0 };
	int r = snapshot_reader_open(snapshot_fd, &reader, error);

	if (r < 0)
		return r;
	while ((r = snapshot_reader_next(&reader, error)) > 0) {
		r = visit(context, reader.rules.type, reader.rules.path, reader.length);
		if (r != 0)
			return r;
	}
	return r;
}

/* What an archive holds ends up in the source tree, where other programs may follow its links. */
static int visit_foreign(void *context, char type, const char *path, uint64_t length)
{
	(void)length;
	return type == 'o' ? snapshot_refuse(context, ELOOP, path, SNAPSHOT_OUTWARD) : 0;
}

int snapshot_check(int fd, struct digest *ret_digest, struct error **error)
{
	int r = snapshot_walk(fd, visit_foreign, error, error);

	return r < 0 ? r : digest_file(fd, ret_digest, error);
}

int snapshot_from_stream(int memfd, struct digest *ret_digest, struct error **error)
{
	int r = memfd_seal(memfd, error);

	return r < 0 ? r : snapshot_check(memfd, ret_digest, error);
}

int snapshot_read_file(int snapshot_fd, const char *path, uint64_t maximum, int *ret_fd,
		       struct error **error)
{
	cleanup(snapshot_reader_close) struct snapshot_reader reader = { 0 };
	int r = snapshot_reader_open(snapshot_fd, &reader, error);

	if (r < 0)
		return r;
	while ((r = snapshot_reader_next(&reader, error)) > 0) {
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
