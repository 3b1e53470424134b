/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files below a descriptor, in trees that somebody hostile made. Each refusal has its control. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"

#define NOBODY 65534

/* The directory of one test, made in set_up() and removed by remove_tree() itself. */
static char directory_path[64];
static int directory = -1;
static pid_t test_pid;

static int set_up(void **state)
{
	(void)state;
	(void)umask(022);
	(void)snprintf(directory_path, sizeof(directory_path), "/tmp/kmodbox-test-XXXXXX");
	if (!mkdtemp(directory_path) || chmod(directory_path, 0755) < 0)
		return -1;
	directory = open(directory_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	cleanup_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	directory = close_fd(directory);
	return remove_tree(tmp, directory_path + strlen("/tmp/"), NULL);
}

/* As assert_true(), but a child ends of it instead of going on with the next test. */
static void require(bool condition)
{
	if (!condition && getpid() != test_pid)
		_exit(99);
	assert_true(condition);
}

static void make_file(const char *path, const char *content)
{
	cleanup_close int fd =
		openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	require(fd >= 0);
	require(write_all(fd, content, strlen(content)) == 0);
}

static void make_directory(const char *path)
{
	require(mkdirat(directory, path, 0755) == 0);
}

static void make_link(const char *target, const char *path)
{
	require(symlinkat(target, directory, path) == 0);
}

static bool is_there(const char *path)
{
	return faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_describes(const struct error *error, const char *part)
{
	cleanup_free char *text = error_describe(error);

	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* Runs body in a child; 77 is "cannot be tried here". */
static void run_in_child(int (*body)(void), const char *why_skipped)
{
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: %s\n", why_skipped);
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int try_beneath(const char *path, int flags)
{
	cleanup_close int fd = -1;

	return open_beneath(directory, path, flags, 0, &fd, NULL);
}

static void test_beneath(void **state)
{
	cleanup_close int fd = -1;
	cleanup_error struct error *error = NULL;

	(void)state;
	make_directory("sub");
	make_file("sub/file", "x");
	make_link("file", "sub/link");
	make_link("sub", "link");
	make_link("/etc", "absolute");
	make_link("../..", "sub/up");
	assert_int_equal(try_beneath("sub/file", O_RDONLY), 0);
	assert_int_equal(try_beneath(".", O_RDONLY | O_DIRECTORY), 0);
	assert_int_equal(try_beneath("sub/../sub/file", O_RDONLY), 0);
	assert_int_equal(try_beneath("sub/link", O_RDONLY), -ELOOP);
	assert_int_equal(try_beneath("link/file", O_RDONLY), -ELOOP);
	assert_int_equal(try_beneath("absolute/passwd", O_RDONLY), -ELOOP);
	assert_int_equal(try_beneath("sub/up/etc", O_RDONLY), -ELOOP);
	assert_int_equal(try_beneath("..", O_RDONLY), -EXDEV);
	assert_int_equal(try_beneath("sub/../../tmp", O_RDONLY), -EXDEV);
	assert_int_equal(try_beneath("/etc/passwd", O_RDONLY), -EXDEV);
	assert_int_equal(try_beneath("none", O_RDONLY), -ENOENT);
	assert_int_equal(open_beneath(directory, "no\033ne", O_RDONLY, 0, &fd, &error), -ENOENT);
	assert_int_equal(fd, -1);
	assert_describes(error, "'no\\x1bne': No such file");
	assert_int_equal(
		open_beneath(directory, "new", O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, NULL), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static int beneath_crosses_no_mount(void)
{
	cleanup_close int proc = -1;
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat outside, inside;

	if (stat("/", &outside) < 0 || stat("/proc", &inside) < 0 ||
	    outside.st_dev == inside.st_dev)
		return 77;
	return open_beneath(root, "proc", O_PATH, 0, &proc, NULL) == -EXDEV ? 0 : 1;
}

static void test_beneath_mount(void **state)
{
	(void)state;
	run_in_child(beneath_crosses_no_mount, "nothing is mounted on /proc");
}

static void test_parent(void **state)
{
	cleanup_close int fd = -1, top = -1;
	const char *name = NULL;

	(void)state;
	make_directory("a");
	make_directory("a/b");
	make_file("a/b/c", "x");
	make_link("a", "link");
	assert_int_equal(open_parent_beneath(directory, "a/b/c", &fd, &name, NULL), 0);
	assert_string_equal(name, "c");
	assert_int_equal(faccessat(fd, name, F_OK, 0), 0);
	assert_int_equal(open_parent_beneath(directory, "new", &top, &name, NULL), 0);
	assert_string_equal(name, "new");
	assert_int_equal(open_parent_beneath(directory, "link/x", &fd, &name, NULL), -ELOOP);
	assert_int_equal(open_parent_beneath(directory, "../x", &fd, &name, NULL), -EINVAL);
	assert_int_equal(open_parent_beneath(directory, "a/", &fd, &name, NULL), -EINVAL);
}

struct foreign_case {
	const char *path;
	int expected;
	const char *message;
};

static void test_regular(void **state)
{
	static const struct foreign_case cases[] = {
		{ "link.ko", -ELOOP, "link.ko is a symbolic link, not a regular file" },
		{ "dangling.ko", -ELOOP, "is a symbolic link" },
		{ "fifo.ko", -EINVAL, "fifo.ko is a FIFO" },
		{ "socket.ko", -EINVAL, "socket.ko is a socket" },
		{ "directory.ko", -EISDIR, "directory.ko is a directory" },
		{ "one.ko", -EMLINK, "one.ko is a hard link" },
		{ "sparse.ko", -EFBIG, "too large: 1099511627776 bytes, at most 100" },
		{ "none.ko", -ENOENT, "No such file" },
		{ "../none.ko", -EXDEV, "cannot open" },
		{ "/etc/passwd", -EXDEV, "cannot open" },
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	cleanup_close int fd = -1, sparse = -1;
	cleanup_close int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t size = 0;

	(void)state;
	make_file("good.ko", "0123456789");
	make_link("good.ko", "link.ko");
	make_link("nowhere", "dangling.ko");
	make_directory("directory.ko");
	make_file("one.ko", "x");
	assert_int_equal(linkat(directory, "one.ko", directory, "two.ko", 0), 0);
	assert_int_equal(mkfifoat(directory, "fifo.ko", 0644), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket.ko", directory_path);
	assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
	sparse = openat(directory, "sparse.ko", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(sparse, (off_t)1 << 40), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_error struct error *error = NULL;

		if (open_regular_beneath(directory, cases[i].path, 100, &fd, &size, &error) !=
		    cases[i].expected)
			fail_msg("%s: %d", cases[i].path, error_number(error));
		assert_describes(error, cases[i].message);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(open_regular_beneath(directory, "good.ko", 9, &fd, &size, NULL), -EFBIG);
	assert_int_equal(open_regular_beneath(directory, "good.ko", 10, &fd, &size, NULL), 0);
	assert_int_equal(size, 10);
}

static void test_read(void **state)
{
	cleanup_text struct text text = { 0 };
	cleanup_error struct error *error = NULL;
	cleanup_close int proc = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char block[1000];

	(void)state;
	make_file("file", "content");
	make_file("empty", "");
	make_link("file", "link");
	assert_int_equal(mkfifoat(directory, "fifo", 0644), 0);
	assert_int_equal(read_file(directory, "file", 7, &text, NULL), 0);
	assert_string_equal(text.data, "content");
	text_clear(&text);
	assert_int_equal(read_file(directory, "empty", 0, &text, NULL), 0);
	assert_string_equal(text.data, "");
	text_clear(&text);
	assert_int_equal(read_file(directory, "file", 6, &text, &error), -EFBIG);
	assert_describes(error, "cannot read 'file': more than 6 bytes");
	assert_int_equal(read_file(directory, "link", 7, &text, NULL), -ELOOP);
	assert_int_equal(read_file(directory, "fifo", 7, &text, NULL), -EINVAL);
	assert_int_equal(read_file(directory, ".", 7, &text, NULL), -EISDIR);
	assert_null(text.data);
	/* A size of 0 is not believed. */
	assert_int_equal(read_file(proc, "status", 100000, &text, NULL), 0);
	assert_true(text.length > 0);
	text_clear(&text);
	memset(block, 'b', sizeof(block));
	for (int i = 0; i < 200; i++) {
		cleanup_close int fd =
			openat(directory, "large", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

		assert_int_equal(write_all(fd, block, sizeof(block)), 0);
	}
	assert_int_equal(read_file(directory, "large", 200000, &text, NULL), 0);
	assert_int_equal(text.length, 200000);
}

static void test_read_pipe(void **state)
{
	cleanup_text struct text text = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write_all(fds[1], "abc", 3), 0);
	(void)close_fd(fds[1]);
	assert_int_equal(read_fd(fds[0], 3, &text, NULL), 0);
	assert_string_equal(text.data, "abc");
	(void)close_fd(fds[0]);
	text_clear(&text);
	assert_int_equal(read_fd(-1, 3, &text, NULL), -EBADF);
}

static void test_make_directories(void **state)
{
	cleanup_close int fd = -1;
	struct stat status;

	(void)state;
	make_link("/tmp", "link");
	make_file("file", "x");
	assert_int_equal(make_directories(directory, "a/b/c", 0750, NULL), 0);
	assert_int_equal(fstatat(directory, "a/b/c", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(status.st_mode, S_IFDIR | 0750);
	assert_int_equal(fchmodat(directory, "a/b", 0700, 0), 0);
	assert_int_equal(make_directories(directory, "a/b/c/d", 0755, NULL), 0);
	assert_int_equal(fstatat(directory, "a/b", &status, 0), 0);
	assert_int_equal(status.st_mode, S_IFDIR | 0700);
	assert_true(make_directories(directory, "link/x", 0755, NULL) < 0);
	assert_int_equal(make_directories(directory, "file/x", 0755, NULL), -ENOTDIR);
	assert_int_equal(make_directories(directory, "../x", 0755, NULL), -EINVAL);
	assert_int_equal(make_directories(directory, "/x", 0755, NULL), -EINVAL);
	assert_int_equal(open_beneath(directory, "a/b/c/d", O_PATH, 0, &fd, NULL), 0);
}

static size_t count_entries(void)
{
	DIR *entries = fdopendir(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	size_t count = 0;

	assert_non_null(entries);
	while (readdir(entries))
		count++;
	(void)closedir(entries);
	return count - 2;
}

static void test_write_atomically(void **state)
{
	cleanup_text struct text text = { 0 };
	char name[256];
	struct stat status;

	(void)state;
	(void)umask(077);
	make_directory("sub");
	assert_int_equal(write_file_atomically(directory, "sub/f", "old", 3, 0644, NULL), 0);
	assert_int_equal(fstatat(directory, "sub/f", &status, 0), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0644);
	assert_int_equal(write_file_atomically(directory, "sub/f", "new!", 4, 0600, NULL), 0);
	assert_int_equal(fstatat(directory, "sub/f", &status, 0), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0600);
	assert_int_equal(read_file(directory, "sub/f", 100, &text, NULL), 0);
	assert_string_equal(text.data, "new!");
	assert_int_equal(count_entries(), 1);
	assert_int_equal(write_file_atomically(directory, "empty", NULL, 0, 0600, NULL), 0);
	/* The longest name there can be. */
	memset(name, 'n', 255);
	name[255] = '\0';
	assert_int_equal(write_file_atomically(directory, name, "x", 1, 0600, NULL), 0);
	assert_int_equal(count_entries(), 3);
}

/* What a link points to is left alone; the link is what is replaced. */
static void test_write_over_link(void **state)
{
	cleanup_text struct text text = { 0 };
	struct stat status;

	(void)state;
	make_file("victim", "precious");
	make_link("victim", "link");
	assert_int_equal(write_file_atomically(directory, "link", "x", 1, 0600, NULL), 0);
	assert_int_equal(fstatat(directory, "link", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_int_equal(read_file(directory, "victim", 100, &text, NULL), 0);
	assert_string_equal(text.data, "precious");
}

static void test_write_fails(void **state)
{
	static char bytes[100000];
	struct rlimit before, small;
	int r;

	(void)state;
	make_directory("target");
	make_file("file", "old");
	/* A directory is in the way: the temporary file must not stay. */
	assert_int_equal(write_file_atomically(directory, "target", "x", 1, 0600, NULL), -EISDIR);
	assert_int_equal(write_file_atomically(directory, "none/f", "x", 1, 0600, NULL), -ENOENT);
	assert_int_equal(write_file_atomically(directory, "../f", "x", 1, 0600, NULL), -EINVAL);
	assert_int_equal(count_entries(), 2);
	/* A full disk, as RLIMIT_FSIZE shows it: the old content stays. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ .rlim_cur = 50000, .rlim_max = before.rlim_max };
	(void)sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = write_file_atomically(directory, "file", bytes, sizeof(bytes), 0600, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(r, -EFBIG);
	assert_int_equal(count_entries(), 2);
	{
		cleanup_text struct text text = { 0 };

		assert_int_equal(read_file(directory, "file", 100, &text, NULL), 0);
		assert_string_equal(text.data, "old");
	}
}

/* Short writes: a pipe that takes less at a time than it is given. */
static void test_write_all(void **state)
{
	static char sent[300000];
	cleanup_text struct text text = { 0 };
	int fds[2], status = 0;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 31);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close_fd(fds[0]);
		_exit(write_all(fds[1], sent, sizeof(sent)) == 0 ? 0 : 1);
	}
	(void)close_fd(fds[1]);
	assert_int_equal(read_fd(fds[0], sizeof(sent), &text, NULL), 0);
	(void)close_fd(fds[0]);
	assert_int_equal(text.length, sizeof(sent));
	assert_memory_equal(text.data, sent, sizeof(sent));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(write_all(-1, "x", 1), -EBADF);
}

static void test_copy(void **state)
{
	cleanup_close int source = -1, target = -1;
	cleanup_text struct text text = { 0 };

	(void)state;
	assert_int_equal(memfd_from_bytes("source", "0123456789", 10, &source, NULL), 0);
	target = openat(directory, "copy", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write_all(target, "<", 1), 0);
	assert_int_equal(copy_bytes(target, source, 4, NULL), 0);
	assert_int_equal(copy_bytes(target, source, 0, NULL), 0);
	assert_int_equal(copy_bytes(target, source, 11, NULL), -EIO);
	assert_int_equal(read_file(directory, "copy", 100, &text, NULL), 0);
	assert_string_equal(text.data, "<01230123456789");
}

static void test_remove(void **state)
{
	(void)state;
	make_directory("keep");
	make_file("keep/file", "x");
	make_directory("tree");
	make_directory("tree/sub");
	make_file("tree/sub/file", "x");
	make_link("../keep", "tree/link");
	make_link("/tmp", "tree/sub/absolute");
	assert_int_equal(mkfifoat(directory, "tree/fifo", 0), 0);
	assert_int_equal(remove_tree(directory, "tree", NULL), 0);
	assert_false(is_there("tree"));
	assert_true(is_there("keep/file"));
	assert_int_equal(remove_tree(directory, "tree", NULL), 0);
	assert_int_equal(remove_tree(directory, "tree/deeper", NULL), 0);
	make_link("keep", "link");
	assert_int_equal(remove_tree(directory, "link/file", NULL), -ELOOP);
	assert_int_equal(remove_tree(directory, "link", NULL), 0);
	assert_true(is_there("keep/file"));
	assert_int_equal(remove_tree(directory, ".", NULL), -EINVAL);
	assert_int_equal(remove_tree(directory, "..", NULL), -EINVAL);
	assert_int_equal(remove_tree(directory, "keep/..", NULL), -EINVAL);
	assert_int_equal(remove_tree(directory, "keep/file", NULL), 0);
	assert_true(is_there("keep"));
}

/* A chain of directories with a file and a closed directory here and there. */
static int make_deep_tree(int top, unsigned depth)
{
	cleanup_close int current = openat(top, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (unsigned i = 0; i < depth && current >= 0; i++) {
		int next;

		if (mkdirat(current, "d", 0755) < 0)
			return -errno;
		next = openat(current, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (i % 100 == 50 && (mkdirat(next, "closed", 0) < 0 ||
				      mknodat(next, "file", S_IFREG | 0600, 0) < 0))
			return -errno;
		(void)close_fd(current);
		current = next;
	}
	return current < 0 ? -EIO : 0;
}

/* With 50 descriptors: the depth must not cost any. */
static int remove_deep_tree(void)
{
	const struct rlimit few = { .rlim_cur = 50, .rlim_max = 50 };
	cleanup_error struct error *error = NULL;
	int fd = openat(directory, "deep", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (make_deep_tree(fd, 10000) < 0)
		return 1;
	(void)close_fd(fd);
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		return 2;
	if (remove_tree(directory, "deep", &error) < 0) {
		cleanup_free char *text = error_describe(error);

		print_message("%s\n", text);
		return 3;
	}
	return is_there("deep") ? 4 : 0;
}

static void test_list(void **state)
{
	cleanup_list DIR *list = NULL, *link = NULL;
	const char *name;
	unsigned found = 0;

	(void)state;
	assert_int_equal(make_directories(directory, "listed/.hidden", 0755, NULL), 0);
	assert_int_equal(make_directories(directory, "listed/..x", 0755, NULL), 0);
	assert_int_equal(symlinkat("listed", directory, "link"), 0);
	assert_int_equal(list_open(directory, "link", &link, NULL), -ELOOP);
	assert_int_equal(list_open(directory, "absent", &link, NULL), -ENOENT);
	assert_null(link);
	assert_int_equal(list_open(directory, "listed", &list, NULL), 0);
	while ((name = list_next(list)))
		found += string_equal(name, ".hidden") ? 1 : string_equal(name, "..x") ? 10 : 100;
	assert_int_equal(errno, 0);
	assert_int_equal(found, 11);
}

static void test_remove_deep(void **state)
{
	(void)state;
	make_directory("deep");
	run_in_child(remove_deep_tree, "");
}

static int become_nobody(void)
{
	if (geteuid() == 0 &&
	    (fchown(directory, NOBODY, NOBODY) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		return -1;
	return geteuid() == 0 ? -1 : 0;
}

/* Directories that may not be read, entered or written: only an ordinary user is held up by them.
 */
static int remove_closed_tree(void)
{
	static const mode_t modes[] = { 0, 0100, 0200, 0300, 0400, 0500, 0600 };

	if (become_nobody() < 0)
		return 77;
	make_directory("tree");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "tree/%zu", i);
		make_directory(path);
		(void)snprintf(path, sizeof(path), "tree/%zu/sub", i);
		make_directory(path);
		(void)snprintf(path, sizeof(path), "tree/%zu/sub/file", i);
		make_file(path, "x");
		(void)snprintf(path, sizeof(path), "tree/%zu/sub", i);
		require(fchmodat(directory, path, modes[i], 0) == 0);
		(void)snprintf(path, sizeof(path), "tree/%zu", i);
		require(fchmodat(directory, path, modes[i], 0) == 0);
	}
	require(fchmodat(directory, "tree", 0, 0) == 0);
	/* The control: what rm would meet. */
	if (unlinkat(directory, "tree/0", AT_REMOVEDIR) == 0 || errno != EACCES)
		return 1;
	return remove_tree(directory, "tree", NULL) == 0 && !is_there("tree") ? 0 : 2;
}

static void test_remove_closed(void **state)
{
	(void)state;
	run_in_child(remove_closed_tree, "cannot become an ordinary user");
}

static int remove_deep_as_nobody(void)
{
	if (become_nobody() < 0)
		return 77;
	make_directory("deep");
	return remove_deep_tree();
}

static void test_remove_deep_as_nobody(void **state)
{
	(void)state;
	run_in_child(remove_deep_as_nobody, "cannot become an ordinary user");
}

static bool write_proc(const char *path, const char *content)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write_all(fd, content, strlen(content)) == 0;
}

static int enter_mount_namespace(void)
{
	char uid_map[32], gid_map[32];

	(void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", geteuid());
	(void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", getegid());
	if (geteuid() == 0) {
		if (unshare(CLONE_NEWNS) < 0)
			return -1;
	} else if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
		   !write_proc("/proc/self/setgroups", "deny") ||
		   !write_proc("/proc/self/uid_map", uid_map) ||
		   !write_proc("/proc/self/gid_map", gid_map)) {
		return -1;
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int remove_stops_at_mount(void)
{
	char path[128];

	make_directory("tree");
	make_directory("tree/mounted");
	(void)snprintf(path, sizeof(path), "%s/tree/mounted", directory_path);
	if (enter_mount_namespace() < 0 || mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
		return 77;
	/* The directory was opened outside, as the other mount namespace has it: open it anew. */
	(void)close_fd(directory);
	directory = open(directory_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_file("tree/mounted/file", "x");
	if (remove_tree(directory, "tree", NULL) != -EXDEV || !is_there("tree/mounted/file"))
		return 1;
	if (umount2(path, MNT_DETACH) < 0)
		return 2;
	return remove_tree(directory, "tree", NULL) == 0 ? 0 : 3;
}

static void test_remove_mount(void **state)
{
	(void)state;
	run_in_child(remove_stops_at_mount, "no mount namespace can be made here");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_beneath),
		TEST(test_beneath_mount),
		TEST(test_parent),
		TEST(test_regular),
		TEST(test_read),
		TEST(test_read_pipe),
		TEST(test_make_directories),
		TEST(test_write_atomically),
		TEST(test_write_over_link),
		TEST(test_write_fails),
		TEST(test_write_all),
		TEST(test_copy),
		TEST(test_list),
		TEST(test_remove),
		TEST(test_remove_deep),
		TEST(test_remove_closed),
		TEST(test_remove_deep_as_nobody),
		TEST(test_remove_mount),
	};

	test_pid = getpid();
	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
