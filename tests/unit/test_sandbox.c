/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sandbox as a library: what the payload sees, how it ends, what limits do, what is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/sandbox_fixture.h"

static struct sandbox_fixture fixture;

static int open_fixture(void **state)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	if (sandbox_fixture_open(&fixture, &error) == 0)
		return 0;
	text = error_describe(error);
	print_error("%s\n", text);
	return -1;
}

static int close_fixture(void **state)
{
	(void)state;
	sandbox_fixture_close(&fixture);
	return 0;
}

/* Runs a shell script in the sandbox as spec says; fails the test where it could not be run. */
static struct sandbox_result run_script(const char *script, struct sandbox_spec spec)
{
	const char *const argv[] = { "/bin/bash", "-c", script, NULL };
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct sandbox_result result;

	text_clear(&fixture.output);
	spec.argv = argv;
	if (sandbox_run(&spec, &result, &error) < 0) {
		text = error_describe(error);
		fail_msg("%s", text);
	}
	return result;
}

static const char *output(void)
{
	return fixture.output.data ? fixture.output.data : "";
}

static void expect_output(const char *script, const char *expected)
{
	struct sandbox_result result = run_script(script, fixture.spec);

	assert_string_equal(output(), expected);
	assert_int_equal(result.end, SANDBOX_EXITED);
	sandbox_result_clear(&result);
}

static void test_exit_status(void **state)
{
	struct sandbox_result result = run_script("exit 7", fixture.spec);
	cleanup_free char *text = sandbox_result_describe(&result);

	(void)state;
	assert_int_equal(result.end, SANDBOX_EXITED);
	assert_int_equal(result.status, 7);
	assert_string_equal(text, "exited with 7");
	sandbox_result_clear(&result);
	result = run_script("kill -SEGV $$", fixture.spec);
	assert_int_equal(result.end, SANDBOX_SIGNALLED);
	assert_int_equal(result.status, SIGSEGV);
	sandbox_result_clear(&result);
}

static void test_view(void **state)
{
	(void)state;
	expect_output("echo $$ $(id -u) $(uname -n)", "2 0 kmodbox\n");
	expect_output("ls /dev | tr '\\n' ' '",
		      "fd full null random stderr stdin stdout urandom zero ");
	expect_output("ls -A / | tr '\\n' ' ' | sed 's/lib32 //;s/libx32 //;s/lib64 //'",
		      "bin dev etc lib proc sbin tmp usr ");
	expect_output("touch /x /usr/x /etc/x 2>/dev/null || echo refused", "refused\n");
	expect_output("echo data >/tmp/x && cat /tmp/x", "data\n");
	expect_output("cat /etc/shadow 2>/dev/null || echo none", "none\n");
	expect_output("ls /proc/sys 2>/dev/null || echo none", "none\n");
	expect_output("grep -c . /proc/net/dev 2>/dev/null || echo none", "none\n");
	expect_output("env | grep -vE '^(_|SHLVL)=' | sort | tr '\\n' ' '",
		      "HOME=/tmp LC_ALL=C PATH=/usr/bin:/bin:/usr/sbin:/sbin PWD=/ ");
	expect_output("grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp:' /proc/self/status | "
		      "tr -d '\\t\\n'",
		      "CapInh:0000000000000000CapPrm:0000000000000000CapEff:0000000000000000"
		      "CapBnd:0000000000000000CapAmb:0000000000000000NoNewPrivs:1Seccomp:2");
}

/* An inherited descriptor of a secret must not be readable inside; outside it is. */
static void test_descriptors(void **state)
{
	char path[] = "/tmp/kmodbox-test-XXXXXX";
	int fd = mkstemp(path);
	struct stat status;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "secret", 6), 6);
	assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
	assert_true(dup2(fd, 9) == 9);
	assert_int_equal(fstat(9, &status), 0);
	expect_output("ls /proc/self/fd | tr '\\n' ' '; cat <&9",
		      "0 1 2 3 /bin/bash: line 1: 9: Bad file descriptor\n");
	(void)close(9);
	(void)close(fd);
	(void)unlink(path);
}

static void test_limits(void **state)
{
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;

	(void)state;
	spec.limits.wall_milliseconds = 300;
	result = run_script("sleep 60", spec);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_non_null(strstr(result.limit, "wall time"));
	sandbox_result_clear(&result);

	spec = fixture.spec;
	spec.limits.silence_milliseconds = 300;
	result = run_script("echo x; sleep 60", spec);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_non_null(strstr(result.limit, "silence"));
	sandbox_result_clear(&result);

	spec = fixture.spec;
	spec.limits.log_bytes = 1 << 20;
	result = run_script("yes", spec);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_non_null(strstr(result.limit, "output"));
	assert_true(result.output_bytes <= 1 << 20);
	sandbox_result_clear(&result);

	spec = fixture.spec;
	spec.limits.cpu_seconds = 1;
	result = run_script("while :; do :; done", spec);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_non_null(strstr(result.limit, "CPU"));
	sandbox_result_clear(&result);

	spec = fixture.spec;
	spec.limits.processes = 20;
	spec.limits.wall_milliseconds = 2000;
	result = run_script("for i in $(seq 40); do sleep 5 & done", spec);
	assert_non_null(strstr(output(), "Resource temporarily unavailable"));
	sandbox_result_clear(&result);

	spec = fixture.spec;
	spec.limits.file_bytes = 1 << 20;
	result = run_script("exec dd if=/dev/zero of=/tmp/big bs=64k count=64 status=none", spec);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_non_null(strstr(result.limit, "one file"));
	sandbox_result_clear(&result);
}

static int fill_hello(void *context, int directory_fd, struct error **error)
{
	return write_file_atomically(directory_fd, "hello", context, strlen(context), 0644, error);
}

static void test_trees(void **state)
{
	static char content[] = "content";
	const struct sandbox_tree trees[] = {
		{ .path = "/var/lib/dkms/m/1/build",
		  .writable = true,
		  .fill = fill_hello,
		  .context = content },
		{ .path = "/usr/src/m-1",
		  .fill = fill_hello,
		  .context = content,
		  .bytes = 1 << 20 },
	};
	const struct sandbox_symlink symlinks[] = { { "/var/lib/dkms/m/1/source",
						      "/usr/src/m-1" } };
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;
	cleanup_text struct text made = { 0 };
	int r;

	(void)state;
	spec.trees = trees;
	spec.tree_count = 2;
	spec.symlinks = symlinks;
	spec.symlink_count = 1;
	spec.directory = "/var/lib/dkms/m/1/build";
	spec.toolchain_only = true;
	result = run_script("cat hello ../source/hello; echo out >made; ls /usr/src;"
			    "(echo x >/usr/src/m-1/hello) 2>/dev/null || echo read-only",
			    spec);
	assert_string_equal(output(), "contentcontentm-1\nread-only\n");
	assert_true(result.tree_fds[0] >= 0 && result.tree_fds[1] >= 0 && result.tree_fds[2] < 0);
	r = read_file(result.tree_fds[0], "made", 100, &made, NULL);
	assert_int_equal(r, 0);
	assert_string_equal(made.data, "out\n");
	sandbox_result_clear(&result);

	spec.limits.scratch_bytes = 1 << 20;
	result = run_script("dd if=/dev/zero of=big bs=64k count=64", spec);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_non_null(strstr(result.limit, "scratch"));
	sandbox_result_clear(&result);
}

static void test_report_and_input(void **state)
{
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;

	(void)state;
	spec.report_maximum = 100;
	result = run_script("printf 'a\\0b' >&3; cat", spec);
	assert_int_equal(result.report.length, 3);
	assert_memory_equal(result.report.data, "a\0b", 3);
	assert_string_equal(output(), "");
	sandbox_result_clear(&result);
	result = run_script("head -c 200 /dev/zero >&3; sleep 5", spec);
	assert_int_equal(result.end, SANDBOX_LIMIT);
	sandbox_result_clear(&result);
}

/* Is there a process with this argument anywhere on the host? By /proc, which every host has. */
static bool find_process(const char *argument)
{
	DIR *processes = opendir("/proc");
	bool found = false;

	assert_non_null(processes);
	for (const struct dirent *entry; (entry = readdir(processes));) {
		cleanup_free char *path = format_string("%s/cmdline", entry->d_name);
		cleanup_text struct text line = { 0 };

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || !path)
			continue;
		if (read_file(dirfd(processes), path, 1 << 20, &line, NULL) == 0 && line.length > 0)
			found = found ||
				memmem(line.data, line.length, argument, strlen(argument) + 1);
	}
	(void)closedir(processes);
	return found;
}

/* A daemon that left its session would outlive a plain child; here it dies with pid 1. */
static void test_nothing_survives(void **state)
{
	struct sandbox_result result;
	pid_t control;

	(void)state;
	/* The control: such a process outside is found. */
	control = fork();
	if (control == 0)
		(void)execl("/bin/sleep", "sleep", "987653", (char *)NULL);
	for (int i = 0; i < 1000 && !find_process("987653"); i++)
		(void)usleep(1000);
	assert_true(find_process("987653"));
	(void)kill(control, SIGKILL);
	(void)waitpid(control, NULL, 0);

	result = run_script("setsid bash -c 'trap \"\" TERM HUP; exec sleep 987654' &"
			    "until grep -q 987654 /proc/[0-9]*/cmdline; do :; done; echo there",
			    fixture.spec);
	assert_string_equal(output(), "there\n");
	sandbox_result_clear(&result);
	assert_false(find_process("987654"));
}

static void test_cancel(void **state)
{
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;
	int channel[2];

	(void)state;
	assert_int_equal(pipe(channel), 0);
	assert_int_equal(write(channel[1], "x", 1), 1);
	spec.cancel_fd = channel[0];
	result = run_script("sleep 60", spec);
	assert_int_equal(result.end, SANDBOX_CANCELLED);
	sandbox_result_clear(&result);
	(void)close(channel[0]);
	(void)close(channel[1]);
}

/* In a mount namespace in which /usr/src is a file system of its own: 0, or the line that failed.
 */
static int run_beside_mounts(void)
{
	const struct sandbox_symlink symlinks[] = {
		{ "/usr/lib/modules/6.0-test/build", "/usr/src/headers" },
		{ "/usr/lib/kmodbox-test/link", "here" },
	};
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("test", "/usr/src", "tmpfs", 0, NULL) < 0 || mkdir("/usr/src/seen", 0755) < 0)
		return __LINE__;
	spec.symlinks = symlinks;
	spec.symlink_count = ARRAY_SIZE(symlinks);
	/* A mount point that /usr/lib lacks, with and without the host's /usr/src in view. */
	result = run_script(
		"ls /usr/src; readlink /usr/lib/modules/*/build /usr/lib/kmodbox-test/link", spec);
	if (strcmp(output(), "seen\n/usr/src/headers\nhere\n") != 0)
		return __LINE__;
	sandbox_result_clear(&result);
	spec.toolchain_only = true;
	result = run_script("ls /usr/src; readlink /usr/lib/modules/*/build; touch /usr/lib/x",
			    spec);
	if (strncmp(output(), "/usr/src/headers\ntouch: ", 24) != 0)
		return __LINE__;
	sandbox_result_clear(&result);
	return 0;
}

static void test_separate_mounts(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can mount over /usr/src here\n");
		skip();
	}
	pid = fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) < 0 || run_beside_mounts() != 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_refused(void **state)
{
	const char *const argv[] = { "/no/such/program", NULL };
	const struct sandbox_mount mount = { .source = "/no/such/source", .target = "/mnt/x" };
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;
	struct error *error = NULL;
	char *text;

	(void)state;
	spec.argv = argv;
	assert_int_equal(sandbox_run(&spec, &result, &error), -ENOENT);
	text = error_describe(error);
	assert_string_equal(text, "cannot run /no/such/program: No such file or directory");
	free(text);
	error = error_free(error);
	spec.mounts = &mount;
	spec.mount_count = 1;
	assert_int_equal(sandbox_run(&spec, &result, &error), -ENOENT);
	assert_int_equal(error_code(error), SANDBOX_EXIT_CODE);
	error = error_free(error);
}

static void test_layers(void **state)
{
	struct sandbox_result result = run_script(":", fixture.spec);

	(void)state;
	assert_true(result.layer_count > 20);
	for (size_t i = 0; i < result.layer_count; i++) {
		assert_non_null(result.layers[i].name);
		assert_true(result.layers[i].active || result.layers[i].absent_because);
	}
	sandbox_result_clear(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_report_and_input),
		cmocka_unit_test(test_nothing_survives),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_separate_mounts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_layers),
	};

	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
