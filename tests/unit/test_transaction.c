/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All old or all new: transactions are killed before each of their writes, and so are the
 * recoveries that follow. The installer's own requests are run that way too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/installer_support.h"

#define CRASHED 42

static unsigned steps_left;

static void count_down(void)
{
	if (--steps_left == 0)
		_exit(CRASHED);
}

typedef int scenario(const struct world *world, struct trees *trees, struct error **error);

/* Runs it in a child that dies before its step-th write; scenario NULL: only the recovery. */
static bool crashes(const struct world *world, scenario *run, unsigned step)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct error *error = NULL;
		struct trees trees;
		int r;

		world_trees(world, &trees);
		steps_left = step;
		trees.step = count_down;
		r = trees_open(&trees, &error);
		if (r == 0 && run)
			r = run(world, &trees, &error);
		if (r < 0) {
			char *text = error_describe(error);

			print_error("%s\n", text);
		}
		_exit(r < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CRASHED);
	return WEXITSTATUS(status) == CRASHED;
}

static void check_all_crashes(void (*prepare)(const struct world *world), scenario *run)
{
	cleanup_free char *old = NULL, *new = NULL;
	struct world world = { .fd = -1 };
	unsigned crash_count = 0, old_count = 0, journal_count = 0;
	bool crashed = true;

	/* Without a crash first, to know how it ends. */
	world_make(&world);
	prepare(&world);
	old = world_list(&world);
	assert_false(crashes(&world, run, UINT32_MAX));
	new = world_list(&world);
	assert_string_not_equal(old, new);
	world_remove(&world);
	for (unsigned step = 1; crashed; step++) {
		cleanup_free char *now = NULL;
		bool journal, is_new;

		world_make(&world);
		prepare(&world);
		crashed = crashes(&world, run, step);
		journal = is_there(world.trees[TREE_DKMS], ".kmodbox/journal");
		/* The recovery dies as well, a step later each time. */
		for (unsigned again = 1; crashes(&world, NULL, again); again++)
			crash_count++;
		now = world_list(&world);
		is_new = string_equal(now, new);
		if (!is_new)
			assert_string_equal(now, old);
		/* From the commit on it is the new state, before it the old one. */
		assert_true(is_new || !journal);
		assert_true(is_new || old_count == step - 1);
		old_count += !is_new;
		journal_count += journal;
		crash_count += crashed;
		assert_true(crashed || is_new);
		world_remove(&world);
	}
	print_message("%u crashes, %u of them before the commit, %u with a journal\n", crash_count,
		      old_count, journal_count);
	assert_true(old_count > 2 && journal_count > 2);
	world_free(&world);
}

static void prepare_raw(const struct world *world)
{
	write_text(world->trees[TREE_DKMS], "demo/1/build/old.log", "old log");
	write_text(world->trees[TREE_DKMS], "demo/1/build/sub/more", "more");
	write_text(world->trees[TREE_INSTALL], KERNEL "/kernel/a/original.ko", "original");
	write_text(world->trees[TREE_INSTALL], KERNEL "/kernel/a/stays.ko", "stays");
	write_text(world->trees[TREE_INSTALL], KERNEL "/extra/deep/down/gone.ko", "gone");
	write_text(world->trees[TREE_INSTALL], KERNEL "/modules.dep", "old index");
	assert_int_equal(symlinkat("1/x", world->trees[TREE_DKMS], "demo/link"), 0);
}

static int run_raw(const struct world *world, struct trees *trees, struct error **error)
{
	cleanup_transaction struct transaction *transaction = NULL;
	cleanup_close int fd = -1, file_fd = sealed("module bytes");
	int r = transaction_begin(trees, &transaction, error);

	(void)world;
	/* Asked for before what is put there: it must not be removed again. */
	if (r == 0)
		r = transaction_remove(transaction, TREE_INSTALL, KERNEL "/modules.dep", error);
	if (r == 0)
		r = transaction_put_directory(transaction, TREE_DKMS, "demo/1/build", &fd, error);
	if (r == 0)
		r = transaction_fill(transaction, TREE_DKMS, fd, "new", file_fd, error);
	if (r == 0)
		r = transaction_put_file(transaction, TREE_INSTALL, KERNEL "/updates/demo.ko",
					 file_fd, error);
	if (r == 0)
		r = transaction_put_bytes(transaction, TREE_INSTALL, KERNEL "/modules.dep",
					  "new index", 9, error);
	if (r == 0)
		r = transaction_put_bytes(transaction, TREE_LEDGER, "demo/serial", "7\n", 2, error);
	if (r == 0)
		r = transaction_put_link(transaction, TREE_DKMS, "demo/link", "1/y", error);
	if (r == 0)
		r = transaction_remove(transaction, TREE_INSTALL, KERNEL "/kernel/a/original.ko",
				       error);
	if (r == 0)
		r = transaction_remove(transaction, TREE_INSTALL, KERNEL "/extra/deep/down/gone.ko",
				       error);
	if (r == 0)
		r = transaction_prune(transaction, TREE_INSTALL, KERNEL "/extra/deep/down", 1,
				      error);
	if (r == 0)
		r = transaction_prune(transaction, TREE_INSTALL, KERNEL "/kernel/a", 1, error);
	return r < 0 ? r : transaction_commit(transaction, error);
}

static void test_crash_everywhere(void **state)
{
	(void)state;
	check_all_crashes(prepare_raw, run_raw);
}

static void test_put_wins(void **state)
{
	struct world world = { .fd = -1 };

	(void)state;
	world_make(&world);
	prepare_raw(&world);
	assert_false(crashes(&world, run_raw, UINT32_MAX));
	assert_text(world.trees[TREE_INSTALL], KERNEL "/modules.dep", "new index");
	assert_text(world.trees[TREE_INSTALL], KERNEL "/updates/demo.ko", "module bytes");
	assert_text(world.trees[TREE_DKMS], "demo/1/build/new", "module bytes");
	assert_false(is_there(world.trees[TREE_DKMS], "demo/1/build/old.log"));
	assert_false(is_there(world.trees[TREE_INSTALL], KERNEL "/extra"));
	assert_false(is_there(world.trees[TREE_INSTALL], KERNEL "/kernel/a/original.ko"));
	assert_text(world.trees[TREE_INSTALL], KERNEL "/kernel/a/stays.ko", "stays");
	world_remove(&world);
	world_free(&world);
}

static const struct content version_1[] = { { "demo.ko.xz", "updates/dkms", "first version" },
					    { "more.ko.xz", "updates/dkms", "more" } };
static const struct content version_2[] = { { "demo.ko.xz", "updates/dkms", "second version" } };

static void perform(const struct world *world, struct trees *trees, installer_function *function,
		    const struct installer_target *target, int *ret_r, struct error **error)
{
	struct installer installer = { .trees = *trees,
				       .depmod_socket = -1,
				       .key = world->raw_key,
				       .directory_fd = -1,
				       .file_fd = -1,
				       .target = *target };
	struct message message = { .fd_count = 0 };

	*ret_r = function(&installer, &message, error);
	installer_reset(&installer);
}

static void pretend_built(const struct world *world, const char *version,
			  const struct content *contents, uint32_t count)
{
	char path[PATH_LENGTH];
	cleanup_close int ticket_fd = issue(world->key, 1, "demo", version, contents, count);
	cleanup_text struct text ticket = { 0 };

	pretend_added(world, "demo", version);
	for (uint32_t i = 0; i < count; i++) {
		(void)snprintf(path, sizeof(path), "demo/%s/" KERNEL "/" ARCHITECTURE "/module/%s",
			       version, contents[i].name);
		write_text(world->trees[TREE_DKMS], path, contents[i].bytes);
	}
	(void)snprintf(path, sizeof(path), "demo/%s/" KERNEL "/" ARCHITECTURE "/ticket", version);
	assert_int_equal(lseek(ticket_fd, 0, SEEK_SET), 0);
	must(read_fd(ticket_fd, TICKET_MAXIMUM, &ticket, error));
	must(write_file_atomically(world->trees[TREE_DKMS], path, ticket.data, ticket.length, 0644,
				   error));
}

static void prepare_install(const struct world *world)
{
	pretend_built(world, "1", version_1, 2);
	pretend_built(world, "2", version_2, 1);
	write_text(world->trees[TREE_INSTALL], KERNEL "/kernel/drivers/demo.ko.xz", "in-tree demo");
	write_text(world->trees[TREE_INSTALL], KERNEL "/updates/dkms/more.ko", "somebody's more");
	write_text(world->trees[TREE_INSTALL], KERNEL "/kernel/drivers/other.ko.xz", "other");
}

static int run_install(const struct world *world, struct trees *trees, struct error **error)
{
	struct installer_target target = target_of("demo", "1", 0);
	int r;

	perform(world, trees, module_install, &target, &r, error);
	return r;
}

static int run_uninstall(const struct world *world, struct trees *trees, struct error **error)
{
	struct installer_target target = target_of("demo", "1", 0);
	int r;

	perform(world, trees, module_uninstall, &target, &r, error);
	return r;
}

static int run_other_version(const struct world *world, struct trees *trees, struct error **error)
{
	struct installer_target target = target_of("demo", "2", 0);
	int r;

	perform(world, trees, module_install, &target, &r, error);
	return r;
}

static void prepare_installed(const struct world *world)
{
	prepare_install(world);
	assert_false(crashes(world, run_install, UINT32_MAX));
	assert_text(world->trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "first version");
	assert_text(world->trees[TREE_DKMS],
		    "demo/original_module/" KERNEL "/" ARCHITECTURE "/demo.ko.xz", "in-tree demo");
	assert_false(is_there(world->trees[TREE_INSTALL], KERNEL "/updates/dkms/more.ko"));
}

static void test_crash_in_install(void **state)
{
	(void)state;
	check_all_crashes(prepare_install, run_install);
}

static void test_crash_in_uninstall(void **state)
{
	(void)state;
	check_all_crashes(prepare_installed, run_uninstall);
}

static void test_crash_in_change_of_version(void **state)
{
	(void)state;
	check_all_crashes(prepare_installed, run_other_version);
}

static void test_uninstall_gives_all_back(void **state)
{
	struct world world = { .fd = -1 };
	cleanup_free char *before = NULL, *after = NULL;

	(void)state;
	world_make(&world);
	prepare_install(&world);
	before = world_list(&world);
	assert_false(crashes(&world, run_install, UINT32_MAX));
	assert_false(crashes(&world, run_uninstall, UINT32_MAX));
	after = world_list(&world);
	assert_string_equal(before, after);
	world_remove(&world);
	world_free(&world);
}

/* What is staged but not committed goes away, also without a crash. */
static void test_dropped(void **state)
{
	struct world world = { .fd = -1 };
	cleanup_free char *before = NULL, *after = NULL;
	struct transaction *transaction = NULL;
	struct trees trees;

	(void)state;
	world_make(&world);
	prepare_raw(&world);
	before = world_list(&world);
	world_trees(&world, &trees);
	must(trees_open(&trees, error));
	must(transaction_begin(&trees, &transaction, error));
	must(transaction_put_bytes(transaction, TREE_INSTALL, KERNEL "/x.ko", "x", 1, error));
	assert_true(is_there(world.trees[TREE_INSTALL], INSTALL_STAGE));
	assert_null(transaction_free(transaction));
	trees_close(&trees);
	after = world_list(&world);
	assert_string_equal(before, after);
	world_remove(&world);
	world_free(&world);
}

static void expect_refusal(struct trees *trees, enum tree tree, const char *path, int errnum)
{
	cleanup_transaction struct transaction *transaction = NULL;
	cleanup_error struct error *reason = NULL;

	must(transaction_begin(trees, &transaction, error));
	assert_int_equal(transaction_put_bytes(transaction, tree, path, "x", 1, &reason), -errnum);
	assert_non_null(reason);
}

static void test_refused_places(void **state)
{
	struct world world = { .fd = -1 };
	struct trees trees;

	(void)state;
	world_make(&world);
	prepare_raw(&world);
	assert_int_equal(symlinkat("/tmp", world.trees[TREE_INSTALL], "away"), 0);
	world_trees(&world, &trees);
	must(trees_open(&trees, error));
	expect_refusal(&trees, TREE_INSTALL, "away/x", ELOOP);
	expect_refusal(&trees, TREE_INSTALL, "away/new/x", ELOOP);
	expect_refusal(&trees, TREE_INSTALL, "../x", EINVAL);
	expect_refusal(&trees, TREE_INSTALL, "/x", EINVAL);
	expect_refusal(&trees, TREE_INSTALL, "a\nb", EINVAL);
	expect_refusal(&trees, TREE_INSTALL, KERNEL, EISDIR);
	expect_refusal(&trees, TREE_INSTALL, KERNEL "/modules.dep/x", ENOTDIR);
	trees_close(&trees);
	world_remove(&world);
	world_free(&world);
}

/* Leaves a journal that was not carried out. */
static void make_journal(const struct world *world, scenario *run)
{
	unsigned step = 1;

	while (!is_there(world->trees[TREE_DKMS], ".kmodbox/journal"))
		assert_true(crashes(world, run, step++));
}

static void test_other_install_tree(void **state)
{
	struct world world = { .fd = -1 }, other = { .fd = -1 };
	cleanup_error struct error *reason = NULL;
	cleanup_free char *text = NULL, *before = NULL, *after = NULL;
	struct trees trees;

	(void)state;
	world_make(&world);
	world_make(&other);
	prepare_install(&world);
	make_journal(&world, run_install);
	before = world_list(&world);
	world_trees(&world, &trees);
	trees.fds[TREE_INSTALL] = other.trees[TREE_INSTALL];
	assert_int_equal(trees_open(&trees, &reason), -ESTALE);
	text = error_describe(reason);
	assert_non_null(strstr(text, world.paths[TREE_INSTALL]));
	trees_close(&trees);
	after = world_list(&world);
	assert_string_equal(before, after);
	assert_false(crashes(&world, NULL, UINT32_MAX)); /* the right one */
	assert_text(world.trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "first version");
	world_remove(&other);
	world_remove(&world);
	world_free(&world);
	world_free(&other);
}

static void test_damaged_journal(void **state)
{
	struct world world = { .fd = -1 };
	cleanup_text struct text journal = { 0 };
	struct trees trees;

	(void)state;
	world_make(&world);
	prepare_install(&world);
	make_journal(&world, run_install);
	must(read_file(world.trees[TREE_DKMS], ".kmodbox/journal", 1 << 20, &journal, error));
	world_trees(&world, &trees);
	for (size_t i = 0; i < journal.length; i += 7) {
		cleanup_error struct error *reason = NULL;

		journal.data[i] ^= 1;
		must(write_file_atomically(world.trees[TREE_DKMS], ".kmodbox/journal", journal.data,
					   journal.length, 0600, error));
		assert_int_equal(trees_open(&trees, &reason), -EBADMSG);
		trees_close(&trees);
		journal.data[i] ^= 1;
	}
	for (size_t length = 0; length < journal.length; length += 11) {
		cleanup_error struct error *reason = NULL;

		must(write_file_atomically(world.trees[TREE_DKMS], ".kmodbox/journal", journal.data,
					   length, 0600, error));
		assert_int_equal(trees_open(&trees, &reason), -EBADMSG);
		trees_close(&trees);
	}
	must(write_file_atomically(world.trees[TREE_DKMS], ".kmodbox/journal", journal.data,
				   journal.length, 0600, error));
	must(trees_open(&trees, error));
	trees_close(&trees);
	assert_text(world.trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "first version");
	world_remove(&world);
	world_free(&world);
}

/* Two dkms trees share an install tree: the one's recovery leaves the other's stage alone. */
static void test_shared_install_tree(void **state)
{
	struct world world = { .fd = -1 }, other = { .fd = -1 };
	struct trees trees;

	(void)state;
	world_make(&world);
	world_make(&other);
	prepare_install(&world);
	make_journal(&world, run_install);
	world_trees(&other, &trees);
	trees.fds[TREE_INSTALL] = world.trees[TREE_INSTALL];
	must(trees_open(&trees, error));
	trees_close(&trees);
	assert_false(crashes(&world, NULL, UINT32_MAX));
	assert_text(world.trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "first version");
	world_remove(&other);
	world_remove(&world);
	world_free(&world);
	world_free(&other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crash_everywhere),
		cmocka_unit_test(test_put_wins),
		cmocka_unit_test(test_crash_in_install),
		cmocka_unit_test(test_crash_in_uninstall),
		cmocka_unit_test(test_crash_in_change_of_version),
		cmocka_unit_test(test_uninstall_gives_all_back),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_refused_places),
		cmocka_unit_test(test_other_install_tree),
		cmocka_unit_test(test_damaged_journal),
		cmocka_unit_test(test_shared_install_tree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
