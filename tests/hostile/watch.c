/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a command and tells what it left behind. As a subreaper it inherits every process that the
 * command lost, whatever its session, user or pid namespace. Its exit status is the command's.
 *
 *	watch REPORT [--interrupt MARKER] -- COMMAND [ARGUMENT...]
 *
 * REPORT gets a line for each process that is left (it is killed), and is empty where none is. With
 * --interrupt the command's process group gets a SIGINT, as from a terminal, as soon as any process
 * has MARKER in its arguments.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MILLISECONDS 10
/* Far more than anything here takes: whatever hangs shall fail, not stop the suite. */
#define HANGS_TICKS 30000
/* What was killed may still be dying when its parent has ended. */
#define DYING_TICKS 500
#define KILLED_STATUS 128

static void tick(void)
{
	(void)poll(NULL, 0, TICK_MILLISECONDS);
}

static ssize_t read_proc(const char *pid, const char *name, char *buffer, size_t size)
{
	char path[300];
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	length = read(fd, buffer, size - 1);
	(void)close(fd);
	if (length >= 0)
		buffer[length] = '\0';
	return length;
}

/* Calls visit with the name of every process directory until it says true. */
static bool any_process(bool (*visit)(const char *pid, void *context), void *context)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;
	bool found = false;

	while (directory && !found && (entry = readdir(directory)))
		found = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
			visit(entry->d_name, context);
	if (directory)
		(void)closedir(directory);
	return found;
}

static bool has_marker(const char *pid, void *context)
{
	char line[4096];
	ssize_t length = read_proc(pid, "cmdline", line, sizeof(line));

	return length > 0 && memmem(line, (size_t)length, context, strlen(context));
}

/* Tells of one child of ours that is alive, and kills it. */
static bool end_child(const char *pid, void *context)
{
	FILE *report = context;
	char line[512], name[64] = "";
	const char *behind;
	int parent;

	/* "PID (NAME) STATE PARENT ...", proc_pid_stat(5) */
	if (read_proc(pid, "stat", line, sizeof(line)) <= 0)
		return false;
	behind = strrchr(line, ')');
	if (!behind || sscanf(behind, ") %*c %d", &parent) != 1 || parent != getpid())
		return false;
	(void)sscanf(line, "%*d (%63[^)]", name);
	(void)fprintf(report, "process %s (%s) is left\n", pid, name);
	(void)kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
	return true;
}

/* Reaps what ended; false where no child of ours is left. */
static bool reap(pid_t command, int *status, bool *ended)
{
	int other;
	pid_t pid;

	while ((pid = waitpid(-1, &other, WNOHANG)) > 0) {
		if (pid == command) {
			*status = other;
			*ended = true;
		}
	}
	return pid == 0;
}

static int watch(pid_t command, char *marker, FILE *report)
{
	int status = 0;
	bool ended = false;

	for (unsigned ticks = 0; reap(command, &status, &ended), !ended; ticks++) {
		if (marker && any_process(has_marker, marker)) {
			(void)kill(-command, SIGINT);
			marker = NULL;
		}
		if (ticks == HANGS_TICKS) {
			(void)fprintf(report, "the command hangs\n");
			(void)kill(-command, SIGKILL);
		}
		tick();
	}
	if (marker)
		(void)fprintf(report, "the command ended before it could be interrupted\n");
	for (unsigned ticks = 0; reap(command, &status, &ended) && ticks < DYING_TICKS; ticks++)
		tick();
	while (reap(command, &status, &ended)) {
		(void)any_process(end_child, report);
		tick();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED_STATUS + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	char *marker = NULL;
	FILE *report;
	pid_t command;
	int next = 2;

	if (argc > 4 && strcmp(argv[2], "--interrupt") == 0) {
		/* It must not be found among our own arguments, nor our child's before it is
		 * COMMAND. */
		marker = strdup(argv[3]);
		memset(argv[3], '-', strlen(argv[3]));
		next = 4;
	}
	if (argc < next + 2 || strcmp(argv[next], "--") != 0) {
		(void)fprintf(stderr, "watch REPORT [--interrupt MARKER] -- COMMAND...\n");
		return 2;
	}
	report = fopen(argv[1], "we");
	if (!report || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
		(void)fprintf(stderr, "watch: %s: %s\n", argv[1], strerror(errno));
		return 2;
	}
	command = fork();
	if (command == 0) {
		/* A script's background jobs ignore it. */
		(void)sigaction(SIGINT, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
		(void)setpgid(0, 0);
		(void)execvp(argv[next + 1], argv + next + 1);
		_exit(127);
	}
	if (command < 0) {
		(void)fprintf(stderr, "watch: fork: %s\n", strerror(errno));
		return 2;
	}
	(void)setpgid(command, command);
	next = watch(command, marker, report);
	free(marker);
	return fclose(report) == 0 ? next : 2;
}
