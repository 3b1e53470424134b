/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The payload's own last steps: descriptors, Landlock, limits, a look at whether every wall
 * stands, the seccomp filter, exec. From here on the process belongs to somebody hostile.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/base/syscalls.h"
#include "sandbox/setup.h"
#include "sandbox/verify.h"

/* Landlock's rights by ABI, from include/uapi/linux/landlock.h; Debian 12's header lacks the newer.
 */
#define LANDLOCK_EXECUTE (UINT64_C(1) << 0)
#define LANDLOCK_WRITE_FILE (UINT64_C(1) << 1)
#define LANDLOCK_READ_FILE (UINT64_C(1) << 2)
#define LANDLOCK_READ_DIR (UINT64_C(1) << 3)
#define LANDLOCK_ABI_1 ((UINT64_C(1) << 13) - 1)
#define LANDLOCK_REFER (UINT64_C(1) << 13)	/* ABI 2 */
#define LANDLOCK_TRUNCATE (UINT64_C(1) << 14)	/* ABI 3 */
#define LANDLOCK_IOCTL_DEV (UINT64_C(1) << 15)	/* ABI 5 */
#define LANDLOCK_BIND_TCP (UINT64_C(1) << 0)	/* ABI 4 */
#define LANDLOCK_CONNECT_TCP (UINT64_C(1) << 1) /* ABI 4 */
#define LANDLOCK_SCOPE_ALL (UINT64_C(3))	/* ABI 6: abstract sockets, signals */

/* A session of its own, so that the pty can be its controlling terminal: Ctrl-C reaches it. */
static int take_terminal(struct error **error)
{
	if (setsid() < 0 || ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
		return error_set_errno(error, errno, "terminal of the sandbox");
	return 0;
}

/* Out of the way of what the payload is given. */
static int move_up(int fd)
{
	int moved;

	if (fd < 0 || fd >= 10)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	(void)close_fd(moved < 0 ? -1 : fd);
	return moved;
}

static int step_descriptors(struct setup *setup, struct error **error)
{
	const struct sandbox_spec *spec = setup->spec;
	int third = setup->report_fd >= 0 ? setup->report_fd : spec->output_file_fd;
	int sources[4] = { spec->input_file_fd, setup->output_fd, setup->output_fd, third };
	unsigned first_other = third >= 0 ? 4 : 3;

	if (spec->terminal_fd >= 0)
		sources[0] = sources[1] = sources[2] = spec->terminal_fd;
	if (sources[0] < 0)
		sources[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* Out of the way first, so that no dup2() hits a source of the next. */
	for (size_t i = 0; i < first_other; i++) {
		sources[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, 10);
		if (sources[i] < 0)
			return error_set_errno(error, errno, "descriptor %zu", i);
	}
	setup->control_fd = move_up(setup->control_fd);
	setup->exec_fd = move_up(setup->exec_fd);
	if (spec->exec_fd >= 0 && setup->exec_fd < 0)
		return error_set_errno(error, errno, "descriptor of the program");
	for (size_t i = 0; i < first_other; i++) {
		if (dup2(sources[i], (int)i) < 0)
			return error_set_errno(error, errno, "descriptor %zu", i);
		(void)close(sources[i]);
	}
	if (close_range(first_other, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return error_set_errno(error, errno, "close_range");
	return spec->terminal_fd >= 0 ? take_terminal(error) : 0;
}

static int set_limit(__rlimit_resource_t resource, uint64_t value, struct error **error)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return error_set_errno(error, errno, "getrlimit");
	if (limit.rlim_max == RLIM_INFINITY || value < limit.rlim_max)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	/* A second for SIGXCPU, which says why, before SIGKILL, which could be anybody's. */
	if (resource == RLIMIT_CPU && limit.rlim_cur > 1)
		limit.rlim_cur--;
	if (setrlimit(resource, &limit) < 0)
		return error_set_errno(error, errno, "setrlimit");
	return 0;
}

/*
 * From the processor that the scheduler has just chosen for us on: sandboxes that start at the same
 * time do not all get the first ones. The filter declines what would take it back.
 */
static int limit_processors(uint64_t count, struct error **error)
{
	cpu_set_t allowed[8] = { 0 }, chosen[8] = { 0 };
	const int current = sched_getcpu();
	const size_t first = current < 0 ? 0 : (size_t)current;
	const size_t size = sizeof(allowed);

	if (sched_getaffinity(0, size, allowed) < 0)
		return error_set_errno(error, errno, "sched_getaffinity");
	for (size_t i = 0; i < size * 8 && count > 0; i++) {
		const size_t processor = (first + i) % (size * 8);

		if (!CPU_ISSET_S(processor, size, allowed))
			continue;
		CPU_SET_S(processor, size, chosen);
		count--;
	}
	if (sched_setaffinity(0, size, chosen) < 0)
		return error_set_errno(error, errno, "sched_setaffinity");
	return 0;
}

struct limit_row {
	__rlimit_resource_t resource;
	uint64_t value;
};
#define LIMIT_ROWS 9

static void list_limits(const struct setup *setup, struct limit_row rows[LIMIT_ROWS])
{
	const struct limit_row limits[LIMIT_ROWS] = {
		/* Set here, inside the user namespace: outside it would count all processes of the
		   uid. */
		{ RLIMIT_NPROC, setup->limits.processes },
		{ RLIMIT_NOFILE, setup->limits.open_files },
		{ RLIMIT_FSIZE, setup->limits.file_bytes },
		{ RLIMIT_CPU, setup->limits.cpu_seconds + 1 },
		{ RLIMIT_AS, setup->limits.memory_bytes },
		/* Not 0: with 0 a crash still runs a piped core handler of the host, as root. */
		{ RLIMIT_CORE, 1 },
		{ RLIMIT_MEMLOCK, 64 * 1024 },
		{ RLIMIT_MSGQUEUE, 0 },
		{ RLIMIT_RTPRIO, 0 },
	};

	memcpy(rows, limits, sizeof(limits));
}

static int step_limits(struct setup *setup, struct error **error)
{
	struct limit_row limits[LIMIT_ROWS];
	int r = setup->limits.processors ? limit_processors(setup->limits.processors, error) : 0;

	list_limits(setup, limits);
	for (size_t i = 0; r == 0 && i < LIMIT_ROWS; i++)
		r = set_limit(limits[i].resource, limits[i].value, error);
	return r;
}

static int verify_limits(const struct setup *setup, struct error **error)
{
	struct limit_row limits[LIMIT_ROWS];
	struct rlimit now;

	list_limits(setup, limits);
	for (size_t i = 0; i < LIMIT_ROWS; i++) {
		if (getrlimit(limits[i].resource, &now) < 0)
			return error_set_errno(error, errno, "getrlimit");
		if (now.rlim_cur > now.rlim_max || now.rlim_max > limits[i].value)
			return error_set(error, EPERM, "limit %d of getrlimit(2) is not set",
					 (int)limits[i].resource);
	}
	return 0;
}

static int allow_fd(int ruleset_fd, int fd, const char *path, uint64_t access, struct error **error)
{
	int r = sys_landlock_add_path(ruleset_fd, access, fd);

	return r < 0 ? error_set_errno(error, -r, "landlock rule for %s", path) : 0;
}

static int allow_path(int ruleset_fd, const char *path, uint64_t access, struct error **error)
{
	cleanup_close int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(error, errno, "%s", path);
	return allow_fd(ruleset_fd, fd, path, access, error);
}

static int step_landlock(struct setup *setup, struct error **error)
{
	static const char *const written[] = { "/dev/null", "/dev/zero", "/dev/full" };
	const struct sandbox_spec *spec = setup->spec;
	struct {
		uint64_t files, network, scoped;
	} attributes = { .files = LANDLOCK_ABI_1 };
	cleanup_close int fd = -1;
	int abi = sys_landlock_abi();
	int r;

	/* Without LANDLOCK_REFER every link and rename between directories is EXDEV. */
	if (abi < 2)
		return 1;
	attributes.files |= LANDLOCK_REFER | (abi >= 3 ? LANDLOCK_TRUNCATE : 0) |
			    (abi >= 5 ? LANDLOCK_IOCTL_DEV : 0);
	if (abi >= 4)
		attributes.network = LANDLOCK_BIND_TCP | (spec->network ? 0 : LANDLOCK_CONNECT_TCP);
	attributes.scoped = abi >= 6 ? LANDLOCK_SCOPE_ALL : 0;
	/* The kernel takes a longer struct if what it does not know is zero. */
	fd = sys_landlock_create_ruleset(&attributes, sizeof(attributes));
	if (fd < 0)
		return error_set_errno(error, -fd, "landlock ruleset");
	r = allow_path(fd, "/", LANDLOCK_EXECUTE | LANDLOCK_READ_FILE | LANDLOCK_READ_DIR, error);
	/* Not /dev/random and /dev/urandom: see verify_landlock(). */
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(written); i++)
		r = allow_path(fd, written[i],
			       attributes.files & (LANDLOCK_READ_FILE | LANDLOCK_WRITE_FILE |
						   LANDLOCK_TRUNCATE | LANDLOCK_IOCTL_DEV),
			       error);
	if (r == 0)
		r = allow_path(fd, "/tmp", attributes.files, error);
	/* The program that the caller opened lies outside of this root. */
	if (r == 0 && setup->exec_fd >= 0)
		r = allow_fd(fd, setup->exec_fd, spec->argv[0],
			     LANDLOCK_EXECUTE | LANDLOCK_READ_FILE, error);
	for (size_t i = 0; r == 0 && i < spec->tree_count; i++) {
		if (spec->trees[i].writable)
			r = allow_path(fd, spec->trees[i].path, attributes.files, error);
	}
	for (size_t i = 0; r == 0 && i < spec->mount_count; i++) {
		struct stat status;

		if (!spec->mounts[i].writable || stat(spec->mounts[i].target, &status) < 0)
			continue;
		r = allow_path(fd, spec->mounts[i].target,
			       S_ISDIR(status.st_mode)
				       ? attributes.files
				       : attributes.files &
						 (LANDLOCK_READ_FILE | LANDLOCK_WRITE_FILE |
						  LANDLOCK_EXECUTE | LANDLOCK_TRUNCATE),
			       error);
	}
	if (r < 0)
		return r;
	r = sys_landlock_restrict_self(fd);
	return r < 0 ? error_set_errno(error, -r, "landlock") : 0;
}

/* Also says that all stands: what is the parent's to know is told when nothing can fail any more.
 */
static int step_seccomp(struct setup *setup, struct error **error)
{
	cleanup_close int listener = -1;
	int r = seccomp_install(setup->spec->seccomp, &listener, error);

	/* Also where there is none. Who cannot be told ends: a refused call would wait for ever. */
	if (r < 0)
		return r;
	setup->ready.active |= UINT64_C(1) << (setup_step_count + payload_step_count - 1);
	setup->ready.nanoseconds[setup_step_count + payload_step_count - 1] = setup_lap(setup);
	r = message_send(setup->control_fd, SETUP_READY, &setup->ready, sizeof(setup->ready),
			 &listener, listener < 0 ? 0 : 1, error);
	/* The parent says why: behind the limit of memory nothing more is allocated here. */
	if (r == 0 && listener < 0 && !(setup->spec->optional & SANDBOX_OPTIONAL_DENIED))
		_exit(127);
	return r;
}

const struct setup_step payload_steps[] = {
	{ "clean descriptors", "input from /dev/null, output to a pipe, nothing else",
	  step_descriptors, verify_clean, NULL },
	{ "landlock", "a second lock on files, TCP, abstract sockets and signals", step_landlock,
	  verify_landlock,
	  "this kernel has no Landlock, or that of Linux before 5.19, which would forbid moving "
	  "files between directories" },
	/* Behind all that allocates: the limit of memory would end a set-up under ASan. */
	{ "limits", "processes, open files, file size, CPU, memory, no core dump", step_limits,
	  verify_limits, NULL },
	{ "walls verified", "each was looked at from inside before anything foreign ran",
	  setup_verify, NULL, NULL },
	/* Behind it nobody can look: what PR_GET_SECCOMP says is for the filter to allow. */
	{ "system call filter", "what a build does not need cannot be asked of the kernel",
	  step_seccomp, NULL, NULL },
};
const size_t payload_step_count = ARRAY_SIZE(payload_steps);

_Noreturn void payload_start(struct setup *setup)
{
	const struct sandbox_spec *spec = setup->spec;
	cleanup_error struct error *error = NULL;
	sigset_t none;
	char *const *argv = (char *const *)(uintptr_t)spec->argv;
	char *const *environment = (char *const *)(uintptr_t)spec->environment;
	int r;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(spec->directory ? spec->directory : "/") < 0) {
		(void)error_set_errno(&error, errno, "working directory %s", spec->directory);
		error_set_code(error, SANDBOX_DIRECTORY_CODE);
		setup_fail(setup, error);
	}
	if (setup_run(payload_steps, payload_step_count, (unsigned)setup_step_count, setup,
		      &error) < 0)
		setup_fail(setup, error);
	if (setup->exec_fd >= 0) {
		r = sys_execve_fd(setup->exec_fd, argv, environment);
	} else {
		(void)execve(argv[0], argv, environment);
		r = -errno;
	}
	(void)error_set_errno(&error, -r, "cannot run %s", argv[0]);
	setup_fail(setup, error);
}
