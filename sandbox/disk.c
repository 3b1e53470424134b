/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees on disk: made, locked and removed, see disk.h. */
#include "sandbox/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "sandbox/disk_internal.h"
#include "sandbox/mounts.h"

#define PREFIX "tree-"
/* So much stays free on the file system, or a twentieth of it where that is less. */
#define FREE_BYTES (UINT64_C(1) << 30)
#define FREE_INODES 100000

static struct sandbox_disk *disk_free(struct sandbox_disk *disk)
{
	for (size_t i = 0; i < SANDBOX_TREES; i++)
		free(disk->trees[i].place);
	(void)close_fd(disk->userns_fd);
	free(disk);
	return NULL;
}

/* Links on the way are followed only where nobody else can have made them. */
static int resolve_place(const char *place, char **ret_resolved, struct error **error)
{
	const struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_SYMLINKS };
	cleanup_close int fd = sys_openat2(AT_FDCWD, place, &how);
	cleanup_close int root_fd = -1, resolved_fd = -1;

	if (fd >= 0) {
		*ret_resolved = strdup(place);
		return *ret_resolved ? 0 : error_set_errno(error, ENOMEM, "%s", place);
	}
	if (fd != -ELOOP)
		return error_set_errno(error, -fd, "%s", place);
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return open_trusted(root_fd, place, geteuid(), O_PATH | O_DIRECTORY, &resolved_fd,
			    ret_resolved, error);
}

static int prepare_tree(const char *place, struct disk_tree *tree, struct error **error)
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return error_set_errno(error, errno, "cannot get random bytes");
	(void)snprintf(tree->name, sizeof(tree->name), PREFIX "%016llx%016llx",
		       (unsigned long long)random[0], (unsigned long long)random[1]);
	return resolve_place(place, &tree->place, error);
}

int disk_new(const struct sandbox_spec *spec, struct sandbox_disk **ret_disk, struct error **error)
{
	struct sandbox_disk *disk = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->tree_count; i++) {
		if (!spec->trees[i].place)
			continue;
		if (!disk) {
			disk = calloc(1, sizeof(*disk));
			if (!disk)
				return error_set_errno(error, ENOMEM, "scratch");
			disk->userns_fd = -1;
		}
		r = prepare_tree(spec->trees[i].place, &disk->trees[i], error);
	}
	/* The trees may be removed when the caller has closed his. */
	if (r == 0 && disk && spec->slot.userns_fd >= 0) {
		disk->userns_fd = fcntl(spec->slot.userns_fd, F_DUPFD_CLOEXEC, 0);
		if (disk->userns_fd < 0)
			r = error_set_errno(error, errno, "slot user namespace");
	}
	if (r < 0 && disk)
		disk = disk_free(disk);
	if (r == 0)
		*ret_disk = disk;
	return r;
}

int disk_open_place(const char *place, int *ret_fd)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_SYMLINKS };
	int fd = sys_openat2(AT_FDCWD, place, &how);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

static void remove_all(const struct sandbox_disk *disk)
{
	for (size_t i = 0; i < SANDBOX_TREES; i++) {
		cleanup_close int place_fd = -1;

		/* What cannot be removed now is found by the next sandbox that uses the place. */
		if (disk->trees[i].place && disk_open_place(disk->trees[i].place, &place_fd) == 0)
			ignore_result(remove_tree(place_fd, disk->trees[i].name, NULL));
	}
}

struct sandbox_disk *disk_remove(struct sandbox_disk *disk)
{
	pid_t pid;

	if (!disk)
		return NULL;
	if (disk->userns_fd < 0) {
		remove_all(disk);
		return disk_free(disk);
	}
	pid = fork();
	if (pid == 0) {
		if (slot_join(disk->userns_fd, NULL) == 0)
			remove_all(disk);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return disk_free(disk);
}

bool disk_is_full(int tree_fd, char *limit, size_t size)
{
	struct statvfs status;
	uint64_t bytes, inodes;

	if (fstatvfs(tree_fd, &status) < 0)
		return false;
	bytes = (uint64_t)status.f_blocks * status.f_frsize / 20;
	bytes = bytes < FREE_BYTES ? bytes : FREE_BYTES;
	inodes = status.f_files / 20 < FREE_INODES ? status.f_files / 20 : FREE_INODES;
	if ((uint64_t)status.f_bavail * status.f_frsize < bytes)
		(void)snprintf(limit, size, "free disk space (%llu MiB must stay free)",
			       (unsigned long long)(bytes >> 20));
	else if (status.f_favail < inodes)
		(void)snprintf(limit, size, "free inodes of the disk (%llu must stay free)",
			       (unsigned long long)inodes);
	else
		return false;
	return true;
}

/* Whoever decides between a dead directory and one that is just being made has the place's lock. */
static int lock_place(int place_fd, struct error **error)
{
	while (flock(place_fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return error_set_errno(error, errno, "cannot lock the place of scratch");
	}
	return 0;
}

/* Opens a directory of a sandbox that is dead; -EWOULDBLOCK: it lives. */
static int open_dead(int place_fd, const char *name, int *ret_fd)
{
	cleanup_close int fd = -1;
	int r = lock_place(place_fd, NULL);

	if (r < 0)
		return r;
	fd = openat(place_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	(void)flock(place_fd, LOCK_UN);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

/* What a sandbox left whose parts were all killed, or whose host lost power. */
static int remove_dead(int place_fd, struct error **error)
{
	int list_fd = openat(place_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = list_fd < 0 ? NULL : fdopendir(list_fd);
	const struct dirent *entry;

	if (!directory) {
		(void)close_fd(list_fd);
		return error_set_errno(error, errno, "cannot list the place of scratch");
	}
	while ((entry = readdir(directory))) {
		cleanup_close int fd = -1; /* keeps its lock until it is gone */

		if (string_starts_with(entry->d_name, PREFIX) &&
		    open_dead(place_fd, entry->d_name, &fd) == 0)
			ignore_result(remove_tree(place_fd, entry->d_name, NULL));
	}
	(void)closedir(directory);
	return 0;
}

static int make_locked(int place_fd, const char *name, int *ret_mount_fd, int *ret_fd,
		       struct error **error)
{
	cleanup_close int path_fd = -1, mount_fd = -1, fd = -1;
	struct statvfs status;
	int r;

	if (mkdirat(place_fd, name, 0755) < 0)
		return error_set_errno(error, errno, "cannot make a directory");
	path_fd = openat(place_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (path_fd < 0)
		return error_set_errno(error, errno, "cannot open a new directory");
	r = mounts_clone(path_fd, true, &mount_fd, error);
	if (r < 0)
		return r;
	fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstatvfs(fd, &status) < 0)
		return error_set_errno(error, errno, "cannot lock a new directory");
	if (status.f_flag & (ST_NOEXEC | ST_RDONLY))
		return error_set(error, EACCES,
				 "its file system is mounted noexec or read-only; give another");
	*ret_mount_fd = TAKE_FD(mount_fd);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int disk_make_tree(const struct sandbox_disk *disk, size_t index, int *ret_mount_fd, int *ret_fd,
		   struct error **error)
{
	const struct disk_tree *tree = &disk->trees[index];
	cleanup_close int place_fd = -1;
	int r = disk_open_place(tree->place, &place_fd);

	if (r < 0)
		return error_set_errno(error, -r, "place of scratch %s", tree->place);
	r = remove_dead(place_fd, error);
	if (r == 0)
		r = lock_place(place_fd, error);
	if (r == 0)
		r = make_locked(place_fd, tree->name, ret_mount_fd, ret_fd, error);
	/* Closing place_fd gives its lock back. */
	return r < 0 ? error_context(error, "place of scratch %s", tree->place) : 0;
}
