/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sandbox of which walls are taken away by name, for tests alone, so that each wall can be shown
 * to be what refuses: with it off, or marked, the same probe in the same sandbox gets another
 * answer. The library is the real one; the linker puts our functions between it and the calls that
 * build a wall (-Wl,--wrap, see the Makefile).
 *
 *	peel OFF[,OFF...] --policy FILE [--limit NAME=N]... [--ro PATH]... [--landlock-abi N]
 *		-- COMMAND...
 *
 * OFF is none, filter, landlock, capabilities, namespaces, network, proc, mounts, nesting,
 * descriptors, names, session, limits, view, pids, ids, owner, privileges, environment, nosuid,
 * marked, looked, or all (of those up to limits). "ids" gives the sandbox a second id, 1; with
 *"owner" off it has the id of the host's root, both for root alone. What looks at the walls before
 *the command runs is off with any of them, but on with "looked": then the sandbox is refused, with
 *exit status 30 and the line that says it. "marked" leaves the filter as it is, but what it refuses
 *it refuses by other errnos, that nothing else gives: EUCLEAN for EPERM and ENOANO for ENOSYS.
 *Prints what the command prints; a limit that ends it is the last line, with exit status 31.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "sandbox/mounts.h"
#include "sandbox/sandbox.h"
#include "sandbox/setup.h"
#include "sandbox/slot.h"

#define SLOT_UID 2000000098
#define TEXT_OF(name) #name
#define TO_TEXT(name) TEXT_OF(name)
#define MOUNTS 8

enum wall {
	FILTER,
	LANDLOCK,
	CAPABILITIES,
	NAMESPACES,
	NETWORK,
	PROC,
	MOUNTED,
	NESTING,
	DESCRIPTORS,
	NAMES,
	SESSION,
	LIMITS,
	ORDINARY, /* what "all" means */
	VIEW = ORDINARY,
	PIDS,
	IDS,
	OWNER,
	PRIVILEGES,
	ENVIRONMENT,
	NOSUID,
	WALLS,
	MARKED = WALLS,
	LOOKED,
	WORDS,
};

static const char *const wall_names[] = {
	"filter",  "landlock",	  "capabilities", "namespaces",	 "network", "proc",   "mounts",
	"nesting", "descriptors", "names",	  "session",	 "limits",  "view",   "pids",
	"ids",	   "owner",	  "privileges",	  "environment", "nosuid",  "marked", "looked",
};

/* Set once, before the sandbox is made; the functions below have no other way to know. */
static bool off[WORDS];
static int landlock_abi; /* 0: the kernel's */

/* ---- what stands between the library and its walls */

int __real_sys_landlock_abi(void);
int __wrap_sys_landlock_abi(void);
int __wrap_sys_landlock_abi(void)
{
	const int abi = __real_sys_landlock_abi();

	return landlock_abi && abi > landlock_abi ? landlock_abi : abi;
}

int __real_sys_landlock_restrict_self(int ruleset_fd);
int __wrap_sys_landlock_restrict_self(int ruleset_fd);
int __wrap_sys_landlock_restrict_self(int ruleset_fd)
{
	return off[LANDLOCK] ? 0 : __real_sys_landlock_restrict_self(ruleset_fd);
}

/* The look at the walls, but for "looked" not where one of them is off. */
int __real_setup_verify(struct setup *setup, struct error **error);
int __wrap_setup_verify(struct setup *setup, struct error **error);
int __wrap_setup_verify(struct setup *setup, struct error **error)
{
	bool peeled = false;

	for (size_t i = 0; i < WALLS; i++)
		peeled = peeled || off[i];
	return peeled && !off[LOOKED] ? 0 : __real_setup_verify(setup, error);
}

pid_t __real_sys_clone3(uint64_t flags, int exit_signal, int *ret_pidfd);
pid_t __wrap_sys_clone3(uint64_t flags, int exit_signal, int *ret_pidfd);
pid_t __wrap_sys_clone3(uint64_t flags, int exit_signal, int *ret_pidfd)
{
	if (off[NAMESPACES])
		flags &= ~(uint64_t)(CLONE_NEWNET | CLONE_NEWIPC);
	if (off[NETWORK])
		flags &= ~(uint64_t)CLONE_NEWNET;
	if (off[PIDS])
		flags &= ~(uint64_t)CLONE_NEWPID;
	return __real_sys_clone3(flags, exit_signal, ret_pidfd);
}

int __real_slot_join_network(int netns_fd, struct error **error);
int __wrap_slot_join_network(int netns_fd, struct error **error);
int __wrap_slot_join_network(int netns_fd, struct error **error)
{
	return off[NAMESPACES] || off[NETWORK] ? 0 : __real_slot_join_network(netns_fd, error);
}

int __real_cap_set_proc(cap_t capabilities);
int __wrap_cap_set_proc(cap_t capabilities);
int __wrap_cap_set_proc(cap_t capabilities)
{
	return off[CAPABILITIES] ? 0 : __real_cap_set_proc(capabilities);
}

int __real_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	if (off[PRIVILEGES] && option == PR_SET_NO_NEW_PRIVS)
		return 0;
	switch (off[CAPABILITIES] ? option : -1) {
	case PR_CAPBSET_DROP:
	case PR_SET_SECUREBITS:
	case PR_SET_DUMPABLE:
		return 0;
	default:
		return __real_prctl(option, a, b, c, d);
	}
}

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
	if (off[NESTING] && string_equal(path, "/proc/sys/user/max_user_namespaces"))
		path = "/dev/null";
	return __real_open(path, flags, mode);
}

int __real_fsconfig(int fd, unsigned command, const char *key, const void *value, int number);
int __wrap_fsconfig(int fd, unsigned command, const char *key, const void *value, int number);
int __wrap_fsconfig(int fd, unsigned command, const char *key, const void *value, int number)
{
	if (off[PROC] && key && (string_equal(key, "subset") || string_equal(key, "hidepid")))
		return 0;
	return __real_fsconfig(fd, command, key, value, number);
}

int __real_mounts_clone(int source_fd, bool writable, int *ret_fd, struct error **error);
int __wrap_mounts_clone(int source_fd, bool writable, int *ret_fd, struct error **error);
int __wrap_mounts_clone(int source_fd, bool writable, int *ret_fd, struct error **error)
{
	return __real_mounts_clone(source_fd, writable || off[MOUNTED], ret_fd, error);
}

int __real_mounts_seal(int fd, struct error **error);
int __wrap_mounts_seal(int fd, struct error **error);
int __wrap_mounts_seal(int fd, struct error **error)
{
	return off[MOUNTED] ? 0 : __real_mounts_seal(fd, error);
}

int __real_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags);
int __wrap_close_range(unsigned first, unsigned last, int flags)
{
	return off[DESCRIPTORS] ? 0 : __real_close_range(first, last, flags);
}

int __real_sethostname(const char *name, size_t length);
int __wrap_sethostname(const char *name, size_t length);
int __wrap_sethostname(const char *name, size_t length)
{
	return off[NAMES] ? 0 : __real_sethostname(name, length);
}

/* Stays where the host's names are; ".." of "/" is what lies on it. */
int __real_view_enter_root(struct setup *setup, struct error **error);
int __wrap_view_enter_root(struct setup *setup, struct error **error);
int __wrap_view_enter_root(struct setup *setup, struct error **error)
{
	if (!off[VIEW])
		return __real_view_enter_root(setup, error);
	return umount2("/..", MNT_DETACH) < 0 ? error_set_errno(error, errno, "root") : 0;
}

int __real_mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attributes,
			 size_t size);
int __wrap_mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attributes,
			 size_t size);
int __wrap_mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attributes,
			 size_t size)
{
	struct mount_attr left = *attributes;

	if (off[NOSUID])
		left.attr_set &= ~(uint64_t)MOUNT_ATTR_NOSUID;
	return __real_mount_setattr(fd, path, flags, &left, size);
}

/* The map of a slot: a range of two ids instead of one. */
ssize_t __real_write(int fd, const void *bytes, size_t length);
ssize_t __wrap_write(int fd, const void *bytes, size_t length);
ssize_t __wrap_write(int fd, const void *bytes, size_t length)
{
	static const char map[] = "0 " TO_TEXT(SLOT_UID) " 1";

	if (off[IDS] && length == sizeof(map) - 1 && memcmp(bytes, map, length) == 0)
		bytes = "0 " TO_TEXT(SLOT_UID) " 2";
	return __real_write(fd, bytes, length);
}

pid_t __real_setsid(void);
pid_t __wrap_setsid(void);
pid_t __wrap_setsid(void)
{
	return off[SESSION] ? 0 : __real_setsid();
}

int __real_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);
int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit);
int __wrap_setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return off[LIMITS] ? 0 : __real_setrlimit(resource, limit);
}

/* ---- the sandbox */

static void show(void *context, const void *bytes, size_t length)
{
	(void)context;
	ignore_result(write_all(STDOUT_FILENO, bytes, length));
}

static void mark(struct seccomp_program *program)
{
	const uint32_t refused = SECCOMP_RET_ERRNO | EPERM;

	for (unsigned i = 0; i < program->count; i++) {
		struct sock_filter *instruction = &program->instructions[i];

		if (instruction->code != (BPF_RET | BPF_K))
			continue;
		/* Refusals may be asked of a supervisor, who says EPERM. */
		if (instruction->k == refused || instruction->k == SECCOMP_RET_USER_NOTIF)
			instruction->k = SECCOMP_RET_ERRNO | EUCLEAN;
		else if (instruction->k == (SECCOMP_RET_ERRNO | ENOSYS))
			instruction->k = SECCOMP_RET_ERRNO | ENOANO;
	}
}

static int load_filter(const char *file, struct seccomp_program *ret_program, struct error **error)
{
	static const struct sock_filter allow = { .code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW };
	cleanup_text struct text policy = { 0 };
	cleanup_close int fd = -1;
	int r;

	if (off[FILTER]) {
		ret_program->instructions = malloc(sizeof(allow));
		if (!ret_program->instructions)
			return error_set_errno(error, ENOMEM, "filter");
		ret_program->instructions[0] = allow;
		ret_program->count = 1;
		return 0;
	}
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "%s", file);
	r = read_fd(fd, 1 << 20, &policy, error);
	if (r == 0)
		r = seccomp_compile(file, policy.data, policy.length, ret_program, error);
	if (r == 0 && off[MARKED])
		mark(ret_program);
	return r;
}

static bool take_walls(char *names)
{
	for (char *name = strsep(&names, ","); name; name = strsep(&names, ",")) {
		bool known = string_equal(name, "none") || string_equal(name, "all");

		for (size_t i = 0; i < ARRAY_SIZE(wall_names); i++) {
			bool same = string_equal(name, wall_names[i]);

			known = known || same;
			off[i] = off[i] || same || (i < ORDINARY && string_equal(name, "all"));
		}
		if (!known)
			return false;
	}
	return true;
}

static bool take_limit(struct sandbox_limits *limits, const char *text)
{
	const struct {
		const char *name;
		uint64_t *value;
	} rows[] = {
		{ "wall", &limits->wall_milliseconds },
		{ "silence", &limits->silence_milliseconds },
		{ "cpu", &limits->cpu_seconds },
		{ "processes", &limits->processes },
		{ "files", &limits->open_files },
		{ "file", &limits->file_bytes },
		{ "memory", &limits->memory_bytes },
		{ "total_memory", &limits->total_memory_bytes },
		{ "scratch", &limits->scratch_bytes },
		{ "inodes", &limits->scratch_inodes },
		{ "log", &limits->log_bytes },
	};
	const char *equals = strchr(text, '=');

	for (size_t i = 0; equals && i < ARRAY_SIZE(rows); i++) {
		if (strncmp(text, rows[i].name, (size_t)(equals - text)) == 0 &&
		    strlen(rows[i].name) == (size_t)(equals - text))
			return parse_u64(equals + 1, UINT64_MAX, rows[i].value) == 0;
	}
	return false;
}

static int run(const char *policy, struct sandbox_spec *spec, struct error **error)
{
	struct seccomp_program program = { 0 };
	struct sandbox_result result = { 0 };
	cleanup_slot struct slot slot = SLOT_NONE;
	int r = load_filter(policy, &program, error);

	if (r == 0 && geteuid() == 0)
		r = slot_new(0, off[OWNER] ? 0 : SLOT_UID, &slot, error);
	if (r == 0) {
		spec->slot = slot;
		spec->seccomp = &program;
		spec->output = show;
		r = sandbox_run(spec, &result, error);
	}
	seccomp_program_clear(&program);
	if (r < 0)
		return r;
	if (result.end == SANDBOX_LIMIT)
		printf("%s\n", result.limit);
	r = result.end == SANDBOX_EXITED  ? result.status
	    : result.end == SANDBOX_LIMIT ? 31
					  : 128 + result.status;
	sandbox_result_clear(&result);
	return r;
}

/* Returns the place of the command in argv, or 0. */
static int take_options(int argc, char **argv, struct sandbox_spec *spec,
			struct sandbox_mount *mounts, const char **ret_policy)
{
	int next = 2;

	for (; next + 1 < argc && !string_equal(argv[next], "--"); next += 2) {
		const char *value = argv[next + 1];

		uint64_t abi;

		if (string_equal(argv[next], "--policy"))
			*ret_policy = value;
		else if (string_equal(argv[next], "--landlock-abi") &&
			 parse_u64(value, INT_MAX, &abi) == 0)
			landlock_abi = (int)abi;
		else if (string_equal(argv[next], "--ro") && spec->mount_count < MOUNTS)
			mounts[spec->mount_count++] = (struct sandbox_mount){ .source = value,
									      .target = value,
									      .vouched = true };
		else if (!string_equal(argv[next], "--limit") || !take_limit(&spec->limits, value))
			return 0;
	}
	return next + 1 < argc && *ret_policy ? next + 1 : 0;
}

int main(int argc, char **argv)
{
	static const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	struct sandbox_mount mounts[MOUNTS];
	cleanup_error struct error *error = NULL;
	const char *policy = NULL;
	int command = 0;
	int r;

	if (argc > 1 && take_walls(argv[1]))
		command = take_options(argc, argv, &spec, mounts, &policy);
	if (command == 0) {
		(void)fprintf(stderr, "peel OFF[,OFF...] --policy FILE [--limit NAME=N]... "
				      "[--ro PATH]... [--landlock-abi N] -- COMMAND...\n");
		return 2;
	}
	spec.argv = (const char *const *)(argv + command);
	spec.environment = off[ENVIRONMENT] ? (const char *const *)environ : environment;
	spec.optional = SANDBOX_OPTIONAL_ALL;
	spec.mounts = mounts;
	r = run(policy, &spec, &error);
	if (r < 0) {
		cleanup_free char *text = error_describe(error);

		(void)fprintf(stderr, "peel: %s\n", text ? text : "out of memory");
		return error_code(error) == SANDBOX_EXIT_CODE ? SANDBOX_EXIT_CODE : 125;
	}
	return r;
}
