/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sealed memory files: that seals hold, and that nothing unsealed is taken for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base/memfd.h"
#include "lib/base/syscalls.h"

static void test_sealed_cannot_change(void **state)
{
	cleanup_close int fd = -1;
	uint64_t size = 0;

	(void)state;
	assert_int_equal(memfd_from_bytes("test", "content", 7, &fd, NULL), 0);
	assert_int_equal(memfd_require_sealed(fd, 7, &size, NULL), 0);
	assert_int_equal(size, 7);
	assert_int_equal(pwrite(fd, "X", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 3), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_ptr_equal(mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

/* The positive control of the test above. */
static void test_unsealed_can_change(void **state)
{
	cleanup_close int fd = -1;
	uint64_t size = 99;

	(void)state;
	assert_int_equal(memfd_new("test", &fd, NULL), 0);
	assert_int_equal(write(fd, "content", 7), 7);
	assert_int_equal(pwrite(fd, "X", 1, 0), 1);
	assert_int_equal(ftruncate(fd, 3), 0);
	assert_int_equal(memfd_require_sealed(fd, 100, &size, NULL), -EINVAL);
	assert_int_equal(size, 99);
}

static void test_partly_sealed_is_refused(void **state)
{
	static const int all[] = { F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_SEAL };
	uint64_t size = 0;

	(void)state;
	for (size_t missing = 0; missing < ARRAY_SIZE(all); missing++) {
		cleanup_close int fd = -1;
		int seals = 0;

		for (size_t i = 0; i < ARRAY_SIZE(all); i++)
			seals |= i == missing ? 0 : all[i];
		assert_int_equal(memfd_new("test", &fd, NULL), 0);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
		assert_int_equal(memfd_require_sealed(fd, 100, &size, NULL), -EINVAL);
	}
}

static void test_other_files_are_refused(void **state)
{
	cleanup_error struct error *error = NULL;
	cleanup_close int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	cleanup_close int directory_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int file_fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	uint64_t size = 0;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(memfd_require_sealed(fds[0], 100, &size, &error), -EINVAL);
	assert_non_null(error);
	assert_int_equal(memfd_require_sealed(null_fd, 100, &size, NULL), -EINVAL);
	assert_int_equal(memfd_require_sealed(directory_fd, 100, &size, NULL), -EINVAL);
	assert_int_equal(memfd_require_sealed(-1, 100, &size, NULL), -EINVAL);
	if (file_fd >= 0)
		assert_int_equal(memfd_require_sealed(file_fd, 100, &size, NULL), -EINVAL);
	(void)close_fd(fds[0]);
	(void)close_fd(fds[1]);
}

static void test_too_large(void **state)
{
	cleanup_close int fd = -1;
	const uint8_t *bytes = NULL;
	uint64_t size = 0;
	size_t mapped = 0;

	(void)state;
	assert_int_equal(memfd_from_bytes("test", "content", 7, &fd, NULL), 0);
	assert_int_equal(memfd_require_sealed(fd, 6, &size, NULL), -EFBIG);
	assert_int_equal(memfd_map(fd, 6, &bytes, &mapped, NULL), -EFBIG);
	assert_null(bytes);
}

static void test_seal_while_mapped(void **state)
{
	cleanup_close int fd = -1;
	void *bytes;

	(void)state;
	assert_int_equal(memfd_new("test", &fd, NULL), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(bytes, MAP_FAILED);
	assert_int_equal(memfd_seal(fd, NULL), -EBUSY);
	assert_int_equal(munmap(bytes, 4096), 0);
	assert_int_equal(memfd_seal(fd, NULL), 0);
}

static void test_from_file(void **state)
{
	cleanup_close int source = -1, copy = -1, whole = -1;
	cleanup_free char *bytes = malloc(200001);
	const uint8_t *mapped = NULL;
	size_t size = 0;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < 200001; i++)
		bytes[i] = (char)(i * 7);
	assert_int_equal(memfd_from_bytes("source", bytes, 200001, &source, NULL), 0);
	/* The source's position, which stands at its end, does not count. */
	assert_int_equal(memfd_from_file("copy", source, 150000, &copy, NULL), 0);
	assert_int_equal(memfd_map(copy, 150000, &mapped, &size, NULL), 0);
	assert_int_equal(size, 150000);
	assert_memory_equal(mapped, bytes, size);
	memfd_unmap(mapped, size);
	assert_int_equal(memfd_from_file("copy", source, 200002, &whole, NULL), -EIO);
	assert_int_equal(whole, -1);
}

static void test_map_empty(void **state)
{
	cleanup_close int fd = -1, unsealed = -1;
	const uint8_t *bytes = NULL;
	size_t size = 9;

	(void)state;
	assert_int_equal(memfd_from_bytes("empty", NULL, 0, &fd, NULL), 0);
	assert_int_equal(memfd_map(fd, 0, &bytes, &size, NULL), 0);
	assert_non_null(bytes);
	assert_int_equal(size, 0);
	memfd_unmap(bytes, size);
	assert_int_equal(memfd_new("unsealed", &unsealed, NULL), 0);
	assert_int_equal(memfd_map(unsealed, 100, &bytes, &size, NULL), -EINVAL);
}

static int make_one(void)
{
	cleanup_close int fd = -1;
	struct stat status;
	uint64_t size = 0;

	if (memfd_from_bytes("test", "x", 1, &fd, NULL) < 0 || fstat(fd, &status) < 0 ||
	    memfd_require_sealed(fd, 1, &size, NULL) < 0)
		return -1;
	return status.st_mode & 0111 ? 1 : 0;
}

static void test_not_executable(void **state)
{
	int fd = memfd_create("probe", MFD_CLOEXEC | 0x0008U /* MFD_NOEXEC_SEAL */);

	(void)state;
	if (fd < 0) {
		print_message("skipped: the kernel has no MFD_NOEXEC_SEAL (Linux 6.3)\n");
		skip();
	}
	(void)close_fd(fd);
	assert_int_equal(make_one(), 0);
}

/* As on a kernel before 6.3: a filter answers EINVAL to MFD_NOEXEC_SEAL. */
static void test_older_kernel(void **state)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x0008U, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };
	int status = 0;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    sys_seccomp_filter(0, &program) < 0)
			_exit(77);
		if (memfd_create("probe", MFD_CLOEXEC | 0x0008U) >= 0 || errno != EINVAL)
			_exit(1);
		_exit(make_one() >= 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: no seccomp filter can be installed here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealed_cannot_change),
		cmocka_unit_test(test_unsealed_can_change),
		cmocka_unit_test(test_partly_sealed_is_refused),
		cmocka_unit_test(test_other_files_are_refused),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_seal_while_mapped),
		cmocka_unit_test(test_from_file),
		cmocka_unit_test(test_map_empty),
		cmocka_unit_test(test_not_executable),
		cmocka_unit_test(test_older_kernel),
	};

	return cmocka_run_group_tests_name("memfd", tests, NULL, NULL);
}
