/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a kernel's headers are, and whether they changed while something was built against them. The
 * trees are root's or the owner's; links in them are recorded, not followed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "lib/base/text.h"
#include "lib/kernels/kernel.h"

#define DEPTH_MAXIMUM 64u
#define BLOCK 65536u

struct walk {
	struct digest_stream *stream;
	time_t newest; /* the latest ctime */
	bool contents; /* contents and modes; else what stat(2) tells of a change */
	unsigned depth;
	const char *tree; /* for messages */
	struct error **error;
	char block[BLOCK];
};

static void walk_free(struct walk **walk)
{
	if (*walk)
		(*walk)->stream = digest_stream_free((*walk)->stream);
	free(*walk);
}

static int walk_fail(const struct walk *walk, const char *name, int result)
{
	return error_set_errno(walk->error, -result, "cannot fingerprint '%s' below %s", name,
			       walk->tree);
}

/* Each piece goes with its length, so that no two trees give the same bytes. */
static int add_bytes(struct walk *walk, const void *bytes, uint64_t length)
{
	int result = digest_stream_add(walk->stream, &length, sizeof(length));

	return result < 0 ? result : digest_stream_add(walk->stream, bytes, length);
}

static int add_link(struct walk *walk, int directory_fd, const char *name)
{
	ssize_t length = readlinkat(directory_fd, name, walk->block, PATH_MAX);

	return length < 0 ? -errno : add_bytes(walk, walk->block, (uint64_t)length);
}

static int add_contents(struct walk *walk, int directory_fd, const char *name, uint64_t expected)
{
	cleanup_close int fd = -1;
	uint64_t total = 0;
	int result;

	result = digest_stream_add(walk->stream, &expected, sizeof(expected));
	if (result < 0 || expected == 0)
		return result;
	/* Hard links are fine here: Fedora links equal headers of several kernels together. */
	result = open_beneath(directory_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, NULL);
	while (result == 0) {
		ssize_t count = read(fd, walk->block, BLOCK);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0) {
			result = count < 0 ? -errno : 0;
			break;
		}
		total += (uint64_t)count;
		result = digest_stream_add(walk->stream, walk->block, (size_t)count);
	}
	return result == 0 && total != expected ? -EAGAIN : result;
}

static int add_status(struct walk *walk, const struct stat *status)
{
	const uint64_t fields[] = {
		status->st_dev,
		status->st_ino,
		(uint64_t)status->st_size,
		(uint64_t)status->st_mtim.tv_sec,
		(uint64_t)status->st_mtim.tv_nsec,
		(uint64_t)status->st_ctim.tv_sec,
		(uint64_t)status->st_ctim.tv_nsec,
	};

	return add_bytes(walk, fields, sizeof(fields));
}

static int walk_directory(struct walk *walk, int fd);

static int walk_entry(struct walk *walk, int directory_fd, const char *name)
{
	cleanup_close int fd = -1;
	struct stat status;
	uint32_t mode;
	int result;

	if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return walk_fail(walk, name, -errno);
	mode = status.st_mode;
	if (status.st_ctim.tv_sec > walk->newest)
		walk->newest = status.st_ctim.tv_sec;
	result = add_bytes(walk, name, strlen(name));
	if (result == 0)
		result = add_bytes(walk, &mode, sizeof(mode));
	if (result == 0 && !walk->contents)
		result = add_status(walk, &status);
	if (result == 0 && S_ISLNK(mode))
		result = add_link(walk, directory_fd, name);
	if (result == 0 && S_ISREG(mode) && walk->contents)
		result = add_contents(walk, directory_fd, name, (uint64_t)status.st_size);
	if (result < 0)
		return walk_fail(walk, name, result);
	if (!S_ISDIR(mode))
		return 0;
	result = open_beneath(directory_fd, name, O_RDONLY | O_DIRECTORY, 0, &fd, walk->error);
	return result < 0 ? result : walk_directory(walk, fd);
}

/* Not alphasort(), which goes by the locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_entry(const struct dirent *entry)
{
	return !string_equal(entry->d_name, ".") && !string_equal(entry->d_name, "..");
}

static int walk_directory(struct walk *walk, int fd)
{
	struct dirent **entries = NULL;
	int count, result;

	if (walk->depth == DEPTH_MAXIMUM)
		return error_set(walk->error, E2BIG, "%s is too deep", walk->tree);
	count = scandirat(fd, ".", &entries, is_entry, compare_names);
	if (count < 0)
		return error_set_errno(walk->error, errno, "cannot list %s", walk->tree);
	walk->depth++;
	result = add_bytes(walk, "", (uint64_t)0);
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = walk_entry(walk, fd, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	walk->depth--;
	return result;
}

/* Of one tree. Its host path has no links: one that appeared since is a change, and an error. */
static int walk_tree(struct walk *walk, const struct kernel_tree *tree)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	cleanup_close int fd = sys_openat2(AT_FDCWD, tree->path, &how);
	int result;

	walk->tree = tree->path;
	if (fd < 0)
		return error_set_errno(walk->error, -fd, "cannot open %s", tree->path);
	result = add_bytes(walk, tree->name, strlen(tree->name));
	return result < 0 ? walk_fail(walk, "", result) : walk_directory(walk, fd);
}

static int walk_kernel(const struct kernel *kernel, bool contents, struct digest *ret_digest,
		       time_t *ret_newest, struct error **error)
{
	cleanup(walk_free) struct walk *walk = calloc(1, sizeof(*walk));
	struct digest digest;
	int result = 0;

	if (walk)
		walk->stream = digest_stream_new();
	if (!walk || !walk->stream)
		return error_set_errno(error, ENOMEM, "cannot fingerprint the kernel's headers");
	walk->contents = contents;
	walk->error = error;
	for (size_t i = 0; result == 0 && i < kernel->tree_count; i++)
		result = walk_tree(walk, &kernel->trees[i]);
	if (result < 0)
		return error_context(error, "headers of kernel %s", kernel->release);
	result = digest_stream_finish(walk->stream, &digest);
	if (result < 0)
		return error_set_errno(error, -result, "cannot fingerprint the kernel's headers");
	*ret_digest = digest;
	if (ret_newest)
		*ret_newest = walk->newest;
	return 0;
}

int kernel_fingerprint(const struct kernel *kernel, struct digest *ret_digest, struct error **error)
{
	return walk_kernel(kernel, true, ret_digest, NULL, error);
}

int kernel_stamp(const struct kernel *kernel, struct digest *ret_digest, time_t *ret_newest,
		 struct error **error)
{
	return walk_kernel(kernel, false, ret_digest, ret_newest, error);
}
