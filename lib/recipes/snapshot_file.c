/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a snapshot is written to: a memory file that is sealed, or, where memory would be too small,
 * a file on disk that has no name and in the end no writer either: nobody but us can reach it.
 * Trusts the place it is given.
 */
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

/* Empty, for writing: a memory file, or with place_fd >= 0 a nameless one in that directory. */
static int file_new(int place_fd, int *ret_fd, struct error **error)
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

/* Ends the writing: seals it; or *fd becomes a descriptor that only reads, the only one there is.
 */
static int file_finish(int place_fd, int *fd, struct error **error)
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

static int write_directory(int directory_fd, bool outward, uint64_t maximum, int output_fd,
			   struct digest *ret_digest, struct error **error)
{
	cleanup_close int fd = fcntl(output_fd, F_DUPFD_CLOEXEC, 0);
	cleanup_fclose FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int r;

	if (!file)
		return error_set_errno(error, errno, "cannot write the snapshot of the source");
	(void)TAKE_FD(fd);
	r = snapshot_serialise(directory_fd, outward, maximum, file, ret_digest, error);
	if (r == 0 && fflush(file) != 0)
		r = error_set_errno(error, errno, "cannot write the snapshot of the source");
	return r;
}

int snapshot_write_directory(int directory_fd, int output_fd, struct error **error)
{
	return write_directory(directory_fd, false, SNAPSHOT_BYTES, output_fd, NULL, error);
}

static int take_directory(int directory_fd, int place_fd, uint64_t maximum, int *ret_fd,
			  struct digest *ret_digest, struct error **error)
{
	cleanup_close int fd = -1;
	struct digest digest;
	int r = file_new(place_fd, &fd, error);

	if (r == 0)
		r = write_directory(directory_fd, true, maximum, fd, &digest, error);
	if (r == 0)
		r = file_finish(place_fd, &fd, error);
	if (r < 0)
		return r;
	*ret_digest = digest;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int snapshot_from_directory(int directory_fd, int place_fd, int *ret_fd, struct digest *ret_digest,
			    struct error **error)
{
	return take_directory(directory_fd, place_fd, SNAPSHOT_BYTES, ret_fd, ret_digest, error);
}

int snapshot_from_large_directory(int directory_fd, uint64_t memory, int place_fd, int *ret_fd,
				  struct digest *ret_digest, struct error **error)
{
	const uint64_t first = place_fd >= 0 && memory < SNAPSHOT_BYTES ? memory : SNAPSHOT_BYTES;
	cleanup_error struct error *failure = NULL;
	int r = take_directory(directory_fd, -1, first, ret_fd, ret_digest, &failure);

	if (r == -EFBIG && first < SNAPSHOT_BYTES)
		return snapshot_from_directory(directory_fd, place_fd, ret_fd, ret_digest, error);
	if (r < 0 && error)
		*error = TAKE_PTR(failure);
	return r;
}
