/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking what a build left. The opener decides what may be taken; here it becomes a sealed copy and
 * the messages say what a driver's author should look at. The scratch is hostile, the path is a
 * checked recipe's, and by now no process is left that could change either.
 */
#include "lib/artifacts/collect.h"

#include <fcntl.h>
#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/text.h"

void artifact_clear(struct artifact *artifact)
{
	free(artifact->name);
	(void)close_fd(artifact->fd);
	*artifact = (struct artifact){ .fd = -1 };
}

/* "src/demo.ko" gives "demo"; a file that is no module keeps its whole name. */
static char *artifact_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t length = strlen(name);

	if (length > 3 && string_ends_with(name, ".ko"))
		length -= 3;
	return strndup(name, length);
}

/* A link above the file looks to openat2(2) like one in its place: say which it is. */
static bool parent_is_link(int scratch_fd, const char *path)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	cleanup_close int fd = -1;

	return parent &&
	       open_beneath(scratch_fd, parent, O_PATH | O_DIRECTORY, 0, &fd, NULL) == -ELOOP;
}

/* Consumes cause. */
static int refuse(int scratch_fd, const char *path, int result, struct error *cause,
		  struct error **error)
{
	cleanup_error struct error *owned_cause = cause;
	cleanup_free char *shown = sanitised(path);
	const char *name = shown ? shown : "?";

	if (result == -ENOENT || result == -ENOTDIR)
		(void)error_set(error, ENOENT,
				"the build made no %s; see its log, and BUILT_MODULE_NAME and "
				"BUILT_MODULE_LOCATION in dkms.conf",
				name);
	else if (result == -ELOOP && parent_is_link(scratch_fd, path))
		(void)error_set(error, ELOOP,
				"%s is behind a symbolic link; name the real directory in "
				"BUILT_MODULE_LOCATION",
				name);
	else if (result == -EACCES)
		(void)error_set(error, EACCES,
				"%s cannot be read; the build must leave it readable for others "
				"(chmod a+r)",
				name);
	else if (error && result == -EFBIG)
		*error = TAKE_PTR(owned_cause); /* what it is and how large it may be */
	else if (error) {
		*error = TAKE_PTR(owned_cause);
		(void)error_context(
			error, "the build must leave each module as a regular file of its own");
	}
	if (error)
		error_set_code(*error, result == -EFBIG ? EXIT_LIMIT : EXIT_NO_MODULE);
	return result == -ENOTDIR ? -ENOENT : result;
}

int collect_file(int scratch_fd, const char *path, uint64_t maximum, struct artifact *ret_artifact,
		 struct error **error)
{
	cleanup(artifact_clear) struct artifact artifact = { .fd = -1 };
	struct error *cause = NULL;
	cleanup_close int fd = -1;
	int result;

	if (!path_is_safe(path, strlen(path))) {
		result = error_set(&cause, EINVAL, "not a relative path below the build");
		return refuse(scratch_fd, path, result, cause, error);
	}
	artifact.name = artifact_name(path);
	if (!artifact.name)
		return error_set_errno(error, ENOMEM, "cannot take what the build left");
	result = open_regular_beneath(scratch_fd, path, maximum, &fd, &artifact.size, &cause);
	if (result < 0)
		return refuse(scratch_fd, path, result, cause, error);
	result = memfd_from_file("kmodbox-artifact", fd, artifact.size, &artifact.fd, error);
	if (result == 0)
		result = digest_file(artifact.fd, &artifact.digest, error);
	if (result < 0)
		return result;
	*ret_artifact = artifact;
	artifact = (struct artifact){ .fd = -1 };
	return 0;
}
