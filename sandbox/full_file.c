/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file as large as one may be, see full_file.h. What lies there is hostile: it is looked at by
 * name and never opened, directories are opened without following a link, both within bounds.
 */
#include "sandbox/full_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/files.h"

#define DEPTH 32
#define ENTRIES 200000 /* a fifth of a second */

static bool find(int directory_fd, const char *path, unsigned depth, unsigned *entries,
		 uint64_t size)
{
	cleanup_list DIR *list = NULL;
	bool found = false;
	const char *name;

	if (depth == DEPTH || list_open(directory_fd, path, &list, NULL) < 0)
		return false;
	while (!found && *entries > 0 && (name = list_next(list))) {
		struct stat status;

		--*entries;
		if (fstatat(dirfd(list), name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISDIR(status.st_mode))
			found = find(dirfd(list), name, depth + 1, entries, size);
		else
			found = S_ISREG(status.st_mode) && (uint64_t)status.st_size == size;
	}
	return found;
}

bool full_file_is_below(int directory_fd, uint64_t size)
{
	unsigned entries = ENTRIES;

	return find(directory_fd, ".", 0, &entries, size);
}
