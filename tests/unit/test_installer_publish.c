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
	assert_int_equal(publish_begin(session, &target, twice_fd), 34);
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
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 0);
	assert_int_equal(publish(session, 5), 34);
	assert_int_equal(publish(session, 4), 34);
	assert_int_equal(publish(session, 6), 0);
	write_text(session->world.trees[TREE_LEDGER], "demo/" KERNEL "-" ARCHITECTURE, "-1\n");
	assert_int_equal(publish_contents(session, "1", 7, contents, 2, 1), 34);
}

static void test_approval_is_needed(void **state)
{
	struct session *session = *state;

	start(session, "build");
	must(remove_tree(session->world.trees[TREE_APPROVALS], "demo/1", error));
	assert_int_equal(publish(session, 1), 36);
	must(remove_tree(session->world.trees[TREE_DKMS], "demo/1", error));
	pretend_added(&session->world, "demo", "1");
	assert_int_equal(publish(session, 1), 0);
}

static void test_failed_log(void **state)
{
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0);
	cleanup_close int fd = sealed("it failed");

	start(session, "build");
	assert_int_equal(ask(session, INSTALLER_FAILED_LOG, &target, sizeof(target), &fd, 1, NULL),
			 0);
	assert_text(session->world.trees[TREE_DKMS], "demo/1/build/make.log", "it failed");
	assert_int_equal(publish(session, 1), 0);
	assert_false(is_there(session->world.trees[TREE_DKMS], "demo/1/build"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_life),       TEST(test_publish_refusals),
		TEST(test_replay),     TEST(test_approval_is_needed),
		TEST(test_failed_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
