/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names in a directory, one after the other. The directory may be a foreign one. */
#include <fcntl.h>

#include "lib/base/files.h"

int list_open(int directory_fd, const char *path, DIR **ret_list, struct error **error)
{
	cleanup_close int fd = -1;
	int r = open_beneath(directory_fd, path, O_RDONLY | O_DIRECTORY, 0, &fd, error);
	DIR *list = r < 0 ? NULL : fdopendir(fd);

	if (r == 0 && !list)
		r = path_error(error, errno, "cannot read the directory", path);
	if (r < 0)
		return r;
	(void)TAKE_FD(fd);
	*ret_list = list;
	return 0;
}

const char *list_next(DIR *list)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(list);
	} while (entry && (string_equal(entry->d_name, ".") || string_equal(entry->d_name, "..")));
	return entry ? entry->d_name : NULL;
}
