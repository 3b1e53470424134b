/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The members of a source archive, written to a directory. libarchive reads hostile bytes. What is
 * not liked is refused instead of skipped, and files are written here, below one descriptor and
 * never through a link: libarchive's own disk writer has been led outside before (GHSA-gr92 of Nix,
 * 2026). The sandbox's filter has no openat2(2), so names are walked component by component.
 */
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/unpack.h"

/* Sources pack to a fifth; a bomb is known early, before it has filled what it may have. */
#define RATIO_MAXIMUM 200u
#define NAME_SHOWN 150u /* a name may be a mebibyte long */
#define RATIO_FROM (UINT64_C(256) << 20)

struct unpacking {
	struct archive *archive;
	int top_fd;
	uint32_t members;
	uint64_t bytes;
};

int unpack_refuse(struct error **error, const char *name, const char *reason)
{
	cleanup_free char *head = strndup(name, NAME_SHOWN);
	cleanup_free char *shown = head ? sanitised(head) : NULL;

	return error_set(error, EINVAL, "member '%s%s': %s", shown ? shown : "?",
			 strlen(name) > NAME_SHOWN ? "..." : "", reason);
}

/* Says what went wrong below in terms of the member. */
static int refuse_errno(struct error **error, const char *name, int errnum)
{
	if (errnum == E2BIG)
		return unpack_refuse(error, name, "is one too many");
	if (errnum == EDQUOT)
		return unpack_refuse(error, name,
				     "makes the archive more than 200 times as large as it is");
	if (errnum == EEXIST)
		return unpack_refuse(error, name, "is in the archive twice");
	if (errnum == ELOOP || errnum == ENOTDIR)
		return unpack_refuse(error, name, "lies below a member that is no directory");
	return unpack_refuse(error, name, strerror(errnum));
}

/*
 * "./a/b/" becomes "a/b", in place. An empty result is the top itself. All else that is no plain
 * relative path is refused.
 */
static int member_path(const char *name, char path[1024], struct error **error)
{
	size_t length, depth = 0;

	if (name[0] == '/')
		return unpack_refuse(error, name, "has an absolute path");
	while (name[0] == '.' && (name[1] == '/' || name[1] == '\0'))
		name += name[1] == '/' ? 2 : 1;
	length = strlen(name);
	while (length > 0 && name[length - 1] == '/')
		length--;
	for (size_t i = 0; i < length; i++)
		depth += name[i] == '/';
	if (depth > SNAPSHOT_DEPTH)
		return unpack_refuse(error, name, "is nested more than 64 directories deep");
	if (length > 0 && !path_is_safe(name, length))
		return unpack_refuse(
			error, name,
			"is no plain relative path ('..', control characters and more than "
			"1023 bytes are refused)");
	memcpy(path, name, length);
	path[length] = '\0';
	return 0;
}

/*
 * Opens the directory that holds path, made where it is missing; *ret_last is the last component.
 * 0 or -errno.
 */
static int open_parent(struct unpacking *unpacking, char *path, int *ret_fd, const char **ret_last)
{
	cleanup_close int current = fcntl(unpacking->top_fd, F_DUPFD_CLOEXEC, 0);
	char *slash;

	if (current < 0)
		return -errno;
	for (; (slash = strchr(path, '/')); path = slash + 1) {
		int next;

		*slash = '\0';
		if (mkdirat(current, path, 0700) == 0) {
			/* Without a member of its own it counts as one. */
			if (unpacking->members++ >= SNAPSHOT_ENTRIES)
				return -E2BIG;
		} else if (errno != EEXIST) {
			return -errno;
		}
		next = openat(current, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return -errno;
		close_fd(current);
		current = next;
	}
	*ret_last = path;
	*ret_fd = TAKE_FD(current);
	return 0;
}

static int count_bytes(struct unpacking *unpacking, uint64_t bytes)
{
	const la_int64_t packed = archive_filter_bytes(unpacking->archive, -1);

	if (bytes > SNAPSHOT_BYTES - unpacking->bytes)
		return -EFBIG;
	unpacking->bytes += bytes;
	if (unpacking->bytes > RATIO_FROM && packed >= 0 &&
	    unpacking->bytes / RATIO_MAXIMUM > (uint64_t)packed)
		return -EDQUOT;
	return 0;
}

static int write_content(struct unpacking *unpacking, int fd, const char *name,
			 struct error **error)
{
	char buffer[65536];
	la_ssize_t got;

	while ((got = archive_read_data(unpacking->archive, buffer, sizeof(buffer))) > 0) {
		int r = count_bytes(unpacking, (uint64_t)got);

		if (r == 0)
			r = write_all(fd, buffer, (size_t)got);
		if (r < 0)
			return refuse_errno(error, name, -r);
	}
	if (got < 0)
		return unpack_refuse(error, name, archive_error_string(unpacking->archive));
	return 0;
}

/* A regular file that is there already, for reading. */
static int open_earlier(struct unpacking *unpacking, const char *link, int *ret_fd,
			struct stat *ret_status)
{
	cleanup_close int parent_fd = -1, fd = -1;
	char path[1024];
	const char *last;

	if (member_path(link, path, NULL) < 0 ||
	    open_parent(unpacking, path, &parent_fd, &last) < 0)
		return -EINVAL;
	fd = openat(parent_fd, *last ? last : ".", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, ret_status) < 0 || !S_ISREG(ret_status->st_mode))
		return -EINVAL;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int create_file(struct archive_entry *entry, int parent_fd, const char *last)
{
	mode_t mode = archive_entry_perm(entry) & 0100 ? 0700 : 0600;
	int fd =
		openat(parent_fd, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd;
}

/* A hard link must name a file that came earlier; it becomes a copy. */
static int take_hard_link(struct unpacking *unpacking, struct archive_entry *entry, int parent_fd,
			  const char *last, struct error **error)
{
	const char *name = archive_entry_pathname(entry);
	cleanup_close int source_fd = -1, fd = -1;
	struct stat status;
	int r;

	if (open_earlier(unpacking, archive_entry_hardlink(entry), &source_fd, &status) < 0)
		return unpack_refuse(error, name,
				     "is a hard link to what is no earlier file of the archive");
	fd = create_file(entry, parent_fd, last);
	if (fd < 0)
		return refuse_errno(error, name, -fd);
	r = count_bytes(unpacking, (uint64_t)status.st_size);
	if (r < 0)
		return refuse_errno(error, name, -r);
	return copy_bytes(fd, source_fd, (uint64_t)status.st_size, error);
}

static int take_file(struct unpacking *unpacking, struct archive_entry *entry, int parent_fd,
		     const char *last, struct error **error)
{
	const char *name = archive_entry_pathname(entry);
	cleanup_close int fd = create_file(entry, parent_fd, last);
	const uint64_t before = unpacking->bytes;
	int r;

	if (fd < 0)
		return refuse_errno(error, name, -fd);
	if (archive_entry_size_is_set(entry) &&
	    (uint64_t)archive_entry_size(entry) > SNAPSHOT_BYTES - unpacking->bytes)
		return unpack_refuse(error, name, "is too large");
	r = write_content(unpacking, fd, name, error);
	/* Of a sparse file that is all hole libarchive gives nothing. */
	if (r == 0 && archive_entry_size_is_set(entry) &&
	    unpacking->bytes - before != (uint64_t)archive_entry_size(entry))
		return unpack_refuse(error, name, "is not as long as the archive says");
	return r;
}

static int take_directory(struct archive_entry *entry, int parent_fd, const char *last,
			  struct error **error)
{
	struct stat status;

	/* It may have been made for an earlier member already. */
	if (mkdirat(parent_fd, last, 0700) == 0 ||
	    (errno == EEXIST && fstatat(parent_fd, last, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	     S_ISDIR(status.st_mode)))
		return 0;
	return refuse_errno(error, archive_entry_pathname(entry), errno);
}

static int take_member(struct unpacking *unpacking, struct archive_entry *entry,
		       struct error **error)
{
	const char *name = archive_entry_pathname(entry);
	const char *target = archive_entry_symlink(entry);
	cleanup_close int parent_fd = -1;
	char path[1024];
	const char *last;
	int r;

	if (!name)
		return error_set(error, EINVAL, "a member has no readable name");
	if (unpacking->members++ >= SNAPSHOT_ENTRIES)
		return unpack_refuse(error, name, "is one too many");
	r = member_path(name, path, error);
	if (r < 0)
		return r;
	if (path[0] == '\0')
		return archive_entry_filetype(entry) == AE_IFDIR
			       ? 0
			       : unpack_refuse(error, name, "has no name");
	if (archive_entry_is_encrypted(entry))
		return unpack_refuse(error, name, "is encrypted");
	r = open_parent(unpacking, path, &parent_fd, &last);
	if (r < 0)
		return refuse_errno(error, name, -r);
	if (archive_entry_hardlink(entry))
		return take_hard_link(unpacking, entry, parent_fd, last, error);
	if (archive_entry_filetype(entry) == AE_IFREG)
		return take_file(unpacking, entry, parent_fd, last, error);
	if (archive_entry_filetype(entry) == AE_IFDIR)
		return take_directory(entry, parent_fd, last, error);
	if (archive_entry_filetype(entry) == AE_IFLNK && target)
		return symlinkat(target, parent_fd, last) == 0 ? 0
							       : refuse_errno(error, name, errno);
	return unpack_refuse(error, name, "is a device, FIFO, socket or something unknown");
}

static int refuse_archive(const struct unpacking *unpacking, struct error **error)
{
	const char *reason = archive_error_string(unpacking->archive);

	if (unpacking->members > 0)
		return error_set(error, EINVAL, "the archive is damaged: %s", reason);
	return error_set(error, EINVAL,
			 "this is no archive that can be read (%s); tar, tar.gz, tar.xz, tar.zst, "
			 "tar.bz2 and zip can",
			 reason);
}

static int take_all(struct unpacking *unpacking, struct error **error)
{
	struct archive_entry *entry;
	int r;

	if (archive_read_open_fd(unpacking->archive, UNPACK_INPUT_FD, 65536) != ARCHIVE_OK)
		return refuse_archive(unpacking, error);
	/* A warning is about what is not taken anyway (owners, attributes). */
	while ((r = archive_read_next_header(unpacking->archive, &entry)) == ARCHIVE_OK ||
	       r == ARCHIVE_WARN) {
		r = take_member(unpacking, entry, error);
		if (r < 0)
			return r;
	}
	if (r != ARCHIVE_EOF)
		return refuse_archive(unpacking, error);
	if (unpacking->members == 0)
		return error_set(error, EINVAL, "the archive is empty");
	return 0;
}

struct archive *unpack_reader_new(void)
{
	struct archive *archive = archive_read_new();

	/* By name: "all" would also start external programs for rare filters. */
	if (archive && archive_read_support_filter_gzip(archive) == ARCHIVE_OK &&
	    archive_read_support_filter_bzip2(archive) == ARCHIVE_OK &&
	    archive_read_support_filter_xz(archive) == ARCHIVE_OK &&
	    archive_read_support_filter_zstd(archive) == ARCHIVE_OK)
		return archive;
	if (archive)
		(void)archive_read_free(archive);
	return NULL;
}

int unpack_members(int top_fd, struct error **error)
{
	struct unpacking unpacking = { .archive = unpack_reader_new(), .top_fd = top_fd };
	int r;

	if (unpacking.archive && archive_read_support_format_tar(unpacking.archive) == ARCHIVE_OK &&
	    archive_read_support_format_zip(unpacking.archive) == ARCHIVE_OK)
		r = take_all(&unpacking, error);
	else
		r = error_set(error, ENOTSUP, "libarchive lacks tar, zip, gzip, bzip2, xz or zstd");
	if (unpacking.archive)
		(void)archive_read_free(unpacking.archive);
	return r;
}
