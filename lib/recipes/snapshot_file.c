/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a snapshot is written to: a memory file that is sealed, or, where memory would be too small,
 * a file on disk that has no name and in the end no writer either: nobody but us can reach it.
 * Trusts the place it is given.
 */
#include "lib/recipes/snapshot_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_writer.h"

/* Where a file system has no O_TMPFILE: made under a name that is free, which is taken away. */
static int open_named(int place_fd)
{
	for (unsigned i = 0; i < 64; i++) {
		cleanup_free char *name = format_string(".snapshot-%d-%u", (int)getpid(), i);
		int fd = name ? openat(place_fd, name,
				       O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)
			      : -1;

		if (fd >= 0 && unlinkat(place_fd, name, 0) < 0)
			fd = close_fd(fd);
		if (fd >= 0 || !name || errno != EEXIST)
			return fd;
	}
	return -1;
}

int snapshot_file_new(int place_fd, int *ret_fd, struct error **error)
{
	int fd;

	if (place_fd < 0)
		return memfd_new("source", ret_fd, error);
	/* O_EXCL: never to get a name, not even by link(2). */
	fd = openat(place_fd, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
		fd = open_named(place_fd);
	if (fd < 0)
		return error_set_errno(error, errno, "cannot make a file for a source on disk");
	*ret_fd = fd;
	return 0;
}

int snapshot_file_finish(int place_fd, int *fd, struct error **error)
{
	cleanup_free char *path = NULL;
	int again;

	if (place_fd < 0)
		return memfd_seal(*fd, error);
	path = format_string("/proc/self/fd/%d", *fd);
	again = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (again < 0)
		return error_set_errno(error, errno, "cannot open a source on disk again");
	(void)close_fd(*fd);
	*fd = again;
	return 0;
}

static int write_directory(int directory_fd, bool outward, int output_fd, struct digest *ret_digest,
			   struct error **error)
{
	cleanup_close int fd = fcntl(output_fd, F_DUPFD_CLOEXEC, 0);
	cleanup_fclose FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int r;

	if (!file)
		return error_set_errno(error, errno, "cannot write the snapshot of the source");
	(void)TAKE_FD(fd);
	r = snapshot_serialise(directory_fd, outward, file, ret_digest, error);
	if (r == 0 && fflush(file) != 0)
		r = error_set_errno(error, errno, "cannot write the snapshot of the source");
	return r;
}

int snapshot_write_directory(int directory_fd, int output_fd, struct error **error)
{
	return write_directory(directory_fd, false, output_fd, NULL, error);
}

int snapshot_from_directory(int directory_fd, int place_fd, int *ret_fd, struct digest *ret_digest,
			    struct error **error)
{
	cleanup_close int fd = -1;
	struct digest digest;
	int r = snapshot_file_new(place_fd, &fd, error);

	if (r == 0)
		r = write_directory(directory_fd, true, fd, &digest, error);
	if (r == 0)
		r = snapshot_file_finish(place_fd, &fd, error);
	if (r < 0)
		return r;
	*ret_digest = digest;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
