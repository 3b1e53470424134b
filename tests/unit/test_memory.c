/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What processes hold, however they hide it: real children, seen through the host's /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "sandbox/memory.h"

#define MEBIBYTE (UINT64_C(1) << 20)
#define SIZE (64 * MEBIBYTE)

struct held {
	uint64_t at_most, exact;
};

static void touch(char *memory)
{
	for (size_t i = 0; i < SIZE; i += 4096)
		memory[i] = 1;
}

static void *map(int flags)
{
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	return memory;
}

static _Noreturn void ready(int fd)
{
	if (write(fd, "r", 1) != 1)
		_exit(1);
	for (;;)
		(void)pause();
}

static void nothing(int fd)
{
	ready(fd);
}

static void private_memory(int fd)
{
	touch(map(MAP_PRIVATE));
	ready(fd);
}

static void shared_and_let_go(int fd)
{
	char *memory = map(MAP_SHARED);

	touch(memory);
	/* Resident in no process, and held all the same. */
	if (madvise(memory, SIZE, MADV_DONTNEED) < 0)
		_exit(1);
	ready(fd);
}

static void sockets(int fd)
{
	int pair[2];

	for (int i = 0; i < 100; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
			_exit(1);
	}
	ready(fd);
}

static void *hold(void *argument)
{
	/* When the first thread is gone, whose status says nothing any more. */
	(void)usleep(100000);
	touch(map(MAP_PRIVATE));
	ready(*(int *)argument);
}

static void leader_exits(int fd)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, hold, &fd) != 0)
		_exit(1);
	(void)syscall(SYS_exit, 0);
}

static pid_t start(void (*function)(int fd))
{
	pid_t pid;
	int pair[2];
	char byte;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		function(pair[1]);
		_exit(1);
	}
	(void)close(pair[1]);
	assert_int_equal(read(pair[0], &byte, 1), 1);
	(void)close(pair[0]);
	return pid;
}

static struct held measure(const pid_t *pids, size_t count)
{
	cleanup_close int processes_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct memory_process processes[2];
	struct held held = { 0 };

	assert_true(processes_fd >= 0 && count <= 2);
	for (size_t i = 0; i < count; i++) {
		processes[i].pid = (uint64_t)pids[i];
		processes[i].status = memory_status(processes_fd, processes[i].pid);
		held.at_most += memory_at_most(&processes[i].status);
	}
	held.exact = memory_of_all(processes_fd, processes, count);
	for (size_t i = 0; i < count; i++) {
		(void)kill(pids[i], SIGKILL);
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
	}
	return held;
}

static struct held measure_one(void (*function)(int fd))
{
	pid_t pid = start(function);

	return measure(&pid, 1);
}

static void test_nothing_hides(void **state)
{
	static const struct {
		const char *what;
		void (*function)(int fd);
		uint64_t bytes;
	} rows[] = {
		{ "private memory", private_memory, SIZE },
		{ "shared memory that is mapped and not resident", shared_and_let_go, SIZE },
		{ "a hundred pairs of sockets", sockets, 200 * 416 * 1024 },
		{ "a thread whose process's first one has exited", leader_exits, SIZE },
	};
	/* The control: the same program, that holds nothing. */
	const struct held control = measure_one(nothing);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct held held = measure_one(rows[i].function);

		if (held.exact < rows[i].bytes || held.at_most < rows[i].bytes)
			fail_msg("%s: %llu, at most %llu", rows[i].what,
				 (unsigned long long)held.exact, (unsigned long long)held.at_most);
		/* Not by counting everybody's programs and libraries. */
		assert_true(held.exact - control.exact < rows[i].bytes + 8 * MEBIBYTE);
	}
}

/* What two have from their common past counts once. */
static void test_divided(void **state)
{
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct held both;
	pid_t pids[2];

	(void)state;
	assert_true(memory != MAP_FAILED);
	touch(memory);
	pids[0] = start(nothing);
	pids[1] = start(nothing);
	/* Of three that share it, this one is not asked. */
	both = measure(pids, 2);
	assert_int_equal(munmap(memory, SIZE), 0);
	assert_true(both.exact < SIZE);
	assert_true(both.exact > SIZE / 2);
	assert_true(both.at_most >= 2 * SIZE);
}

static void test_gone(void **state)
{
	pid_t pid = start(nothing);
	struct memory_process process = { .pid = (uint64_t)pid };
	cleanup_close int processes_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	process.status = memory_status(processes_fd, process.pid);
	assert_int_equal(memory_at_most(&process.status), 0);
	assert_int_equal(memory_of_all(processes_fd, &process, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_hides),
		cmocka_unit_test(test_divided),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
