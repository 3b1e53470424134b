/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees on disk: what they hold can be read until the result is cleared, and nothing is left on the
 * disk then: whatever was made there, however it ended. What is too large is stopped, and so is
 * what fills the disk.
 */
#include "tests/crash/soak/processes.h"
#include "tests/unit/sandbox_fixture.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct sandbox_fixture fixture;
static char place[] = "/tmp/kmodbox-disk-XXXXXX";
static char content[] = "content";

static int fill_hello(void *context, int directory_fd, struct error **error)
{
	return write_file_atomically(directory_fd, "hello", context, strlen(context), 0644, error);
}

static int fail_to_fill(void *context, int directory_fd, struct error **error)
{
	(void)context;
	return mkdirat(directory_fd, "half", 0700) < 0 ? -errno : error_set(error, EIO, "half-way");
}

static struct sandbox_tree trees[2]; /* /build, writable; /shown, not */
static struct sandbox_spec spec;

static int open_fixture(void **state)
{
	(void)state;
	if (fixture_set_up(&fixture) < 0 || !mkdtemp(place))
		return -1;
	/* As the launcher makes it: the slot's own, closed to all others. */
	if (geteuid() == 0 && chown(place, FIXTURE_SLOT_UID, FIXTURE_SLOT_UID) < 0)
		return -1;
	trees[0] = (struct sandbox_tree){ .path = "/build", .writable = true, .place = place };
	trees[1] = (struct sandbox_tree){ .path = "/shown", .place = place };
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		trees[i].fill = fill_hello;
		trees[i].context = content;
	}
	spec = fixture.spec;
	spec.trees = trees;
	spec.tree_count = 1;
	spec.directory = "/build";
	return 0;
}

static int close_fixture(void **state)
{
	(void)state;
	sandbox_fixture_close(&fixture);
	return rmdir(place);
}

static unsigned trees_on_disk(void)
{
	DIR *directory = opendir(place);
	unsigned count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count - 2; /* "." and ".." */
}

static void test_read_until_cleared(void **state)
{
	struct sandbox_spec both = spec;
	struct sandbox_result result;
	cleanup_text struct text made = { 0 };

	(void)state;
	both.tree_count = 2;
	result = fixture_run(
		&fixture,
		"cat hello /shown/hello; echo out >made; "
		"echo x 2>/dev/null >/shown/x || echo read-only; "
		"grep -c -E ' /(build|shown) [^ ]+ r[wo],nosuid,nodev' /proc/self/mounts",
		&both);
	assert_string_equal(fixture_output(&fixture), "contentcontentread-only\n2\n");
	assert_int_equal(trees_on_disk(), 2);
	assert_int_equal(read_file(result.tree_fds[0], "made", 100, &made, NULL), 0);
	assert_string_equal(made.data, "out\n");
	sandbox_result_clear(&result);
	assert_int_equal(trees_on_disk(), 0);
}

static void expect_limit(const char *script, const struct sandbox_spec *with, const char *limit)
{
	struct sandbox_result result = fixture_run(&fixture, script, with);

	if (limit) {
		assert_int_equal(result.end, SANDBOX_LIMIT);
		assert_string_equal(result.limit, limit);
	} else {
		assert_int_equal(result.end, SANDBOX_EXITED);
		assert_int_equal(result.status, 0);
	}
	sandbox_result_clear(&result);
	assert_int_equal(trees_on_disk(), 0);
}

/* Each beside what is just below the limit and runs as long. */
static void test_limits(void **state)
{
	struct sandbox_spec limited = spec;

	(void)state;
	trees[0].bytes = 16 << 20;
	limited.limits.scratch_inodes = 500;
	expect_limit(
		"dd if=/dev/zero of=x bs=1M count=8 status=none && touch {1..400} && sleep 1.5",
		&limited, NULL);
	expect_limit("dd if=/dev/zero of=x bs=1M count=24 status=none; sleep 60", &limited,
		     "scratch (16 MiB)");
	expect_limit("touch {1..600}; sleep 60", &limited, "scratch (500 files)");
	/* What the payload itself may not read is measured too. */
	expect_limit(
		"mkdir d; dd if=/dev/zero of=d/x bs=1M count=24 status=none; chmod 0 d; sleep 60",
		&limited, "scratch (16 MiB)");
	/* One file of several names is one file. */
	expect_limit("dd if=/dev/zero of=x bs=1M count=8 status=none; for i in {1..9}; do ln x $i; "
		     "done; sleep 1.5",
		     &limited, NULL);
	expect_limit("perl -e 'for (1..1500) { mkdir \"d\"; chdir \"d\" } sleep 60'", &spec,
		     "scratch (nested 1000 deep)");
	trees[0].bytes = 0;
}

/* Whatever is in it is removed: deep, wide, unreadable, of names as long as may be. */
static void test_hostile_trees_are_removed(void **state)
{
	static const char *const scripts[] = {
		"perl -e 'for (1..20000) { mkdir \"d\" or die; chdir \"d\" or die }'",
		"n=$(printf %0255d 0); mkdir -p $n/$n/$n && touch $n/$n/$n/$n && chmod 0 $n/$n $n",
		"touch {1..5000}; mkdir -p a/b/c; touch a/b/c/d; chmod 0 a/b/c a/b a .",
		"mkfifo p; ln -s /etc e; ln -s . s; ln hello h; printf x >$'\\e[2J'; mkdir -m 0 m",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct sandbox_result result = fixture_run(&fixture, scripts[i], &spec);

		/* Twenty thousand levels may be seen by the watchdog first. */
		assert_true(i == 0 || (result.end == SANDBOX_EXITED && result.status == 0));
		assert_int_equal(trees_on_disk(), 1);
		sandbox_result_clear(&result);
		assert_int_equal(trees_on_disk(), 0);
	}
}

static void test_failure_leaves_nothing(void **state)
{
	const char *const argv[] = { "/no/such/program", NULL };
	struct sandbox_tree failing = trees[0];
	struct sandbox_spec broken = spec;
	struct sandbox_result result;

	(void)state;
	broken.argv = argv;
	assert_int_equal(sandbox_run(&broken, &result, NULL), -ENOEXEC);
	assert_int_equal(trees_on_disk(), 0);
	failing.fill = fail_to_fill;
	broken.trees = &failing;
	assert_int_equal(sandbox_run(&broken, &result, NULL), -EIO);
	assert_int_equal(trees_on_disk(), 0);
	failing.place = "/no/such/place";
	assert_int_equal(sandbox_run(&broken, &result, NULL), -ENOENT);
}

/* A sandbox of its own process; gives it back when the script says so. */
static pid_t start_other(void)
{
	int channel[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(channel), 0);
	pid = fork();
	if (pid == 0) {
		static const char *const argv[] = { "/bin/bash", "-c", "echo x >&3; exec sleep 60",
						    NULL };
		struct sandbox_spec other = spec;
		struct sandbox_result result;

		other.argv = argv;
		other.output_file_fd = channel[1];
		(void)close(channel[0]);
		ignore_result(sandbox_run(&other, &result, NULL));
		_exit(0);
	}
	(void)close(channel[1]);
	assert_int_equal(read(channel[0], &byte, 1), 1);
	(void)close(channel[0]);
	return pid;
}

/* While a sandbox lives nobody removes its tree; when it was killed, the next one does. */
static void test_killed_is_removed_by_the_next(void **state)
{
	pid_t other = start_other();
	struct sandbox_result result;

	(void)state;
	result = fixture_run(&fixture, ":", &spec);
	assert_int_equal(trees_on_disk(), 2);
	sandbox_result_clear(&result);
	assert_int_equal(trees_on_disk(), 1);
	/* Dying, its parts may hold the lock for a moment: they become ours to wait for. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(kill(other, SIGKILL), 0);
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
	assert_int_equal(trees_on_disk(), 1);
	result = fixture_run(&fixture, ":", &spec);
	assert_int_equal(trees_on_disk(), 1);
	sandbox_result_clear(&result);
	assert_int_equal(trees_on_disk(), 0);
}

/* What a payload prints has its sandbox's helper killed, as the kernel does when memory is out. */
static void kill_helper(void *context, const void *bytes, size_t length)
{
	struct family children = { .count = 0 };
	bool *killed = context;

	(void)bytes;
	(void)length;
	add_children(&children, getpid());
	for (size_t i = 0; i < children.count; i++)
		if (!is_init(children.pids[i]))
			*killed = kill_child(children.pids[i], getpid());
}

static void test_watchdog_is_missed(void **state)
{
	struct sandbox_spec watched = spec;
	struct sandbox_result result;
	bool killed = false;

	(void)state;
	watched.output = kill_helper;
	watched.output_context = &killed;
	result = fixture_run(&fixture, "echo now; exec sleep 60", &watched);
	assert_true(killed);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_string_equal(result.limit, "scratch (cannot be measured: its watchdog has died)");
	sandbox_result_clear(&result);
	assert_int_equal(trees_on_disk(), 0);
}

static int write_text(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : write_all(fd, text, strlen(text));
}

/* Mounts of one's own: root has them, others have them in a user namespace. */
static int leave_host(void)
{
	cleanup_free char *uids =
		format_string("%u %u 1", (unsigned)geteuid(), (unsigned)geteuid());
	cleanup_free char *gids =
		format_string("%u %u 1", (unsigned)getegid(), (unsigned)getegid());

	if (geteuid() == 0)
		return unshare(CLONE_NEWNS);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
	    write_text("/proc/self/setgroups", "deny") < 0 ||
	    write_text("/proc/self/uid_map", uids) < 0 ||
	    write_text("/proc/self/gid_map", gids) < 0)
		return -1;
	return 0;
}

/* In a process of its own, with the place on a file system of 64 MiB: 0, or the line that failed.
 */
static int fill_small_disk(void)
{
	cleanup_free char *options = format_string("size=64m,mode=0700,uid=%u",
						   geteuid() == 0 ? FIXTURE_SLOT_UID : geteuid());
	cleanup_error struct error *error = NULL;
	const char *const argv[] = { "/bin/true", NULL };
	struct sandbox_result result;

	if (leave_host() < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("test", place, "tmpfs", 0, options) < 0)
		return __LINE__;
	result = fixture_run(&fixture, "dd if=/dev/zero of=x bs=1M count=40 status=none; sleep 1",
			     &spec);
	if (result.end != SANDBOX_EXITED || result.status != 0)
		return __LINE__;
	sandbox_result_clear(&result);
	result = fixture_run(&fixture, "dd if=/dev/zero of=x bs=1M count=62 status=none; sleep 60",
			     &spec);
	if (result.end != SANDBOX_LIMIT ||
	    strcmp(result.limit, "free disk space (3 MiB must stay free)") != 0)
		return __LINE__;
	sandbox_result_clear(&result);
	/* Where nothing may be executed a build cannot work: that is said at once. */
	if (mount(NULL, place, NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL) < 0)
		return __LINE__;
	spec.argv = argv;
	if (sandbox_run(&spec, &result, &error) != -EACCES || trees_on_disk() != 0)
		return __LINE__;
	return 0;
}

static void test_disk_never_fills(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		int line = fill_small_disk();

		if (line)
			print_error("%s:%d\n", __FILE__, line);
		_exit(line != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_until_cleared),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_hostile_trees_are_removed),
		cmocka_unit_test(test_failure_leaves_nothing),
		cmocka_unit_test(test_killed_is_removed_by_the_next),
		cmocka_unit_test(test_watchdog_is_missed),
		cmocka_unit_test(test_disk_never_fills),
	};

	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
