/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watchdog, see watchdog.h. What it reads the kernel has written, but names of processes are
 * theirs to choose: in PID/stat a name ends at the last ')', in PID/status newlines in it are
 * escaped. Processes come and go while it reads: what is gone counts as nothing.
 */
#include "sandbox/watchdog.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include "lib/base/files.h"
#include "sandbox/limits.h"
#include "sandbox/memory.h"
#include "sandbox/mounts.h"

#define PAUSE_MILLISECONDS 100
#define PAUSE_MAXIMUM 1000
/* At most a tenth of the time is spent on looking. */
#define PAUSE_FACTOR 9
/* Init itself, and what is counted twice while a process ends. */
#define SPARE_PROCESSES 16
#define NANOSECONDS UINT64_C(1000000000)

struct process {
	uint64_t pid;
	uint64_t own;  /* CPU time in nanoseconds, that of dead threads included */
	uint64_t tree; /* CPU time in clock ticks, with that of the children it has waited for */
	uint64_t threads;
};

struct looked {
	struct process *processes; /* by pid, as the kernel lists them */
	size_t count;
};

struct watchdog {
	const struct setup *setup;
	DIR *processes;
	struct looked before, now;
	struct memory_process *memory; /* as many as may be listed */
	size_t most;
	uint64_t next_milliseconds;
	struct rusage reaped;
	uint64_t seen; /* CPU time that was seen while it was used, in nanoseconds */
	uint32_t reached;
};

static uint64_t milliseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int watchdog_prepare(struct setup *setup, struct error **error)
{
	cleanup_close int fs_fd = fsopen("proc", FSOPEN_CLOEXEC);
	cleanup_close int mount_fd = -1;

	setup->temporary_fd =
		openat(setup->root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (setup->temporary_fd < 0)
		return error_set_errno(error, errno, "/tmp");
	if (fs_fd < 0)
		return error_set_errno(error, errno, "fsopen proc");
	/*
	 * Not the payload's, with hidepid: who runs a program that may not be read is not dumpable,
	 * and could not be seen there by an init without capabilities.
	 */
	if (fsconfig(fs_fd, FSCONFIG_SET_STRING, "subset", "pid", 0) < 0)
		return error_set_errno(error, errno, "fsconfig proc");
	if (fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return errno == EPERM ? 1 : error_set_errno(error, errno, "fsconfig proc create");
	mount_fd = fsmount(fs_fd, FSMOUNT_CLOEXEC,
			   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				   MOUNT_ATTR_NOEXEC);
	if (mount_fd < 0)
		return errno == EPERM ? 1 : error_set_errno(error, errno, "fsmount proc");
	setup->processes_fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (setup->processes_fd < 0 ||
	    (mkdirat(setup->root_fd, "proc", 0755) < 0 && errno != EEXIST))
		return error_set_errno(error, errno, "/proc of the watchdog");
	/*
	 * The payload's own comes on top and hides it for good. Attached nowhere, its end would
	 * cost the kernel a wait for all processors (synchronize_rcu in namespace_unlock()).
	 */
	return mounts_attach(mount_fd, setup->root_fd, "proc", error);
}

struct watchdog *watchdog_new(const struct setup *setup)
{
	struct watchdog *watchdog = setup->processes_fd < 0 ? NULL : calloc(1, sizeof(*watchdog));

	if (!watchdog)
		return NULL;
	watchdog->setup = setup;
	watchdog->most = setup->limits.processes + SPARE_PROCESSES;
	watchdog->next_milliseconds = milliseconds() + PAUSE_MILLISECONDS;
	return watchdog;
}

/* At the first look, which many sandboxes do not live to see. */
static void begin(struct watchdog *watchdog)
{
	watchdog->before.processes = calloc(watchdog->most, sizeof(struct process));
	watchdog->now.processes = calloc(watchdog->most, sizeof(struct process));
	watchdog->memory = calloc(watchdog->most, sizeof(struct memory_process));
	watchdog->processes = fdopendir(watchdog->setup->processes_fd);
	/* Init has no other work: it ends here, and all with it, rather than not to see. */
	if (!watchdog->before.processes || !watchdog->now.processes || !watchdog->memory ||
	    !watchdog->processes)
		_exit(125);
}

static void read_process(const struct watchdog *watchdog, struct process *process)
{
	unsigned long long user, system, children_user, children_system, threads;
	char text[1024];
	const char *fields;

	if (!memory_read_about(dirfd(watchdog->processes), process->pid, "stat", text,
			       sizeof(text)))
		return;
	fields = strrchr(text, ')');
	/* proc_pid_stat(5): from the third field on. */
	if (!fields || sscanf(fields + 1,
			      " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu"
			      " %*d %*d %llu",
			      &user, &system, &children_user, &children_system, &threads) != 5)
		return;
	process->tree = user + system + children_user + children_system;
	process->threads = threads;
}

static uint64_t own_cpu(uint64_t pid)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid((pid_t)pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
		return 0;
	return (uint64_t)used.tv_sec * NANOSECONDS + (uint64_t)used.tv_nsec;
}

static void list_processes(struct watchdog *watchdog)
{
	struct looked *now = &watchdog->now;
	const struct dirent *entry;

	now->count = 0;
	rewinddir(watchdog->processes);
	while (now->count < watchdog->most && (entry = readdir(watchdog->processes))) {
		uint64_t pid;

		if (parse_u64(entry->d_name, INT32_MAX, &pid) == 0 && pid > 1)
			now->processes[now->count++] =
				(struct process){ .pid = pid, .own = own_cpu(pid) };
	}
}

/*
 * What a process has waited for is in its own account, but the time of children that nobody waits
 * for (SIGCHLD ignored) is in none when they are gone: it counts as far as it was seen. One that
 * has the pid of an earlier one may count for less than it has used, never for more.
 */
static void add_seen(struct watchdog *watchdog)
{
	const struct looked *before = &watchdog->before, *now = &watchdog->now;
	size_t old = 0;

	for (size_t i = 0; i < now->count; i++) {
		const struct process *process = &now->processes[i];
		uint64_t known = 0;

		while (old < before->count && before->processes[old].pid < process->pid)
			old++;
		if (old < before->count && before->processes[old].pid == process->pid)
			known = before->processes[old].own;
		watchdog->seen += process->own - (known <= process->own ? known : 0);
	}
}

/* By what the processes say of themselves and of those they have waited for. */
static bool exceeds_cpu(struct watchdog *watchdog)
{
	const uint64_t second = (uint64_t)sysconf(_SC_CLK_TCK);
	const uint64_t limit = watchdog->setup->limits.cpu_seconds * second;
	const struct rusage *reaped = &watchdog->reaped;
	uint64_t sum =
		(uint64_t)(reaped->ru_utime.tv_sec + reaped->ru_stime.tv_sec) * second +
		(uint64_t)(reaped->ru_utime.tv_usec + reaped->ru_stime.tv_usec) * second / 1000000;

	for (size_t i = 0; i < watchdog->now.count; i++) {
		read_process(watchdog, &watchdog->now.processes[i]);
		sum += watchdog->now.processes[i].tree;
	}
	return sum >= limit;
}

/* How many descriptors a process has open, where its table is so large that it may be too many. */
static void check_open_files(struct watchdog *watchdog, uint64_t pid, uint64_t table)
{
	const uint64_t limit = watchdog->setup->limits.open_files;
	char path[32];
	DIR *descriptors = NULL;
	uint64_t count = 0;
	int fd;

	if (table < limit)
		return;
	(void)snprintf(path, sizeof(path), "%llu/fd", (unsigned long long)pid);
	fd = openat(dirfd(watchdog->processes), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	descriptors = fd < 0 ? NULL : fdopendir(fd);
	while (descriptors && readdir(descriptors))
		count++;
	if (descriptors)
		(void)closedir(descriptors);
	/* "." and ".." are no descriptors. */
	if (count >= 2 && limits_is_near(count - 2, limit))
		watchdog->reached |= 1U << LIMIT_OPEN_FILES;
}

/* In bytes, what lies in the file systems that are memory. */
static uint64_t scratch_memory(const struct setup *setup)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= setup->spec->tree_count; i++) {
		bool tree = i < setup->spec->tree_count;
		struct statfs status;

		if ((!tree || !setup->spec->trees[i].place) &&
		    fstatfs(tree ? setup->tree_fds[i] : setup->temporary_fd, &status) == 0)
			sum += (status.f_blocks - status.f_bfree) * (uint64_t)status.f_bsize;
	}
	return sum;
}

static bool exceeds_memory(struct watchdog *watchdog)
{
	const uint64_t limit = watchdog->setup->limits.total_memory_bytes;
	const size_t count = watchdog->now.count;
	const int fd = dirfd(watchdog->processes);
	uint64_t at_most = scratch_memory(watchdog->setup), exact;

	for (size_t i = 0; i < count; i++) {
		struct memory_process *process = &watchdog->memory[i];

		process->pid = watchdog->now.processes[i].pid;
		process->status = memory_status(fd, process->pid);
		at_most += memory_at_most(&process->status);
		check_open_files(watchdog, process->pid, process->status.descriptors);
	}
	/* The kernel walks all pages for what is exact: only where it may be too much. */
	if (at_most <= limit)
		return false;
	exact = memory_of_all(fd, watchdog->memory, count);
	return exact > limit || exact + scratch_memory(watchdog->setup) > limit;
}

/* Not listed: init, and who started it and waits. When the payload has just ended: it, too. */
static void check_processes(struct watchdog *watchdog, bool ended)
{
	uint64_t threads = ended ? 3 : 2;

	for (size_t i = 0; i < watchdog->now.count; i++)
		threads += watchdog->now.processes[i].threads;
	if (limits_is_near(threads, watchdog->setup->limits.processes))
		watchdog->reached |= 1U << LIMIT_PROCESSES;
}

static _Noreturn void end_sandbox(const struct watchdog *watchdog, enum limit limit)
{
	char text[SANDBOX_LIMIT_TEXT] = "";

	limits_describe(&watchdog->setup->limits, limit, text, sizeof(text));
	ignore_result(message_send(watchdog->setup->control_fd, SETUP_LIMIT, text, sizeof(text),
				   NULL, 0, NULL));
	_exit(SETUP_INIT_TOLD);
}

static void take_stock(struct watchdog *watchdog)
{
	struct looked before;

	if (!watchdog->processes)
		begin(watchdog);
	before = watchdog->before;
	watchdog->before = watchdog->now;
	watchdog->now = before;
	/* First: what is reaped from now on is still listed. */
	(void)getrusage(RUSAGE_CHILDREN, &watchdog->reaped);
	list_processes(watchdog);
	add_seen(watchdog);
	/* The quick way, when hundreds of processes leave init hardly any time. */
	if (watchdog->seen >= watchdog->setup->limits.cpu_seconds * NANOSECONDS)
		end_sandbox(watchdog, LIMIT_CPU);
}

static void look(struct watchdog *watchdog, bool ended)
{
	take_stock(watchdog);
	/* Time that passed from one to the other between two files was counted twice: once more. */
	if (exceeds_cpu(watchdog)) {
		take_stock(watchdog);
		if (exceeds_cpu(watchdog))
			end_sandbox(watchdog, LIMIT_CPU);
	}
	check_processes(watchdog, ended);
	if (exceeds_memory(watchdog))
		end_sandbox(watchdog, LIMIT_TOTAL_MEMORY);
}

int watchdog_look(struct watchdog *watchdog)
{
	uint64_t start = milliseconds();
	uint64_t pause;

	if (!watchdog)
		return -1;
	if (start < watchdog->next_milliseconds)
		return (int)(watchdog->next_milliseconds - start);
	look(watchdog, false);
	pause = (milliseconds() - start) * PAUSE_FACTOR;
	if (pause < PAUSE_MILLISECONDS)
		pause = PAUSE_MILLISECONDS;
	else if (pause > PAUSE_MAXIMUM)
		pause = PAUSE_MAXIMUM;
	watchdog->next_milliseconds = milliseconds() + pause;
	return (int)pause;
}

uint32_t watchdog_reached(struct watchdog *watchdog)
{
	if (!watchdog)
		return 0;
	look(watchdog, true);
	return watchdog->reached;
}
