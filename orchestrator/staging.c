/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories made reachable for the other parts, see staging.h. */
#include "orchestrator/staging.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "lib/base/text.h"
#include "sandbox/killed.h"
#include "sandbox/mounts.h"
#include "sandbox/remedy.h"

#define STAGE "/run/kmodbox"
#define STAGE_MAXIMUM 1024

static int no_place(int errnum, struct error **error)
{
	return error_refuse(error, EXIT_SANDBOX, errnum,
			    "cannot make " STAGE ": %s; root's builds need a /run that can be "
			    "written to (docker or podman run --tmpfs /run)",
			    strerror(errnum));
}

static int refuse_mounts(int r, struct error **error)
{
	remedy_explain(error, REMEDY_SLOT, true);
	if (error)
		error_set_code(*error, EXIT_SANDBOX);
	return r;
}

static int no_mounts(struct error **error)
{
	return refuse_mounts(error_set_errno(error, errno, "private mounts"), error);
}

int staging_try(struct error **error)
{
	int r;

	if (access(STAGE, F_OK) < 0 && (errno != ENOENT || access("/run", W_OK) < 0))
		return no_place(errno, error);
	r = killed_try(KILLED_MOUNTS, error);
	if (r < 0)
		return refuse_mounts(r, error);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return no_mounts(error);
	return 0;
}

int staging_begin(struct error **error)
{
	int r = killed_try(KILLED_MOUNTS, error);

	if (r < 0)
		return refuse_mounts(r, error);
	/*
	 * In a container we may be the last of the namespace that is left, with which its mounts
	 * would come apart: a program of one of them would have no path any more (/proc/self/exe),
	 * and find nothing that stands beside it. So it is kept, until this process ends.
	 */
	if (open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "/proc/self/ns/mnt");
	if (mkdir(STAGE, 0755) < 0 && errno != EEXIST)
		return no_place(errno, error);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount("kmodbox", STAGE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0755,size=1m") < 0)
		return no_mounts(error);
	return 0;
}

/* An empty directory or file of a name that is free. */
static int make_place(bool directory, char **ret_path, struct error **error)
{
	for (unsigned i = 0; i < STAGE_MAXIMUM; i++) {
		cleanup_free char *path = format_string(STAGE "/%u", i);
		int r;

		if (!path)
			return error_set_errno(error, ENOMEM, "staging");
		r = directory ? mkdir(path, 0755) : mknod(path, S_IFREG | 0644, 0);
		if (r == 0) {
			*ret_path = TAKE_PTR(path);
			return 0;
		}
		if (errno != EEXIST)
			return error_set_errno(error, errno, "%s", path);
	}
	return error_set(error, ENOSPC, "more than %d directories to show", STAGE_MAXIMUM);
}

/* Links are followed only where nobody else can have made them. */
static int open_source(const char *path, int *ret_fd, struct error **error)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	cleanup_close int root_fd = -1;
	int fd = sys_openat2(AT_FDCWD, path, &how);

	if (fd >= 0)
		*ret_fd = fd;
	if (fd >= 0 || fd != -ELOOP)
		return fd >= 0 ? 0 : error_set_errno(error, -fd, "%s", path);
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return open_trusted(root_fd, path, geteuid(), O_PATH, ret_fd, NULL, error);
}

int staging_show(const char *path, int userns_fd, char **ret_path, struct error **error)
{
	cleanup_close int source_fd = -1;
	cleanup_close int target_fd = -1;
	cleanup_close int mount_fd = -1;
	cleanup_free char *place = NULL;
	struct stat status;
	int r = open_source(path, &source_fd, error);

	if (r < 0)
		return r;
	if (fstat(source_fd, &status) < 0)
		return error_set_errno(error, errno, "%s", path);
	r = make_place(S_ISDIR(status.st_mode), &place, error);
	if (r < 0)
		return r;
	target_fd = open(place, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (target_fd < 0)
		return error_set_errno(error, errno, "%s", place);
	r = mounts_clone(source_fd, true, &mount_fd, error);
	if (r == 0 && userns_fd >= 0)
		r = mounts_map(mount_fd, userns_fd, error);
	if (r == 0)
		r = mounts_attach(mount_fd, target_fd, "", error);
	if (r < 0) {
		remedy_explain(error, REMEDY_STEP, true);
		(void)error_context(error, "showing %s", path);
		if (error)
			error_set_code(*error, EXIT_SANDBOX);
		return r;
	}
	*ret_path = TAKE_PTR(place);
	return 0;
}
