/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installed module files: see installed.h. The install tree belongs to root, but may hold anything
 * a package put there: names are resolved beneath it, without links, and nothing but regular files
 * is read.
 */
#include "orchestrator/installed.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/text.h"

#define COMPARE_BLOCK 65536
#define TREE_DEPTH 32
#define TREE_FILES 200000 /* a distribution's kernel has some 6000 */

/* Where drivers go, in the order in which depmod prefers them (depmod.d(5): "search updates"). */
static const char *const known_directories[] = { "updates/dkms", "updates", "extra" };
/* DKMS looks for the plain file first too. */
static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };

struct module_file {
	char *path;	  /* below the kernel's directory */
	const char *name; /* its last component */
};

/* One kernel's directory and, once something was not at its place, all module files of it. */
struct kernel_tree {
	char *kernel;
	int fd; /* -1: there is none */
	bool indexed;
	struct module_file *files; /* sorted by name, then path */
	size_t file_count;
	size_t file_capacity;
};

struct installed {
	int install_tree_fd;
	struct kernel_tree *trees;
	size_t tree_count;
	unsigned char blocks[2][COMPARE_BLOCK];
};

size_t installed_stem_length(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (length > strlen(suffixes[i]) && string_ends_with(name, suffixes[i]))
			return length - strlen(suffixes[i]);
	return 0;
}

struct installed *installed_new(int install_tree_fd)
{
	struct installed *installed = malloc(sizeof(*installed));

	if (!installed)
		return NULL;
	installed->install_tree_fd = install_tree_fd;
	installed->trees = NULL;
	installed->tree_count = 0;
	return installed;
}

struct installed *installed_free(struct installed *installed)
{
	if (!installed)
		return NULL;
	for (size_t i = 0; i < installed->tree_count; i++) {
		struct kernel_tree *tree = &installed->trees[i];

		for (size_t k = 0; k < tree->file_count; k++)
			free(tree->files[k].path);
		free(tree->files);
		free(tree->kernel);
		(void)close_fd(tree->fd);
	}
	free(installed->trees);
	free(installed);
	return NULL;
}

static int get_tree(struct installed *installed, const char *kernel, struct kernel_tree **ret_tree)
{
	struct kernel_tree *grown;
	cleanup_free char *name = NULL;
	int fd = -1;

	for (size_t i = 0; i < installed->tree_count; i++) {
		if (strcmp(installed->trees[i].kernel, kernel) == 0) {
			*ret_tree = &installed->trees[i];
			return 0;
		}
	}
	name = strdup(kernel);
	grown = reallocarray(installed->trees, installed->tree_count + 1, sizeof(*grown));
	if (grown)
		installed->trees = grown;
	if (!name || !grown)
		return -ENOMEM;
	if (open_beneath(installed->install_tree_fd, kernel, O_PATH | O_DIRECTORY, 0, &fd, NULL) <
	    0)
		fd = -1;
	grown[installed->tree_count] = (struct kernel_tree){ .kernel = TAKE_PTR(name), .fd = fd };
	*ret_tree = &grown[installed->tree_count++];
	return 0;
}

/* Takes path. */
static int add_file(struct kernel_tree *tree, char *path)
{
	cleanup_free char *owned = path;
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (!owned)
		return -ENOMEM;
	if (tree->file_count == tree->file_capacity) {
		size_t capacity = tree->file_capacity ? 2 * tree->file_capacity : 256;
		struct module_file *grown =
			reallocarray(tree->files, capacity, sizeof(*tree->files));

		if (!grown)
			return -ENOMEM;
		tree->files = grown;
		tree->file_capacity = capacity;
	}
	tree->files[tree->file_count++] = (struct module_file){
		.path = TAKE_PTR(owned),
		.name = slash ? slash + 1 : path,
	};
	return 0;
}

static bool entry_is_directory(int directory_fd, const struct dirent *entry)
{
	struct stat status;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	/* Some file systems do not tell: readdir(3). */
	return fstatat(directory_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(status.st_mode);
}

/* Links (build, source) are not followed; what cannot be read holds no installed module. */
static int index_directory(struct kernel_tree *tree, const char *path, int depth)
{
	cleanup_close int fd = -1;
	DIR *directory;
	struct dirent *entry;
	bool top = strcmp(path, ".") == 0;
	int result = 0;

	if (depth == TREE_DEPTH ||
	    open_beneath(tree->fd, path, O_RDONLY | O_DIRECTORY, 0, &fd, NULL) < 0)
		return 0;
	directory = fdopendir(fd);
	if (!directory)
		return -ENOMEM;
	(void)TAKE_FD(fd); /* closedir() closes it */
	while (result == 0 && tree->file_count < TREE_FILES && (entry = readdir(directory))) {
		bool is_directory = entry_is_directory(dirfd(directory), entry);
		char *child;

		if (entry->d_name[0] == '.' ||
		    (!is_directory && installed_stem_length(entry->d_name) == 0))
			continue;
		child = format_string("%s%s%s", top ? "" : path, top ? "" : "/", entry->d_name);
		if (!is_directory || !child) {
			result = add_file(tree, child);
			continue;
		}
		result = index_directory(tree, child, depth + 1);
		free(child);
	}
	(void)closedir(directory);
	return result;
}

static int compare_files(const void *left, const void *right)
{
	const struct module_file *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : strcmp(a->path, b->path);
}

static int index_tree(struct kernel_tree *tree)
{
	int result;

	if (tree->indexed)
		return 0;
	result = index_directory(tree, ".", 0);
	if (result < 0)
		return result;
	if (tree->file_count > 0)
		qsort(tree->files, tree->file_count, sizeof(*tree->files), compare_files);
	tree->indexed = true;
	return 0;
}

/* The first of the index with this name; NULL if there is none. */
static const char *find_in_index(const struct kernel_tree *tree, const char *name)
{
	size_t low = 0, high = tree->file_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(tree->files[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == tree->file_count || strcmp(tree->files[low].name, name) != 0)
		return NULL;
	return tree->files[low].path;
}

/* Below the kernel's directory; *ret_path is NULL where no such module is installed. */
static int find_module(struct kernel_tree *tree, const char *name, char **ret_path)
{
	int stem = (int)installed_stem_length(name);
	struct stat status;
	int result;

	for (size_t i = 0; i < ARRAY_SIZE(known_directories); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++) {
			cleanup_free char *path = format_string("%s/%.*s%s", known_directories[i],
								stem, name, suffixes[k]);

			if (!path)
				return -ENOMEM;
			if (fstatat(tree->fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
				continue;
			*ret_path = TAKE_PTR(path);
			return 0;
		}
	}
	result = index_tree(tree);
	if (result < 0)
		return result;
	for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++) {
		cleanup_free char *wanted = format_string("%.*s%s", stem, name, suffixes[k]);
		const char *found = wanted ? find_in_index(tree, wanted) : NULL;

		if (!wanted)
			return -ENOMEM;
		if (!found)
			continue;
		*ret_path = strdup(found);
		return *ret_path ? 0 : -ENOMEM;
	}
	*ret_path = NULL;
	return 0;
}

static ssize_t read_block(int fd, unsigned char *block, off_t offset)
{
	size_t length = 0;

	while (length < COMPARE_BLOCK) {
		ssize_t got =
			pread(fd, block + length, COMPARE_BLOCK - length, offset + (off_t)length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

bool installed_same_bytes(struct installed *installed, int fd_a, int fd_b)
{
	off_t offset = 0;

	for (;;) {
		ssize_t a = read_block(fd_a, installed->blocks[0], offset);
		ssize_t b = read_block(fd_b, installed->blocks[1], offset);

		if (a < 0 || a != b ||
		    memcmp(installed->blocks[0], installed->blocks[1], (size_t)a) != 0)
			return false;
		if (a < COMPARE_BLOCK)
			return true;
		offset += a;
	}
}

static bool same_file(struct installed *installed, int fd_a, const char *path_a, int fd_b,
		      const char *path_b)
{
	/* O_NONBLOCK: a FIFO in the file's place must not make status wait. */
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	cleanup_close int a = -1;
	cleanup_close int b = -1;
	struct stat status_a, status_b;

	/* `dkms --symlink-modules` installs links to the built files: one file, whatever is in it.
	 */
	if (fstatat(fd_a, path_a, &status_a, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(fd_b, path_b, &status_b, 0) < 0)
		return false;
	if (!S_ISREG(status_a.st_mode) || !S_ISREG(status_b.st_mode))
		return false;
	if (status_a.st_dev == status_b.st_dev && status_a.st_ino == status_b.st_ino)
		return true;
	if (status_a.st_size != status_b.st_size)
		return false;
	if (open_beneath(fd_a, path_a, flags, 0, &a, NULL) < 0 ||
	    open_beneath(fd_b, path_b, flags, 0, &b, NULL) < 0)
		return false;
	return fstat(a, &status_a) == 0 && fstat(b, &status_b) == 0 && S_ISREG(status_a.st_mode) &&
	       S_ISREG(status_b.st_mode) && installed_same_bytes(installed, a, b);
}

int installed_is_same(struct installed *installed, const char *kernel, int module_fd,
		      const char *name, bool *ret_same)
{
	cleanup_free char *path = NULL;
	struct kernel_tree *tree;
	int result = get_tree(installed, kernel, &tree);

	if (result < 0)
		return result;
	if (tree->fd >= 0) {
		result = find_module(tree, name, &path);
		if (result < 0)
			return result;
	}
	*ret_same = path && same_file(installed, module_fd, name, tree->fd, path);
	return 0;
}
