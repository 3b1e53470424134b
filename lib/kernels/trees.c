/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the parts of a kernel's headers: the build directory, where `source` leads, where links
 * at the top of each lead, and the Makefile that the build directory's own includes. Root's or the
 * owner's files only; nothing is executed.
 */
#include "lib/kernels/trees.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/text.h"

#define TREES_MAXIMUM 16
#define ENTRIES_MAXIMUM 4096 /* at the top of one tree */
#define MAKEFILE_MAXIMUM (UINT64_C(1) << 20)

struct search {
	const struct kernel_root *root;
	const char *release;
	char *trees[TREES_MAXIMUM]; /* below the root, without links */
	size_t count;
};

static void search_clear(struct search *search)
{
	for (size_t i = 0; i < search->count; i++)
		free(search->trees[i]);
}

char *trees_sandbox_path(const char *path)
{
	return format_string("%s%s", string_starts_with(path, "/lib/") ? "/usr" : "", path);
}

int trees_read_file(const struct kernel_root *root, const char *path, uint64_t maximum,
		    struct text *ret_text, struct error **error)
{
	cleanup_close int fd = -1;
	struct stat status;
	int result;

	result = open_trusted(root->fd, path, root->owner, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd,
			      NULL, error);
	if (result < 0)
		return result;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s is not a regular file", path);
	result = read_fd(fd, maximum, ret_text, error);
	return result < 0 ? error_context(error, "cannot read %s", path) : 0;
}

/*
 * The length of path's beginning that names a whole tree: a package's directory, not one below it.
 * 0 for a directory that no headers can be, because it holds much else.
 */
static size_t tree_length(const char *path)
{
	static const struct {
		const char *prefix;
		unsigned components; /* that follow the prefix */
	} rules[] = {
		{ "/usr/src/kernels/", 1 }, /* Fedora */
		{ "/usr/src/", 1 },
		{ "/usr/lib/modules/", 2 }, /* Arch: the build directory is in there */
		{ "/lib/modules/", 2 },
		{ "/usr/lib/", 1 },
		{ "/lib/", 1 },
		{ "/", 2 }, /* built by hand, anywhere: as it is, but see below */
	};
	size_t i = 0, end;

	while (!string_starts_with(path, rules[i].prefix))
		i++;
	end = strlen(rules[i].prefix) - 1;
	for (unsigned n = 0; n < rules[i].components; n++) {
		if (path[end] != '/')
			return 0;
		end += 1 + strcspn(path + end + 1, "/");
	}
	if (i + 1 < ARRAY_SIZE(rules))
		return end;
	return string_starts_with(path, "/usr/") && path[end] == '\0' ? 0 : strlen(path);
}

static int search_add(struct search *search, const char *path, struct error **error)
{
	size_t length = tree_length(path);

	if (length == 0)
		return error_set(
			error, EINVAL,
			"%s cannot be a tree of kernel headers; repair the link that leads there",
			path);
	for (size_t i = 0; i < search->count; i++) {
		size_t known = strlen(search->trees[i]);

		if (known <= length && memcmp(search->trees[i], path, known) == 0 &&
		    (path[known] == '/' || path[known] == '\0'))
			return 0;
	}
	if (search->count == TREES_MAXIMUM)
		return error_set(error, E2BIG, "more than %d trees of headers", TREES_MAXIMUM);
	search->trees[search->count] = strndup(path, length);
	if (!search->trees[search->count])
		return error_set_errno(error, ENOMEM, "cannot look for headers");
	search->count++;
	return 0;
}

static int missing_part(const struct search *search, const char *part, struct error **error)
{
	(void)error_set(
		error, ENOENT,
		"headers of kernel %s are not complete: %s leads to something that does not "
		"exist; install or unpack the package that holds it (linux-kbuild or "
		"linux-headers-*-common on Debian) beside them",
		search->release, part);
	if (error)
		error_set_code(*error, EXIT_NO_HEADERS);
	return -ENOENT;
}

/* One symbolic link at the top of a tree. */
static int search_link(struct search *search, const char *directory, const char *name,
		       struct error **error)
{
	cleanup_free char *path = format_string("%s/%s", directory, name), *resolved = NULL;
	cleanup_error struct error *cause = NULL;
	cleanup_close int fd = -1;
	int result;

	if (!path)
		return error_set_errno(error, ENOMEM, "cannot look for headers");
	result = open_trusted(search->root->fd, path, search->root->owner, O_PATH, &fd, &resolved,
			      &cause);
	/* Ubuntu's `rust` leads to a package that few install; without scripts no module is built.
	 */
	if (result == -ENOENT)
		return string_equal(name, "scripts") ? missing_part(search, path, error) : 0;
	if (result < 0) {
		if (error)
			*error = TAKE_PTR(cause);
		return result;
	}
	/* Others are somebody's conveniences: vmlinux -> /sys/kernel/btf/vmlinux, source -> $HOME.
	 */
	if (!string_starts_with(resolved, "/usr/src/") &&
	    !string_starts_with(resolved, "/usr/lib/") && !string_starts_with(resolved, "/lib/"))
		return 0;
	return search_add(search, resolved, error);
}

static int search_links(struct search *search, const char *directory, struct error **error)
{
	cleanup_close int fd = -1;
	DIR *stream;
	unsigned count = 0;
	int result = open_trusted(search->root->fd, directory, search->root->owner,
				  O_RDONLY | O_DIRECTORY, &fd, NULL, error);

	if (result < 0)
		return result;
	stream = fdopendir(fd);
	if (!stream)
		return error_set_errno(error, errno, "cannot list %s", directory);
	(void)TAKE_FD(fd);
	for (const struct dirent *entry; result == 0 && (entry = readdir(stream));) {
		struct stat status;

		if (++count > ENTRIES_MAXIMUM)
			result = error_set(error, E2BIG, "%s has more than %d entries", directory,
					   ENTRIES_MAXIMUM);
		else if (fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
			 S_ISLNK(status.st_mode))
			result = search_link(search, directory, entry->d_name, error);
	}
	(void)closedir(stream);
	return result;
}

/* "include /usr/src/linux-headers-6.1.0-56-common/Makefile": the tree of that Makefile. */
static int search_include(struct search *search, const char *line, size_t length,
			  struct error **error)
{
	static const char keyword[] = "include ";
	cleanup_free char *path = NULL, *resolved = NULL;
	cleanup_error struct error *cause = NULL;
	cleanup_close int fd = -1;
	char *slash;
	int result;

	if (length <= sizeof(keyword) - 1 || memcmp(line, keyword, sizeof(keyword) - 1) != 0)
		return 0;
	path = strndup(line + sizeof(keyword) - 1, length - (sizeof(keyword) - 1));
	if (!path)
		return error_set_errno(error, ENOMEM, "cannot look for headers");
	/* Variables and relative names stay inside the trees that are known. */
	if (path[0] != '/' || strpbrk(path, "$ \t"))
		return 0;
	result = open_trusted(search->root->fd, path, search->root->owner, O_PATH, &fd, &resolved,
			      &cause);
	if (result == -ENOENT)
		return missing_part(search, path, error);
	if (result < 0) {
		if (error)
			*error = TAKE_PTR(cause);
		return result;
	}
	slash = strrchr(resolved, '/');
	*slash = '\0';
	return search_add(search, resolved, error);
}

static int search_makefile(struct search *search, const char *build, struct error **error)
{
	cleanup_free char *path = format_string("%s/Makefile", build);
	cleanup_text struct text text = { 0 };
	int result;

	if (!path)
		return error_set_errno(error, ENOMEM, "cannot look for headers");
	result = trees_read_file(search->root, path, MAKEFILE_MAXIMUM, &text, error);
	for (size_t start = 0; result == 0 && start < text.length;) {
		const char *line = text.data + start;
		const char *end = memchr(line, '\n', text.length - start);
		size_t length = end ? (size_t)(end - line) : text.length - start;

		result = search_include(search, line, length, error);
		start += length + 1;
	}
	return result;
}

/* What the sandbox shows anyway: /usr of the host, but not its /usr/src and /usr/lib/modules. */
static bool is_visible(const struct kernel_root *root, const char *target)
{
	return string_equal(root->path, "/") && string_starts_with(target, "/usr/") &&
	       !string_starts_with(target, "/usr/src/") &&
	       !string_starts_with(target, "/usr/lib/modules/");
}

static int compare_trees(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int publish(struct search *search, struct kernel *kernel)
{
	const char *prefix = string_equal(search->root->path, "/") ? "" : search->root->path;

	/* They were found in the order of readdir(3); a fingerprint needs one order. */
	qsort(search->trees, search->count, sizeof(search->trees[0]), compare_trees);
	kernel->trees = calloc(search->count, sizeof(*kernel->trees));
	kernel->mounts = calloc(search->count, sizeof(*kernel->mounts));
	if (!kernel->trees || !kernel->mounts)
		return -ENOMEM;
	for (size_t i = 0; i < search->count; i++) {
		cleanup_free char *target = trees_sandbox_path(search->trees[i]);
		struct kernel_tree *tree = &kernel->trees[kernel->tree_count++];
		struct kernel_mount *mount = &kernel->mounts[kernel->mount_count];

		tree->path = format_string("%s%s", prefix, search->trees[i]);
		tree->name = strdup(search->trees[i]);
		if (!target || !tree->path || !tree->name)
			return -ENOMEM;
		if (is_visible(search->root, target))
			continue;
		mount->source = strdup(tree->path);
		mount->target = TAKE_PTR(target);
		kernel->mount_count++;
		if (!mount->source)
			return -ENOMEM;
	}
	return 0;
}

int trees_find(const struct kernel_root *root, const char *build, const char *source,
	       struct kernel *kernel, struct error **error)
{
	cleanup(search_clear) struct search search = { .root = root, .release = kernel->release };
	int result = search_add(&search, build, error);

	if (result == 0 && source)
		result = search_add(&search, source, error);
	if (result == 0)
		result = search_makefile(&search, build, error);
	if (result == 0)
		result = search_links(&search, build, error);
	if (result == 0 && source)
		result = search_links(&search, source, error);
	/* The list grows while we go along it, up to its cap. */
	for (size_t i = 0; result == 0 && i < search.count; i++)
		result = search_links(&search, search.trees[i], error);
	if (result < 0)
		return result;
	result = publish(&search, kernel);
	return result < 0 ? error_set_errno(error, -result, "cannot look for headers") : 0;
}
