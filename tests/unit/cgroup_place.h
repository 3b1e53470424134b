/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place in the host's own hierarchy of cgroups of version 2, for tests that need a real one, and
 * why there is none. With the controllers that the host has; on a hybrid host that is none.
 */
#ifndef KMODBOX_TESTS_CGROUP_PLACE_H
#define KMODBOX_TESTS_CGROUP_PLACE_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/cgroup.h"

struct cgroup_place {
	int root_fd; /* of the hierarchy */
	int fd;
	char name[64];
};

#define CGROUP_PLACE_NONE ((struct cgroup_place){ .root_fd = -1, .fd = -1 })

static inline const char *cgroup_place_open(struct cgroup_place *place)
{
	static const char *const paths[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	static const char *const wanted[] = { "+memory", "+pids", "+cpu" };

	*place = CGROUP_PLACE_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(paths) && place->root_fd < 0; i++) {
		place->root_fd = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (place->root_fd >= 0 && !cgroup_is_one(place->root_fd))
			place->root_fd = close_fd(place->root_fd);
	}
	if (place->root_fd < 0)
		return "no cgroups of version 2 here";
	(void)snprintf(place->name, sizeof(place->name), "kmodbox-test-%d", (int)getpid());
	if (mkdirat(place->root_fd, place->name, 0755) < 0) {
		place->root_fd = close_fd(place->root_fd);
		return "cgroups may not be made here";
	}
	place->fd = openat(place->root_fd, place->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		ignore_result(cgroup_write(place->root_fd, "cgroup.subtree_control", wanted[i]));
		ignore_result(cgroup_write(place->fd, "cgroup.subtree_control", wanted[i]));
	}
	return NULL;
}

/* How many cgroups of such names are in it, and whether there are processes in any. */
static inline unsigned cgroup_place_count(int fd, const char *prefix, bool *ret_populated)
{
	DIR *list = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *entry;
	unsigned count = 0;

	while (list && (entry = readdir(list))) {
		cleanup_close int found_fd = -1;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
		    strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		count++;
		found_fd = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (ret_populated && cgroup_read(found_fd, "cgroup.events", "populated") == 1)
			*ret_populated = true;
	}
	if (list)
		(void)closedir(list);
	return count;
}

/* 0: nothing was left in it. */
static inline int cgroup_place_close(struct cgroup_place *place)
{
	int r = 0;

	if (place->fd >= 0)
		r = unlinkat(place->root_fd, place->name, AT_REMOVEDIR) < 0 ? -errno : 0;
	place->fd = close_fd(place->fd);
	place->root_fd = close_fd(place->root_fd);
	return r;
}

#endif
