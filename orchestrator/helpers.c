/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starts our other programs, see helpers.h. */
#include "orchestrator/helpers.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "sandbox/remedy.h"

#define POLICY_MAXIMUM (UINT64_C(1) << 20)

static void add(struct helper *helper, char *text)
{
	if (!text || helper->argument_count + 1 >= HELPER_ARGUMENTS) {
		helper->failed = true;
		free(text);
		return;
	}
	helper->arguments[helper->argument_count++] = text;
}

void helper_flag(struct helper *helper, const char *option)
{
	add(helper, strdup(option));
}

void helper_text(struct helper *helper, const char *option, const char *value)
{
	add(helper, strdup(option));
	add(helper, strdup(value));
}

void helper_number(struct helper *helper, const char *option, unsigned long value)
{
	add(helper, strdup(option));
	add(helper, format_string("%lu", value));
}

static void keep_fd(struct helper *helper, int fd)
{
	if (helper->fd_count == HELPER_ARGUMENTS)
		helper->failed = true;
	else
		helper->fds[helper->fd_count++] = fd;
}

void helper_fd(struct helper *helper, const char *option, int fd)
{
	if (fd < 0)
		return;
	helper_number(helper, option, (unsigned long)fd);
	keep_fd(helper, fd);
}

void helper_named_fd(struct helper *helper, const char *option, const char *name, int fd)
{
	if (fd < 0)
		return;
	add(helper, strdup(option));
	add(helper, format_string("%s=%d", name, fd));
	keep_fd(helper, fd);
}

static _Noreturn void become(const struct helper *helper, int program_fd, pid_t launcher)
{
	char *argv[HELPER_ARGUMENTS + 1] = { (char *)(uintptr_t)helper->name };
	char *environment[] = { (char *)(uintptr_t) "LC_ALL=C", NULL };
	sigset_t none;

	memcpy(argv + 1, helper->arguments, helper->argument_count * sizeof(argv[0]));
	(void)sigemptyset(&none);
	/* Whoever must finish what he began takes this back (the installer). */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != launcher)
		_exit(127);
	if (setsid() < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(127);
	for (size_t i = 0; i < helper->fd_count; i++) {
		if (fcntl(helper->fds[i], F_SETFD, 0) < 0)
			_exit(127);
	}
	if (sys_execve_fd(program_fd, argv, environment) < 0)
		_exit(127);
	_exit(127);
}

int helper_start(struct helper *helper, pid_t *ret_pid, struct error **error)
{
	cleanup_close int program_fd = -1;
	pid_t pid, launcher;
	int r;

	if (helper->failed)
		return error_set_errno(error, ENOMEM, "command line of %s", helper->name);
	r = helper_open_program(helper->name, &program_fd, error);
	if (r < 0)
		return r;
	launcher = getpid();
	pid = fork();
	if (pid < 0)
		return error_set_errno(error, errno, "cannot start %s", helper->name);
	if (pid == 0)
		become(helper, program_fd, launcher);
	*ret_pid = pid;
	return 0;
}

void helper_clear(struct helper *helper)
{
	for (size_t i = 0; i < helper->argument_count; i++)
		free(helper->arguments[i]);
	helper->argument_count = 0;
}

/* Where a file of ours may be: beside the running program, and where it was installed. */
struct own_paths {
	char *beside, *installed;
};

static void own_paths_clear(struct own_paths *paths)
{
	free(paths->beside);
	free(paths->installed);
}

static int find_own(const char *beside, const char *installed, const char *name,
		    struct own_paths *ret_paths, struct error **error)
{
	char program[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (length < 0) {
		(void)error_set_errno(error, errno, "/proc/self/exe");
		remedy_explain(error, REMEDY_STEP, geteuid() == 0);
		if (error)
			error_set_code(*error, EXIT_SANDBOX);
		return -ENOENT;
	}
	program[length] = '\0';
	*strrchr(program, '/') = '\0';
	ret_paths->beside = format_string("%s%s/%s", program, beside, name);
	ret_paths->installed = format_string("%s/%s", installed, name);
	return ret_paths->beside && ret_paths->installed
		       ? 0
		       : error_set_errno(error, ENOMEM, "%s", name);
}

static int is_nowhere(const struct own_paths *paths, const char *name, struct error **error)
{
	return error_refuse(error, EXIT_INFRASTRUCTURE, errno,
			    "%s is neither %s nor %s: is kmodbox installed whole?: %s", name,
			    paths->beside, paths->installed, strerror(errno));
}

static int open_own(const char *beside, const char *installed, const char *name, int *ret_fd,
		    struct error **error)
{
	cleanup(own_paths_clear) struct own_paths paths = { NULL, NULL };
	int r = find_own(beside, installed, name, &paths, error);

	if (r < 0)
		return r;
	*ret_fd = open(paths.beside, O_RDONLY | O_CLOEXEC);
	if (*ret_fd < 0)
		*ret_fd = open(paths.installed, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	ignore_result(is_nowhere(&paths, name, error));
	return -ENOENT;
}

int helper_open_program(const char *name, int *ret_fd, struct error **error)
{
	return open_own("", KMODBOX_LIBEXECDIR, name, ret_fd, error);
}

int helper_open_profile(const char *name, int *ret_fd, struct error **error)
{
	return open_own("/profiles", KMODBOX_PROFILEDIR, name, ret_fd, error);
}

int helper_become(const char *name, char **argv, struct error **error)
{
	cleanup(own_paths_clear) struct own_paths paths = { NULL, NULL };
	int r = find_own("", KMODBOX_LIBEXECDIR, name, &paths, error);

	if (r < 0)
		return r;
	/* By its path: what is run by a descriptor has that number for its name. */
	(void)execv(paths.beside, argv);
	if (errno == ENOENT)
		(void)execv(paths.installed, argv);
	return is_nowhere(&paths, name, error);
}

int helper_read_policy(const char *file, struct text *policy, struct error **error)
{
	cleanup_text struct text base_policy = { 0 };
	cleanup_close int fd = -1, base_fd = -1;
	cleanup_free char *base = NULL;
	int r = helper_open_profile(file, &fd, error);

	if (r == 0)
		r = read_fd(fd, POLICY_MAXIMUM, policy, error);
	if (r == 0)
		r = seccomp_extended(policy->data, policy->length, &base, error);
	if (r < 0 || !base)
		return r;
	r = helper_open_profile(base, &base_fd, error);
	if (r == 0)
		r = read_fd(base_fd, POLICY_MAXIMUM, &base_policy, error);
	if (r == 0 && text_append(policy, base_policy.data, base_policy.length) < 0)
		r = error_set_errno(error, ENOMEM, "profile");
	return r;
}
