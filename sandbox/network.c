/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A network namespace that a thread makes, see network.h. */
#include "sandbox/network.h"

#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/syscalls.h"

#define STACK (64 * 1024)

struct network {
	_Atomic(pid_t) thread; /* the kernel makes it 0 when the thread has ended */
	int proc_fd;	       /* the root may become another one meanwhile */
	int netns_fd;
	int errnum;
	char *stack;
};

/*
 * No thread of the C library's: it has no thread-local storage of its own. It shares errno, which a
 * call writes only where it fails, and then the set-up ends.
 */
static int make(void *argument)
{
	struct network *network = argument;

	if (unshare(CLONE_NEWNET) == 0)
		network->netns_fd =
			openat(network->proc_fd, "thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (network->netns_fd < 0)
		network->errnum = errno;
	return 0;
}

static struct network *network_free(struct network *network)
{
	if (network->stack != MAP_FAILED)
		(void)munmap(network->stack, STACK);
	(void)close_fd(network->proc_fd);
	free(network);
	return NULL;
}

int network_begin(struct network **ret_network, struct error **error)
{
	struct network *network = calloc(1, sizeof(*network));
	int r = 0;

	if (!network)
		return error_set_errno(error, ENOMEM, "network namespace");
	network->netns_fd = -1;
	network->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	network->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (network->proc_fd < 0)
		r = error_set_errno(error, errno, "/proc");
	else if (network->stack == MAP_FAILED ||
		 clone(make, network->stack + STACK,
		       CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
			       CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
		       network, &network->thread, NULL, &network->thread) < 0)
		r = error_set_errno(error, errno, "thread for the network namespace");
	if (r < 0)
		network_free(network);
	else
		*ret_network = network;
	return r;
}

int network_end(struct network *network, int *ret_netns_fd, struct error **error)
{
	pid_t thread;
	int r = 0;

	while ((thread = atomic_load(&network->thread)) != 0)
		sys_futex_wait(&network->thread, thread);
	if (network->netns_fd < 0)
		r = error_set_errno(error, network->errnum, "network namespace");
	else
		*ret_netns_fd = network->netns_fd;
	network_free(network);
	return r;
}
