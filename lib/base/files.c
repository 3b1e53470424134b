/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files below a directory descriptor. The trees may be hostile, and may change while we look: the
 * kernel resolves each name once, and what is checked is the descriptor.
 */
#include "lib/base/files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/base/syscalls.h"

#define BLOCK 65536

int path_error(struct error **error, int errnum, const char *action, const char *path)
{
	cleanup_free char *shown = sanitised(path);

	return error_set_errno(error, errnum, "%s '%s'", action, shown ? shown : "?");
}

static int try_open_beneath(int directory_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	int fd = -EAGAIN;

	/* EAGAIN: something was renamed meanwhile and ".." could not be judged, openat2(2). */
	for (int tries = 0; (fd == -EAGAIN || fd == -EINTR) && tries < 32; tries++)
		fd = sys_openat2(directory_fd, path, &how);
	return fd;
}

int open_beneath(int directory_fd, const char *path, int flags, mode_t mode, int *ret_fd,
		 struct error **error)
{
	int fd = try_open_beneath(directory_fd, path, flags, mode);
	cleanup_free char *shown = NULL;

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	shown = sanitised(path);
	if (fd == -ELOOP)
		return error_set(error, ELOOP, "cannot open '%s': there is a symbolic link in it",
				 shown ? shown : "?");
	if (fd == -EXDEV)
		return error_set(error, EXDEV,
				 "cannot open '%s': it leads out of its directory or into a mount",
				 shown ? shown : "?");
	return path_error(error, -fd, "cannot open", path);
}

int open_parent_beneath(int directory_fd, const char *path, int *ret_fd, const char **ret_name,
			struct error **error)
{
	cleanup_free char *parent = NULL;
	const char *slash;
	int r;

	if (!path_is_safe(path, strlen(path)))
		return path_error(error, EINVAL, "cannot use the relative path", path);
	slash = strrchr(path, '/');
	parent = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
	if (!parent)
		return error_set(error, ENOMEM, "out of memory");
	r = open_beneath(directory_fd, parent, O_RDONLY | O_DIRECTORY, 0, ret_fd, error);
	if (r == 0)
		*ret_name = slash ? slash + 1 : path;
	return r;
}

static int refuse(struct error **error, int errnum, const char *path, const char *what)
{
	cleanup_free char *shown = sanitised(path);

	return error_set(error, errnum, "%s is %s", shown ? shown : "?", what);
}

/* 0 for a regular file. */
static int refuse_type(mode_t mode, const char *path, struct error **error)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 0;
	case S_IFLNK:
		return refuse(error, ELOOP, path, "a symbolic link, not a regular file");
	case S_IFDIR:
		return refuse(error, EISDIR, path, "a directory, not a regular file");
	case S_IFIFO:
		return refuse(error, EINVAL, path, "a FIFO, not a regular file");
	case S_IFSOCK:
		return refuse(error, EINVAL, path, "a socket, not a regular file");
	default:
		return refuse(error, EINVAL, path, "a device, not a regular file");
	}
}

/* Why opening failed: looks once more, for the message only. */
static int explain(int directory_fd, const char *path, int errnum, struct error **error)
{
	cleanup_close int fd = try_open_beneath(directory_fd, path, O_PATH | O_NOFOLLOW, 0);
	struct stat status;
	int r = 0;

	if (fd >= 0 && fstat(fd, &status) == 0)
		r = refuse_type(status.st_mode, path, error);
	return r < 0 ? r : path_error(error, errnum, "cannot open", path);
}

/* A foreign file that is a regular one; what it is like is in ret_status. */
static int open_regular(int directory_fd, const char *path, int *ret_fd, struct stat *ret_status,
			struct error **error)
{
	/* O_NONBLOCK: a FIFO in the file's place must not make us wait for a writer. */
	cleanup_close int fd = try_open_beneath(directory_fd, path,
						O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY, 0);
	struct stat status;
	int r;

	if (fd < 0)
		return explain(directory_fd, path, -fd, error);
	if (fstat(fd, &status) < 0)
		return path_error(error, errno, "cannot examine", path);
	r = refuse_type(status.st_mode, path, error);
	if (r < 0)
		return r;
	*ret_status = status;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int open_regular_beneath(int directory_fd, const char *path, uint64_t maximum, int *ret_fd,
			 uint64_t *ret_size, struct error **error)
{
	cleanup_close int fd = -1;
	struct stat status;
	int r = open_regular(directory_fd, path, &fd, &status, error);

	if (r < 0)
		return r;
	if (status.st_nlink != 1)
		return refuse(error, EMLINK, path, "a hard link, not a file of its own");
	if ((uint64_t)status.st_size > maximum) {
		cleanup_free char *shown = sanitised(path);

		return error_set(error, EFBIG, "%s is too large: %lld bytes, at most %llu",
				 shown ? shown : "?", (long long)status.st_size,
				 (unsigned long long)maximum);
	}
	*ret_size = (uint64_t)status.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int read_fd(int fd, uint64_t maximum, struct text *ret_text, struct error **error)
{
	cleanup_text struct text text = { 0 };
	char block[BLOCK];
	ssize_t count;
	int r = text_append(&text, "", 0);

	while (r == 0) {
		count = read(fd, block, sizeof(block));
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(error, errno, "cannot read");
		if (count == 0)
			break;
		if ((uint64_t)count > maximum - text.length)
			return error_set(error, EFBIG, "more than %llu bytes to read",
					 (unsigned long long)maximum);
		r = text_append(&text, block, (size_t)count);
	}
	if (r < 0)
		return error_set_errno(error, -r, "cannot hold what was read");
	*ret_text = text;
	text = (struct text){ 0 };
	return 0;
}

int read_file(int directory_fd, const char *path, uint64_t maximum, struct text *ret_text,
	      struct error **error)
{
	cleanup_close int fd = -1;
	struct stat status;
	int r = open_regular(directory_fd, path, &fd, &status, error);

	if (r < 0)
		return r;
	r = read_fd(fd, maximum, ret_text, error);
	if (r < 0) {
		cleanup_free char *shown = sanitised(path);

		return error_context(error, "cannot read '%s'", shown ? shown : "?");
	}
	return 0;
}

int write_all(int fd, const void *bytes, size_t length)
{
	const char *data = bytes;

	while (length > 0) {
		ssize_t count = write(fd, data, length);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		data += count;
		length -= (size_t)count;
	}
	return 0;
}

int copy_bytes(int target_fd, int source_fd, uint64_t size, struct error **error)
{
	char block[BLOCK];

	for (uint64_t offset = 0; offset < size;) {
		size_t wanted = size - offset < BLOCK ? (size_t)(size - offset) : BLOCK;
		ssize_t count = pread(source_fd, block, wanted, (off_t)offset);
		int r;

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(error, errno, "cannot read what is to be copied");
		if (count == 0)
			return error_set(error, EIO, "the file to copy became shorter");
		r = write_all(target_fd, block, (size_t)count);
		if (r < 0)
			return error_set_errno(error, -r, "cannot write the copy");
		offset += (uint64_t)count;
	}
	return 0;
}

/* All of it but the directory's fsync. */
static int write_beside(int parent_fd, const char *name, const char *temporary, const void *bytes,
			size_t length, mode_t mode)
{
	cleanup_close int fd = openat(parent_fd, temporary,
				      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, bytes, length);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
		       renameat(parent_fd, temporary, parent_fd, name) < 0))
		r = -errno;
	if (r < 0)
		(void)unlinkat(parent_fd, temporary, 0);
	return r;
}

int write_file_atomically(int directory_fd, const char *path, const void *bytes, size_t length,
			  mode_t mode, struct error **error)
{
	cleanup_close int parent_fd = -1;
	char temporary[256];
	const char *name = NULL;
	uint64_t random;
	int r = open_parent_beneath(directory_fd, path, &parent_fd, &name, error);

	if (r < 0)
		return r;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_set_errno(error, errno, "cannot get random bytes");
	/* The name is cut so that one of 255 bytes has a temporary too. */
	(void)snprintf(temporary, sizeof(temporary), ".%.200s.%016llx", name,
		       (unsigned long long)random);
	r = write_beside(parent_fd, name, temporary, bytes, length, mode);
	if (r == 0 && fsync(parent_fd) < 0)
		r = -errno;
	return r < 0 ? path_error(error, -r, "cannot write", path) : 0;
}
