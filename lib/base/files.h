/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files by (directory descriptor, relative path). Foreign trees are opened with openat2(2) BENEATH,
 * NO_SYMLINKS, NO_MAGICLINKS and NO_XDEV; system paths that are links (/lib, /lib/modules/K/build)
 * with one opener that accepts only steps owned by root or the caller. Lessons of CVE-2024-21626,
 * CVE-2024-42472 and CVE-2026-39860 (sources followed as names): nothing here resolves a name
 * twice.
 */
#ifndef KMODBOX_BASE_FILES_H
#define KMODBOX_BASE_FILES_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/cleanup.h"
#include "lib/base/error.h"
#include "lib/base/text.h"

/* "ACTION 'PATH': reason", the path sanitised; -errnum. For messages about names that others chose.
 */
int path_error(struct error **error, int errnum, const char *action, const char *path);
/*
 * openat2 below directory_fd, O_CLOEXEC added. path may be "." for the directory itself.
 * -ELOOP: a symlink on the way; -EXDEV: leads out or to another mount.
 */
int open_beneath(int directory_fd, const char *path, int flags, mode_t mode, int *ret_fd,
		 struct error **error) must_check;
/*
 * The directory that holds path's last component, opened for reading; path must be path_is_safe().
 * ret_name points into path.
 */
int open_parent_beneath(int directory_fd, const char *path, int *ret_fd, const char **ret_name,
			struct error **error) must_check;
/*
 * A foreign regular file for reading: O_NONBLOCK|O_NOFOLLOW, must be S_ISREG with one link and at
 * most maximum bytes. The message says which it was: symlink, FIFO, hard link, too large.
 */
int open_regular_beneath(int directory_fd, const char *path, uint64_t maximum, int *ret_fd,
			 uint64_t *ret_size, struct error **error) must_check;
/*
 * Walks an absolute path below root_fd component by component, following links only as long as
 * each directory and link is owned by root or by owner and is not writable by others (a sticky
 * directory like /tmp is accepted for an entry that root or owner owns). Links that are absolute
 * start again at root_fd, ".." never leaves it. At most 40 links. What the path ends at is checked
 * like the steps (a regular file too; of a device or socket only the owner). flags as for openat
 * (O_PATH, O_DIRECTORY...; O_NOFOLLOW refuses a link at the end), without O_CREAT. ret_resolved
 * (may be NULL): the path without links, absolute below root_fd, to be freed.
 */
int open_trusted(int root_fd, const char *path, uid_t owner, int flags, int *ret_fd,
		 char **ret_resolved, struct error **error) must_check;
/* mkdir -p below a directory, no links followed; umask(2) counts. Existing ones stay as they are.
 */
int make_directories(int directory_fd, const char *path, mode_t mode,
		     struct error **error) must_check;
/*
 * rm -r of one entry below a directory: by descriptors, never through a link or a mount, however
 * deep, whatever its modes. ENOENT is 0.
 */
int remove_tree(int directory_fd, const char *path, struct error **error) must_check;
/* The directory path below directory_fd ("." for itself) as a list, by a descriptor of its own. */
int list_open(int directory_fd, const char *path, DIR **ret_list, struct error **error) must_check;
/* The next name, never "." or ".."; NULL at the end, with errno 0, or where it cannot be read. */
const char *list_next(DIR *list);
static inline void cleanup_list_function(DIR **list)
{
	if (*list)
		(void)closedir(*list);
}
#define cleanup_list cleanup(cleanup_list_function)
/* Whole file into text; regular, at most maximum bytes (-EFBIG). read_fd(): from its position on.
 */
int read_file(int directory_fd, const char *path, uint64_t maximum, struct text *ret_text,
	      struct error **error) must_check;
int read_fd(int fd, uint64_t maximum, struct text *ret_text, struct error **error) must_check;
/*
 * Writes beside, fsyncs, renames into place, fsyncs the directory: old or new, never half. mode is
 * what the file gets, whatever the umask.
 */
int write_file_atomically(int directory_fd, const char *path, const void *bytes, size_t length,
			  mode_t mode, struct error **error) must_check;
/* All of it, over short writes and EINTR: 0 or -errno. */
int write_all(int fd, const void *bytes, size_t length) must_check;
/* Copies size bytes from offset 0 of source_fd to target_fd's position; -EIO if it is shorter. */
int copy_bytes(int target_fd, int source_fd, uint64_t size, struct error **error) must_check;

#endif
