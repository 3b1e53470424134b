/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory of processes, see memory.h. Texts are the kernel's; a file's name in PID/maps is a
 * payload's to choose, but never "/dev/zero (deleted)", which is no path in its scratch.
 */
#include "sandbox/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"

#define KIB UINT64_C(1024)
/* net.core.wmem_max as the kernel has it, which it doubles: what one socket's writer can fill. */
#define SOCKET_BYTES (416 * KIB)
#define STACK_BYTES (16 * KIB) /* THREAD_SIZE of x86_64 and arm64 */
#define MAPS_MAXIMUM (UINT64_C(64) << 20)
#define SHARED_ANONYMOUS " /dev/zero (deleted)\n"

/* What is shared by several processes, by its inode. */
struct shared {
	uint64_t inode, bytes;
};

struct inventory {
	int processes_fd;
	struct shared *shared;
	size_t count, room;
	uint64_t read; /* bytes of maps */
	bool too_much;
};

bool memory_read_about(int processes_fd, uint64_t pid, const char *file, char *text, size_t size)
{
	cleanup_close int fd = -1;
	char path[64];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "%llu/%s", (unsigned long long)pid, file);
	fd = openat(processes_fd, path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, text, size - 1);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

static DIR *open_directory(int processes_fd, uint64_t pid, const char *name)
{
	cleanup_close int fd = -1;
	char path[64];
	DIR *directory;

	(void)snprintf(path, sizeof(path), "%llu/%s", (unsigned long long)pid, name);
	fd = openat(processes_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (directory)
		fd = -1;
	return directory;
}

/* Of "\nName:   123 kB"; 0 where there is no such line. */
static uint64_t field(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	unsigned long long value;

	return at && sscanf(at + strlen(name), "%llu", &value) == 1 ? value : 0;
}

/*
 * The status of a thread that has the process's memory: of one whose first thread has exited only
 * the others'. Which file of the process's folder it is in, for other files beside it.
 */
static bool read_status(int processes_fd, uint64_t pid, char *text, size_t size, char *thread,
			size_t thread_size)
{
	const struct dirent *entry;
	bool found;
	DIR *tasks;

	thread[0] = '\0';
	if (!memory_read_about(processes_fd, pid, "status", text, size))
		return false;
	found = strstr(text, "\nVmSize:") != NULL;
	if (found || field(text, "\nThreads:") < 2)
		return found;
	tasks = open_directory(processes_fd, pid, "task");
	while (!found && tasks && (entry = readdir(tasks))) {
		uint64_t id;
		char path[64];

		if (parse_u64(entry->d_name, INT32_MAX, &id) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "task/%llu/status", (unsigned long long)id);
		found = memory_read_about(processes_fd, pid, path, text, size) &&
			strstr(text, "\nVmSize:");
		if (found)
			(void)snprintf(thread, thread_size, "task/%llu/", (unsigned long long)id);
	}
	if (tasks)
		(void)closedir(tasks);
	return found;
}

struct memory_status memory_status(int processes_fd, uint64_t pid)
{
	struct memory_status status = { 0 };
	char text[4096], thread[32];
	uint64_t known;

	if (!read_status(processes_fd, pid, text, sizeof(text), thread, sizeof(thread)))
		return status;
	status.own =
		(field(text, "\nRssAnon:") + field(text, "\nVmSwap:") + field(text, "\nVmPTE:")) *
			KIB +
		field(text, "\nThreads:") * STACK_BYTES;
	/* What is neither the process's own to write nor a program's text. */
	known = field(text, "\nVmData:") + field(text, "\nVmStk:") + field(text, "\nVmExe:") +
		field(text, "\nVmLib:");
	if (field(text, "\nVmSize:") > known)
		status.other = (field(text, "\nVmSize:") - known) * KIB;
	status.descriptors = field(text, "\nFDSize:");
	return status;
}

uint64_t memory_at_most(const struct memory_status *status)
{
	return status->own + status->other + status->descriptors * SOCKET_BYTES;
}

static void note(struct inventory *inventory, uint64_t inode, uint64_t bytes)
{
	if (inventory->count == inventory->room) {
		size_t room = inventory->room ? inventory->room * 2 : 1024;
		struct shared *grown = reallocarray(inventory->shared, room, sizeof(*grown));

		if (!grown) {
			inventory->too_much = true;
			return;
		}
		inventory->shared = grown;
		inventory->room = room;
	}
	inventory->shared[inventory->count++] = (struct shared){ .inode = inode, .bytes = bytes };
}

/* "START-END rw-s OFFSET 00:01 INODE  /dev/zero (deleted)" */
static void note_mapping(struct inventory *inventory, const char *line)
{
	unsigned long long start, end, offset, inode;
	size_t length = strlen(line);
	const size_t name = strlen(SHARED_ANONYMOUS);

	if (length > name && string_equal(line + length - name, SHARED_ANONYMOUS) &&
	    sscanf(line, "%llx-%llx %*4s %llx %*s %llu", &start, &end, &offset, &inode) == 4 &&
	    end > start)
		/* Of an object that is mapped in parts, as far as its last one. */
		note(inventory, inode, offset + (end - start));
}

static bool note_mappings(struct inventory *inventory, uint64_t pid, const char *thread)
{
	cleanup_fclose FILE *maps = NULL;
	cleanup_free char *line = NULL;
	char path[96];
	size_t room = 0;
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "%llu/%smaps", (unsigned long long)pid, thread);
	fd = openat(inventory->processes_fd, path, O_RDONLY | O_CLOEXEC);
	maps = fd < 0 ? NULL : fdopen(fd, "r");
	if (!maps) {
		(void)close_fd(fd);
		return false;
	}
	while (!inventory->too_much && (length = getline(&line, &room, maps)) > 0) {
		inventory->read += (uint64_t)length;
		inventory->too_much = inventory->too_much || inventory->read > MAPS_MAXIMUM;
		note_mapping(inventory, line);
	}
	return true;
}

static bool note_sockets(struct inventory *inventory, uint64_t pid, const char *thread)
{
	char path[48], target[64];
	const struct dirent *entry;
	DIR *descriptors;

	(void)snprintf(path, sizeof(path), "%sfd", thread);
	descriptors = open_directory(inventory->processes_fd, pid, path);
	if (!descriptors)
		return false;
	while (!inventory->too_much && (entry = readdir(descriptors))) {
		ssize_t length =
			readlinkat(dirfd(descriptors), entry->d_name, target, sizeof(target) - 1);
		unsigned long long inode;

		target[length < 0 ? 0 : length] = '\0';
		if (sscanf(target, "socket:[%llu]", &inode) == 1)
			note(inventory, inode, SOCKET_BYTES);
	}
	(void)closedir(descriptors);
	return true;
}

/* The private memory of one process, what it shares after fork() divided; the rest is noted. */
static uint64_t look_into(struct inventory *inventory, const struct memory_process *process)
{
	char text[4096], thread[32], path[64];
	uint64_t own = process->status.own;

	if (!read_status(inventory->processes_fd, process->pid, text, sizeof(text), thread,
			 sizeof(thread)))
		return 0;
	own = (field(text, "\nVmPTE:")) * KIB + field(text, "\nThreads:") * STACK_BYTES;
	(void)snprintf(path, sizeof(path), "%ssmaps_rollup", thread);
	/* Into one that is not dumpable nobody may look: it counts for all that it can be. */
	if (!note_mappings(inventory, process->pid, thread) ||
	    !note_sockets(inventory, process->pid, thread) ||
	    !memory_read_about(inventory->processes_fd, process->pid, path, text, sizeof(text)))
		return memory_at_most(&process->status);
	return own + (field(text, "\nPss_Anon:") + field(text, "\nSwapPss:")) * KIB;
}

static int by_inode(const void *left, const void *right)
{
	const struct shared *a = left, *b = right;

	return a->inode < b->inode ? -1 : a->inode > b->inode;
}

uint64_t memory_of_all(int processes_fd, const struct memory_process *processes, size_t count)
{
	struct inventory inventory = { .processes_fd = processes_fd };
	uint64_t sum = 0, largest = 0;

	for (size_t i = 0; i < count && !inventory.too_much; i++)
		sum += look_into(&inventory, &processes[i]);
	if (inventory.count > 0)
		qsort(inventory.shared, inventory.count, sizeof(*inventory.shared), by_inode);
	for (size_t i = 0; i < inventory.count; i++) {
		const struct shared *shared = &inventory.shared[i];

		if (shared->bytes > largest)
			largest = shared->bytes;
		if (i + 1 < inventory.count && inventory.shared[i + 1].inode == shared->inode)
			continue;
		sum += largest;
		largest = 0;
	}
	free(inventory.shared);
	return inventory.too_much ? UINT64_MAX : sum;
}
