/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory where the size of no process shows it: part of probe.c, which explains the rest. Each
 * holds HELD_BYTES for as many seconds as its argument says and prints HELD.
 */
#ifndef KMODBOX_TESTS_PROBE_MEMORY_H
#define KMODBOX_TESTS_PROBE_MEMORY_H

#define HELD_BYTES ((size_t)200 << 20)
#define HELD_SOCKETS 960 /* below the limit of open files */

static _Noreturn void held(void)
{
	printf("HELD\n");
	(void)fflush(stdout);
	(void)sleep((unsigned)strtoul(argument, NULL, 10));
	_exit(0);
}

static char *fill(int flags)
{
	char *memory = mmap(NULL, HELD_BYTES, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	memset(memory, 1, HELD_BYTES);
	return memory;
}

/* Resident in no process any more, and held all the same. */
static _Noreturn void hold_shared(void)
{
	if (madvise(fill(MAP_SHARED), HELD_BYTES, MADV_DONTNEED) < 0)
		_exit(1);
	held();
}

/* Sent, and never read. */
static _Noreturn void hold_sockets(void)
{
	static char bytes[4096];
	int ends[2];

	for (int i = 0; i < HELD_SOCKETS; i += 2) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
			_exit(1);
		for (int end = 0; end < 2; end++)
			while (send(ends[end], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
				;
	}
	held();
}

static void *hold_in_thread(void *unused)
{
	(void)unused;
	(void)usleep(100000);
	(void)fill(MAP_PRIVATE);
	held();
}

/* In a process whose first thread has exited: what /proc says of that one is that it has nothing.
 */
static _Noreturn void hold_without_leader(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, hold_in_thread, NULL) != 0)
		_exit(1);
	for (;;)
		(void)syscall(SYS_exit, 0);
}

#endif
