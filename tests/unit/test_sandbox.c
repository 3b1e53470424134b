/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sandbox as a library: what the payload sees, how it ends, what is left. */
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
	(void)state;
	return fixture_set_up(&fixture);
}

static int close_fixture(void **state)
{
	(void)state;
	sandbox_fixture_close(&fixture);
	return 0;
}

static struct sandbox_result run_script(const char *script, struct sandbox_spec spec)
{
	return fixture_run(&fixture, script, &spec);
}

static const char *output(void)
{
	return fixture_output(&fixture);
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
	/* Not by Landlock, which a host may lack; what is open can still be written to by its name.
	 */
	expect_output("echo 1 >/proc/self/coredump_filter",
		      "/bin/bash: line 1: /proc/self/coredump_filter: Read-only file system\n");
	expect_output("echo a | tee >(cat >/tmp/a) >/dev/stdout; echo b >/dev/stderr; "
		      "exec 4>/tmp/b; echo c >/proc/self/fd/4; cat /tmp/b",
		      "a\nb\nc\n");
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

/* As many as there may be: more than one message carries. */
static void test_many_trees(void **state)
{
	static char content[] = "content";
	struct sandbox_tree trees[SANDBOX_TREES];
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;

	(void)state;
	for (size_t i = 0; i < SANDBOX_TREES; i++) {
		static const char *const paths[] = {
			"/t/0", "/t/1", "/t/2", "/t/3", "/t/4", "/t/5"
		};

		assert_int_equal(ARRAY_SIZE(paths), SANDBOX_TREES);
		trees[i] = (struct sandbox_tree){
			.path = paths[i], .writable = true, .fill = fill_hello, .context = content
		};
	}
	spec.trees = trees;
	spec.tree_count = SANDBOX_TREES;
	result = run_script("for i in 0 1 2 3 4 5; do echo $i >/t/$i/number; done", spec);
	for (size_t i = 0; i < SANDBOX_TREES; i++) {
		cleanup_text struct text number = { 0 };

		assert_int_equal(read_file(result.tree_fds[i], "number", 10, &number, NULL), 0);
		assert_int_equal(number.data[0], '0' + (int)i);
	}
	sandbox_result_clear(&result);
	for (size_t i = 0; i < SANDBOX_TREES; i++)
		assert_int_equal(result.tree_fds[i], -1);
}

/* On a merged system /lib is a link of the fresh root: what it leads to is shown. */
static void test_mount_on_link(void **state)
{
	static const char *const names[] = { "/lib", "/bin" };
	char place[] = "/tmp/kmodbox-test-XXXXXX";
	struct sandbox_mount mount = { .source = place };
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;
	char target[16];

	(void)state;
	if (readlink("/lib", target, sizeof(target)) < 0)
		skip();
	spec.mounts = &mount;
	spec.mount_count = 1;
	assert_non_null(mkdtemp(place));
	assert_int_equal(chmod(place, 0755), 0);
	mount.target = "/lib32x"; /* no link: as ever */
	result = run_script("ls -d /lib32x/..", spec);
	assert_string_equal(output(), "/lib32x/..\n");
	sandbox_result_clear(&result);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		mount.source = mount.target = names[i];
		result = run_script(
			"grep -c -E '^[^ ]+ /usr/(lib|bin) ' /proc/self/mounts; ls -d /lib /bin",
			spec);
		assert_string_equal(output(), "1\n/bin\n/lib\n");
		sandbox_result_clear(&result);
	}
	assert_int_equal(rmdir(place), 0);
}

/* A copy of the shell that the payload's uid owns, in a directory of its own. */
static int own_shell(const char *place)
{
	cleanup_free char *path = format_string("%s/shell", place);
	cleanup_close int from_fd = open("/bin/bash", O_RDONLY | O_CLOEXEC);
	cleanup_close int to_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	struct stat status;
	int fd;

	assert_true(from_fd >= 0 && to_fd >= 0);
	assert_int_equal(fstat(from_fd, &status), 0);
	assert_int_equal(copy_bytes(to_fd, from_fd, (uint64_t)status.st_size, NULL), 0);
	if (geteuid() == 0)
		assert_int_equal(fchown(to_fd, FIXTURE_SLOT_UID, FIXTURE_SLOT_UID), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/*
 * CVE-2019-5736: a program kept open through /proc/self/exe is written to when nobody runs it any
 * more. The control: where the shell is no payload, that works.
 */
static void test_program_cannot_be_written(void **state)
{
	static const char script[] = "exec 8</proc/self/exe; exec /bin/bash -c "
				     "'sleep 0.2; echo x >>/proc/self/fd/8' 2>&1";
	const char *const argv[] = { "shell", "-c", script, NULL };
	char place[] = "/tmp/kmodbox-test-XXXXXX";
	cleanup_error struct error *error = NULL;
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;
	cleanup_close int shell_fd = -1;
	struct stat before, after;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(place));
	assert_int_equal(chmod(place, 0755), 0);
	shell_fd = own_shell(place);
	assert_int_equal(fstat(shell_fd, &before), 0);
	spec.argv = argv;
	spec.exec_fd = shell_fd;
	text_clear(&fixture.output);
	assert_int_equal(sandbox_run(&spec, &result, &error), 0);
	if (!strstr(output(), "Read-only file system"))
		fail_msg("%s", output());
	sandbox_result_clear(&result);
	assert_int_equal(fstat(shell_fd, &after), 0);
	assert_int_equal(after.st_size, before.st_size);

	pid = fork();
	if (pid == 0) {
		(void)fexecve(shell_fd, (char *const *)(uintptr_t)argv, environ);
		_exit(1);
	}
	(void)waitpid(pid, NULL, 0);
	assert_int_equal(fstat(shell_fd, &after), 0);
	assert_int_equal(after.st_size, before.st_size + 2);
	/* One that cannot be named any more could be written to. */
	{
		cleanup_free char *path = format_string("%s/shell", place);

		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(sandbox_run(&spec, &result, &error), -EACCES);
	assert_int_equal(rmdir(place), 0);
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

#define WITHOUT_OVERLAY 77

/* On a host that has neither /usr/src nor /usr/lib/modules, as whiteouts make it. */
static int run_without_directories(void)
{
	const struct sandbox_symlink symlinks[] = {
		{ "/usr/lib/modules/6.0-test/build", "/usr/src/headers" },
		{ "/usr/src/link", "here" },
	};
	struct sandbox_spec spec = fixture.spec;
	struct sandbox_result result;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("test", "/tmp", "tmpfs", 0, NULL) < 0 || mkdir("/tmp/upper", 0755) < 0 ||
	    mkdir("/tmp/work", 0755) < 0 || mkdir("/tmp/upper/lib", 0755) < 0 ||
	    mknod("/tmp/upper/src", S_IFCHR, 0) < 0 ||
	    mknod("/tmp/upper/lib/modules", S_IFCHR, 0) < 0)
		return __LINE__;
	if (mount("test", "/usr", "overlay", 0,
		  "lowerdir=/usr,upperdir=/tmp/upper,workdir=/tmp/work") < 0)
		return WITHOUT_OVERLAY;
	if (access("/usr/src", F_OK) == 0 || access("/usr/lib/modules", F_OK) == 0)
		return __LINE__;
	spec.symlinks = symlinks;
	spec.symlink_count = ARRAY_SIZE(symlinks);
	spec.toolchain_only = true;
	result = run_script("readlink /usr/lib/modules/*/build /usr/src/link; touch /usr/src/x "
			    "/usr/lib/modules/x /usr/lib/x || echo refused",
			    spec);
	if (result.end != SANDBOX_EXITED ||
	    strncmp(output(), "/usr/src/headers\nhere\n", 22) != 0 ||
	    !strstr(output(), "refused\n") || !strstr(output(), "Read-only file system"))
		return __LINE__;
	sandbox_result_clear(&result);
	return 0;
}

static void on_host(int (*run)(void))
{
	int status = 0;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("only root can mount over directories of the host here\n");
		skip();
	}
	pid = fork();
	if (pid == 0) {
		int line = unshare(CLONE_NEWNS) < 0 ? __LINE__ : run();

		if (line != 0 && line != WITHOUT_OVERLAY)
			print_error("line %d: %s", line, output());
		_exit(line == 0 ? 0 : line == WITHOUT_OVERLAY ? WITHOUT_OVERLAY : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == WITHOUT_OVERLAY) {
		print_message("no overlay can be mounted on /usr here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void test_separate_mounts(void **state)
{
	(void)state;
	on_host(run_beside_mounts);
}

static void test_missing_directories(void **state)
{
	(void)state;
	on_host(run_without_directories);
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
	assert_int_equal(sandbox_run(&spec, &result, &error), -ENOEXEC);
	assert_int_equal(error_number(error), ENOENT);
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
	assert_true(result.layer_count < ARRAY_SIZE(result.layers));
	assert_null(result.denied);
	/* In the order in which they were put up; and what is not there does not pass for active.
	 */
	assert_string_equal(result.layers[0].name, "namespaces");
	for (size_t i = 0; i < result.layer_count; i++)
		if (string_equal(result.layers[i].name, "read-only program"))
			assert_false(result.layers[i].active);
	sandbox_result_clear(&result);
}

static const struct sandbox_layer *find_layer(const struct sandbox_result *result, const char *name)
{
	for (size_t i = 0; i < result->layer_count; i++)
		if (string_equal(result->layers[i].name, name))
			return &result->layers[i];
	return NULL;
}

/* What is refused is known afterwards, by whom and how often; a flood of it does not stop a run. */
static void test_denied(void **state)
{
	struct sandbox_result result = run_script(
		"unshare -U true; unshare -U true; mount -t tmpfs x /tmp; true", fixture.spec);
	const struct sandbox_layer *layer = find_layer(&result, "refused calls are seen");

	(void)state;
	assert_int_equal(result.end, SANDBOX_EXITED);
	assert_non_null(layer);
	if (!layer->active) {
		sandbox_result_clear(&result);
		skip(); /* this test itself runs under a supervisor of that kind */
	}
	assert_non_null(result.denied);
	assert_string_equal(result.denied->list[0].what, "unshare CLONE_NEWUSER");
	assert_string_equal(result.denied->list[0].program, "unshare");
	assert_int_equal(result.denied->list[0].count, 2);
	assert_true(result.denied->total >= 3);
	sandbox_result_clear(&result);

	result = run_script("perl -e 'for (1..3000) { ioctl(STDIN, 0x5412, 0) and exit 9 }'",
			    fixture.spec);
	assert_int_equal(result.status, 0);
	assert_non_null(result.denied);
	assert_string_equal(result.denied->list[0].what, "ioctl TIOCSTI");
	assert_int_equal(result.denied->list[0].count, 3000);
	sandbox_result_clear(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_view),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_many_trees),
		cmocka_unit_test(test_mount_on_link),
		cmocka_unit_test(test_program_cannot_be_written),
		cmocka_unit_test(test_report_and_input),
		cmocka_unit_test(test_nothing_survives),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_separate_mounts),
		cmocka_unit_test(test_missing_directories),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_denied),
	};

	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
