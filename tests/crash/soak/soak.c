/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many sandboxes, some at a time, while parts of them are killed at random moments: whoever called
 * sandbox_run(), the helper it forks, pid 1, and what the payload starts. As root each is a slot's,
 * as with kmodbox itself; some are the real `kmodbox sandbox`. It is a subreaper: whatever process
 * loses its parent becomes its child, so none can hide. soak.sh looks at what else may be left.
 *
 *	soak COUNT SEED PLACES KMODBOX POLICY [PLANT]
 *
 * PLACES is a directory for scratch on disk. Prints "left KIND WHAT" for each process, zombie or
 * descriptor that is left, "wrong WHAT" for each sandbox that was not killed and still did not end
 * as it had to, and figures. Survivors stay, for soak.sh to see and end. PLANT leaves a process,
 * zombie or descriptor on purpose. Exit status: 0, whatever was found; 1 if it could not be done.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "orchestrator/launcher.h"
#include "sandbox/sandbox.h"
#include "sandbox/slot.h"
#include "tests/crash/soak/processes.h"

#define LANES 8
/* Beside those of kmodbox and of the other tests. */
#define SLOT_FIRST 2000000070u
#define OWNER (SLOT_FIRST + LANES)
#define NAP_NANOSECONDS 200000
#define HANGS_MICROSECONDS UINT64_C(60000000)
#define GRACE_MICROSECONDS UINT64_C(10000000)

/* How a process that runs a sandbox in itself ends. */
enum ended {
	AS_EXPECTED = 0,
	OTHERWISE = 1,
	LEFT_DESCRIPTOR = 97,
	LEFT_ZOMBIE = 98,
	LEFT_PROCESS = 99,
};
enum role { NOBODY, ORCHESTRATOR, HELPER, INIT, PAYLOAD, ROLES };
enum scratch { NONE, MEMORY, DISK };

static const char *const role_names[] = { "nobody", "orchestrator", "helper", "init", "payload" };

/* Each leaves something running that ends only with its sandbox. */
#define LINGER "sleep 1000 & "
#define FILL                                                                                       \
	LINGER "head -c 4M /dev/zero >big && mkdir -p a/b/c && touch a/b/c/{1..200} && chmod 0 "   \
	       "a/b"

static const struct payload {
	const char *name;
	const char *script; /* of bash; NULL: /bin/true */
	enum scratch scratch;
} payloads[] = {
	{ "true", NULL, NONE },
	{ "forks", LINGER "for i in 1 2 3 4; do (setsid sleep 1000 &) & done; sleep 0.05", NONE },
	{ "fills memory", FILL, MEMORY },
	{ "fills the disk", FILL "; sleep 0.02", DISK },
	{ "is refused",
	  LINGER "for i in {1..20}; do : 2>/dev/null </dev/tcp/127.0.0.1/9; done; "
		 "unshare -U true 2>/dev/null; mount -t tmpfs x /tmp 2>/dev/null; true",
	  NONE },
	{ "prints", LINGER "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero | tr '\\0' '\\n'",
	  NONE },
};

struct plan {
	const struct payload *payload;
	bool command; /* by `kmodbox sandbox`, not in a process of ours */
	bool shown;   /* with a directory of the host's */
	enum role victim;
	uint64_t delay; /* microseconds */
	uint64_t random;
};

struct lane {
	struct plan plan;
	pid_t orchestrator; /* 0: none */
	uint64_t started;
	bool killed;
	struct slot slot; /* none: started by an ordinary user */
	int said_fd;	  /* what the orchestrator says to stderr */
	char *place;
};

struct soak {
	uint64_t count, seed;
	const char *kmodbox, *plant;
	struct seccomp_program program;
	struct accounts accounts;
	struct lane lanes[LANES];
	uint64_t started, by_command, unharmed, killed[ROLES], in_setup, trees;
};

static uint64_t now_microseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void nap(void)
{
	const struct timespec time = { .tv_nsec = NAP_NANOSECONDS };

	(void)nanosleep(&time, NULL);
}

static unsigned count_descriptors(void)
{
	cleanup_list DIR *list = opendir("/proc/self/fd");
	unsigned count = 0;

	while (list && readdir(list))
		count++;
	return count;
}

/* ---- what is done to which sandbox: of its number and the seed alone, so that it can be repeated
 */

/* splitmix64, https://prng.di.unimi.it/splitmix64.c */
static uint64_t below(uint64_t *random, uint64_t limit)
{
	uint64_t value = *random += 0x9e3779b97f4a7c15;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
	value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
	return (value ^ (value >> 31)) % limit;
}

static struct plan make_plan(const struct soak *soak, uint64_t number)
{
	struct plan plan = { .random = (soak->seed << 32) + number };

	plan.payload = &payloads[below(&plan.random, ARRAY_SIZE(payloads))];
	plan.command = plan.payload->scratch == NONE && below(&plan.random, 2) == 0;
	plan.shown = below(&plan.random, 2) == 0;
	if (!soak->plant)
		plan.victim = (enum role)below(&plan.random, ROLES);
	/* Half of them while it is set up; the helper lives no longer, but where scratch is on
	 * disk. */
	if (below(&plan.random, 2) == 0 || plan.victim == HELPER)
		plan.delay = below(&plan.random, 10000);
	else
		plan.delay = below(&plan.random, 150000);
	return plan;
}

/* ---- one sandbox */

static int fill(void *context, int directory_fd, struct error **error)
{
	return write_file_atomically(directory_fd, "file", context, strlen(context), 0644, error);
}

static void forget(void *context, const void *bytes, size_t length)
{
	(void)context;
	(void)bytes;
	(void)length;
}

static _Noreturn void be_command(const struct soak *soak, const struct lane *lane)
{
	const char *argv[12] = { soak->kmodbox, "sandbox" };
	size_t count = 2;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (lane->plan.shown) {
		argv[count++] = "--rw";
		argv[count++] = lane->place;
	}
	argv[count++] = "--";
	argv[count++] = lane->plan.payload->script ? "/bin/bash" : "/bin/true";
	if (lane->plan.payload->script) {
		argv[count++] = "-c";
		argv[count++] = lane->plan.payload->script;
	}
	if (dup2(null_fd, STDIN_FILENO) >= 0 && dup2(null_fd, STDOUT_FILENO) >= 0)
		(void)execv(soak->kmodbox, (char *const *)argv);
	_exit(OTHERWISE);
}

/* 0: it ended as a sandbox does that nobody harms. */
static int run_sandbox(const struct soak *soak, const struct lane *lane)
{
	static const char *const environment[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	static char content[] = "content\n";
	const struct payload *payload = lane->plan.payload;
	const char *const argv[] = { payload->script ? "/bin/bash" : "/bin/true",
				     payload->script ? "-c" : NULL, payload->script, NULL };
	struct sandbox_tree tree = { .path = "/build",
				     .writable = true,
				     .bytes = 64 << 20,
				     .place = payload->scratch == DISK ? lane->place : NULL,
				     .fill = fill,
				     .context = content };
	struct sandbox_mount shown = { .source = lane->place, .target = "/shown", .vouched = true };
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	cleanup_error struct error *error = NULL;
	struct sandbox_result result;
	bool good;

	spec.argv = argv;
	spec.environment = environment;
	spec.slot = lane->slot;
	spec.seccomp = &soak->program;
	spec.optional = SANDBOX_OPTIONAL_ALL;
	spec.output = forget;
	if (payload->scratch != NONE) {
		spec.trees = &tree;
		spec.tree_count = 1;
		spec.directory = "/build";
	}
	if (lane->plan.shown) {
		spec.mounts = &shown;
		spec.mount_count = 1;
	}
	if (sandbox_run(&spec, &result, &error) < 0) {
		cleanup_free char *text = error_describe(error);

		(void)dprintf(STDERR_FILENO, "%s\n", text ? text : "out of memory");
		return -1;
	}
	good = result.end == SANDBOX_EXITED && result.status == 0;
	if (!good) {
		cleanup_free char *text = sandbox_result_describe(&result);

		(void)dprintf(STDERR_FILENO, "it %s\n", text ? text : "ended");
	}
	sandbox_result_clear(&result);
	return good ? 0 : -1;
}

/* The process that is an orchestrator to one sandbox. What that left in it, it can see alone. */
static _Noreturn void be_orchestrator(const struct soak *soak, const struct lane *lane)
{
	unsigned before;
	siginfo_t ended;
	pid_t child;
	int r;

	if (accounts_become(&soak->accounts, soak->accounts.own, NULL) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(OTHERWISE);
	before = count_descriptors();
	r = run_sandbox(soak, lane);
	if (string_equal(soak->plant, "zombie")) {
		child = fork();
		if (child == 0)
			_exit(0);
		(void)waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT);
	}
	if (string_equal(soak->plant, "descriptor") && dup(STDERR_FILENO) < 0)
		_exit(OTHERWISE);
	if (count_descriptors() != before)
		_exit(LEFT_DESCRIPTOR);
	child = waitpid(-1, NULL, WNOHANG);
	if (child >= 0 || errno != ECHILD)
		_exit(child > 0 ? LEFT_ZOMBIE : LEFT_PROCESS);
	_exit(r < 0 ? OTHERWISE : AS_EXPECTED);
}

static int start(struct soak *soak, struct lane *lane, struct plan plan)
{
	if (ftruncate(lane->said_fd, 0) < 0)
		return -errno;
	lane->plan = plan;
	lane->killed = false;
	lane->started = now_microseconds();
	lane->orchestrator = fork();
	if (lane->orchestrator < 0)
		return -errno;
	if (lane->orchestrator == 0) {
		if (dup2(lane->said_fd, STDERR_FILENO) < 0)
			_exit(OTHERWISE);
		if (plan.command)
			be_command(soak, lane);
		be_orchestrator(soak, lane);
	}
	soak->started++;
	soak->by_command += plan.command;
	return 0;
}

/* ---- its end */

static unsigned count_trees(const struct lane *lane)
{
	cleanup_list DIR *list = opendir(lane->place);
	unsigned count = 0;

	while (list && list_next(list))
		count++;
	return count;
}

/* Who of it is to die: 0 where there is none such (yet, or any more). */
static pid_t find_victim(struct lane *lane, pid_t *ret_parent, bool *ret_set_up)
{
	struct family children = { .count = 0 }, inside = { .count = 0 };
	pid_t init = 0, helper = 0;

	add_children(&children, lane->orchestrator);
	for (size_t i = 0; i < children.count; i++)
		*(is_init(children.pids[i]) ? &init : &helper) = children.pids[i];
	if (init > 0)
		find_descendants(&inside, init);
	*ret_set_up = inside.count > 0;
	*ret_parent = lane->orchestrator;
	switch (lane->plan.victim) {
	case ORCHESTRATOR:
		*ret_parent = getpid();
		return lane->orchestrator;
	case HELPER:
		return helper;
	case INIT:
		return init;
	case PAYLOAD:
		if (inside.count == 0)
			return 0;
		init = inside.pids[below(&lane->plan.random, inside.count)];
		*ret_parent = parent_of(init);
		return init;
	case NOBODY:
	case ROLES:
	default:
		return 0;
	}
}

static void strike(struct soak *soak, struct lane *lane)
{
	bool set_up = false;
	pid_t parent = 0;
	pid_t victim = find_victim(lane, &parent, &set_up);

	if (victim <= 0 || parent <= 0 || !kill_child(victim, parent))
		return;
	lane->killed = true;
	soak->killed[lane->plan.victim]++;
	soak->in_setup += !set_up;
}

static void tell_wrong(const struct lane *lane, int status)
{
	char said[400];
	ssize_t length = pread(lane->said_fd, said, sizeof(said) - 1, 0);
	cleanup_free char *shown = NULL;

	said[length > 0 ? length : 0] = '\0';
	shown = sanitised(said);
	printf("wrong %s, %s, %s: ended with %#x: %s\n",
	       lane->plan.command ? "kmodbox sandbox" : "in process", lane->plan.payload->name,
	       role_names[lane->killed ? lane->plan.victim : NOBODY], (unsigned)status,
	       shown ? shown : "");
}

static void take_end(struct soak *soak, struct lane *lane, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	lane->orchestrator = 0;
	if (!lane->plan.command && code >= LEFT_DESCRIPTOR)
		printf("left %s by the process that ran it: %s, %s killed\n",
		       code == LEFT_DESCRIPTOR ? "descriptor"
		       : code == LEFT_ZOMBIE   ? "zombie"
					       : "process",
		       lane->plan.payload->name,
		       role_names[lane->killed ? lane->plan.victim : NOBODY]);
	else if (!lane->killed && status != 0)
		tell_wrong(lane, status);
	else if (lane->killed && lane->plan.victim != ORCHESTRATOR && WIFSIGNALED(status))
		tell_wrong(lane, status);
	soak->unharmed += !lane->killed;
	soak->trees += lane->killed && lane->plan.victim == ORCHESTRATOR ? count_trees(lane) : 0;
}

/* Takes what has ended, kills who is due. Returns how many orchestrators live; -1: no child. */
static int look(struct soak *soak)
{
	uint64_t now = now_microseconds();
	int living = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < LANES; i++)
			if (soak->lanes[i].orchestrator == pid)
				take_end(soak, &soak->lanes[i], status);
	}
	if (pid < 0)
		return -1;
	for (size_t i = 0; i < LANES; i++) {
		struct lane *lane = &soak->lanes[i];

		if (lane->orchestrator == 0)
			continue;
		living++;
		if (!lane->killed && lane->plan.victim != NOBODY &&
		    now - lane->started >= lane->plan.delay)
			strike(soak, lane);
		if (now - lane->started > HANGS_MICROSECONDS) {
			printf("wrong %s, %s: it hangs\n", lane->plan.payload->name,
			       role_names[lane->plan.victim]);
			(void)kill(lane->orchestrator, SIGKILL);
			lane->started = now;
		}
	}
	return living;
}

static int run_all(struct soak *soak)
{
	int r = 0;

	while (r == 0 && soak->started < soak->count) {
		for (size_t i = 0; r == 0 && i < LANES && soak->started < soak->count; i++)
			if (soak->lanes[i].orchestrator == 0)
				r = start(soak, &soak->lanes[i], make_plan(soak, soak->started));
		if (look(soak) > 0)
			nap();
	}
	while (look(soak) > 0)
		nap();
	return r;
}

/* One more in each place, which nobody harms: it removes what those that were killed left there. */
static int sweep(struct soak *soak)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < LANES; i++)
		r = start(soak, &soak->lanes[i], (struct plan){ .payload = &payloads[3] });
	while (look(soak) > 0)
		nap();
	return r;
}

/* What has lost its parent has some time to end. */
static void wait_for_orphans(struct soak *soak)
{
	uint64_t end = now_microseconds() + GRACE_MICROSECONDS;

	while (look(soak) >= 0 && now_microseconds() < end)
		nap();
}

static void tell_processes(void)
{
	struct family family;

	find_descendants(&family, getpid());
	for (size_t i = 0; i < family.count; i++) {
		char name[64];

		(void)read_process(family.pids[i], "comm", name, sizeof(name));
		name[strcspn(name, "\n")] = '\0';
		printf("left process %d %s\n", (int)family.pids[i], name);
	}
}

/* ---- the whole */

static int open_lane(struct soak *soak, const char *places, unsigned number, struct error **error)
{
	struct lane *lane = &soak->lanes[number];
	const uid_t slot = SLOT_FIRST + number;
	int r = 0;

	lane->slot = SLOT_NONE;
	lane->said_fd = memfd_create("said", MFD_CLOEXEC);
	lane->place = format_string("%s/%u", places, number);
	if (lane->said_fd < 0 || fcntl(lane->said_fd, F_SETFL, O_APPEND) < 0 || !lane->place ||
	    (mkdir(lane->place, 0700) < 0 && errno != EEXIST))
		return error_set_errno(error, errno, "%s/%u", places, number);
	if (geteuid() != 0)
		return 0;
	/* As the launcher makes it: the slot's own, closed to all others. */
	if (chown(lane->place, slot, slot) < 0)
		return error_set_errno(error, errno, "%s", lane->place);
	r = slot_new(soak->accounts.own, slot, &lane->slot, error);
	return r;
}

static void close_lane(struct lane *lane)
{
	slot_clear(&lane->slot);
	lane->said_fd = close_fd(lane->said_fd);
	free(lane->place);
	lane->place = NULL;
}

static int load_policy(struct soak *soak, const char *file, struct error **error)
{
	cleanup_text struct text policy = { 0 };
	int r = read_file(AT_FDCWD, file, 1 << 20, &policy, error);

	return r < 0 ? r : seccomp_compile(file, policy.data, policy.length, &soak->program, error);
}

/* In namespaces of its own, a session of its own, and nobody's child. */
static void plant_process(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setsid() < 0 || unshare(CLONE_NEWUSER | CLONE_NEWUTS) < 0)
			_exit(1);
		if (fork() == 0)
			(void)execl("/bin/sleep", "planted", "1000", (char *)NULL);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void tell_figures(const struct soak *soak, uint64_t microseconds)
{
	uint64_t milliseconds = microseconds / 1000 + 1;
	uint64_t rate = soak->started * 10000 / milliseconds;

	printf("%llu sandboxes, %llu of them by kmodbox sandbox, in %llu.%llu s: %llu.%llu a "
	       "second; "
	       "%llu ended unharmed; killed: ",
	       (unsigned long long)soak->started, (unsigned long long)soak->by_command,
	       (unsigned long long)milliseconds / 1000,
	       (unsigned long long)milliseconds % 1000 / 100, (unsigned long long)rate / 10,
	       (unsigned long long)rate % 10, (unsigned long long)soak->unharmed);
	for (int i = ORCHESTRATOR; i < ROLES; i++)
		printf("%s %llu, ", role_names[i], (unsigned long long)soak->killed[i]);
	printf("%llu of them while it was set up; %llu trees on disk were left to the next\n",
	       (unsigned long long)soak->in_setup, (unsigned long long)soak->trees);
}

static int soak_run(struct soak *soak, const char *policy, const char *places, struct error **error)
{
	uint64_t begin;
	unsigned before;
	int r;

	soak->accounts = (struct accounts){ .separate = geteuid() == 0, .own = OWNER };
	r = load_policy(soak, policy, error);
	for (unsigned i = 0; r == 0 && i < LANES; i++)
		r = open_lane(soak, places, i, error);
	if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		r = error_set_errno(error, errno, "subreaper");
	if (r < 0)
		return r;
	before = count_descriptors();
	begin = now_microseconds();
	r = run_all(soak);
	tell_figures(soak, now_microseconds() - begin);
	wait_for_orphans(soak);
	if (r == 0)
		r = sweep(soak);
	if (r < 0)
		return error_set_errno(error, -r, "starting a sandbox");
	wait_for_orphans(soak);
	if (string_equal(soak->plant, "process"))
		plant_process();
	tell_processes();
	if (count_descriptors() != before)
		printf("left descriptor by the process that started all\n");
	return 0;
}

int main(int argc, char **argv)
{
	cleanup_error struct error *error = NULL;
	struct soak soak = { .kmodbox = argc > 4 ? argv[4] : NULL,
			     .plant = argc > 6 ? argv[6] : NULL };
	int r;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 6 || argc > 7 || parse_u64(argv[1], 1000000, &soak.count) < 0 ||
	    parse_u64(argv[2], UINT32_MAX, &soak.seed) < 0) {
		(void)fputs("usage: soak COUNT SEED PLACES KMODBOX POLICY [PLANT]\n", stderr);
		return 1;
	}
	r = soak_run(&soak, argv[5], argv[3], &error);
	if (r < 0) {
		cleanup_free char *text = error_describe(error);

		(void)fprintf(stderr, "soak: %s\n", text ? text : "out of memory");
	}
	for (size_t i = 0; i < LANES; i++)
		close_lane(&soak.lanes[i]);
	seccomp_program_clear(&soak.program);
	return r < 0;
}
