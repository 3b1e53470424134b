/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts a command of kmodbox, kills one process of it (or all) with SIGKILL at a given moment, and
 * waits until nothing of it is left. As a subreaper it inherits every process that lost its parent,
 * whatever its session, user or pid namespace, so none can hide.
 *
 *	killer REPORT TARGET MICROSECONDS PATH GRACE -- COMMAND [ARGUMENT...]
 *
 * The moment: PATH exists ("-": at once), then so many microseconds, then TARGET is there, which is
 * launcher, orchestrator, signer, installer, depmod, sandbox (pid 1 of one), all, or none. REPORT
 * gets "killed NAME" or "missed NAME" (the command ended before), "status N" (256: it was killed
 * itself) and "survivor PID ARGUMENTS" for each process that was still there GRACE seconds after
 * the kill; those are ended then. Exit status: 0, whatever happened; 1 if the experiment failed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES 4096
#define LOOK_NANOSECONDS 100000
#define REAP_NANOSECONDS 2000000
/* Whatever hangs without a kill shall fail, not stop the suite. */
#define HANGS_SECONDS 600
#define KILLED_STATUS 256

struct process {
	pid_t pid;
	pid_t parent;
	bool ours; /* a descendant */
};

static struct process processes[PROCESSES];
static size_t process_count;
static pid_t launcher;
static int launcher_status = -1;
static bool all_gone;

static void nap(long nanoseconds)
{
	const struct timespec time = { .tv_sec = nanoseconds / 1000000000,
				       .tv_nsec = nanoseconds % 1000000000 };

	(void)nanosleep(&time, NULL);
}

static uint64_t now_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

static ssize_t read_proc(pid_t pid, const char *name, char *buffer, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	length = read(fd, buffer, size - 1);
	(void)close(fd);
	buffer[length > 0 ? length : 0] = '\0';
	return length;
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == launcher)
			launcher_status = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED_STATUS;
	}
	all_gone = pid < 0 && errno == ECHILD;
}

/* All descendants that are alive; a zombie is none. */
static void look(void)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;
	bool more = true;

	process_count = 0;
	while (directory && process_count < PROCESSES && (entry = readdir(directory))) {
		struct process *process = &processes[process_count];
		const char *behind;
		char line[512], state;
		int parent;

		process->pid = (pid_t)strtol(entry->d_name, NULL, 10);
		/* "PID (NAME) STATE PARENT ...", proc_pid_stat(5) */
		if (process->pid <= 0 || read_proc(process->pid, "stat", line, sizeof(line)) <= 0)
			continue;
		behind = strrchr(line, ')');
		if (!behind || sscanf(behind, ") %c %d", &state, &parent) != 2 || state == 'Z')
			continue;
		process->parent = parent;
		process->ours = parent == getpid();
		process_count++;
	}
	if (directory)
		(void)closedir(directory);
	while (more) {
		more = false;
		for (size_t i = 0; i < process_count; i++)
			for (size_t k = 0; !processes[i].ours && k < process_count; k++)
				if (processes[k].ours && processes[k].pid == processes[i].parent)
					more = processes[i].ours = true;
	}
}

/* Is it pid 1 of a pid namespace below ours? "NSpid: 4711 1", proc_pid_status(5) */
static bool is_init(pid_t pid)
{
	char text[4096];
	const char *line;

	if (read_proc(pid, "status", text, sizeof(text)) <= 0)
		return false;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return false;
	line += strlen("\nNSpid:");
	line = strpbrk(line + 1, "\t\n");
	while (line && *line == '\t') {
		char *end;
		bool first = strtol(line, &end, 10) == 1;

		if (*end == '\n')
			return first;
		line = end;
	}
	return false;
}

static bool is_program(pid_t pid, const char *name)
{
	char line[4096];
	const char *slash;

	if (read_proc(pid, "cmdline", line, sizeof(line)) <= 0)
		return false;
	slash = strrchr(line, '/');
	return strcmp(slash ? slash + 1 : line, name) == 0;
}

static bool is_target(const struct process *process, const char *target)
{
	char helper[64];

	if (strcmp(target, "all") == 0)
		return true;
	if (strcmp(target, "launcher") == 0)
		return process->pid == launcher;
	if (strcmp(target, "sandbox") == 0)
		return is_init(process->pid);
	if (strcmp(target, "orchestrator") == 0)
		return process->parent == launcher && is_program(process->pid, "kmodbox");
	(void)snprintf(helper, sizeof(helper), "kmodbox-%s", target);
	return is_program(process->pid, helper) && !is_init(process->pid);
}

static bool kill_target(const char *target)
{
	bool killed = false;

	look();
	for (size_t i = 0; i < process_count; i++) {
		if (!processes[i].ours || !is_target(&processes[i], target))
			continue;
		if (kill(processes[i].pid, SIGKILL) == 0)
			killed = true;
		if (strcmp(target, "all") != 0)
			break;
	}
	return killed;
}

static void end_survivors(FILE *report)
{
	while (!all_gone) {
		look();
		for (size_t i = 0; i < process_count; i++) {
			char line[512];
			ssize_t length;

			if (!processes[i].ours)
				continue;
			length = read_proc(processes[i].pid, "cmdline", line, sizeof(line));
			for (ssize_t k = 0; k + 1 < length; k++)
				if (line[k] < ' ' || line[k] > '~')
					line[k] = ' ';
			(void)fprintf(report, "survivor %d %s\n", (int)processes[i].pid,
				      length > 0 ? line : "?");
			(void)kill(processes[i].pid, SIGKILL);
		}
		nap(REAP_NANOSECONDS);
		reap();
	}
}

static void experiment(FILE *report, const char *target, long microseconds, const char *path,
		       uint64_t grace)
{
	uint64_t end = now_seconds() + HANGS_SECONDS;
	bool killed = false;

	for (reap(); !all_gone && strcmp(path, "-") != 0 && access(path, F_OK) < 0; reap())
		nap(LOOK_NANOSECONDS);
	if (!all_gone)
		nap(microseconds * 1000);
	/* The launcher waits for all its children: when it has ended, there is nothing to kill. */
	for (reap(); !killed && launcher_status < 0 && now_seconds() < end; reap()) {
		if (strcmp(target, "none") != 0)
			killed = kill_target(target);
		if (!killed)
			nap(LOOK_NANOSECONDS);
	}
	(void)fprintf(report, "%s %s\n", killed ? "killed" : "missed", target);
	for (end = now_seconds() + grace; !all_gone && now_seconds() <= end; reap())
		nap(REAP_NANOSECONDS);
	end_survivors(report);
	(void)fprintf(report, "status %d\n", launcher_status);
}

int main(int argc, char **argv)
{
	FILE *report;

	if (argc < 8 || strcmp(argv[6], "--") != 0) {
		(void)fputs("usage: killer REPORT TARGET MICROSECONDS PATH GRACE -- COMMAND...\n",
			    stderr);
		return 1;
	}
	report = fopen(argv[1], "we");
	if (!report || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		perror("killer");
		return 1;
	}
	launcher = fork();
	if (launcher == 0) {
		(void)execvp(argv[7], argv + 7);
		_exit(127);
	}
	if (launcher < 0) {
		perror("killer");
		return 1;
	}
	experiment(report, argv[2], strtol(argv[3], NULL, 10), argv[4],
		   (uint64_t)strtol(argv[5], NULL, 10));
	return fclose(report) == 0 ? 0 : 1;
}
