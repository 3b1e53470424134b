/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The opener of system paths that are links. It trusts root and one owner: each step must be theirs
 * and closed to others, so nobody else can have chosen where the path leads.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"

#define LINKS 40
#define DEPTH 64

struct walk {
	int root_fd; /* borrowed */
	uid_t owner;
	int flags;
	int fds[DEPTH]; /* O_PATH, one for each directory from root_fd to here */
	size_t depth;
	struct text resolved;
	char *path;	  /* what was asked for, with the links followed so far put in */
	const char *rest; /* what of it is still to be walked */
	unsigned links;
	struct error **error;
};

static int walk_directory(const struct walk *walk)
{
	return walk->depth > 0 ? walk->fds[walk->depth - 1] : walk->root_fd;
}

static void walk_up(struct walk *walk)
{
	char *slash;

	if (walk->depth == 0)
		return;
	walk->depth--;
	walk->fds[walk->depth] = close_fd(walk->fds[walk->depth]);
	slash = strrchr(walk->resolved.data, '/');
	*slash = '\0';
	walk->resolved.length = (size_t)(slash - walk->resolved.data);
}

static void walk_clear(struct walk *walk)
{
	for (size_t i = 0; i < walk->depth; i++)
		(void)close_fd(walk->fds[i]);
	text_clear(&walk->resolved);
	free(walk->path);
}

static int walk_refuse(const struct walk *walk, int errnum, const char *name, const char *reason)
{
	cleanup_free char *directory = sanitised(walk->resolved.data);
	cleanup_free char *step = sanitised(name);

	return error_set(walk->error, errnum, "%s/%s %s", directory ? directory : "?",
			 step ? step : "?", reason);
}

static int walk_fail(const struct walk *walk, int errnum, const char *name)
{
	return walk_refuse(walk, errnum, name, strerror(errnum));
}

/* A step that somebody else could have made or could change is not taken. */
static int walk_check(const struct walk *walk, const char *name, const struct stat *status)
{
	bool open_to_others = status->st_mode & (S_IWGRP | S_IWOTH);

	if (status->st_uid != 0 && status->st_uid != walk->owner)
		return walk_refuse(walk, EPERM, name,
				   "is not trusted: it belongs to another user; chown it to root");
	/*
	 * In a sticky directory of ours nobody else can replace an entry of ours, and the entry's
	 * owner is looked at next.
	 */
	if (S_ISDIR(status->st_mode) && open_to_others && !(status->st_mode & S_ISVTX))
		return walk_refuse(walk, EPERM, name,
				   "is not trusted: others can write the directory; chmod go-w it");
	if (S_ISREG(status->st_mode) && open_to_others)
		return walk_refuse(walk, EPERM, name,
				   "is not trusted: others can write it; chmod go-w it");
	return 0;
}

/* Puts a link's target before what is left of the path. */
static int walk_follow(struct walk *walk, int link_fd, const char *name)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(link_fd, "", target, sizeof(target));
	char *joined;

	if (length < 0)
		return walk_fail(walk, errno, name);
	if (length == 0 || (size_t)length >= sizeof(target))
		return walk_fail(walk, ENAMETOOLONG, name);
	if (++walk->links > LINKS || (walk->flags & O_NOFOLLOW && !*walk->rest))
		return walk_fail(walk, ELOOP, name);
	target[length] = '\0';
	joined = format_string("%s%s", target, walk->rest);
	if (!joined)
		return walk_fail(walk, ENOMEM, name);
	while (target[0] == '/' && walk->depth > 0)
		walk_up(walk);
	free(walk->path);
	walk->path = joined;
	walk->rest = joined;
	return 0;
}

/* Opens the end of the path: name, or the directory we stand in where that is NULL. */
static int walk_open(struct walk *walk, const char *name, const struct stat *expected, int *ret_fd)
{
	cleanup_close int fd = openat(walk_directory(walk), name ? name : ".",
				      walk->flags | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return walk_fail(walk, errno, name ? name : ".");
	/* Only root or the owner could have changed it: a mistake of theirs, not an attack. */
	if (name && (status.st_dev != expected->st_dev || status.st_ino != expected->st_ino))
		return walk_refuse(walk, EAGAIN, name, "changed while it was opened");
	if (name && text_append_format(&walk->resolved, "/%s", name) < 0)
		return walk_fail(walk, ENOMEM, name);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* One component. 1: go on; 0: that was the end and *ret_fd is open. */
static int walk_step(struct walk *walk, const char *name, int *ret_fd)
{
	cleanup_close int fd = openat(walk_directory(walk), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	int r;

	if (fd < 0 || fstat(fd, &status) < 0)
		return walk_fail(walk, errno, name);
	r = walk_check(walk, name, &status);
	if (r < 0)
		return r;
	if (S_ISLNK(status.st_mode)) {
		r = walk_follow(walk, fd, name);
		return r < 0 ? r : 1;
	}
	if (!S_ISDIR(status.st_mode))
		return *walk->rest ? walk_fail(walk, ENOTDIR, name)
				   : walk_open(walk, name, &status, ret_fd);
	if (walk->depth == DEPTH)
		return walk_fail(walk, ENAMETOOLONG, name);
	if (text_append_format(&walk->resolved, "/%s", name) < 0)
		return walk_fail(walk, ENOMEM, name);
	walk->fds[walk->depth++] = TAKE_FD(fd);
	return 1;
}

static int walk_path(struct walk *walk, int *ret_fd)
{
	int r = 1;

	while (r > 0) {
		char name[NAME_MAX + 1];
		size_t length;

		walk->rest += strspn(walk->rest, "/");
		if (!*walk->rest)
			return walk_open(walk, NULL, NULL, ret_fd);
		length = strcspn(walk->rest, "/");
		if (length > NAME_MAX)
			return walk_fail(walk, ENAMETOOLONG, walk->rest);
		memcpy(name, walk->rest, length);
		name[length] = '\0';
		walk->rest += length;
		if (string_equal(name, ".."))
			walk_up(walk);
		else if (!string_equal(name, "."))
			r = walk_step(walk, name, ret_fd);
	}
	return r;
}

int open_trusted(int root_fd, const char *path, uid_t owner, int flags, int *ret_fd,
		 char **ret_resolved, struct error **error)
{
	cleanup(walk_clear) struct walk walk = {
		.root_fd = root_fd, .owner = owner, .flags = flags, .error = error
	};
	cleanup_close int fd = -1;
	cleanup_free char *shown = sanitised(path);
	char *resolved;
	int r;

	if (path[0] != '/' || flags & (O_CREAT | O_TRUNC))
		return path_error(error, EINVAL, "cannot open as an absolute path", path);
	walk.path = strdup(path);
	walk.rest = walk.path;
	if (!walk.path || text_append(&walk.resolved, "", 0) < 0)
		return path_error(error, ENOMEM, "cannot open", path);
	r = walk_path(&walk, &fd);
	if (r < 0) {
		(void)error_context(error, "cannot open '%s'", shown ? shown : "?");
		return r;
	}
	if (ret_resolved) {
		resolved = walk.resolved.length > 0 ? text_take(&walk.resolved) : strdup("/");
		if (!resolved)
			return path_error(error, ENOMEM, "cannot open", path);
		*ret_resolved = resolved;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}
