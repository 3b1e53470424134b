/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the installer takes from a build: tickets, serials, approvals, bytes. Every refusal has its
 * counterpart that passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "tests/unit/installer_session.h"

static void test_life(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;
	struct stat status;

	start(session, "install");
	assert_int_equal(publish(session, 7), 0);
	assert_text(trees[TREE_DKMS], BUILD "/module/demo.ko.xz", "bytes of demo");
	assert_text(trees[TREE_DKMS], BUILD "/module/more.ko.xz", "bytes of more");
	assert_text(trees[TREE_DKMS], BUILD "/log/make.log", "the log");
	assert_text(trees[TREE_DKMS], BUILD "/build.json", "{}\n");
	assert_text(trees[TREE_LEDGER], "demo/" KERNEL "-" ARCHITECTURE, "7\n");
	assert_int_equal(fstatat(trees[TREE_DKMS], BUILD "/module", &status, 0), 0);
	assert_int_equal(status.st_mode, S_IFDIR | 0755);
	assert_int_equal(fstatat(trees[TREE_DKMS], BUILD "/module/demo.ko.xz", &status, 0), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0644);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.files, 2);
	assert_int_equal(installed.originals, 0);
	assert_int_equal(installed.depmod, 0);
	assert_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "bytes of demo");
	assert_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/more.ko.xz", "bytes of more");
}

static void test_publish_refusals(void **state)
{
	static const struct content others[] = { { "demo.ko.xz", "updates/dkms",
						   "other bytes!!" } };
	static const struct content namesakes[] = { { "demo.ko.xz", "updates/dkms", "a" },
						    { "demo.ko.xz", "extra", "b" } };
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0), other = target;
	EVP_PKEY *wrong_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	cleanup_close int good_fd = issue(session->world.key, 5, "demo", "1", contents, 2);
	cleanup_close int bad_fd = issue(wrong_key, 5, "demo", "1", contents, 2);
	cleanup_close int twice_fd = issue(session->world.key, 5, "demo", "1", namesakes, 2);
	cleanup_close int noise_fd = sealed("noise");
	cleanup_free char *before = NULL, *after = NULL;

	start(session, "build");
	before = world_list(&session->world);
	assert_int_equal(publish_begin(session, &target, bad_fd), 34);
	assert_int_equal(publish_begin(session, &target, noise_fd), 34);
	/* In the DKMS tree all modules of a build lie in one directory. */
	assert_int_equal(publish_begin(session, &target, twice_fd), 0);
	assert_int_equal(publish_file(session, namesakes[0].name, namesakes[0].bytes), 0);
	assert_int_equal(publish_file(session, namesakes[1].name, namesakes[1].bytes), 34);
	(void)snprintf(other.kernel, sizeof(other.kernel), "6.1.0-2-amd64");
	assert_int_equal(publish_begin(session, &other, good_fd), 34);
	other = target_of("demo", "2", 0);
	assert_int_equal(publish_begin(session, &other, good_fd), 34);
	other = target_of("demo", "3", 0);
	assert_int_equal(publish_begin(session, &other, good_fd), 3);
	/* A refused file ends the publishing, so each begins anew. */
	assert_int_equal(publish_begin(session, &target, good_fd), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", others[0].bytes), 34);
	assert_int_equal(publish_begin(session, &target, good_fd), 0);
	assert_int_equal(publish_file(session, "other.ko.xz", "bytes of demo"), 34);
	assert_int_equal(publish_begin(session, &target, good_fd), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), 34);
	assert_int_equal(publish_begin(session, &target, good_fd), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), 0);
	assert_int_equal(publish_commit(session), 34);
	after = world_list(&session->world);
	assert_string_equal(before, after);
	assert_int_equal(publish(session, 5), 0);
	assert_int_equal(stop(session), 0);
	EVP_PKEY_free(wrong_key);
}

static void test_replay(void **state)
{
	struct session *session = *state;

	start(session, "install");
	assert_int_equal(publish(session, 5), 0);
	start_again(session, "unbuild");
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 0);
	start_again(session, "install");
	assert_int_equal(publish(session, 5), 34);
	assert_int_equal(publish(session, 4), 34);
	assert_null(strstr(session->said, "clock"));
	assert_int_equal(publish(session, 6), 0);
	/* A new serial is at least the time: to build again helps no more, if the clock is behind.
	 */
	write_text(session->world.trees[TREE_LEDGER], "demo/" KERNEL "-" ARCHITECTURE,
		   "99999999999\n");
	assert_int_equal(publish_contents(session, "1", (uint64_t)time(NULL), contents, 2, 1), 34);
	assert_non_null(strstr(session->said, "set the clock right or restore audit.log"));
	write_text(session->world.trees[TREE_LEDGER], "demo/" KERNEL "-" ARCHITECTURE, "-1\n");
	assert_int_equal(publish_contents(session, "1", 7, contents, 2, 1), 34);
}

static void test_approval_is_needed(void **state)
{
	struct session *session = *state;

	start(session, "build");
	must(remove_tree(session->world.trees[TREE_APPROVALS], "demo/1", error));
	assert_int_equal(publish(session, 1), 36);
	/* Of another source it says nothing about this one. */
	pretend_approved(&session->world, "demo", "1", "another source");
	assert_int_equal(publish(session, 1), 36);
	must(remove_tree(session->world.trees[TREE_DKMS], "demo/1", error));
	pretend_added(&session->world, "demo", "1");
	assert_int_equal(publish(session, 1), 0);
}

static void test_failed_log(void **state)
{
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0);
	const int fds[] = { sealed("it failed"), sealed("{}\n") };

	start(session, "build");
	assert_int_equal(ask(session, INSTALLER_FAILED_LOG, &target, sizeof(target), fds, 2, NULL),
			 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_text(session->world.trees[TREE_DKMS], "demo/1/build/make.log", "it failed");
	assert_text(session->world.trees[TREE_DKMS], "demo/1/build/failure.json", "{}\n");
	assert_int_equal(publish(session, 1), 0);
	assert_false(is_there(session->world.trees[TREE_DKMS], "demo/1/build"));
}

static int publish_data(struct session *session, const char *name, const char *bytes)
{
	struct installer_file file = { 0 };
	cleanup_close int fd = sealed(bytes);

	(void)snprintf(file.name, sizeof(file.name), "%s", name);
	return ask(session, INSTALLER_PUBLISH_DATA, &file, sizeof(file), &fd, 1, NULL);
}

static void begin_with_files(struct session *session, uint64_t serial)
{
	struct installer_target target = target_of("demo", "1", 1);
	cleanup_close int ticket_fd = issue(session->world.key, serial, "demo", "1", contents, 2);

	assert_int_equal(publish_begin(session, &target, ticket_fd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(contents); i++)
		assert_int_equal(publish_file(session, contents[i].name, contents[i].bytes), 0);
}

static void test_data(void **state)
{
	static const char *const refused[] = {
		"",	     "module", "log",	  "build.json",	    "ticket",
		"installed", "../x",   ".hidden", ".dep_",	    ".dep_.x",
		".dep_-x",   "a/b",    "-x",	  "Module.symvers", /* a second time */
	};
	struct session *session = *state;
	int dkms_fd = session->world.trees[TREE_DKMS];
	struct installer_installed installed;
	struct stat status;

	start(session, "install");
	begin_with_files(session, 1);
	assert_int_equal(publish_data(session, "Module.symvers", "symbols"), 0);
	assert_int_equal(publish_data(session, ".dep_other", "2.0\n"), 0);
	assert_int_equal(publish_data(session, "zfs_config.h", "#define X\n"), 0);
	assert_int_equal(publish_commit(session), 0);
	assert_text(dkms_fd, BUILD "/module/Module.symvers", "symbols");
	assert_text(dkms_fd, BUILD "/.dep_other", "2.0\n");
	assert_text(dkms_fd, BUILD "/zfs_config.h", "#define X\n");
	assert_int_equal(fstatat(dkms_fd, BUILD "/zfs_config.h", &status, 0), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0644);
	/* It is no module: neither installed, nor kept as what was, nor counted. */
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.files, 2);
	assert_false(is_there(session->world.trees[TREE_INSTALL],
			      KERNEL "/updates/dkms/Module.symvers"));
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		begin_with_files(session, 2);
		if (i == ARRAY_SIZE(refused) - 1)
			assert_int_equal(publish_data(session, refused[i], "x"), 0);
		assert_true(publish_data(session, refused[i], "x") > 0);
	}
	assert_text(dkms_fd, BUILD "/module/Module.symvers", "symbols");
	assert_int_equal(publish(session, 3), 3);
	assert_int_equal(publish_contents(session, "1", 3, contents, 2, 1), 0);
	assert_true(is_there(dkms_fd, BUILD "/installed/demo.ko.xz"));
	assert_false(is_there(dkms_fd, BUILD "/installed/Module.symvers"));
	assert_false(is_there(dkms_fd, BUILD "/zfs_config.h"));
	start_again(session, "uninstall");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.files, 2);
	assert_int_equal(installed.left, 0);
}

static void test_too_much_data(void **state)
{
	struct session *session = *state;
	char name[32];

	start(session, "build");
	begin_with_files(session, 1);
	for (unsigned i = 0; i < INSTALLER_DATA_FILES; i++) {
		(void)snprintf(name, sizeof(name), "data%u", i);
		assert_int_equal(publish_data(session, name, "x"), 0);
	}
	assert_int_equal(publish_data(session, "one-too-many", "x"), 34);
	assert_int_equal(stop(session), 0);
	/* Only while a build is being published. */
	start(session, "build");
	assert_int_equal(publish_data(session, "early", "x"), -1);
}

static void test_tarball(void **state)
{
	struct session *session = *state;
	int dkms_fd = session->world.trees[TREE_DKMS];
	struct installer_tarball tarball = { .target = target_of("demo", "1", 0) };
	cleanup_close int old_fd = sealed("old archive"), new_fd = sealed("new archive");

	start(session, "mktarball");
	(void)snprintf(tarball.file.name, sizeof(tarball.file.name), "../escape.tar.gz");
	assert_int_equal(
		ask(session, INSTALLER_TARBALL, &tarball, sizeof(tarball), &old_fd, 1, NULL), 34);
	memset(&tarball.file, 0, sizeof(tarball.file));
	(void)snprintf(tarball.file.name, sizeof(tarball.file.name), "demo-1.dkms.tar.gz");
	assert_int_equal(
		ask(session, INSTALLER_TARBALL, &tarball, sizeof(tarball), &old_fd, 1, NULL), 0);
	assert_text(dkms_fd, "demo/1/tarball/demo-1.dkms.tar.gz", "old archive");
	assert_int_equal(
		ask(session, INSTALLER_TARBALL, &tarball, sizeof(tarball), &new_fd, 1, NULL), 0);
	assert_text(dkms_fd, "demo/1/tarball/demo-1.dkms.tar.gz", "new archive");
	tarball.target = target_of("demo", "9", 0);
	assert_int_equal(
		ask(session, INSTALLER_TARBALL, &tarball, sizeof(tarball), &new_fd, 1, NULL), 3);
	assert_false(is_there(dkms_fd, "demo/9"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),	  TEST(test_publish_refusals),
		TEST(test_replay),	  TEST(test_approval_is_needed),
		TEST(test_failed_log),	  TEST(test_data),
		TEST(test_too_much_data), TEST(test_tarball),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
