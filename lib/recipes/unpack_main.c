/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-unpack: what touches archives. Runs only inside a sandbox, in an empty scratch directory:
 * libarchive reads hostile bytes.
 *
 *	kmodbox-unpack			a source archive on fd 0 becomes a snapshot on fd 3
 *	kmodbox-unpack tarball		an archive of builds: the same, and its modules as they were
 *					before they were signed and compressed
 *	kmodbox-unpack pack COMPRESSION	a snapshot on fd 0 becomes a tar archive on fd 3
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/unpack.h"

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* "demo-v0.1/" alone at the top is taken off. */
static int open_source(int top_fd, int *ret_fd, struct error **error)
{
	struct dirent **entries = NULL;
	int count = scandirat(top_fd, ".", &entries, is_entry, NULL);
	const char *name = ".";
	struct stat status;
	int fd;

	if (count < 0)
		return error_set_errno(error, errno, "cannot list the scratch directory");
	if (count == 1 && fstatat(top_fd, entries[0]->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(status.st_mode))
		name = entries[0]->d_name;
	fd = openat(top_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	while (count > 0)
		free(entries[--count]);
	free(entries);
	if (fd < 0)
		return error_set_errno(error, errno, "cannot open the unpacked source");
	*ret_fd = fd;
	return 0;
}

static int unpack(bool tarball, struct error **error)
{
	cleanup_close int top_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int source_fd = -1;
	int r;

	if (top_fd < 0)
		return error_set_errno(error, errno, "cannot open the scratch directory");
	r = unpack_members(top_fd, error);
	if (r == 0 && tarball)
		r = unpack_modules(top_fd, error);
	if (r == 0 && !tarball)
		r = open_source(top_fd, &source_fd, error);
	return r < 0 ? r
		     : snapshot_write_directory(tarball ? top_fd : source_fd, UNPACK_OUTPUT_FD,
						error);
}

int main(int argc, char **argv)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	int r;

	/* Names in pax headers are UTF-8; glibc brings this locale with it. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	umask(077);
	if (argc == 3 && string_equal(argv[1], "pack"))
		r = unpack_pack(argv[2], &error);
	else
		r = unpack(argc == 2 && string_equal(argv[1], "tarball"), &error);
	if (r == 0)
		return 0;
	text = error_describe(error);
	(void)fprintf(stderr, "kmodbox-unpack: %s\n", text ? text : "out of memory");
	return EXIT_BAD_ARCHIVE;
}
