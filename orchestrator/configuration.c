/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of root's own, see configuration.h. */
#include "orchestrator/configuration.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"

static int refuse(struct error **error, int errnum, const char *place, const char *path,
		  const char *reason)
{
	cleanup_free char *shown = sanitised(path);

	(void)error_set(error, errnum, "%s/%s %s", place, shown ? shown : "?", reason);
	if (error)
		error_set_code(*error, EXIT_USAGE);
	return -errnum;
}

static int check_owner(int fd, const char *place, const char *path, bool *ret_executable,
		       struct error **error)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return refuse(error, errno, place, path, "cannot be looked at");
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return refuse(error, EPERM, place, path,
			      "is not root's, nor yours: what it says is not done (chown root)");
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return refuse(error, EPERM, place, path,
			      "may be written to by others: what it says is not done "
			      "(chmod go-w)");
	if (ret_executable)
		*ret_executable = status.st_mode & S_IXUSR;
	return 0;
}

int configuration_open(const char *path, int *ret_fd, struct error **error)
{
	cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_error struct error *reason = NULL;
	int r = root_fd < 0 ? error_set_errno(&reason, errno, "/")
			    : open_trusted(root_fd, path, geteuid(), O_RDONLY | O_DIRECTORY, ret_fd,
					   NULL, &reason);

	if (r == -ENOENT)
		*ret_fd = -1;
	if (r == 0 || r == -ENOENT)
		return 0;
	if (error) {
		*error = TAKE_PTR(reason);
		error_set_code(*error, EXIT_USAGE);
	}
	return r;
}

int configuration_open_below(int directory_fd, const char *place, const char *name, int *ret_fd,
			     struct error **error)
{
	cleanup_close int fd = -1;
	int r = open_beneath(directory_fd, name, O_RDONLY | O_DIRECTORY, 0, &fd, NULL);

	if (r == -ENOENT || r == -ENOTDIR)
		return r;
	if (r < 0)
		return refuse(error, -r, place, name,
			      r == -EACCES ? "cannot be read by the account that builds: make it "
					     "readable (chmod a+rx)"
					   : "cannot be opened; a link is not read in its place");
	r = check_owner(fd, place, name, NULL, error);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* The directories between directory_fd and the file. What they are the file's own opening tells. */
static int check_way(int directory_fd, const char *place, const char *path, struct error **error)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		cleanup_free char *parent = strndup(path, (size_t)(slash - path));
		cleanup_close int fd = -1;
		int r;

		if (!parent)
			return error_set_errno(error, ENOMEM, "%s", place);
		if (open_beneath(directory_fd, parent, O_PATH | O_DIRECTORY, 0, &fd, NULL) < 0)
			return 0;
		r = check_owner(fd, place, parent, NULL, error);
		if (r < 0)
			return r;
	}
	return 0;
}

int configuration_read(int directory_fd, const char *place, const char *path, uint64_t maximum,
		       struct text *ret_text, bool *ret_executable, struct error **error)
{
	cleanup_text struct text text = { 0 };
	cleanup_close int fd = -1;
	bool executable = false;
	struct stat status;
	int r = check_way(directory_fd, place, path, error);

	if (r < 0)
		return r;
	r = open_beneath(directory_fd, path, O_RDONLY | O_NONBLOCK, 0, &fd, NULL);
	if (r == -ENOENT)
		return r;
	if (r == -EACCES)
		return refuse(error, EACCES, place, path,
			      "cannot be read by the account that builds: make it readable "
			      "(chmod a+r)");
	if (r < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return refuse(error, r < 0 ? -r : EINVAL, place, path,
			      "is no regular file; a link or a directory is not read in its place");
	r = check_owner(fd, place, path, &executable, error);
	if (r < 0)
		return r;
	r = read_fd(fd, maximum, &text, NULL);
	if (r < 0)
		return refuse(error, -r, place, path,
			      r == -EFBIG ? "is too large" : "cannot be read");
	*ret_text = text;
	text = (struct text){ 0 };
	if (ret_executable)
		*ret_executable = executable;
	return 0;
}
