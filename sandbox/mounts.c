/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounts by descriptor, see mounts.h. */
#include "sandbox/mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>

#include "lib/base/text.h"

static int set_attributes(int fd, unsigned flags, uint64_t attributes, struct error **error)
{
	struct mount_attr attr = { .attr_set = attributes };

	if (mount_setattr(fd, "", AT_EMPTY_PATH | flags, &attr, sizeof(attr)) < 0)
		return error_set_errno(error, errno, "mount_setattr");
	return 0;
}

static int clone_with(int source_fd, unsigned recursive, uint64_t attributes, int *ret_fd,
		      struct error **error)
{
	cleanup_close int fd = -1;
	int r;

	/* Without AT_RECURSIVE a mount locked below would be EINVAL. */
	fd = open_tree(source_fd, "",
		       (unsigned)AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	if (fd < 0)
		return error_set_errno(error, errno, "open_tree");
	r = set_attributes(fd, recursive, attributes, error);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int mounts_clone(int source_fd, bool writable, int *ret_fd, struct error **error)
{
	return clone_with(source_fd, AT_RECURSIVE,
			  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				  (writable ? 0 : (uint64_t)MOUNT_ATTR_RDONLY),
			  ret_fd, error);
}

int mounts_clone_device(int source_fd, int *ret_fd, struct error **error)
{
	return clone_with(source_fd, 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
			  ret_fd, error);
}

int mounts_map(int mount_fd, int userns_fd, struct error **error)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns_fd };

	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 && errno != EINVAL)
		return error_set_errno(error, errno, "mount_setattr idmap");
	return 0;
}

static int configure(int fs_fd, const char *key, const char *value, struct error **error)
{
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, key, value, 0) < 0)
		return error_set_errno(error, errno, "fsconfig %s=%s", key, value);
	return 0;
}

static int create(int fs_fd, unsigned attributes, int *ret_fd, struct error **error)
{
	int fd;

	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_set_errno(error, errno, "fsconfig create");
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC, attributes);
	if (fd < 0)
		return error_set_errno(error, errno, "fsmount");
	*ret_fd = fd;
	return 0;
}

int mounts_new_tmpfs(uint64_t bytes, uint64_t inodes, const char *mode, int *ret_fd,
		     struct error **error)
{
	cleanup_close int fs_fd = fsopen("tmpfs", FSOPEN_CLOEXEC);
	char number[24];
	int r;

	if (fs_fd < 0)
		return error_set_errno(error, errno, "fsopen tmpfs");
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)bytes);
	r = configure(fs_fd, "size", number, error);
	if (r < 0)
		return r;
	(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)inodes);
	r = configure(fs_fd, "nr_inodes", number, error);
	if (r < 0)
		return r;
	r = configure(fs_fd, "mode", mode, error);
	if (r < 0)
		return r;
	return create(fs_fd, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, ret_fd, error);
}

int mounts_attach(int mount_fd, int directory_fd, const char *path, struct error **error)
{
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH;

	if (!path[0])
		flags |= MOVE_MOUNT_T_EMPTY_PATH;
	if (move_mount(mount_fd, "", directory_fd, path, flags) < 0)
		return error_set_errno(error, errno, "move_mount to '%s'", path);
	return 0;
}

int mounts_seal(int fd, struct error **error)
{
	return set_attributes(fd, 0, MOUNT_ATTR_RDONLY, error);
}
