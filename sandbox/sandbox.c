/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parent's side: starts the set-up, watches the payload's output, time and exit, kills what
 * goes too far, and returns only when every process of the sandbox is dead: the death of its pid 1
 * says so (pid_namespaces(7)). What comes out of the payload is bytes, never believed.
 */
#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/base/files.h"
#include "sandbox/cgroup_limits.h"
#include "sandbox/disk.h"
#include "sandbox/full_file.h"
#include "sandbox/killed.h"
#include "sandbox/limits.h"
#include "sandbox/remedy.h"
#include "sandbox/setup.h"
#include "sandbox/verify.h"

#define TICK_MILLISECONDS 100
#define CHUNK 65536

enum watched {
	WATCH_CONTROL,
	WATCH_OUTPUT,
	WATCH_REPORT,
	WATCH_CANCEL,
	WATCH_DEATH,
	WATCH_COUNT,
};

/* One running sandbox. */
struct run {
	const struct sandbox_spec *spec;
	struct setup setup; /* what the child was given; its fds are the child's ends */
	struct sandbox_result *result;
	int fds[WATCH_COUNT];
	int lifeline_fd;      /* write end; closing it kills */
	struct slot own_slot; /* where the spec has none */
	struct cgroup_limits cgroup;
	pid_t helper; /* the process that starts pid 1 */
	pid_t init;
	int death; /* the signal that ended the set-up's process; 0: none did */
	uint64_t start;
	uint64_t last_output;
	bool ready;
	bool killed;	  /* by us: result->end says why */
	int temporary_fd; /* /tmp of the sandbox; -1: not yet */
	bool scratch_full;
	uint32_t reached; /* bits 1 << enum limit */
	bool exit_known;
	struct denied *denied; /* answers refused calls; NULL: there is no listener */
	char *chunk;	       /* of CHUNK bytes: what was read last */
	struct error *failure; /* what the child reported */
};

static uint64_t now_milliseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void kill_all(struct run *run)
{
	run->killed = true;
	if (run->fds[WATCH_DEATH] >= 0)
		(void)pidfd_send_signal(run->fds[WATCH_DEATH], SIGKILL, NULL, 0);
	/* Pid 1 polls it: this works even where the signal may not be sent. */
	run->lifeline_fd = close_fd(run->lifeline_fd);
}

static void printf_like(2, 3) hit_limit(struct run *run, const char *format, ...)
{
	va_list arguments;

	if (run->killed)
		return;
	run->result->end = SANDBOX_LIMIT;
	va_start(arguments, format);
	(void)vsnprintf(run->result->limit, sizeof(run->result->limit), format, arguments);
	va_end(arguments);
	kill_all(run);
}

static void hit(struct run *run, enum limit limit)
{
	char text[SANDBOX_LIMIT_TEXT];

	limits_describe(&run->setup.limits, limit, text, sizeof(text));
	hit_limit(run, "%s", text);
}

static void check_tmpfs(struct run *run, int fd)
{
	struct statfs status;

	/* tmpfs hands out whole folios: near the end is the end. */
	if (fstatfs(fd, &status) == 0 &&
	    (status.f_bfree * 256 < status.f_blocks || status.f_ffree == 0))
		run->scratch_full = true;
}

static void check_scratch(struct run *run)
{
	for (size_t i = 0; i < run->spec->tree_count; i++) {
		char limit[SANDBOX_LIMIT_TEXT];
		int fd = run->result->tree_fds[i];

		if (fd >= 0 && run->spec->trees[i].place) {
			if (disk_is_full(fd, limit, sizeof(limit)))
				hit_limit(run, "%s", limit);
		} else if (fd >= 0 && run->spec->trees[i].writable) {
			check_tmpfs(run, fd);
		}
	}
	if (run->temporary_fd >= 0)
		check_tmpfs(run, run->temporary_fd);
}

/* Reads what is there. Returns false at the end of the stream. */
static bool read_output(struct run *run)
{
	ssize_t length = read(run->fds[WATCH_OUTPUT], run->chunk, CHUNK);

	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	if (length == 0)
		return false;
	run->last_output = now_milliseconds();
	if (run->result->output_bytes + (size_t)length > run->setup.limits.log_bytes) {
		hit(run, LIMIT_OUTPUT);
		return false;
	}
	run->result->output_bytes += (size_t)length;
	if (run->spec->output)
		run->spec->output(run->spec->output_context, run->chunk, (size_t)length);
	return true;
}

static bool read_report(struct run *run)
{
	ssize_t length = read(run->fds[WATCH_REPORT], run->chunk, CHUNK);

	if (length < 0)
		return errno == EAGAIN || errno == EINTR;
	if (length == 0)
		return false;
	if (run->result->report.length + (size_t)length > run->spec->report_maximum) {
		hit_limit(run, "answer (%zu bytes)", run->spec->report_maximum);
		return false;
	}
	if (text_append(&run->result->report, run->chunk, (size_t)length) < 0) {
		hit_limit(run, "memory of the reader");
		return false;
	}
	return true;
}

static void take_pid(struct run *run, const struct message *message)
{
	int32_t pid;

	if (message->length != sizeof(pid) || run->init > 0)
		return;
	memcpy(&pid, message->payload, sizeof(pid));
	run->init = pid;
	run->fds[WATCH_DEATH] = pidfd_open(pid, 0);
	if (run->fds[WATCH_DEATH] < 0) {
		(void)error_set_errno(&run->failure, errno, "pidfd of the sandbox");
		error_set_code(run->failure, REMEDY_STEP);
		run->lifeline_fd = close_fd(run->lifeline_fd);
	}
}

static void take_trees(struct run *run, struct message *message)
{
	uint32_t first;

	if (message->length != sizeof(first))
		return;
	memcpy(&first, message->payload, sizeof(first));
	for (size_t i = 0; i < message->fd_count && first + i < SANDBOX_TREES; i++)
		run->result->tree_fds[first + i] = TAKE_FD(message->fds[i]);
	if (first == SANDBOX_TREES && message->fd_count == 1 && run->temporary_fd < 0)
		run->temporary_fd = TAKE_FD(message->fds[0]);
}

static void take_limit(struct run *run, const struct message *message)
{
	char limit[sizeof(run->result->limit)];

	if (message->length != sizeof(limit))
		return;
	memcpy(limit, message->payload, sizeof(limit));
	limit[sizeof(limit) - 1] = '\0';
	hit_limit(run, "%s", limit);
}

static void take_ready(struct run *run, struct message *message)
{
	if (run->ready || run->failure || message->length != sizeof(run->setup.ready))
		return;
	memcpy(&run->setup.ready, message->payload, sizeof(run->setup.ready));
	run->ready = true;
	if (message->fd_count == 0) {
		if (!(run->spec->optional & SANDBOX_OPTIONAL_DENIED))
			ignore_result(
				setup_refuse_absent(sandbox_optional_name(SANDBOX_OPTIONAL_DENIED),
						    SETUP_NO_LISTENER, &run->failure));
		return;
	}
	if (denied_new(TAKE_FD(message->fds[0]), &run->denied, &run->failure) < 0)
		run->lifeline_fd = close_fd(run->lifeline_fd);
}

static void take_exit(struct run *run, const struct message *message)
{
	struct setup_exit ended;

	if (message->length != sizeof(ended))
		return;
	memcpy(&ended, message->payload, sizeof(ended));
	run->exit_known = true;
	run->reached = ended.reached;
	if (run->killed)
		return;
	run->result->end = ended.signalled ? SANDBOX_SIGNALLED : SANDBOX_EXITED;
	run->result->status = ended.status;
}

static void take_failure(struct run *run, const struct message *message)
{
	struct message_error report;

	if (message->length != sizeof(report) || run->failure)
		return;
	memcpy(&report, message->payload, sizeof(report));
	report.text[sizeof(report.text) - 1] = '\0';
	(void)error_set(&run->failure, report.errnum > 0 ? report.errnum : EIO, "%s", report.text);
	error_set_code(run->failure, report.code); /* enum remedy_part */
}

/* Returns false when the child has nothing more to say. */
static bool read_control(struct run *run)
{
	cleanup_message struct message message = { 0 };

	if (message_receive(run->fds[WATCH_CONTROL], &message, NULL) < 0)
		return false;
	switch (message.type) {
	case SETUP_PID:
		take_pid(run, &message);
		break;
	case SETUP_TREES:
		take_trees(run, &message);
		break;
	case SETUP_LIMIT:
		take_limit(run, &message);
		break;
	case SETUP_READY:
		take_ready(run, &message);
		break;
	case MESSAGE_ERROR:
		take_failure(run, &message);
		break;
	case SETUP_EXIT:
		take_exit(run, &message);
		break;
	default:
		break;
	}
	return true;
}

static void check_clocks(struct run *run)
{
	uint64_t now = now_milliseconds();
	const struct sandbox_limits *limits = &run->setup.limits;

	check_scratch(run);
	if (now - run->start >= limits->wall_milliseconds)
		hit(run, LIMIT_WALL);
	else if (now - run->last_output >= limits->silence_milliseconds)
		hit(run, LIMIT_SILENCE);
}

/* Without the helper, trees on disk would have no limit, and nobody would know. */
static void check_helper(struct run *run)
{
	siginfo_t ended = { 0 };

	if (run->setup.disk && run->setup.shared->init > 0 && !run->failure &&
	    waitid(P_PID, (id_t)run->helper, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    ended.si_pid > 0 && ended.si_status != 0)
		hit_limit(run, "scratch (cannot be measured: its watchdog has died)");
}

/* Until pid 1 is dead, or (where it never came to be) the child has closed its end. */
static void watch(struct run *run)
{
	for (;;) {
		struct pollfd polls[WATCH_COUNT + 1];
		int timeout = TICK_MILLISECONDS;

		for (size_t i = 0; i < WATCH_COUNT; i++)
			polls[i] = (struct pollfd){ .fd = run->fds[i], .events = POLLIN };
		polls[WATCH_COUNT] =
			(struct pollfd){ .fd = denied_poll_fd(run->denied, now_milliseconds(),
							      &timeout),
					 .events = POLLIN };
		if (poll(polls, ARRAY_SIZE(polls), timeout) < 0 && errno != EINTR)
			hit_limit(run, "poll: %s", strerror(errno));
		if (polls[WATCH_COUNT].revents)
			denied_serve(run->denied, now_milliseconds());
		if (polls[WATCH_CONTROL].revents && !read_control(run))
			run->fds[WATCH_CONTROL] = close_fd(run->fds[WATCH_CONTROL]);
		if (polls[WATCH_OUTPUT].revents) {
			if (!read_output(run))
				run->fds[WATCH_OUTPUT] = close_fd(run->fds[WATCH_OUTPUT]);
			check_scratch(run);
		}
		if (polls[WATCH_REPORT].revents && !read_report(run))
			run->fds[WATCH_REPORT] = close_fd(run->fds[WATCH_REPORT]);
		if (polls[WATCH_CANCEL].revents && !run->killed) {
			run->result->end = SANDBOX_CANCELLED;
			kill_all(run);
		}
		if (polls[WATCH_DEATH].revents)
			return;
		if (run->fds[WATCH_CONTROL] < 0 && run->fds[WATCH_DEATH] < 0)
			return;
		check_helper(run);
		check_clocks(run);
	}
}

/* Who measures trees on disk has nothing to measure any more. */
static void stop_helper(struct run *run)
{
	if (!run->setup.disk)
		return;
	run->lifeline_fd = close_fd(run->lifeline_fd);
	(void)kill(run->helper, SIGKILL);
}

/* What was still in the pipes when the last process died. */
static void drain(struct run *run)
{
	while (run->fds[WATCH_CONTROL] >= 0 && read_control(run))
		;
	for (int which = WATCH_OUTPUT; which <= WATCH_REPORT; which++) {
		struct pollfd ready = { .fd = run->fds[which], .events = POLLIN };

		while (ready.fd >= 0 && poll(&ready, 1, 0) > 0 && !run->killed) {
			if (!(which == WATCH_OUTPUT ? read_output(run) : read_report(run)))
				break;
		}
	}
}

static void wait_for_all(struct run *run)
{
	struct sandbox_result *result = run->result;
	int status = -1;

	/* The helper was killed when it had made pid 1, and before it could say so. */
	if (run->init == 0) {
		run->init = run->setup.shared->init;
		run->lifeline_fd = close_fd(run->lifeline_fd);
	}
	if (run->init > 0 && wait4(run->init, &status, 0, &result->usage) > 0 &&
	    WIFSIGNALED(status))
		run->death = WTERMSIG(status);
	if (!run->exit_known && !run->killed && status == 0) {
		run->exit_known = true;
		result->end = SANDBOX_EXITED;
	}
	if (run->helper > 0 && waitpid(run->helper, &status, 0) > 0 && run->init <= 0 &&
	    WIFSIGNALED(status))
		run->death = WTERMSIG(status);
	/* The payload's, before there was anything foreign in it. */
	if (!run->ready && run->exit_known && result->end == SANDBOX_SIGNALLED)
		run->death = result->status;
	result->wall_milliseconds = now_milliseconds() - run->start;
	if (!run->exit_known && !run->killed) {
		result->end = SANDBOX_SIGNALLED;
		result->status = SIGKILL;
	}
}

/*
 * A tenth of a second more: RLIMIT_CPU's SIGKILL can come while the accounts of user and system
 * time, which are kept by other means, are just below the limit.
 */
static uint64_t cpu_seconds(const struct rusage *usage)
{
	uint64_t microseconds =
		(uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec + 100000);

	return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) + microseconds / 1000000;
}

static bool has_full_file(const struct run *run)
{
	const uint64_t size = run->setup.limits.file_bytes;
	bool found = run->temporary_fd >= 0 && full_file_is_below(run->temporary_fd, size);

	for (size_t i = 0; !found && i < run->spec->tree_count; i++)
		found = run->spec->trees[i].writable && run->result->tree_fds[i] >= 0 &&
			full_file_is_below(run->result->tree_fds[i], size);
	return found;
}

/* The kernel says no to a process, not to us: was it a limit that was in its way? */
static void judge_failure(struct run *run)
{
	const struct sandbox_result *result = run->result;
	const struct sandbox_limits *limits = &run->setup.limits;
	const int signal = result->end == SANDBOX_SIGNALLED ? result->status : 0;
	/* In KiB, of the largest process; an address space is somewhat larger than what is used. */
	const uint64_t largest = (uint64_t)result->usage.ru_maxrss * 1024;

	check_scratch(run);
	if (run->reached >> LIMIT_TOTAL_MEMORY & 1) /* known for certain: a cgroup tells */
		hit(run, LIMIT_TOTAL_MEMORY);
	else if (signal == SIGXCPU || cpu_seconds(&result->usage) >= limits->cpu_seconds)
		hit(run, LIMIT_CPU);
	else if (run->scratch_full)
		hit(run, LIMIT_SCRATCH);
	else if (signal == SIGXFSZ)
		hit(run, LIMIT_FILE);
	else if (run->reached >> LIMIT_PROCESSES & 1)
		hit(run, LIMIT_PROCESSES);
	else if (run->reached >> LIMIT_OPEN_FILES & 1)
		hit(run, LIMIT_OPEN_FILES);
	else if (largest >= limits->memory_bytes - limits->memory_bytes / 8)
		hit(run, LIMIT_MEMORY);
	else if (!run->killed && has_full_file(run))
		hit(run, LIMIT_FILE);
}

static void add_layer(struct sandbox_result *result, const char *name, const char *reason,
		      const char *absent_because, uint32_t nanoseconds)
{
	if (result->layer_count < ARRAY_SIZE(result->layers))
		result->layers[result->layer_count++] =
			(struct sandbox_layer){ .name = name,
						.reason = reason,
						.active = !absent_because,
						.absent_because = absent_because,
						.nanoseconds = nanoseconds };
}

static void list_layers(struct run *run)
{
	struct sandbox_result *result = run->result;
	const struct setup_ready *ready = &run->setup.ready;
	const size_t total = setup_step_count + payload_step_count;

	for (size_t i = 0; i < total; i++) {
		const struct setup_step *step = setup_step_at(i);

		if (step->reason)
			add_layer(result, step->name, step->reason,
				  ready->active >> i & 1 ? NULL
				  : run->ready		 ? step->absent_because
							 : "the set-up was stopped",
				  ready->nanoseconds[i]);
	}
	/* The filter's listener has arrived here, or not. */
	add_layer(result, sandbox_optional_name(SANDBOX_OPTIONAL_DENIED),
		  "who asks for what a build has no business with is named in the record",
		  run->denied ? NULL : SETUP_NO_LISTENER, 0);
	add_layer(result, sandbox_optional_name(SANDBOX_OPTIONAL_CGROUP),
		  cgroup_limits_reason(&run->cgroup), run->cgroup.absent_because, 0);
}

static int resolve(const char *path, char **ret_resolved, struct error **error)
{
	cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = -1;

	if (root_fd < 0)
		return error_set_errno(error, errno, "/");
	return open_trusted(root_fd, path, geteuid(), O_PATH, &fd, ret_resolved, error);
}

/* Links in the caller's paths are followed here, once, where owners can still be told apart. */
static int resolve_sources(struct run *run, struct error **error)
{
	const struct sandbox_spec *spec = run->spec;
	int r = 0;

	run->setup.sources = calloc(spec->mount_count + 1, sizeof(char *));
	if (!run->setup.sources)
		return error_set_errno(error, ENOMEM, "mounts");
	for (size_t i = 0; r == 0 && i < spec->mount_count; i++) {
		if (!spec->mounts[i].vouched)
			r = resolve(spec->mounts[i].source, &run->setup.sources[i], error);
		else if (!(run->setup.sources[i] = strdup(spec->mounts[i].source)))
			r = error_set_errno(error, ENOMEM, "mounts");
	}
	return r;
}

static int check_spec(const struct sandbox_spec *spec, struct error **error)
{
	if (!spec->argv || !spec->argv[0] || !spec->environment || !spec->seccomp ||
	    spec->tree_count > SANDBOX_TREES)
		return error_set(error, EINVAL, "incomplete sandbox description");
	if (spec->slot.userns_fd < 0 && geteuid() == 0 && !(spec->alone_uid && spec->give_up_root))
		return error_set(error, EPERM,
				 "root needs a slot or a uid for it: a root inside must not be "
				 "root outside");
	return 0;
}

static int open_channels(struct run *run, struct error **error)
{
	int control[2];
	int output[2];
	int report[2] = { -1, -1 };
	int lifeline[2];
	int r;

	r = message_pair(control, error);
	if (r < 0)
		return r;
	run->fds[WATCH_CONTROL] = control[0];
	run->setup.control_fd = control[1];
	if (pipe2(output, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "pipe");
	run->fds[WATCH_OUTPUT] = output[0];
	run->setup.output_fd = output[1];
	/* The payload's uid is another one, and opens it as /dev/stderr: its own descriptor alone.
	 */
	if (fchmod(output[1], 0622) < 0)
		return error_set_errno(error, errno, "pipe");
	if (pipe2(lifeline, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "pipe");
	run->setup.lifeline_fd = lifeline[0];
	run->lifeline_fd = lifeline[1];
	if (run->spec->report_maximum > 0 && pipe2(report, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "pipe");
	run->fds[WATCH_REPORT] = report[0];
	run->setup.report_fd = report[1];
	run->fds[WATCH_CANCEL] = run->spec->cancel_fd;
	return 0;
}

static void close_child_ends(struct run *run)
{
	run->setup.control_fd = close_fd(run->setup.control_fd);
	run->setup.output_fd = close_fd(run->setup.output_fd);
	run->setup.report_fd = close_fd(run->setup.report_fd);
	run->setup.lifeline_fd = close_fd(run->setup.lifeline_fd);
}

static void run_clear(struct run *run)
{
	close_child_ends(run);
	run->lifeline_fd = close_fd(run->lifeline_fd);
	run->temporary_fd = close_fd(run->temporary_fd);
	run->fds[WATCH_CANCEL] = -1; /* borrowed */
	for (size_t i = 0; i < WATCH_COUNT; i++)
		run->fds[i] = close_fd(run->fds[i]);
	for (size_t i = 0; run->setup.sources && i < run->spec->mount_count; i++)
		free(run->setup.sources[i]);
	free(run->setup.sources);
	free(run->chunk);
	if (run->setup.shared)
		(void)munmap(run->setup.shared, sizeof(*run->setup.shared));
	run->failure = error_free(run->failure);
	run->denied = denied_free(run->denied);
	slot_clear(&run->own_slot);
	cgroup_limits_end(&run->cgroup, NULL, NULL);
}

static int keep_denied(struct run *run, struct error **error)
{
	const struct denied_calls *calls = run->denied ? denied_calls(run->denied) : NULL;

	if (!calls || calls->total == 0)
		return 0;
	run->result->denied = malloc(sizeof(*calls));
	if (!run->result->denied)
		return error_set_errno(error, ENOMEM, "refused calls");
	*run->result->denied = *calls;
	return 0;
}

static int start(struct run *run, struct error **error)
{
	struct setup *setup = &run->setup;
	void *shared;
	int r;

	run->start = run->last_output = now_milliseconds();
	ignore_result(setup_lap(setup));
	r = verify_note_namespaces(setup->namespaces_outside, error);
	if (r == 0)
		r = verify_note_network(&setup->network_outside, error);
	if (r < 0) {
		error_set_code(*error, REMEDY_STEP);
		return r;
	}
	setup->slot = run->spec->slot;
	shared = mmap(NULL, sizeof(*setup->shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return error_set_errno(error, errno, "shared memory");
	setup->shared = shared;
	r = killed_try(KILLED_PIDFD | KILLED_SECCOMP |
			       (setup->slot.userns_fd < 0 ? KILLED_NAMESPACES : 0),
		       error);
	if (r < 0)
		return r;
	/* Who measures trees on disk does so from a slot. */
	if (setup->slot.userns_fd < 0 && setup->disk)
		r = slot_new_own(&run->own_slot, error);
	if (r < 0)
		return r;
	if (run->own_slot.userns_fd >= 0)
		setup->slot = run->own_slot;
	if (setup->slot.userns_fd < 0) {
		run->init = start_alone(setup, run->lifeline_fd, run->fds[WATCH_CONTROL],
					&run->fds[WATCH_DEATH], error);
		return run->init < 0 ? run->init : 0;
	}
	run->helper = start_in_slot(setup, run->lifeline_fd);
	if (run->helper < 0)
		return error_set_errno(error, -run->helper, "fork");
	if (geteuid() == 0 && run->spec->give_up_root &&
	    run->spec->give_up_root(run->spec->root_context, &run->failure) < 0)
		run->lifeline_fd = close_fd(run->lifeline_fd);
	return 0;
}

static int start_and_watch(struct run *run, struct error **error)
{
	int r = check_spec(run->spec, error);

	run->chunk = malloc(CHUNK);
	if (r == 0 && !run->chunk)
		r = error_set_errno(error, ENOMEM, "sandbox");
	if (r == 0)
		r = resolve_sources(run, error);
	if (r == 0)
		r = disk_new(run->spec, &run->result->disk, error);
	if (r == 0)
		r = open_channels(run, error);
	if (r < 0)
		return r;
	run->setup.disk = run->result->disk;
	r = cgroup_limits_new(run->spec, &run->setup.limits, &run->cgroup, error);
	run->setup.cgroup_fd = run->cgroup.fd;
	if (r == 0)
		r = start(run, error);
	if (r < 0)
		return error_context(error, "the sandbox could not be made");
	close_child_ends(run);
	watch(run);
	stop_helper(run);
	drain(run);
	wait_for_all(run);
	cgroup_limits_end(&run->cgroup, run->result, &run->reached);
	if (run->result->end != SANDBOX_EXITED || run->result->status != 0)
		judge_failure(run);
	if (run->failure && !run->killed) {
		*error = TAKE_PTR(run->failure);
		/* A step's code is a remedy_part; who could not run the program has none. */
		return run->ready && !error_code(*error)
			       ? -ENOEXEC
			       : error_context(error, "the sandbox could not be made");
	}
	if (!run->ready && !run->killed) {
		ignore_result(killed_explain(run->death,
					     setup_step_at(run->setup.shared->step)->name, error));
		return error_context(error, "the sandbox could not be made");
	}
	list_layers(run);
	return keep_denied(run, error);
}

int sandbox_run(const struct sandbox_spec *spec, struct sandbox_result *ret_result,
		struct error **error)
{
	struct sandbox_result result = { 0 };
	struct run run = { .spec = spec,
			   .result = &result,
			   .own_slot = SLOT_NONE,
			   .cgroup = CGROUP_LIMITS_NONE,
			   .lifeline_fd = -1,
			   .temporary_fd = -1 };
	struct error *failure = NULL;
	int r;

	run.setup = (struct setup){ .spec = spec,
				    .limits = limits_complete(&spec->limits),
				    .slot = SLOT_NONE,
				    .cgroup_fd = -1,
				    .control_fd = -1,
				    .lifeline_fd = -1,
				    .output_fd = -1,
				    .report_fd = -1,
				    .exec_fd = -1,
				    .root_fd = -1,
				    .temporary_fd = -1,
				    .processes_fd = -1,
				    .signal_fd = -1 };
	for (size_t i = 0; i < WATCH_COUNT; i++)
		run.fds[i] = -1;
	for (size_t i = 0; i < SANDBOX_TREES; i++)
		run.setup.tree_fds[i] = result.tree_fds[i] = -1;
	r = start_and_watch(&run, &failure);
	run_clear(&run);
	if (r < 0) {
		sandbox_result_clear(&result);
		remedy_explain(&failure, error_code(failure),
			       spec->slot.by_root || spec->alone_uid);
		if (error_code(failure) != SANDBOX_FULL_CODE &&
		    error_code(failure) != SANDBOX_DIRECTORY_CODE)
			error_set_code(failure, SANDBOX_EXIT_CODE);
		if (error)
			*error = TAKE_PTR(failure);
		failure = error_free(failure);
		return r;
	}
	*ret_result = result;
	return 0;
}

void sandbox_result_clear(struct sandbox_result *result)
{
	text_clear(&result->report);
	free(result->denied);
	/* First: the descriptors hold the locks that keep other sandboxes from removing as well. */
	(void)disk_remove(result->disk);
	for (size_t i = 0; i < SANDBOX_TREES; i++)
		(void)close_fd(result->tree_fds[i]);
	*result = (struct sandbox_result){ 0 };
	for (size_t i = 0; i < SANDBOX_TREES; i++)
		result->tree_fds[i] = -1;
}

char *sandbox_result_describe(const struct sandbox_result *result)
{
	switch (result->end) {
	case SANDBOX_EXITED:
		return format_string("exited with %d", result->status);
	case SANDBOX_SIGNALLED:
		return format_string("was killed by SIG%s", sigabbrev_np(result->status));
	case SANDBOX_LIMIT:
		return format_string("hit a limit: %s", result->limit);
	case SANDBOX_CANCELLED:
		return format_string("was interrupted");
	default:
		return format_string("did not run");
	}
}
