/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules of an archive of builds as they were before they were signed: nobody else's compression
 * and no signature of others goes on to the signer. Every byte is hostile, and the directory holds
 * what a hostile archive said. It has no openat2(2), and nobody else writes there: each directory
 * and file is opened in its parent, never through a link.
 */
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/build_files.h"
#include "lib/base/files.h"
#include "lib/base/text.h"
#include "lib/recipes/unpack.h"

#define LEVELS 2 /* dkms_main_tree/KERNEL/ARCHITECTURE */
/* Of struct module_signature, whose last four bytes are the signature's length, and its marker:
 * include/linux/module_signature.h. */
#define MARKER "~Module signature appended~\n"
#define TRAILER (12 + (off_t)(sizeof(MARKER) - 1))

static int is_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* Calls function with each name of a directory; listed before, since the function changes it. */
static int for_each(int directory_fd, void *context,
		    int (*function)(int directory_fd, const char *name, void *context,
				    struct error **error),
		    struct error **error)
{
	struct dirent **entries = NULL;
	int count = scandirat(directory_fd, ".", &entries, is_entry, alphasort);
	int r = 0;

	if (count < 0)
		return error_set_errno(error, errno, "cannot list a directory of the archive");
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = function(directory_fd, entries[i]->d_name, context, error);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* -ENOTDIR where it is none. */
static int open_directory(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Cuts appended signatures off, all of them. */
static int cut_signatures(int fd, const char *name, struct error **error)
{
	struct stat status;
	uint8_t trailer[TRAILER];

	for (;;) {
		uint64_t length;

		if (fstat(fd, &status) < 0)
			return unpack_refuse(error, name, strerror(errno));
		if (status.st_size < TRAILER ||
		    pread(fd, trailer, sizeof(trailer), status.st_size - TRAILER) != TRAILER ||
		    memcmp(trailer + 12, MARKER, sizeof(MARKER) - 1) != 0)
			return 0;
		length = (uint64_t)trailer[8] << 24 | (uint64_t)trailer[9] << 16 |
			 (uint64_t)trailer[10] << 8 | trailer[11];
		if (length > (uint64_t)(status.st_size - TRAILER))
			return unpack_refuse(error, name, "has a signature longer than itself");
		if (ftruncate(fd, status.st_size - TRAILER - (off_t)length) < 0)
			return unpack_refuse(error, name, strerror(errno));
	}
}

static int copy_unpacked(struct archive *archive, int fd, const char *name, struct error **error)
{
	int64_t left = (int64_t)BUILD_MODULE_MAXIMUM;
	struct archive_entry *entry;
	char buffer[65536];
	la_ssize_t got;
	int r;

	/* Without a filter it would be taken as it is. */
	if (archive_read_next_header(archive, &entry) != ARCHIVE_OK ||
	    archive_filter_code(archive, 0) == ARCHIVE_FILTER_NONE)
		return unpack_refuse(error, name, "cannot be decompressed");
	while ((got = archive_read_data(archive, buffer, sizeof(buffer))) > 0) {
		left -= got;
		r = left < 0 ? -EFBIG : write_all(fd, buffer, (size_t)got);
		if (r < 0)
			return unpack_refuse(error, name, strerror(-r));
	}
	return got < 0 ? unpack_refuse(error, name, "cannot be decompressed") : 0;
}

static int decompress(int source_fd, int fd, const char *name, struct error **error)
{
	struct archive *archive = unpack_reader_new();
	int r;

	if (archive && archive_read_support_format_raw(archive) == ARCHIVE_OK &&
	    archive_read_open_fd(archive, source_fd, 65536) == ARCHIVE_OK)
		r = copy_unpacked(archive, fd, name, error);
	else
		r = unpack_refuse(error, name, "cannot be decompressed");
	if (archive)
		(void)archive_read_free(archive);
	return r;
}

/* "demo.ko.xz" in its directory becomes "demo.ko". */
static int unpack_one(int directory_fd, const char *name, size_t stem_length, struct error **error)
{
	cleanup_free char *plain = strndup(name, stem_length);
	cleanup_close int source_fd = -1, fd = -1;
	struct stat status;
	int r;

	if (!plain)
		return error_set_errno(error, ENOMEM, "unpacking modules");
	source_fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (source_fd < 0 || fstat(source_fd, &status) < 0 || !S_ISREG(status.st_mode))
		return unpack_refuse(error, name, "is no regular file");
	fd = openat(directory_fd, plain, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return unpack_refuse(error, name,
				     errno == EEXIST ? "is there twice, compressed and not"
						     : strerror(errno));
	r = decompress(source_fd, fd, name, error);
	if (r == 0)
		r = cut_signatures(fd, name, error);
	if (r == 0 && unlinkat(directory_fd, name, 0) < 0)
		r = unpack_refuse(error, name, strerror(errno));
	return r;
}

static int take_module(int directory_fd, const char *name, void *context, struct error **error)
{
	static const char *const suffixes[] = { ".ko.gz", ".ko.xz", ".ko.zst" };
	cleanup_close int fd = -1;
	struct stat status;

	(void)context;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (string_ends_with(name, suffixes[i]))
			return unpack_one(directory_fd, name,
					  strlen(name) - strlen(suffixes[i]) + strlen(".ko"),
					  error);
	if (!string_ends_with(name, ".ko"))
		return 0;
	fd = openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return unpack_refuse(error, name, "is no regular file");
	return cut_signatures(fd, name, error);
}

/* Of dkms_main_tree, of a kernel in it, and of an architecture: context counts down. */
static int take_level(int parent_fd, const char *name, void *context, struct error **error)
{
	size_t level = *(const size_t *)context;
	cleanup_close int fd = open_directory(parent_fd, name);
	cleanup_close int modules_fd = -1;

	if (fd < 0)
		return 0; /* old versions of DKMS put a file beside the kernels */
	if (level > 0) {
		level--;
		return for_each(fd, &level, take_level, error);
	}
	modules_fd = open_directory(fd, "module");
	return modules_fd < 0 ? 0 : for_each(modules_fd, NULL, take_module, error);
}

int unpack_modules(int top_fd, struct error **error)
{
	size_t level = LEVELS;

	return take_level(top_fd, "dkms_main_tree", &level, error);
}
