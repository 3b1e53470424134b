/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a hostile build would try, one named probe per attempt, for escape.sh:
 *
 *	probe outside|inside SCRATCH SHOWN NAME [ARGUMENT]
 *
 * prints ALLOWED, REFUSED and the errno's name, NOEFFECT (it was not refused, but nothing came of
 *it) or KILLED and the signal. The same probe runs outside, as the control that it works at all,
 *and in the sandbox. Outside it harms nothing: it opens without writing, undoes what it did, works
 *in namespaces and on children of its own, or calls with arguments that fail behind the permission
 * check (such an errno counts as ALLOWED). SCRATCH can be written, SHOWN only read.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NO_EFFECT 1
#define NO_CONTROL 2 /* outside, what the probe needs to be harmless could not be made */
#define FCHMODAT2 452
#define X32_GETPID (0x40000000 | SYS_getpid)

static bool inside;
static const char *scratch;
static const char *shown;
static const char *argument;

/* Opened by a name, for reading, writing or creating, and closed again. */
struct open_probe {
	const char *name;
	const char *path; /* "@" at its start: below SHOWN; "%": of another process of ours */
	int flags;
};

/* A bare system call. */
struct call_probe {
	const char *name;
	long number;
	long arguments[6];
	int past[3];  /* errnos that come behind the permission check */
	bool private; /* outside, in namespaces of its own where it has all capabilities */
};

struct function_probe {
	const char *name;
	int (*run)(void);
};

static int answer(long result)
{
	return result < 0 ? -errno : 0;
}

static char *path_in(const char *directory, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s", directory, name) < 0)
		exit(3);
	return path;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
	(void)close(fd);
}

/* Outside: all powers over namespaces of our own, so that nothing of the host's is touched. */
static int make_private(void)
{
	int flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWIPC;
	char map[64];
	unsigned uid = geteuid();
	unsigned gid = getegid();

	if (uid != 0)
		flags |= CLONE_NEWUSER;
	if (unshare(flags) < 0)
		return inside ? 0 : NO_CONTROL;
	if (uid != 0) {
		write_text("/proc/self/setgroups", "deny");
		(void)snprintf(map, sizeof(map), "0 %u 1", uid);
		write_text("/proc/self/uid_map", map);
		(void)snprintf(map, sizeof(map), "0 %u 1", gid);
		write_text("/proc/self/gid_map", map);
	}
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? NO_CONTROL : 0;
}

/* Somebody else to look into: inside the sandbox's init, outside a child made for it. */
static pid_t companion;

static pid_t another_process(void)
{
	pid_t parent = getpid();

	if (inside)
		return 1;
	if (companion > 0)
		return companion;
	companion = fork();
	if (companion == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	return companion;
}

static int run_open(const struct open_probe *probe)
{
	char path[4096];
	int fd;

	if (probe->path[0] == '@')
		(void)snprintf(path, sizeof(path), "%s/%s", shown, probe->path + 1);
	else if (probe->path[0] == '%')
		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)another_process(),
			       probe->path + 1);
	else
		(void)snprintf(path, sizeof(path), "%s", probe->path);
	fd = open(path, probe->flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (fd < 0)
		return -errno;
	(void)close(fd);
	return 0;
}

static int run_call(const struct call_probe *probe)
{
	const long *a = probe->arguments;
	int r = probe->private ? make_private() : 0;

	if (r != 0)
		return r;
	if (syscall(probe->number, a[0], a[1], a[2], a[3], a[4], a[5]) >= 0)
		return 0;
	for (size_t i = 0; i < COUNT(probe->past); i++) {
		if (probe->past[i] && probe->past[i] == errno)
			return 0;
	}
	return -errno;
}

/* Each uses what is above. */
#include "tests/hostile/probe_files.h"

#include "tests/hostile/probe_kernel.h"

#include "tests/hostile/probe_memory.h"

#include "tests/hostile/probe_processes.h"

#include "tests/hostile/probe_tables.h"

/* ---- modes that are no probes */

/* Becomes "argument" by name and stays. */
static _Noreturn void stay(void)
{
	(void)prctl(PR_SET_NAME, argument);
	for (;;)
		pause();
}

/* Writes into a file through a mapping that it got while it still might. */
static void keep_mapping(void)
{
	int fd = open(path_in(scratch, shown), O_RDWR | O_CLOEXEC);
	volatile char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)close(fd);
	/* A build of this ends in less. */
	(void)sleep(1);
	for (int i = 0; memory != MAP_FAILED && i < 500; i++) {
		memory[i] = 'x';
		(void)usleep(10000);
	}
	_exit(0);
}

/* A module and another file change names, again and again. */
static void exchange(void)
{
	char *one = path_in(scratch, "demo.ko");
	char *other = path_in(scratch, shown);

	(void)close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	for (int i = 0; i < 100000; i++)
		(void)renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
	_exit(0);
}

/*
 * A daemon that has cut every tie: two forks, its own session, no death signal, deaf. It works, if
 * it has to, and stays.
 */
static int outlive(void (*work)(void))
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe(ends) < 0 || (pid = fork()) < 0)
		return 1;
	if (pid == 0) {
		(void)setsid();
		if (fork() != 0)
			_exit(0);
		(void)prctl(PR_SET_PDEATHSIG, 0);
		for (int number = 1; number < NSIG; number++)
			(void)sigaction(number, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
		(void)prctl(PR_SET_NAME, argument);
		for (int fd = 0; fd < 3; fd++)
			(void)close(fd);
		if (write(ends[1], "x", 1) != 1)
			_exit(1);
		(void)close(ends[1]);
		if (work)
			work();
		stay();
	}
	(void)waitpid(pid, NULL, 0);
	printf(read(ends[0], &byte, 1) == 1 ? "STARTED\n" : "FAILED\n");
	return 0;
}

static int listen_at(const struct sockaddr *address, socklen_t length, int type)
{
	int fd = socket(address->sa_family, type, 0);

	if (fd < 0 || bind(fd, address, length) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0))
		return -1;
	return fd;
}

/* Whom the probes may reach outside: prints the TCP and UDP port and stays until its end. */
static int be_reachable(void)
{
	struct sockaddr_in internet = { .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un address = unix_address("stream");
	socklen_t length = sizeof(internet);
	int fd = listen_at((struct sockaddr *)&internet, sizeof(internet), SOCK_STREAM);

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&internet, &length) < 0 ||
	    listen_at((struct sockaddr *)&internet, sizeof(internet), SOCK_DGRAM) < 0 ||
	    listen_at((struct sockaddr *)&address, sizeof(address), SOCK_STREAM) < 0)
		return 1;
	address = unix_address("datagram");
	if (listen_at((struct sockaddr *)&address, sizeof(address), SOCK_DGRAM) < 0)
		return 1;
	length = abstract_address(&address, argument);
	if (listen_at((struct sockaddr *)&address, length, SOCK_STREAM) < 0)
		return 1;
	printf("%d\n", ntohs(internet.sin_port));
	(void)fflush(stdout);
	for (;;)
		pause();
}

static bool file_has(const char *directory, const char *name, const char *text)
{
	char path[512];
	char line[4096];
	bool found = false;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%s/%s", directory, name);
	file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, text) != NULL;
	if (file)
		(void)fclose(file);
	return found;
}

/* Does any uid of the process lie in a range? */
static bool has_uid(const char *directory, unsigned first, unsigned last)
{
	char path[512];
	char line[256];
	unsigned uids[4];
	bool found = false;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%s/status", directory);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Uid: %u %u %u %u", &uids[0], &uids[1], &uids[2], &uids[3]) != 4)
			continue;
		for (size_t i = 0; i < COUNT(uids); i++)
			found = found || (uids[i] >= first && uids[i] <= last);
	}
	if (file)
		(void)fclose(file);
	return found;
}

/* Prints the processes that are called "argument" or see a mount of that name, and have such a uid.
 */
static int list_processes(unsigned first, unsigned last)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if ((file_has(entry->d_name, "comm", argument) ||
		     file_has(entry->d_name, "mountinfo", argument)) &&
		    has_uid(entry->d_name, first, last))
			printf("%s\n", entry->d_name);
	}
	if (proc)
		(void)closedir(proc);
	return proc ? 0 : 1;
}

static int report(int result, int status)
{
	if (WIFSIGNALED(status))
		printf("KILLED SIG%s\n", sigabbrev_np(WTERMSIG(status)));
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || result == NO_CONTROL)
		printf("NOCONTROL\n");
	else if (result == NO_EFFECT)
		printf("NOEFFECT\n");
	else if (result < 0)
		printf("REFUSED %s\n", strerrorname_np(-result));
	else
		printf("ALLOWED\n");
	return 0;
}

int main(int argc, char **argv)
{
	int *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	/* The setuid copy: did it get more than whoever started it? */
	if (argc > 0 && strcmp(argv[0], "raise") == 0)
		return geteuid() != getuid() || getauxval(AT_SECURE) ? 0 : 1;
	if (argc < 5 || result == MAP_FAILED) {
		(void)fprintf(stderr, "probe outside|inside SCRATCH SHOWN NAME [ARGUMENT]\n");
		return 2;
	}
	inside = strcmp(argv[1], "inside") == 0;
	scratch = argv[2];
	shown = argv[3];
	argument = argc > 5 ? argv[5] : "";
	if (strcmp(argv[4], "stay") == 0)
		stay();
	if (strcmp(argv[4], "outlive") == 0)
		return outlive(NULL);
	if (strcmp(argv[4], "keep") == 0)
		return outlive(keep_mapping);
	if (strcmp(argv[4], "exchange") == 0)
		return outlive(exchange);
	if (strcmp(argv[4], "hold-shared") == 0)
		hold_shared();
	if (strcmp(argv[4], "hold-sockets") == 0)
		hold_sockets();
	if (strcmp(argv[4], "hold-without-leader") == 0)
		hold_without_leader();
	if (strcmp(argv[4], "listen") == 0)
		return be_reachable();
	if (strcmp(argv[4], "processes") == 0 && argc == 8)
		return list_processes((unsigned)strtoul(argv[6], NULL, 10),
				      (unsigned)strtoul(argv[7], NULL, 10));
	/* Without a parent of its own that the signal could reach. */
	if (strcmp(argv[4], "kill-everybody") == 0)
		return report(answer(kill(-1, 0)), 0);
	pid = fork();
	if (pid < 0)
		return 2;
	if (pid == 0) {
		(void)alarm(60);
		*result = run_probe(argv[4]);
		if (companion > 0)
			(void)kill(companion, SIGKILL);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 2;
	return report(*result, status);
}
