/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making and removing directories below a descriptor. A tree to be removed may be a dead build's:
 * as deep, wide and unreadable as its maker could manage.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"

/* Descriptors (and stack frames) that remove_tree() uses at most. */
#define REMOVE_DEPTH 32

int make_directories(int directory_fd, const char *path, mode_t mode, struct error **error)
{
	cleanup_close int current = -1;
	cleanup_free char *names = NULL;

	if (!path_is_safe(path, strlen(path)))
		return path_error(error, EINVAL, "cannot make the directory", path);
	names = strdup(path);
	if (!names)
		return path_error(error, ENOMEM, "cannot make the directory", path);
	for (char *name = names; name;) {
		int parent = current >= 0 ? current : directory_fd, next = -1, r;
		char *slash = strchr(name, '/');

		if (slash)
			*slash = '\0';
		if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
			return path_error(error, errno, "cannot make the directory", path);
		r = open_beneath(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, &next, error);
		if (r < 0)
			return r;
		(void)close_fd(current);
		current = next;
		name = slash ? slash + 1 : NULL;
	}
	return 0;
}

/* Opens a directory so that it can be emptied, whatever its mode. */
static int open_to_empty(int parent_fd, const char *name, DIR **ret_directory, struct error **error)
{
	cleanup_close int path_fd = -1;
	struct stat status;
	int r = open_beneath(parent_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, &path_fd,
			     error);

	if (r < 0)
		return r;
	if (fstat(path_fd, &status) < 0)
		return path_error(error, errno, "cannot examine", name);
	if ((status.st_mode & 0700) != 0700) {
		r = sys_chmod_fd(path_fd, 0700);
		if (r < 0)
			return path_error(error, -r, "cannot make writable", name);
	}
	return list_open(path_fd, ".", ret_directory, error);
}

/*
 * Deeper than REMOVE_DEPTH nothing is removed in place: the directory moves up to top_fd, whose
 * next pass finds it. So depth costs neither stack nor descriptors.
 */
static int move_up(int parent_fd, const char *name, int top_fd, struct error **error)
{
	uint64_t random;
	char moved[24];

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_set_errno(error, errno, "cannot get random bytes");
	(void)snprintf(moved, sizeof(moved), ".%016llx", (unsigned long long)random);
	if (renameat(parent_fd, name, top_fd, moved) < 0)
		return path_error(error, errno, "cannot move up to remove it", name);
	return 0;
}

static int empty_directory(DIR *directory, int top_fd, unsigned depth, struct error **error);

static int remove_entry(int parent_fd, const char *name, int top_fd, unsigned depth,
			struct error **error)
{
	cleanup_list DIR *directory = NULL;
	int r;

	if (unlinkat(parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return path_error(error, errno, "cannot remove", name);
	r = open_to_empty(parent_fd, name, &directory, error);
	if (r < 0)
		return r;
	if (depth == REMOVE_DEPTH)
		return move_up(parent_fd, name, top_fd, error);
	r = empty_directory(directory, top_fd >= 0 ? top_fd : dirfd(directory), depth + 1, error);
	if (r == 0 && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		r = path_error(error, errno, "cannot remove", name);
	return r;
}

/* Passes until one finds nothing: entries come in by move_up() and go while we read. */
static int empty_directory(DIR *directory, int top_fd, unsigned depth, struct error **error)
{
	bool found = true;

	while (found) {
		const char *name;

		found = false;
		rewinddir(directory);
		while ((name = list_next(directory))) {
			int r = remove_entry(dirfd(directory), name, top_fd, depth, error);

			if (r < 0)
				return r;
			found = true;
		}
		if (errno)
			return error_set_errno(error, errno, "cannot read a directory");
	}
	return 0;
}

int remove_tree(int directory_fd, const char *path, struct error **error)
{
	cleanup_error struct error *reason = NULL;
	cleanup_close int parent_fd = -1;
	cleanup_free char *shown = sanitised(path);
	const char *name = NULL;
	int r = open_parent_beneath(directory_fd, path, &parent_fd, &name, &reason);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = remove_entry(parent_fd, name, -1, 0, &reason);
	if (r < 0 && error) {
		*error = TAKE_PTR(reason);
		(void)error_context(error, "cannot remove '%s'", shown ? shown : "?");
	}
	return r;
}
