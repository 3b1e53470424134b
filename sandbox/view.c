/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the payload sees: a fresh root built from nothing, on which only what is named here appears.
 * Everything happens on our own tmpfs, from descriptors of the host's tree, so no name is resolved
 * in a place that anybody hostile can write (runc CVE-2025-31133, CVE-2025-52565).
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "sandbox/disk.h"
#include "sandbox/mounts.h"
#include "sandbox/setup.h"

#define VIEW_ROOT_BYTES (UINT64_C(1) << 20)
#define VIEW_ROOT_INODES 4096
#define VIEW_ETC_BYTES 65536 /* of one file of the host that is copied */
/* Host directories that are replaced where only the toolchain may be seen. */
static const char *const hidden_directories[] = { "/usr/src", "/usr/lib/modules" };

/* A host path without links in it, as the parent resolved it. */
static int open_host(const char *path, int *ret_fd, struct error **error)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	int fd = sys_openat2(AT_FDCWD, path, &how);

	if (fd < 0)
		return error_set_errno(error, -fd, "%s", path);
	*ret_fd = fd;
	return 0;
}

/*
 * mkdir -p below the new root, across our own mounts (which make_directories() of lib/base refuses)
 * and through our own links like /lib. path is relative.
 */
static int make_path(const struct setup *setup, const char *path, struct error **error)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return error_set_errno(error, ENOMEM, "%s", path);
	for (char *end = strchr(copy, '/');; end = strchr(end + 1, '/')) {
		if (end)
			*end = '\0';
		if (mkdirat(setup->root_fd, copy, 0755) < 0 && errno != EEXIST)
			return error_set_errno(error, errno, "directory /%s", copy);
		if (!end)
			return 0;
		*end = '/';
	}
}

/* Makes the parents of a path of the new root; path is absolute. */
static int make_parents(const struct setup *setup, const char *path, struct error **error)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = NULL;

	if (slash == path)
		return 0;
	parent = strndup(path + 1, (size_t)(slash - path) - 1);
	if (!parent)
		return error_set_errno(error, ENOMEM, "%s", path);
	return make_path(setup, parent, error);
}

/* Makes an empty file or directory to mount on, unless there is one. */
static int make_mount_point(const struct setup *setup, const char *path, bool directory,
			    struct error **error)
{
	int fd;
	int r;

	if (directory)
		return make_path(setup, path + 1, error);
	r = make_parents(setup, path, error);
	if (r < 0)
		return r;
	fd = openat(setup->root_fd, path + 1, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	if (fd < 0 && errno != EEXIST)
		return error_set_errno(error, errno, "mount point %s", path);
	(void)close_fd(fd);
	return 0;
}

static int write_etc_file(const struct setup *setup, const char *path, const char *text,
			  struct error **error)
{
	cleanup_close int fd = -1;
	int r;

	fd = openat(setup->root_fd, path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
		    0644);
	if (fd < 0)
		return error_set_errno(error, errno, "/%s", path);
	r = write_all(fd, text, strlen(text));
	return r < 0 ? error_set_errno(error, -r, "/%s", path) : 0;
}

static int show(const struct setup *setup, const char *source, const char *target, bool writable,
		struct error **error)
{
	cleanup_close int source_fd = -1;
	cleanup_close int mount_fd = -1;
	struct stat status;
	int r;

	r = open_host(source, &source_fd, error);
	if (r < 0)
		return r;
	if (fstat(source_fd, &status) < 0)
		return error_set_errno(error, errno, "%s", source);
	r = make_mount_point(setup, target, S_ISDIR(status.st_mode), error);
	if (r < 0)
		return r;
	r = mounts_clone(source_fd, writable, &mount_fd, error);
	if (r < 0)
		return error_context(error, "showing %s", source);
	r = mounts_attach(mount_fd, setup->root_fd, target + 1, error);
	return r < 0 ? error_context(error, "showing %s", source) : 0;
}

/*
 * Where a mount of the spec goes: a target like "/lib" that is a link of the fresh root means what
 * that leads to. NULL: memory is out.
 */
static char *follow_top_link(const struct setup *setup, const char *target)
{
	char link[PATH_MAX];
	const char *relative = link;
	ssize_t length = -1;

	if (!strchr(target + 1, '/'))
		length = readlinkat(setup->root_fd, target + 1, link, sizeof(link) - 1);
	if (length <= 0)
		return strdup(target);
	link[length] = '\0';
	relative += link[0] == '/';
	return path_is_safe(relative, strlen(relative)) ? format_string("/%s", relative)
							: strdup(target);
}

int view_attach_root(struct setup *setup, struct error **error)
{
	cleanup_close int fd = -1;
	cleanup_close int host_root = -1;
	struct stat status;
	int r;

	r = mounts_new_tmpfs(VIEW_ROOT_BYTES, VIEW_ROOT_INODES, "0755", &fd, error);
	if (r < 0)
		return r;
	/*
	 * On top of "/": before Linux 6.15 a mount can only be attached to what is attached itself,
	 * and this place always exists. Paths of ours still start at the root below it.
	 */
	r = open_host("/", &host_root, error);
	if (r < 0)
		return r;
	r = mounts_attach(fd, host_root, "", error);
	if (r < 0)
		return r;
	if (fstat(fd, &status) < 0)
		return error_set_errno(error, errno, "new root");
	setup->root_device = status.st_dev;
	setup->root_fd = TAKE_FD(fd);
	return 0;
}

/* The mount point below /usr that a path of the spec needs on the host, or NULL if it needs none.
 */
static const char *needed_below_usr(const struct setup *setup, const char *path)
{
	if (!string_starts_with(path, "/usr/"))
		return NULL;
	for (size_t i = 0; setup->spec->toolchain_only && i < ARRAY_SIZE(hidden_directories); i++) {
		const char *hidden = hidden_directories[i];
		size_t length = strlen(hidden);

		if (strncmp(path, hidden, length) == 0 && (path[length] == '/' || !path[length]))
			return hidden;
	}
	return path;
}

/* Does this path of the spec need a mount point below directory that the host does not have? */
static bool lacks(const struct setup *setup, const char *path, const char *directory)
{
	const char *needed = needed_below_usr(setup, path);
	size_t length = strlen(directory);
	struct stat status;

	return needed && strncmp(needed, directory, length) == 0 && needed[length] == '/' &&
	       lstat(needed, &status) < 0;
}

static bool lacks_any(const struct setup *setup, const char *directory)
{
	const struct sandbox_spec *spec = setup->spec;

	for (size_t i = 0; i < spec->mount_count; i++) {
		if (lacks(setup, spec->mounts[i].target, directory))
			return true;
	}
	for (size_t i = 0; i < spec->tree_count; i++) {
		if (lacks(setup, spec->trees[i].path, directory))
			return true;
	}
	for (size_t i = 0; i < spec->symlink_count; i++) {
		if (lacks(setup, spec->symlinks[i].path, directory))
			return true;
	}
	return false;
}

static int copy_link(const struct setup *setup, const char *path, struct error **error)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length < 0)
		return error_set_errno(error, errno, "%s", path);
	target[length] = '\0';
	if (symlinkat(target, setup->root_fd, path + 1) < 0)
		return error_set_errno(error, errno, "link %s", path);
	return 0;
}

static int show_directory(const struct setup *setup, const char *path, struct error **error);

static int show_entry(const struct setup *setup, const char *path, struct error **error)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return error_set_errno(error, errno, "%s", path);
	if (S_ISLNK(status.st_mode))
		return copy_link(setup, path, error);
	return S_ISDIR(status.st_mode) ? show_directory(setup, path, error)
				       : show(setup, path, path, false, error);
}

/*
 * A directory of the host as it is; or, where it lacks a mount point, one of our own in which each
 * of its entries is shown. (An overlay could not: in a user namespace the kernel lays none over a
 * directory that has other mounts in it.)
 */
static int show_directory(const struct setup *setup, const char *path, struct error **error)
{
	const struct dirent *entry;
	DIR *directory;
	int r;

	if (!lacks_any(setup, path))
		return show(setup, path, path, false, error);
	r = make_path(setup, path + 1, error);
	if (r < 0)
		return r;
	directory = opendir(path);
	if (!directory)
		return error_set_errno(error, errno, "%s", path);
	while (r == 0 && (entry = readdir(directory))) {
		cleanup_free char *child = format_string("%s/%s", path, entry->d_name);

		if (string_equal(entry->d_name, ".") || string_equal(entry->d_name, ".."))
			continue;
		r = child ? show_entry(setup, child, error)
			  : error_set_errno(error, ENOMEM, "%s", path);
	}
	(void)closedir(directory);
	return r;
}

static int hide_directory(struct setup *setup, const char *path, struct error **error)
{
	cleanup_close int fd = -1;
	struct stat status;
	int r;

	if (fstatat(setup->root_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "/%s", path);
	r = mounts_new_tmpfs(VIEW_ROOT_BYTES, VIEW_ROOT_INODES, "0755", &fd, error);
	if (r < 0)
		return r;
	return mounts_attach(fd, setup->root_fd, path, error);
}

/* /bin and its like: links into /usr on merged systems, directories on the others. */
static int show_top_directory(struct setup *setup, const char *path, struct error **error)
{
	struct stat status;

	if (lstat(path, &status) < 0)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "%s", path);
	return S_ISLNK(status.st_mode) ? copy_link(setup, path, error)
				       : show(setup, path, path, false, error);
}

int view_show_system(struct setup *setup, struct error **error)
{
	static const char *const top_directories[] = { "/bin",	 "/sbin",  "/lib",
						       "/lib32", "/lib64", "/libx32" };
	int r = show_directory(setup, "/usr", error);

	for (size_t i = 0;
	     r == 0 && setup->spec->toolchain_only && i < ARRAY_SIZE(hidden_directories); i++)
		r = hide_directory(setup, hidden_directories[i] + 1, error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(top_directories); i++)
		r = show_top_directory(setup, top_directories[i], error);
	return r;
}

/* A path of the host as it is, links followed: resolv.conf often leads into /run. */
static int show_resolved(const struct setup *setup, const char *path, struct error **error)
{
	cleanup_free char *resolved = realpath(path, NULL);

	if (!resolved)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "%s", path);
	return show(setup, resolved, path, false, error);
}

/* A copy, as nobody can mount a file that was replaced under its own mount; or it is too large. */
static int show_etc_file(const struct setup *setup, const char *path, struct error **error)
{
	cleanup_text struct text content = { 0 };
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "%s", path);
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s is no regular file", path);
	if (status.st_size > VIEW_ETC_BYTES)
		return show_resolved(setup, path, error);
	r = read_fd(fd, VIEW_ETC_BYTES, &content, error);
	return r < 0 ? error_context(error, "%s", path)
		     : write_etc_file(setup, path + 1, content.length ? content.data : "", error);
}

/* What names and certificates are looked up with. (What Debian links into /usr is seen there.) */
static int show_network_etc(const struct setup *setup, struct error **error)
{
	static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts",
					     "/etc/nsswitch.conf" };
	static const char *const directories[] = { "/etc/ssl/certs", "/etc/pki/ca-trust",
						   "/etc/ca-certificates" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++)
		r = show_etc_file(setup, files[i], error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++)
		r = show_resolved(setup, directories[i], error);
	return r < 0 ? error_context(error, "what a build with 'profile = network' is shown") : 0;
}

int view_write_etc(struct setup *setup, struct error **error)
{
	static const struct {
		const char *path;
		const char *text;
		bool without_network; /* else the host's own is shown */
	} files[] = {
		{ "etc/passwd",
		  "root:x:0:0:root:/tmp:/bin/sh\n"
		  "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		  false },
		{ "etc/group", "root:x:0:\nnogroup:x:65534:\n", false },
		{ "etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", true },
		{ "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n", true },
	};
	/* cc, c++ and awk live behind links in alternatives; the loader wants its cache. */
	static const char *const shown[] = { "/etc/alternatives", "/etc/ld.so.cache" };
	struct stat status;
	int r = make_path(setup, "etc", error);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(files); i++) {
		if (!setup->spec->network || !files[i].without_network)
			r = write_etc_file(setup, files[i].path, files[i].text, error);
	}
	if (r == 0 && setup->spec->network)
		r = show_network_etc(setup, error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(shown); i++) {
		if (lstat(shown[i], &status) == 0)
			r = show(setup, shown[i], shown[i], false, error);
	}
	if (r == 0 && symlinkat("../usr/lib/os-release", setup->root_fd, "etc/os-release") < 0)
		r = error_set_errno(error, errno, "link /etc/os-release");
	return r;
}

static int show_device(struct setup *setup, const char *path, struct error **error)
{
	cleanup_close int source_fd = -1;
	cleanup_close int mount_fd = -1;
	cleanup_close int test_fd = -1;
	int r;

	r = open_host(path, &source_fd, error);
	if (r < 0)
		return r;
	r = make_mount_point(setup, path, false, error);
	if (r < 0)
		return r;
	r = mounts_clone_device(source_fd, &mount_fd, error);
	if (r < 0)
		return r;
	r = mounts_attach(mount_fd, setup->root_fd, path + 1, error);
	if (r < 0)
		return r;
	/* A host whose /dev is mounted nodev builds the same view, but nothing in it opens. */
	test_fd = openat(setup->root_fd, path + 1, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (test_fd < 0)
		return error_set_errno(
			error, errno, "%s cannot be used: is the host's /dev mounted nodev?", path);
	return 0;
}

int view_make_devices(struct setup *setup, struct error **error)
{
	static const char *const nodes[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random",
					     "/dev/urandom" };
	static const char *const links[][2] = { { "dev/fd", "/proc/self/fd" },
						{ "dev/stdin", "/proc/self/fd/0" },
						{ "dev/stdout", "/proc/self/fd/1" },
						{ "dev/stderr", "/proc/self/fd/2" } };
	int r = make_path(setup, "dev", error);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(nodes); i++)
		r = show_device(setup, nodes[i], error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(links); i++) {
		if (symlinkat(links[i][1], setup->root_fd, links[i][0]) < 0)
			r = error_set_errno(error, errno, "link /%s", links[i][0]);
	}
	return r;
}

static int make_proc(int *ret_fd, struct error **error)
{
	cleanup_close int fs_fd = fsopen("proc", FSOPEN_CLOEXEC);
	int fd;

	if (fs_fd < 0)
		return error_set_errno(error, errno, "fsopen proc");
	/* Only the processes of this pid namespace, and only one's own: no /proc/sys, no
	 * /proc/keys. */
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0 ||
	    fsconfig(fs_fd, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) < 0)
		return error_set_errno(error, errno, "fsconfig proc");
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno == EPERM ? 1 : error_set_errno(error, errno, "fsconfig proc create");
	fd = fsmount(fs_fd, FSMOUNT_CLOEXEC,
		     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		return errno == EPERM ? 1 : error_set_errno(error, errno, "fsmount proc");
	*ret_fd = fd;
	return 0;
}

int view_mount_proc(struct setup *setup, struct error **error)
{
	cleanup_close int fd = -1;
	int r = make_path(setup, "proc", error);

	if (r == 0)
		r = make_proc(&fd, error);
	/* Without it the watchdog's, which hides less, would be seen. */
	if (r == 1 && setup->processes_fd >= 0)
		return error_set_errno(error, EPERM, "only one /proc could be mounted");
	return r ? r : mounts_attach(fd, setup->root_fd, "proc", error);
}

int view_mount_tmp(struct setup *setup, struct error **error)
{
	cleanup_close int fd = -1;
	int r;

	r = mounts_new_tmpfs(setup->limits.scratch_bytes, setup->limits.scratch_inodes, "01777",
			     &fd, error);
	if (r == 0)
		r = make_mount_point(setup, "/tmp", true, error);
	return r < 0 ? r : mounts_attach(fd, setup->root_fd, "tmp", error);
}

int view_show_mounts(struct setup *setup, struct error **error)
{
	const struct sandbox_spec *spec = setup->spec;
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->mount_count; i++) {
		const struct sandbox_mount *mount = &spec->mounts[i];
		cleanup_free char *target = follow_top_link(setup, mount->target);

		r = target ? show(setup, setup->sources[i], target, mount->writable, error)
			   : error_set_errno(error, ENOMEM, "%s", mount->target);
	}
	for (size_t i = 0; r == 0 && i < spec->symlink_count; i++) {
		r = make_parents(setup, spec->symlinks[i].path, error);
		if (r == 0 && symlinkat(spec->symlinks[i].target, setup->root_fd,
					spec->symlinks[i].path + 1) < 0)
			r = error_set_errno(error, errno, "link %s", spec->symlinks[i].path);
	}
	return r;
}

static int new_tree(const struct setup *setup, size_t index, int *ret_mount_fd, int *ret_fd,
		    struct error **error)
{
	const struct sandbox_tree *tree = &setup->spec->trees[index];
	cleanup_close int mount_fd = -1;
	int fd, r;

	if (tree->place)
		return disk_make_tree(setup->disk, index, ret_mount_fd, ret_fd, error);
	r = mounts_new_tmpfs(tree->bytes ? tree->bytes : setup->limits.scratch_bytes,
			     setup->limits.scratch_inodes, "0755", &mount_fd, error);
	if (r < 0)
		return r;
	fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "%s", tree->path);
	*ret_mount_fd = TAKE_FD(mount_fd);
	*ret_fd = fd;
	return 0;
}

static int fill_tree(struct setup *setup, size_t index, struct error **error)
{
	const struct sandbox_tree *tree = &setup->spec->trees[index];
	cleanup_close int mount_fd = -1;
	cleanup_close int fd = -1;
	int r;

	r = new_tree(setup, index, &mount_fd, &fd, error);
	if (r == 0)
		r = make_mount_point(setup, tree->path, true, error);
	if (r == 0)
		r = mounts_attach(mount_fd, setup->root_fd, tree->path + 1, error);
	if (r < 0)
		return r;
	r = tree->fill ? tree->fill(tree->context, fd, error) : 0;
	if (r == -ENOSPC && !tree->place)
		error_set_code(*error, SANDBOX_FULL_CODE);
	if (r < 0)
		return error_context(error, "filling %s", tree->path);
	if (!tree->writable) {
		r = mounts_seal(mount_fd, error);
		if (r < 0)
			return r;
	}
	setup->tree_fds[index] = TAKE_FD(fd);
	return 0;
}

int view_fill_trees(struct setup *setup, struct error **error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < setup->spec->tree_count; i++)
		r = fill_tree(setup, i, error);
	return r;
}

/* Does path, in our own mount namespace, name what is open here? */
static bool opens_as(const char *path, const struct stat *wanted, int *ret_fd)
{
	cleanup_close int fd = -1;
	struct stat status;

	if (open_host(path, &fd, NULL) < 0 || fstat(fd, &status) < 0 ||
	    status.st_dev != wanted->st_dev || status.st_ino != wanted->st_ino)
		return false;
	*ret_fd = TAKE_FD(fd);
	return true;
}

/*
 * Only what our own mount namespace can name can be mounted anew. What cannot be named from here,
 * behind root's private directories, must belong to somebody whom the payload cannot be.
 */
int view_protect_program(struct setup *setup, struct error **error)
{
	const int given_fd = setup->spec->exec_fd;
	cleanup_free char *link = format_string("/proc/self/fd/%d", given_fd);
	cleanup_close int fd = -1;
	char path[PATH_MAX];
	struct stat status;
	ssize_t length;

	if (given_fd < 0)
		return SETUP_NOT_WANTED;
	length = link ? readlink(link, path, sizeof(path) - 1) : -1;
	if (length < 0 || fstat(given_fd, &status) < 0)
		return error_set_errno(error, errno, "%s", setup->spec->argv[0]);
	path[length] = '\0';
	if (opens_as(path, &status, &fd))
		return mounts_clone(fd, false, &setup->exec_fd, error);
	if (status.st_uid == geteuid() ||
	    faccessat(given_fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) == 0)
		return error_set(error, EACCES,
				 "%s could be written to by what it runs: put it where it can be "
				 "reached by its path",
				 setup->spec->argv[0]);
	setup->exec_fd = given_fd;
	return 0;
}

/* What the host does not have and a mount needed was made in the root itself, and is sealed with
 * it. */
static int seal_hidden(struct setup *setup, const char *path, struct error **error)
{
	cleanup_close int fd = openat(setup->root_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "/%s", path);
	if (fstat(fd, &status) < 0)
		return error_set_errno(error, errno, "/%s", path);
	return status.st_dev == setup->root_device ? 0 : mounts_seal(fd, error);
}

int view_seal_root(struct setup *setup, struct error **error)
{
	int r = 0;

	for (size_t i = 0;
	     r == 0 && setup->spec->toolchain_only && i < ARRAY_SIZE(hidden_directories); i++)
		r = seal_hidden(setup, hidden_directories[i] + 1, error);
	return r < 0 ? r : mounts_seal(setup->root_fd, error);
}

int view_enter_root(struct setup *setup, struct error **error)
{
	int r;

	if (fchdir(setup->root_fd) < 0)
		return error_set_errno(error, errno, "new root");
	/* pivot_root(".", "."): the old root lies on top of the new one and comes off at once. */
	r = sys_pivot_root(".", ".");
	if (r < 0)
		return error_set_errno(error, -r, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return error_set_errno(error, errno, "old root");
	if (chdir("/") < 0)
		return error_set_errno(error, errno, "/");
	setup->root_fd = close_fd(setup->root_fd);
	return 0;
}
