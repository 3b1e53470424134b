/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The raw system calls, each doing its real work; what the host forbids is skipped with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/syscalls.h"

#define LANDLOCK_WRITE_FILE (UINT64_C(1) << 1)
#define LANDLOCK_MAKE_REG (UINT64_C(1) << 8)

static char directory_path[64];
static int directory = -1;

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(directory_path, sizeof(directory_path), "/tmp/kmodbox-test-XXXXXX");
	if (!mkdtemp(directory_path))
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

static int wait_for(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Runs body in a child; 77 is "cannot be tried here". */
static void run_in_child(int (*body)(void), const char *why_skipped)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	status = wait_for(pid);
	if (status == 77) {
		print_message("skipped: %s\n", why_skipped);
		skip();
	}
	assert_int_equal(status, 0);
}

static void test_openat2(void **state)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };
	cleanup_close int fd = sys_openat2(directory, ".", &how);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sys_openat2(directory, "..", &how), -EXDEV);
	assert_int_equal(sys_openat2(directory, "none", &how), -ENOENT);
	how.resolve = UINT64_C(1) << 63;
	assert_int_equal(sys_openat2(directory, ".", &how), -EINVAL);
}

static void test_clone3(void **state)
{
	cleanup_close int pidfd = -1;
	siginfo_t information = { 0 };
	volatile int shared = 1;
	pid_t pid = sys_clone3(CLONE_PIDFD, SIGCHLD, &pidfd);

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		shared = 2; /* in memory of its own */
		_exit(shared + 40);
	}
	assert_true(pidfd >= 0);
	assert_int_equal(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(waitid(P_PIDFD, (id_t)pidfd, &information, WEXITED), 0);
	assert_int_equal(information.si_pid, pid);
	assert_int_equal(information.si_status, 42);
	assert_int_equal(shared, 1);
}

static void test_clone3_pid(void **state)
{
	int *number = mmap(NULL, sizeof(*number), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	(void)state;
	assert_ptr_not_equal(number, MAP_FAILED);
	pid = sys_clone3(CLONE_PARENT_SETTID, SIGCHLD, number);
	assert_true(pid >= 0);
	/* It is there before the child is. */
	if (pid == 0)
		_exit(*number == getpid() ? 0 : 1);
	assert_int_equal(*number, pid);
	assert_int_equal(wait_for(pid), 0);
	assert_int_equal(munmap(number, sizeof(*number)), 0);
}

static void test_clone3_refuses(void **state)
{
	int pidfd = -1;

	(void)state;
	assert_int_equal(sys_clone3(CLONE_VM, SIGCHLD, NULL), -EINVAL);
	assert_int_equal(sys_clone3(CLONE_VFORK, SIGCHLD, NULL), -EINVAL);
	assert_int_equal(sys_clone3(CLONE_PIDFD, SIGCHLD, NULL), -EINVAL);
	assert_int_equal(sys_clone3(CLONE_PARENT_SETTID, SIGCHLD, NULL), -EINVAL);
	assert_int_equal(sys_clone3(CLONE_PIDFD | CLONE_PARENT_SETTID, SIGCHLD, &pidfd), -EINVAL);
	assert_int_equal(sys_clone3(CLONE_PIDFD | (UINT64_C(1) << 40), SIGCHLD, &pidfd), -EINVAL);
	assert_int_equal(pidfd, -1);
}

static int clone_as_pid_1(void)
{
	uint64_t flags = CLONE_NEWPID | (geteuid() == 0 ? 0 : (uint64_t)CLONE_NEWUSER);
	pid_t pid = sys_clone3(flags, SIGCHLD, NULL);

	if (pid < 0)
		return 77;
	if (pid == 0)
		_exit(getpid() == 1 ? 0 : 1);
	return wait_for(pid);
}

static void test_clone3_namespace(void **state)
{
	(void)state;
	run_in_child(clone_as_pid_1, "no pid namespace can be made here");
}

static int execute_fd(void)
{
	char *argv[] = { (char *)"any name", (char *)"-c", (char *)"exit ${ANSWER}", NULL };
	char *environment[] = { (char *)"ANSWER=43", NULL };
	int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

	return -sys_execve_fd(fd, argv, environment);
}

static void test_execve_fd(void **state)
{
	cleanup_close int fd = -1;
	char *argv[] = { (char *)"x", NULL };
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(execute_fd());
	assert_int_equal(wait_for(pid), 43);
	assert_int_equal(sys_execve_fd(-1, argv, argv), -EBADF);
	assert_int_equal(memfd_from_bytes("data", "no program", 10, &fd, NULL), 0);
	assert_true(sys_execve_fd(fd, argv, argv) < 0);
}

static void test_renameat2(void **state)
{
	(void)state;
	assert_int_equal(write_file_atomically(directory, "a", "a", 1, 0600, NULL), 0);
	assert_int_equal(write_file_atomically(directory, "b", "b", 1, 0600, NULL), 0);
	assert_int_equal(sys_renameat2(directory, "a", directory, "b", 1 /* NOREPLACE */), -EEXIST);
	assert_int_equal(sys_renameat2(directory, "a", directory, "c", 1), 0);
	assert_int_equal(sys_renameat2(directory, "c", directory, "b", 0), 0);
	assert_int_equal(sys_renameat2(directory, "c", directory, "b", 0), -ENOENT);
}

/* A filter by which one call fails with an errno. */
static int deny(long number, uint32_t errnum)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return sys_seccomp_filter(0, &program);
}

static int filter_works(void)
{
	if (syscall(SYS_getppid) < 0)
		return 1;
	if (deny(SYS_getppid, EDOM) < 0)
		return 77;
	return syscall(SYS_getppid) == -1 && errno == EDOM && syscall(SYS_getuid) >= 0 ? 0 : 2;
}

static void test_seccomp(void **state)
{
	struct sock_fprog empty = { .len = 0, .filter = NULL };

	(void)state;
	assert_true(sys_seccomp_filter(0, &empty) < 0);
	run_in_child(filter_works, "no seccomp filter can be installed here");
}

static int closed_directory(struct stat *status)
{
	int fd = openat(directory, "closed", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = sys_chmod_fd(fd, 0700);

	if (fstat(fd, status) < 0)
		return -errno;
	(void)close_fd(fd);
	return r;
}

static void test_chmod_fd(void **state)
{
	cleanup_close int fd = -1;
	struct stat status = { 0 };

	(void)state;
	assert_int_equal(mkdirat(directory, "closed", 0), 0);
	assert_int_equal(closed_directory(&status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(sys_chmod_fd(-1, 0700), -EBADF);
	/* A link's own descriptor: its target must stay as it is. */
	assert_int_equal(symlinkat("closed", directory, "link"), 0);
	fd = openat(directory, "link", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	assert_int_equal(sys_chmod_fd(fd, 0777), -EOPNOTSUPP);
	assert_int_equal(fstatat(directory, "closed", &status, 0), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
}

static int chmod_without_fchmodat2(void)
{
	struct stat status = { 0 };
	int r;

	if (deny(452, ENOSYS) < 0)
		return 77;
	r = closed_directory(&status);
	return r == 0 && (status.st_mode & 07777) == 0700 ? 0 : 1;
}

/* As on a kernel before 6.6. */
static void test_chmod_fd_older_kernel(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(directory, "closed", 0), 0);
	run_in_child(chmod_without_fchmodat2, "no seccomp filter can be installed here");
}

static int pivot(void)
{
	uint64_t flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : (uint64_t)CLONE_NEWUSER);

	if (unshare((int)flags) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(directory_path, directory_path, NULL, MS_BIND, NULL) < 0)
		return 77;
	if (sys_pivot_root("/none", "/none") != -ENOENT || access("/bin", F_OK) < 0)
		return 1;
	if (chdir(directory_path) < 0 || sys_pivot_root(".", ".") < 0)
		return 2;
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return 3;
	return access("/mark", F_OK) == 0 && access("/bin", F_OK) < 0 ? 0 : 4;
}

static void test_pivot_root(void **state)
{
	(void)state;
	assert_int_equal(write_file_atomically(directory, "mark", "x", 1, 0644, NULL), 0);
	run_in_child(pivot, "no mount namespace can be made here");
}

static int can_create(const char *path)
{
	cleanup_close int fd =
		openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd >= 0 ? 0 : -errno;
}

static int restrict_to_inside(void)
{
	uint64_t handled = LANDLOCK_WRITE_FILE | LANDLOCK_MAKE_REG;
	int inside = openat(directory, "inside", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int ruleset = sys_landlock_create_ruleset(&handled, sizeof(handled));

	if (ruleset < 0 || fcntl(ruleset, F_GETFD) != FD_CLOEXEC)
		return 1;
	if (can_create("outside/before") < 0) /* the control */
		return 2;
	if (sys_landlock_add_path(ruleset, handled, -1) != -EBADF ||
	    sys_landlock_add_path(ruleset, handled, inside) < 0)
		return 3;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sys_landlock_restrict_self(ruleset) < 0)
		return 4;
	if (can_create("outside/after") != -EACCES)
		return 5;
	return can_create("inside/after") == 0 ? 0 : 6;
}

static void test_landlock(void **state)
{
	int abi = sys_landlock_abi();

	(void)state;
	if (abi == -ENOSYS || abi == -EOPNOTSUPP || abi == -EPERM) {
		print_message("skipped: the kernel has no Landlock, or it is off\n");
		skip();
	}
	assert_true(abi >= 1);
	assert_int_equal(mkdirat(directory, "inside", 0700), 0);
	assert_int_equal(mkdirat(directory, "outside", 0700), 0);
	run_in_child(restrict_to_inside, "");
	/* Only the child was restricted. */
	assert_int_equal(can_create("outside/parent"), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_openat2),	     TEST(test_clone3),
		TEST(test_clone3_pid),	     TEST(test_clone3_refuses),
		TEST(test_clone3_namespace), TEST(test_execve_fd),
		TEST(test_renameat2),	     TEST(test_seccomp),
		TEST(test_chmod_fd),	     TEST(test_chmod_fd_older_kernel),
		TEST(test_pivot_root),	     TEST(test_landlock),
	};

	return cmocka_run_group_tests_name("syscalls", tests, NULL, NULL);
}
