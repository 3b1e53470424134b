/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The set-up, top to bottom, as pid 1 of the new namespaces: one ordered list of steps, each with
 * its reason. Any failure ends it before foreign code has run. Afterwards this process is the
 * sandbox's init: it reaps, reports how the payload ended, and takes everything with it.
 */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "sandbox/disk.h"
#include "sandbox/remedy.h"
#include "sandbox/setup.h"
#include "sandbox/verify.h"
#include "sandbox/watchdog.h"

/* As many as struct __user_cap_data_struct has bits for. */
#define CAPABILITIES 64

_Noreturn void setup_fail(struct setup *setup, struct error *error)
{
	ignore_result(message_reply_error(setup->control_fd, error));
	_exit(127);
}

int setup_refuse_absent(const char *layer, const char *reason, struct error **error)
{
	unsigned bit = sandbox_optional_find(layer);

	if (!bit)
		return error_set(error, ENOSYS, "%s: the kernel cannot do it", layer);
	return error_refuse(error, REMEDY_LAYER + (int)bit, ENOSYS,
			    "%s: %s, and the profile does not name it optional", layer, reason);
}

uint32_t setup_lap(struct setup *setup)
{
	struct timespec now;
	uint64_t before = setup->mark;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	setup->mark = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	return setup->mark - before < UINT32_MAX ? (uint32_t)(setup->mark - before) : UINT32_MAX;
}

int setup_run(const struct setup_step *steps, size_t count, unsigned first_bit, struct setup *setup,
	      struct error **error)
{
	for (size_t i = 0; i < count; i++) {
		int r;

		setup->shared->step = first_bit + (uint32_t)i;
		r = steps[i].run(setup, error);
		if (r < 0) {
			/* What the caller named is his business, all else the host's. */
			if (error_code(*error) < REMEDY_USER_NAMESPACE &&
			    steps[i].run != view_show_mounts && steps[i].run != view_fill_trees)
				error_set_code(*error, REMEDY_STEP);
			return error_context(error, "%s", steps[i].name);
		}
		setup->ready.nanoseconds[first_bit + i] = setup_lap(setup);
		if (r == 0)
			setup->ready.active |= UINT64_C(1) << (first_bit + i);
		else if (r != SETUP_NOT_WANTED &&
			 !(setup->spec->optional & sandbox_optional_find(steps[i].name)))
			return setup_refuse_absent(steps[i].name, steps[i].absent_because, error);
	}
	return 0;
}

/* They are there when this process is; the time is that since the caller's start. */
static int step_note_namespaces(struct setup *setup, struct error **error)
{
	return verify_note_namespaces(setup->namespaces, error);
}

/* The lifeline is what counts: PDEATHSIG is cleared by setresuid() and tied to a thread. */
static int step_die_with_parent(struct setup *setup, struct error **error)
{
	struct pollfd lifeline = { .fd = setup->lifeline_fd, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_set_errno(error, errno, "PR_SET_PDEATHSIG");
	if (poll(&lifeline, 1, 0) != 0)
		return error_set(error, ECANCELED, "the process that started it is gone");
	return 0;
}

static int step_forbid_namespaces(struct setup *setup, struct error **error)
{
	cleanup_close int fd = -1;

	(void)setup;
	/* While the host's /proc can still be reached. It counts for this user namespace only. */
	fd = open("/proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "0", 1) == 1)
		return 0;
	/* Containers and units mount it read-only, leave it out, or have a label that refuses it.
	 */
	if (errno == EROFS || errno == EACCES || errno == EPERM || errno == ENOENT)
		return 1;
	return error_set_errno(error, errno, "/proc/sys/user/max_user_namespaces");
}

static int step_private_mounts(struct setup *setup, struct error **error)
{
	(void)setup;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_set_errno(error, errno, "mount propagation");
	return 0;
}

static int step_name_host(struct setup *setup, struct error **error)
{
	int r = 0;

	(void)setup;
	if (sethostname(SETUP_HOST_NAME, strlen(SETUP_HOST_NAME)) < 0 || setdomainname("", 0) < 0) {
		r = error_set_errno(error, errno, "host name");
		error_set_code(*error, REMEDY_HOST_NAME);
	}
	return r;
}

/* The slot's; or, without one, what a thread has made since pid 1 began. */
static int step_leave_network(struct setup *setup, struct error **error)
{
	int netns_fd = setup->slot.netns_fd;
	cleanup_close int own_fd = -1;

	if (setup->spec->network)
		return SETUP_NOT_WANTED;
	if (setup->network) {
		int r = network_end(TAKE_PTR(setup->network), &own_fd, error);

		if (r < 0) {
			error_set_code(*error, REMEDY_NAMESPACES);
			return r;
		}
		netns_fd = own_fd;
	}
	return slot_join_network(netns_fd, error);
}

static int step_new_session(struct setup *setup, struct error **error)
{
	(void)setup;
	if (setsid() < 0)
		return error_set_errno(error, errno, "setsid");
	return 0;
}

int setup_close_others(const int *kept, size_t count, struct error **error)
{
	unsigned first = 0;

	for (;;) {
		unsigned next = ~0U;

		for (size_t i = 0; i < count; i++) {
			if (kept[i] >= 0 && (unsigned)kept[i] >= first && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		}
		if (next > first && close_range(first, next == ~0U ? next : next - 1, 0) < 0)
			return error_set_errno(error, errno, "close_range");
		if (next == ~0U)
			return 0;
		first = next + 1;
	}
}

void setup_list_kept(const struct setup *setup, int kept[SETUP_KEPT])
{
	const int fds[] = {
		setup->control_fd,
		setup->lifeline_fd,
		setup->output_fd,
		setup->report_fd,
		setup->exec_fd,
		setup->spec->input_file_fd,
		setup->spec->output_file_fd,
		setup->spec->terminal_fd,
		/* These, and the trees, for the watchdog alone: exec closes them. */
		setup->temporary_fd,
		setup->processes_fd,
		setup->signal_fd,
	};

	memcpy(kept, setup->tree_fds, sizeof(setup->tree_fds));
	memcpy(kept + SANDBOX_TREES, fds, sizeof(fds));
}

/* Everything inherited goes, but for the few descriptors that the payload or its report need. */
static int step_close_descriptors(struct setup *setup, struct error **error)
{
	int kept[SETUP_KEPT];

	setup_list_kept(setup, kept);
	return setup_close_others(kept, SETUP_KEPT, error);
}

/* Trees on disk have none, and their watchdog is listed as such. */
static int step_limit_scratch(struct setup *setup, struct error **error)
{
	(void)error;
	return setup->disk ? SETUP_NOT_WANTED : 0;
}

static int step_send_trees(struct setup *setup, struct error **error)
{
	const uint32_t total = (uint32_t)setup->spec->tree_count, temporary = SANDBOX_TREES;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < total; i += MESSAGE_FDS) {
		uint32_t count = total - i < MESSAGE_FDS ? total - i : MESSAGE_FDS;

		r = message_send(setup->control_fd, SETUP_TREES, &i, sizeof(i), setup->tree_fds + i,
				 count, error);
	}
	if (r == 0)
		r = message_send(setup->control_fd, SETUP_TREES, &temporary, sizeof(temporary),
				 &setup->temporary_fd, 1, error);
	return r;
}

static int step_drop_capabilities(struct setup *setup, struct error **error)
{
	cleanup(cap_free_function) cap_t none = cap_init();

	(void)setup;
	for (int capability = 0; capability < CAPABILITIES; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability) == 0)
			continue;
		if (errno == EINVAL) /* behind the last one that the kernel knows */
			break;
		return error_set_errno(error, errno, "bounding set");
	}
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "ambient set");
	if (prctl(PR_SET_SECUREBITS, SETUP_SECUREBITS) < 0)
		return error_set_errno(error, errno, "securebits");
	if (!none || cap_set_proc(none) < 0)
		return error_set_errno(error, errno, "capset");
	return 0;
}

static int step_no_new_privileges(struct setup *setup, struct error **error)
{
	(void)setup;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "PR_SET_NO_NEW_PRIVS");
	/* The payload has our uid: it must not trace or read its init. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "PR_SET_DUMPABLE");
	return 0;
}

/* NULL in the fourth place: no look from the payload tells, see setup.h. */
const struct setup_step setup_steps[] = {
	{ "namespaces", "user, mount, pid, ipc, uts, cgroup of its own", step_note_namespaces,
	  verify_namespaces, NULL },
	/* Of init alone. */
	{ "death with parent", "nothing of a build survives the program that started it",
	  step_die_with_parent, NULL, NULL },
	{ "no nested user namespaces", "their kernel code is where containers are broken out of",
	  step_forbid_namespaces, verify_no_nesting,
	  "/proc/sys/user cannot be written to here; the system call filter alone refuses them" },
	/* Of mounts that are gone when the payload could look. */
	{ "private mounts",
	  "no mount made here shows on the host, none of the host's arrives later",
	  step_private_mounts, NULL, NULL },
	{ "fresh root", "what is not put there does not exist", view_attach_root, verify_root,
	  NULL },
	{ "read-only system", "the toolchain can be used and not be changed", view_show_system,
	  verify_system, NULL },
	{ "generated /etc", "no host configuration, no account, no key is seen", view_write_etc,
	  verify_etc, NULL },
	{ "minimal /dev", "five harmless nodes", view_make_devices, verify_devices, NULL },
	{ "private /tmp", "shared with nobody, limited in size", view_mount_tmp, verify_tmp, NULL },
	/* Init's, when the payload runs. */
	{ "limits of all processes", "a watchdog adds up their memory and CPU time, approximately",
	  watchdog_prepare, NULL,
	  "without a /proc of its own nobody can; those of each process hold, and the CPU time is "
	  "added up at the end" },
	{ "own /proc", "only the sandbox's own processes, read-only", view_mount_proc, verify_proc,
	  "something is mounted over parts of the host's /proc, so the kernel refuses a fresh "
	  "one" },
	{ "named mounts", "headers and what the caller named, nosuid, nodev", view_show_mounts,
	  verify_mounts, NULL },
	{ "private scratch", "a copy of the source, limited in size", view_fill_trees, verify_trees,
	  NULL },
	{ "exact scratch limit", "the kernel refuses what is too much", step_limit_scratch,
	  verify_scratch_limit, "scratch is on disk, where a watchdog measures it" },
	{ "read-only program", "what runs cannot be written through /proc/self/exe (CVE-2019-5736)",
	  view_protect_program, verify_program,
	  "no program was handed in: what runs is the read-only system's" },
	{ "read-only root", "only scratch and /tmp can be written", view_seal_root,
	  verify_sealed_root, NULL },
	{ "pivot_root", "the host's tree is gone, not hidden", view_enter_root, verify_inside_root,
	  NULL },
	{ "no network", "a network namespace without an interface that is up", step_leave_network,
	  verify_no_network, "the profile asked for the network" },
	{ "host name", "the host's name does not enter a build", step_name_host, verify_host_name,
	  NULL },
	{ "new session", "no terminal to push input into (CVE-2017-5226)", step_new_session,
	  verify_session, NULL },
	{ "scratch handed out", NULL, step_send_trees, NULL, NULL },
	{ "closed descriptors", "nothing that was open outside is open inside",
	  step_close_descriptors, verify_closed, NULL },
	{ "no capabilities", "in no set, and locked", step_drop_capabilities,
	  verify_no_capabilities, NULL },
	{ "no new privileges", "setuid programs and file capabilities give nothing",
	  step_no_new_privileges, verify_no_privileges, NULL },
};
const size_t setup_step_count = ARRAY_SIZE(setup_steps);

static void report_exit(const struct setup *setup, struct watchdog *watchdog, int status)
{
	struct setup_exit exit_message = { .signalled = WIFSIGNALED(status) };

	/* Init's own end says this: nobody is woken twice. */
	if (status == 0)
		_exit(0);
	exit_message.status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	exit_message.reached = watchdog_reached(watchdog);
	ignore_result(message_send(setup->control_fd, SETUP_EXIT, &exit_message,
				   sizeof(exit_message), NULL, 0, NULL));
}

/* Init's whole life: reap until the payload itself has ended, or the parent is gone. */
static _Noreturn void be_init(const struct setup *setup, pid_t payload)
{
	struct pollfd polls[] = { { .fd = setup->lifeline_fd, .events = POLLIN },
				  { .fd = setup->signal_fd, .events = POLLIN } };
	struct watchdog *watchdog = watchdog_new(setup);

	for (;;) {
		struct signalfd_siginfo info;
		int status;
		pid_t pid;

		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid == payload) {
				report_exit(setup, watchdog, status);
				_exit(SETUP_INIT_TOLD);
			}
		}
		if (poll(polls, ARRAY_SIZE(polls), watchdog_look(watchdog)) < 0 && errno != EINTR)
			_exit(125);
		if (polls[0].revents)
			_exit(124);
		if (polls[1].revents && read(setup->signal_fd, &info, sizeof(info)) < 0)
			_exit(125);
	}
}

/* In the payload, which shares init's memory until it runs its program. */
static int run_payload(void *argument)
{
	struct setup own = *(const struct setup *)argument;

	payload_start(&own);
}

_Noreturn void setup_init(struct setup *setup)
{
	cleanup_error struct error *error = NULL;
	sigset_t signals;
	pid_t payload;

	(void)umask(022);
	if (setup_run(setup_steps, setup_step_count, 0, setup, &error) < 0)
		setup_fail(setup, error);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_SETMASK, &signals, NULL) < 0)
		_exit(125);
	setup->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	payload = setup->signal_fd < 0 ? -errno : sys_vfork(run_payload, setup);
	if (payload < 0) {
		(void)error_set_errno(&error, -payload, "payload");
		setup_fail(setup, error);
	}
	setup->output_fd = close_fd(setup->output_fd);
	setup->report_fd = close_fd(setup->report_fd);
	be_init(setup, payload);
}
