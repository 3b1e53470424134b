/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory against the snapshot of it: the same until anything at all about it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/recipes/snapshot.h"

struct place {
	char path[64];
	int fd;
	int snapshot_fd;
};

static void write_file(int fd, const char *path, const char *text, mode_t mode)
{
	assert_int_equal(write_file_atomically(fd, path, text, strlen(text), mode, NULL), 0);
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct digest digest;

	assert_non_null(place);
	(void)snprintf(place->path, sizeof(place->path), "/tmp/kmodbox-compare-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->fd >= 0);
	assert_int_equal(make_directories(place->fd, "src/empty", 0755, NULL), 0);
	write_file(place->fd, "dkms.conf", "PACKAGE_NAME=demo\n", 0644);
	write_file(place->fd, "src/demo.c", "int demo;\n", 0644);
	write_file(place->fd, "src/configure", "#!/bin/sh\n", 0755);
	write_file(place->fd, "src/nothing", "", 0644);
	assert_int_equal(symlinkat("../dkms.conf", place->fd, "src/conf"), 0);
	assert_int_equal(snapshot_from_directory(place->fd, -1, &place->snapshot_fd, &digest, NULL),
			 0);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	cleanup_close int parent_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(remove_tree(parent_fd, strrchr(place->path, '/') + 1, NULL), 0);
	(void)close_fd(place->fd);
	(void)close_fd(place->snapshot_fd);
	free(place);
	return 0;
}

static int compare(const struct place *place)
{
	return snapshot_compare_directory(place->snapshot_fd, place->fd, NULL);
}

static void add_file(int fd)
{
	write_file(fd, "src/more.c", "", 0644);
}

static void add_to_empty(int fd)
{
	write_file(fd, "src/empty/.hidden", "", 0644);
}

static void add_fifo(int fd)
{
	assert_int_equal(mkfifoat(fd, "fifo", 0644), 0);
}

static void remove_file(int fd)
{
	assert_int_equal(unlinkat(fd, "src/nothing", 0), 0);
}

static void swap_files(int fd)
{
	remove_file(fd);
	write_file(fd, "src/other", "", 0644);
}

static void change_byte(int fd)
{
	write_file(fd, "src/demo.c", "int dem0;\n", 0644);
}

static void make_longer(int fd)
{
	write_file(fd, "src/demo.c", "int demo;\n\n", 0644);
}

static void make_shorter(int fd)
{
	write_file(fd, "src/demo.c", "int demo;", 0644);
}

static void make_executable(int fd)
{
	assert_int_equal(fchmodat(fd, "src/demo.c", 0755, 0), 0);
}

static void take_execution(int fd)
{
	assert_int_equal(fchmodat(fd, "src/configure", 0644, 0), 0);
}

static void lead_elsewhere(int fd)
{
	assert_int_equal(unlinkat(fd, "src/conf", 0), 0);
	assert_int_equal(symlinkat("../dkms.con", fd, "src/conf"), 0);
}

static void link_to_file(int fd)
{
	assert_int_equal(renameat(fd, "src/demo.c", fd, "src/conf"), 0);
	assert_int_equal(symlinkat("conf", fd, "src/demo.c"), 0);
}

static void link_to_directory(int fd)
{
	assert_int_equal(renameat(fd, "src", fd, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", fd, "src"), 0);
}

static void file_to_fifo(int fd)
{
	remove_file(fd);
	assert_int_equal(mkfifoat(fd, "src/nothing", 0644), 0);
}

static void file_to_directory(int fd)
{
	remove_file(fd);
	assert_int_equal(mkdirat(fd, "src/nothing", 0755), 0);
}

static const struct {
	const char *name;
	void (*change)(int fd);
} changes[] = {
	{ "add_file", add_file },
	{ "add_to_empty", add_to_empty },
	{ "add_fifo", add_fifo },
	{ "remove_file", remove_file },
	{ "swap_files", swap_files },
	{ "change_byte", change_byte },
	{ "make_longer", make_longer },
	{ "make_shorter", make_shorter },
	{ "make_executable", make_executable },
	{ "take_execution", take_execution },
	{ "lead_elsewhere", lead_elsewhere },
	{ "link_to_file", link_to_file },
	{ "link_to_directory", link_to_directory },
	{ "file_to_fifo", file_to_fifo },
	{ "file_to_directory", file_to_directory },
};

static void test_the_same(void **state)
{
	struct place *place = *state;

	assert_int_equal(compare(place), 0);
	/* What is no part of a source does not count. */
	assert_int_equal(fchmodat(place->fd, "src/demo.c", 0600, 0), 0);
	assert_int_equal(fchmodat(place->fd, "src", 0700, 0), 0);
	assert_int_equal(utimensat(place->fd, "dkms.conf", NULL, 0), 0);
	assert_int_equal(compare(place), 0);
}

static void test_every_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		void *place;

		assert_int_equal(set_up(&place), 0);
		assert_int_equal(compare(place), 0);
		changes[i].change(((struct place *)place)->fd);
		if (compare(place) != -EBUSY)
			print_error("%s is not seen\n", changes[i].name);
		assert_int_equal(compare(place), -EBUSY);
		assert_int_equal(tear_down(&place), 0);
	}
}

static void test_no_snapshot(void **state)
{
	struct place *place = *state;
	cleanup_close int file_fd = openat(place->fd, "dkms.conf", O_RDONLY | O_CLOEXEC);

	assert_true(snapshot_compare_directory(file_fd, place->fd, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_same, set_up, tear_down),
		cmocka_unit_test(test_every_change),
		cmocka_unit_test_setup_teardown(test_no_snapshot, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("snapshot_compare", tests, NULL, NULL);
}
