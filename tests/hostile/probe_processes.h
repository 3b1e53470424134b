/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probes of processes, users and capabilities: part of probe.c, which explains them. */
#ifndef KMODBOX_TESTS_PROBE_PROCESSES_H
#define KMODBOX_TESTS_PROBE_PROCESSES_H

static int clone_user_namespace(void)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return answer(pid);
}

static int clone3_with(uint64_t flags)
{
	struct clone_args arguments = { .flags = flags, .exit_signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));

	if (pid == 0)
		_exit(0);
	return answer(pid);
}

static int clone3_user_namespace(void)
{
	return clone3_with(CLONE_NEWUSER);
}

static int clone3_plain(void)
{
	return clone3_with(0);
}

static int fork_plain(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return answer(pid < 0 ? pid : waitpid(pid, NULL, 0));
}

static int join_namespace(void)
{
	int r = make_private();
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return r != 0 ? r : answer(fd < 0 ? fd : setns(fd, 0));
}

static int trace_other(void)
{
	return answer(ptrace(PTRACE_SEIZE, another_process(), 0, 0));
}

static int trace_child(void)
{
	pid_t pid = fork();
	int r;

	if (pid == 0)
		pause();
	r = answer(ptrace(PTRACE_SEIZE, pid, 0, 0));
	(void)kill(pid, SIGKILL);
	return r;
}

static int read_other_memory(void)
{
	static char byte;
	struct iovec here = { &byte, 1 };
	struct iovec there = { &byte, 1 };

	return answer(process_vm_readv(another_process(), &here, 1, &there, 1, 0));
}

static int write_other_memory(void)
{
	static char byte;
	struct iovec here = { &byte, 1 };
	struct iovec there = { &byte, 1 };

	return answer(process_vm_writev(another_process(), &here, 1, &there, 1, 0));
}

static int open_other_process(void)
{
	return answer(syscall(SYS_pidfd_open, another_process(), 0));
}

static int take_other_descriptor(void)
{
	long fd = syscall(SYS_pidfd_open, another_process(), 0);

	return answer(fd < 0 ? fd : syscall(SYS_pidfd_getfd, fd, 2, 0));
}

static int limits_of_other(void)
{
	struct rlimit limit;

	return answer(prlimit(another_process(), RLIMIT_NOFILE, NULL, &limit));
}

/* An init that gets no time cannot watch over limits. */
static int slow_other(void)
{
	return answer(setpriority(PRIO_PROCESS, (id_t)another_process(), 19));
}

static int kill_host_process(void)
{
	return answer(kill((pid_t)strtol(argument, NULL, 10), 0));
}

/* Stops another process; the sandbox's init must go on reaping orphans. */
static int stop_init(void)
{
	pid_t target = another_process();
	int status;
	int ends[2];
	pid_t orphan = 0;
	pid_t middle;
	int refused = kill(target, SIGSTOP) < 0 ? -errno : 0;

	if (refused && !inside)
		return refused;
	if (!inside)
		return answer(waitpid(target, &status, WUNTRACED) == target && WIFSTOPPED(status)
				      ? 0
				      : -1);
	if (kill(target, SIGKILL) == 0 || kill(target, SIGTERM) == 0)
		refused = 0;
	if (pipe(ends) < 0)
		return -errno;
	middle = fork();
	if (middle == 0) {
		pid_t child = fork();

		if (child == 0)
			_exit(0);
		_exit(write(ends[1], &child, sizeof(child)) != sizeof(child));
	}
	if (middle < 0 || waitpid(middle, NULL, 0) < 0 ||
	    read(ends[0], &orphan, sizeof(orphan)) != sizeof(orphan))
		return -errno;
	for (int i = 0; i < 1000; i++) {
		if (kill(orphan, 0) < 0 && errno == ESRCH)
			return refused ? refused : NO_EFFECT;
		(void)usleep(10000);
	}
	return 0;
}

static int have_capabilities(void)
{
	FILE *status = fopen("/proc/self/status", "re");
	unsigned long long set;
	char line[256];
	int sets = 0;
	int r = -EPERM;

	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, "Cap", 3) != 0 || sscanf(line + 7, "%llx", &set) != 1)
			continue;
		sets++;
		if (set != 0)
			r = 0;
	}
	return sets == 5 ? r : 0;
}

static int raise_capability(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = 1u << CAP_SYS_CHROOT,
						    .permitted = 1u << CAP_SYS_CHROOT } };

	return answer(syscall(SYS_capset, &header, data));
}

static int have_new_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : -EPERM;
}

static int become_other_user(void)
{
	return answer(setresuid(1, 1, 1));
}

static int become_other_group(void)
{
	gid_t group = 5;

	if (setgroups(1, &group) < 0)
		return -errno;
	group = 0;
	return getgroups(1, &group) == 1 && group == 5 ? 0 : NO_EFFECT;
}

/* SHOWN/raise is a setuid copy of this program, see main(). */
static int run_setuid_program(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)execl(path_in(shown, "raise"), "raise", (char *)NULL);
		_exit(errno == ENOENT ? 3 : 2);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return WIFEXITED(status) && WEXITSTATUS(status) == 3 ? -ENOENT : -EIO;
	return WEXITSTATUS(status) == 0 ? 0 : NO_EFFECT;
}

/* With 0 instead of 1 a crash runs the host's core handler. */
static int wake_core_handler(void)
{
	struct rlimit limit = { 0, 0 };

	return answer(setrlimit(RLIMIT_CORE, &limit));
}

static int wake_core_handler_directly(void)
{
	struct rlimit limit = { 0, 0 };

	return answer(syscall(SYS_setrlimit, RLIMIT_CORE, &limit));
}

static int real_time_priority(void)
{
	struct sched_param parameters = { .sched_priority = 1 };

	return answer(sched_setscheduler(0, SCHED_FIFO, &parameters));
}

#endif
