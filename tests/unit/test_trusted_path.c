/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The opener of system paths: where links may lead, and whose steps are not taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/base/files.h"

#define STRANGER 12345

/* The directory of one test, made in set_up() and removed by remove_tree() itself. */
static char directory_path[64];
static int directory = -1;

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

static void make_file(const char *path, const char *content)
{
	assert_int_equal(
		write_file_atomically(directory, path, content, strlen(content), 0644, NULL), 0);
}

static void make_directory(const char *path)
{
	assert_int_equal(mkdirat(directory, path, 0755), 0);
}

static void make_link(const char *target, const char *path)
{
	assert_int_equal(symlinkat(target, directory, path), 0);
}

static void assert_describes(const struct error *error, const char *part)
{
	cleanup_free char *text = error_describe(error);

	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* open_trusted() below the test's directory; the caller is the owner. */
static int try_trusted(const char *path, int flags, char **ret_resolved, struct error **error)
{
	cleanup_close int fd = -1;

	return open_trusted(directory, path, geteuid(), flags, &fd, ret_resolved, error);
}

struct trusted_case {
	const char *path;
	int flags;
	int expected;
	const char *resolved;
};

static void make_trusted_tree(void)
{
	make_directory("usr");
	make_directory("usr/lib");
	make_directory("usr/lib/modules");
	make_file("usr/lib/modules/file", "x");
	make_link("usr/lib", "lib");
	make_link("/lib/modules", "absolute");
	make_link("/lib/modules", "usr/lib/absolute");
	make_link("../../../../../usr/lib", "usr/lib/climb");
	make_link("loop2", "loop1");
	make_link("loop1", "loop2");
	make_link("nowhere", "dangling");
	make_link("file", "usr/lib/modules/link");
}

static void test_trusted_paths(void **state)
{
	static const struct trusted_case cases[] = {
		{ "/", O_PATH, 0, "/" },
		{ "/usr/lib", O_PATH, 0, "/usr/lib" },
		{ "//usr/./lib///", O_RDONLY | O_DIRECTORY, 0, "/usr/lib" },
		{ "/lib/modules", O_PATH | O_DIRECTORY, 0, "/usr/lib/modules" },
		{ "/lib/modules/file", O_RDONLY, 0, "/usr/lib/modules/file" },
		{ "/lib/modules/link", O_RDONLY, 0, "/usr/lib/modules/file" },
		{ "/absolute/file", O_RDONLY, 0, "/usr/lib/modules/file" },
		{ "/usr/lib/absolute/file", O_RDONLY, 0, "/usr/lib/modules/file" },
		{ "/usr/lib/climb/modules", O_PATH, 0, "/usr/lib/modules" },
		{ "/../../usr", O_PATH, 0, "/usr" },
		{ "/lib/..", O_PATH, 0, "/usr" },
		{ "/usr/..", O_PATH, 0, "/" },
		{ "/usr/lib/../..", O_PATH, 0, "/" },
		{ "/loop1", O_PATH, -ELOOP, NULL },
		{ "/dangling", O_PATH, -ENOENT, NULL },
		{ "/none", O_PATH, -ENOENT, NULL },
		{ "/lib", O_PATH | O_NOFOLLOW, -ELOOP, NULL },
		{ "/lib/modules", O_PATH | O_NOFOLLOW, 0, "/usr/lib/modules" },
		{ "/usr/lib/modules/file/x", O_PATH, -ENOTDIR, NULL },
		{ "/usr/lib/modules/file/", O_PATH, -ENOTDIR, NULL },
		{ "/usr/lib/modules/file/..", O_PATH, -ENOTDIR, NULL },
		{ "/usr/lib/modules/file", O_PATH | O_DIRECTORY, -ENOTDIR, NULL },
		{ "usr", O_PATH, -EINVAL, NULL },
		{ "", O_PATH, -EINVAL, NULL },
		{ "/new", O_RDWR | O_CREAT, -EINVAL, NULL },
	};

	(void)state;
	make_trusted_tree();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *resolved = NULL;
		int r = try_trusted(cases[i].path, cases[i].flags, &resolved, NULL);

		if (r != cases[i].expected || !string_equal(resolved, cases[i].resolved))
			fail_msg("%s: %d, %s", cases[i].path, r, resolved ? resolved : "-");
	}
	assert_int_equal(faccessat(directory, "new", F_OK, 0), -1);
}

static void test_trusted_content(void **state)
{
	cleanup_close int fd = -1;
	cleanup_text struct text text = { 0 };

	(void)state;
	make_trusted_tree();
	assert_int_equal(
		open_trusted(directory, "/absolute/link", geteuid(), O_RDONLY, &fd, NULL, NULL), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(read_fd(fd, 10, &text, NULL), 0);
	assert_string_equal(text.data, "x");
}

static void test_trusted_many_links(void **state)
{
	char name[16], target[16];

	(void)state;
	make_directory("end");
	for (int i = 0; i < 41; i++) {
		(void)snprintf(name, sizeof(name), "l%d", i);
		(void)snprintf(target, sizeof(target), "l%d", i + 1);
		make_link(i == 40 ? "end" : target, name);
	}
	assert_int_equal(try_trusted("/l1", O_PATH, NULL, NULL), 0);	  /* 40 links */
	assert_int_equal(try_trusted("/l0", O_PATH, NULL, NULL), -ELOOP); /* 41 */
}

static void test_trusted_depth(void **state)
{
	cleanup_text struct text path = { 0 };

	(void)state;
	for (int i = 0; i < 64; i++)
		assert_int_equal(text_append_string(&path, i ? "/d" : "d"), 0);
	assert_int_equal(make_directories(directory, path.data, 0755, NULL), 0);
	{
		cleanup_free char *full = format_string("/%s", path.data);
		cleanup_free char *deeper = format_string("/%s/d", path.data);

		assert_int_equal(mkdirat(directory, deeper + 1, 0755), 0);
		assert_int_equal(try_trusted(full, O_PATH, NULL, NULL), 0);
		assert_int_equal(try_trusted(deeper, O_PATH, NULL, NULL), -ENAMETOOLONG);
	}
}

static void test_trusted_modes(void **state)
{
	cleanup_error struct error *error = NULL;

	(void)state;
	make_trusted_tree();
	assert_int_equal(try_trusted("/usr/lib/modules", O_PATH, NULL, NULL), 0);
	assert_int_equal(fchmodat(directory, "usr/lib", 0757, 0), 0);
	assert_int_equal(try_trusted("/usr/lib/modules", O_PATH, NULL, &error), -EPERM);
	assert_describes(error, "/usr/lib is not trusted: others can write the directory");
	assert_int_equal(try_trusted("/lib/modules", O_PATH, NULL, NULL), -EPERM);
	assert_int_equal(try_trusted("/usr/lib", O_PATH, NULL, NULL), -EPERM);
	assert_int_equal(fchmodat(directory, "usr/lib", 0775, 0), 0);
	assert_int_equal(try_trusted("/usr/lib/modules", O_PATH, NULL, NULL), -EPERM);
	assert_int_equal(fchmodat(directory, "usr/lib", 01777, 0), 0);
	assert_int_equal(try_trusted("/usr/lib/modules", O_PATH, NULL, NULL), 0);
	assert_int_equal(fchmodat(directory, "usr/lib/modules/file", 0666, 0), 0);
	assert_int_equal(try_trusted("/usr/lib/modules/file", O_RDONLY, NULL, NULL), -EPERM);
}

/* The directory that the caller names as root is the caller's business. */
static void test_trusted_root_is_given(void **state)
{
	(void)state;
	make_trusted_tree();
	assert_int_equal(fchmod(directory, 0777), 0);
	assert_int_equal(try_trusted("/usr", O_PATH, NULL, NULL), 0);
}

static void test_trusted_owner(void **state)
{
	cleanup_error struct error *error = NULL;
	cleanup_close int fd = -1;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: only root can give files away\n");
		skip();
	}
	make_trusted_tree();
	assert_int_equal(fchownat(directory, "usr/lib", STRANGER, 0, 0), 0);
	assert_int_equal(try_trusted("/usr/lib/modules", O_PATH, NULL, &error), -EPERM);
	assert_describes(error, "/usr/lib is not trusted: it belongs to another user");
	assert_int_equal(try_trusted("/usr/lib", O_PATH, NULL, NULL), -EPERM);
	/* The same tree with that user as the owner: accepted, as root's part of it is. */
	assert_int_equal(
		open_trusted(directory, "/lib/modules/file", STRANGER, O_RDONLY, &fd, NULL, NULL),
		0);
	assert_int_equal(fchownat(directory, "usr/lib", 0, 0, 0), 0);
	assert_int_equal(try_trusted("/lib/modules", O_PATH, NULL, NULL), 0);
	assert_int_equal(fchownat(directory, "lib", STRANGER, 0, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(try_trusted("/lib/modules", O_PATH, NULL, NULL), -EPERM);
	/* In a sticky directory too only root's and the owner's entries count. */
	assert_int_equal(fchmodat(directory, "usr/lib", 01777, 0), 0);
	assert_int_equal(try_trusted("/usr/lib/modules/file", O_RDONLY, NULL, NULL), 0);
	assert_int_equal(fchownat(directory, "usr/lib/modules", STRANGER, 0, 0), 0);
	assert_int_equal(try_trusted("/usr/lib/modules/file", O_RDONLY, NULL, NULL), -EPERM);
}

static void test_trusted_system(void **state)
{
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = -1, null_fd = -1;
	cleanup_free char *resolved = NULL;
	struct stat wanted, got;

	(void)state;
	assert_int_equal(open_trusted(root, "/bin/sh", 0, O_RDONLY, &fd, &resolved, NULL), 0);
	assert_int_equal(stat("/bin/sh", &wanted), 0);
	assert_int_equal(fstat(fd, &got), 0);
	assert_true(wanted.st_ino == got.st_ino && wanted.st_dev == got.st_dev);
	assert_int_equal(lstat(resolved, &got), 0);
	assert_true(wanted.st_ino == got.st_ino && S_ISREG(got.st_mode));
	assert_int_equal(open_trusted(root, "/dev/null", 0, O_RDWR, &null_fd, NULL, NULL), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_trusted_paths),      TEST(test_trusted_content),
		TEST(test_trusted_many_links), TEST(test_trusted_depth),
		TEST(test_trusted_modes),      TEST(test_trusted_root_is_given),
		TEST(test_trusted_owner),      TEST(test_trusted_system),
	};

	return cmocka_run_group_tests_name("trusted_path", tests, NULL, NULL);
}
