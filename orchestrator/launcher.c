/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The privileged start, see launcher.h. Read launch() first: it is the whole story in order. */
#include "orchestrator/launcher_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/files.h"
#include "lib/base/message.h"
#include "orchestrator/git.h"
#include "orchestrator/helpers.h"
#include "orchestrator/packages.h"
#include "orchestrator/results.h"
#include "orchestrator/staging.h"
#include "orchestrator/targets.h"
#include "sandbox/slot.h"

#define LEFTOVER_PASSES 1000
#define ENVIRONMENT_MAXIMUM 65536u

static bool changes_something(enum verb verb)
{
	return verb != VERB_STATUS && verb != VERB_SANDBOX && verb != VERB_DOCTOR;
}

/* A file or directory that `add` names. */
static int open_sources(struct launch *launch, struct error **error)
{
	const struct options *options = launch->part.options;
	struct orchestrator *part = &launch->part;

	if (options->archive && launch->row->verb != VERB_MKTARBALL) {
		part->archive_fd = open(options->archive, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		return part->archive_fd < 0 ? error_set_errno(error, errno, "%s", options->archive)
					    : 0;
	}
	if (options->source) {
		part->given_source_fd = open(options->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (part->given_source_fd < 0)
			return error_set_errno(error, errno, "%s", options->source);
	}
	return 0;
}

/* A git checkout: sandboxes see it, and what is root's in it as their own. */
static int show_checkout(struct launch *launch, struct error **error)
{
	struct orchestrator *part = &launch->part;
	char link[64], path[PATH_MAX] = "";
	bool found = false;
	int r;

	if (part->given_source_fd < 0)
		return 0;
	r = git_find(part->given_source_fd, &found, error);
	if (r < 0)
		return error_context(error, "%s", part->options->source);
	if (!found)
		return 0;
	/* Without the links that led there. */
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", part->given_source_fd);
	if (readlink(link, path, sizeof(path) - 1) < 0)
		return error_set_errno(error, errno, "%s", part->options->source);
	if (launch->accounts.separate)
		return staging_show(path, part->sandbox.slot.userns_fd, &part->shown_source, error);
	part->shown_source = strdup(path);
	return part->shown_source ? 0 : error_set_errno(error, ENOMEM, "view");
}

/* Beside the one of the command line, those that it may depend on. */
static int open_packages(struct launch *launch, struct error **error)
{
	const struct options *options = launch->part.options;
	struct orchestrator *part = &launch->part;
	const struct package *found;
	int r;

	part->package = (struct package){ .module = options->module,
					  .version = options->version,
					  .source_fd = -1 };
	if (!verb_builds(launch->row) && launch->row->verb != VERB_MKTARBALL)
		return 0;
	r = packages_open(&part->places, geteuid(), &part->packages, &part->package_count, error);
	if (r < 0 || !options->module || !options->version)
		return r;
	found = packages_find(part, options->module, options->version);
	part->package.source_fd = found ? found->source_fd : -1;
	return 0;
}

/* Where it can be reached by every part, and so by sandboxes. */
static int show(const struct launch *launch, const char *path, char **ret_path,
		struct error **error)
{
	if (launch->accounts.separate)
		return staging_show(path, -1, ret_path, error);
	*ret_path = strdup(path);
	return *ret_path ? 0 : error_set_errno(error, ENOMEM, "view");
}

/* Once: on a full or read-only disk what is as it should be can still be looked at. */
static int give(const struct launch *launch, int fd, uid_t owner, const char *path,
		struct error **error)
{
	struct stat status;

	if (!launch->accounts.separate ||
	    (fstat(fd, &status) == 0 && status.st_uid == owner && status.st_gid == (gid_t)owner))
		return 0;
	return fchown(fd, owner, (gid_t)owner) < 0 ? error_set_errno(error, errno, "%s", path) : 0;
}

/* STATE/work/scratch: for sources and builds that are too large for memory; only the slot may
 * enter.
 */
static int show_scratch(struct launch *launch, struct error **error)
{
	cleanup_free char *path = format_string("%s/work/scratch", launch->part.places.state);
	cleanup_close int fd = -1;
	int r = path ? launch_open_state(launch, "work/scratch", 0700, &fd, error)
		     : error_set_errno(error, ENOMEM, "scratch");

	if (r == 0)
		r = give(launch, fd, launch->accounts.build_slot, path, error);
	return r < 0 ? r : show(launch, path, &launch->part.scratch_place, error);
}

/* STATE/cache: the orchestrator's own. */
static int open_cache(struct launch *launch, struct error **error)
{
	cleanup_free char *path = format_string("%s/cache", launch->part.places.state);
	int *fd = &launch->part.cache_fd;
	int r = path ? launch_open_state(launch, "cache", 0755, fd, error)
		     : error_set_errno(error, ENOMEM, "cache");

	return r < 0 ? r : give(launch, *fd, launch->accounts.orchestrator, path, error);
}

/* What sandboxes show of the host: headers, and for builds the trees of DKMS. */
static int stage_view(struct launch *launch, struct error **error)
{
	struct orchestrator *part = &launch->part;
	int r = launch->accounts.separate ? staging_begin(error) : 0;

	for (size_t i = 0; r == 0 && launch->accounts.separate && i < part->target_count; i++) {
		struct kernel *kernel = part->targets[i].kernel;

		for (size_t m = 0; r == 0 && kernel && m < kernel->mount_count; m++) {
			char *staged = NULL;

			r = staging_show(kernel->mounts[m].source, -1, &staged, error);
			if (r == 0)
				r = kernel_show_at(kernel, m, staged, error);
			free(staged);
		}
	}
	if (r == 0 && launch->row->installs)
		r = show(launch, part->places.install_tree, &launch->depmod_tree, error);
	if (r == 0 && verb_builds(launch->row))
		r = show(launch, part->places.dkms_tree, &part->shown_dkms_tree, error);
	if (r == 0 && verb_builds(launch->row))
		r = show(launch, part->places.source_tree, &part->shown_source_tree, error);
	/* Which makes nothing. */
	if (launch->row->verb == VERB_DOCTOR) {
		if (r == 0 && part->places.state_fd >= 0)
			ignore_result(open_beneath(part->places.state_fd, "cache",
						   O_RDONLY | O_DIRECTORY, 0, &part->cache_fd,
						   NULL));
		return r;
	}
	/* A source can be too large for memory whatever is done with it. */
	if (r == 0)
		r = open_cache(launch, error);
	return r < 0 ? r : show_scratch(launch, error);
}

/* The file that framework.conf names, for builds; where there is none, there is none. */
static int read_environment(struct launch *launch, struct error **error)
{
	const char *path = launch->part.options->build_environment;
	cleanup_close int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int fd = -1;
	struct text text = { 0 };
	int r;

	if (!path || !verb_builds(launch->row))
		return 0;
	r = root_fd < 0 ? -errno
			: open_trusted(root_fd, path, geteuid(), O_RDONLY | O_NONBLOCK, &fd, NULL,
				       error);
	if (r == -ENOENT) {
		if (error)
			*error = error_free(*error);
		return 0;
	}
	if (r == 0)
		r = read_fd(fd, ENVIRONMENT_MAXIMUM, &text, error);
	if (r < 0)
		return error_context(error, "build_environment of framework.conf");
	launch->part.build_environment = text_take(&text);
	return launch->part.build_environment ? 0 : error_set_errno(error, ENOMEM, "%s", path);
}

static int load_profile(struct launch *launch, struct error **error)
{
	struct orchestrator *part = &launch->part;

	int r = profiles_load(&part->places, PROFILE_DEFAULT, &part->profile, error);

	part->sandbox.seccomp = &part->profile.program;
	part->sandbox.optional = part->profile.settings.optional;
	return r;
}

static int make_slot(struct launch *launch, struct error **error)
{
	struct slot *slot = &launch->part.sandbox.slot;

	if (launch->accounts.separate)
		return slot_new(launch->accounts.orchestrator, launch->accounts.build_slot, slot,
				error);
	/* Whoever may have none may still do what needs no sandbox; the first sandbox says why. */
	ignore_result(slot_new_own(slot, NULL));
	return 0;
}

/* A host that gives none is told of by the layer of each sandbox. */
static void make_cgroup(struct launch *launch)
{
	struct cgroup_delegation *cgroup = &launch->cgroup;

	*cgroup = cgroup_delegation_find();
	cgroup_delegation_begin(cgroup, launch->accounts.separate ? launch->accounts.orchestrator
								  : geteuid());
	launch->part.sandbox.cgroup_fd = cgroup->fd;
	launch->part.sandbox.cgroup_absent_because = cgroup->absent_because;
}

/* Ctrl-C and its like are read, not suffered: the build is killed, the state stays whole. */
static int watch_signals(int *ret_fd, struct error **error)
{
	sigset_t signals;
	int fd;

	launch_interruptions(&signals);
	if (sigprocmask(SIG_SETMASK, &signals, NULL) < 0)
		return error_set_errno(error, errno, "sigprocmask");
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_set_errno(error, errno, "signalfd");
	*ret_fd = fd;
	return 0;
}

static int report(const struct log *log, const struct error *error)
{
	log_error(log, error);
	return error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
}

/*
 * Root's terminal is there to be written to, and no more: whoever takes the orchestrator over must
 * neither type into it (TIOCSTI, for those of its session) nor read what root types next.
 */
static int leave_terminal(struct error **error)
{
	cleanup_close int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (setsid() < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
		return error_set_errno(error, errno, "leaving the terminal");
	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
		const char *path = fd == STDOUT_FILENO ? "/proc/self/fd/1" : "/proc/self/fd/2";
		cleanup_close int again = -1;

		if (!isatty(fd))
			continue;
		again = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
		if (again < 0 || dup2(again, fd) < 0)
			return error_set_errno(error, errno, "leaving the terminal");
	}
	return 0;
}

static _Noreturn void be_orchestrator(struct launch *launch, pid_t launcher)
{
	struct error *error = NULL;
	int r;

	r = launch->accounts.separate ? leave_terminal(&error) : 0;
	/* Who starts sandboxes in it without being root has to be in it. */
	if (r == 0 && cgroup_delegation_enter(&launch->cgroup) < 0)
		r = error_set(&error, EPERM, "cgroup %s cannot be entered", launch->cgroup.name);
	if (r == 0)
		r = accounts_become(&launch->accounts, launch->accounts.orchestrator, &error);
	/* After the change of uid, which would clear it; who died before that is looked for. */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = error_set_errno(&error, errno, "PR_SET_PDEATHSIG");
	if (getppid() != launcher)
		_exit(EXIT_INFRASTRUCTURE);
	if (r == 0)
		r = watch_signals(&launch->part.sandbox.cancel_fd, &error);
	if (r == 0)
		r = launch->row->run(&launch->part, &error);
	if (r < 0 && launch->part.results && !launch->part.results->failed)
		results_add(&launch->part, &launch->part.package, NULL, error);
	r = r < 0 ? report(launch->part.log, error) : launch->part.exit_status;
	(void)fflush(NULL);
	_exit(r);
}

/* Marks a reaped helper as gone: its pid may be another's by now. True if it was one. */
static bool forget_helper(struct launch *launch, pid_t pid)
{
	pid_t *const helpers[] = { &launch->signer, &launch->installer, &launch->depmod };

	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		if (*helpers[i] == pid) {
			*helpers[i] = 0;
			return true;
		}
	}
	return false;
}

/* A process that is ours and no helper ends. */
static unsigned end_leftover(const struct launch *launch, pid_t pid)
{
	siginfo_t info;

	/* ECHILD: no child of ours, whatever /proc says. */
	if (pid <= 0 || pid == launch->signer || pid == launch->installer ||
	    pid == launch->depmod ||
	    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return 0;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return 1;
}

/*
 * What a taken-over orchestrator left running has become our child (PR_SET_CHILD_SUBREAPER): it
 * ends here, since PDEATHSIG is not inherited. Children of what is killed are found by the next
 * pass. (/proc/thread-self/children would need CONFIG_PROC_CHILDREN.)
 */
static void end_leftovers(const struct launch *launch)
{
	unsigned found = 1;

	for (unsigned pass = 0; found > 0 && pass < LEFTOVER_PASSES; pass++) {
		cleanup_list DIR *processes = opendir("/proc");
		const struct dirent *entry;
		uint64_t pid;

		found = 0;
		while (processes && (entry = readdir(processes))) {
			if (parse_u64(entry->d_name, INT_MAX, &pid) == 0)
				found += end_leftover(launch, (pid_t)pid);
		}
	}
	if (found > 0)
		log_warning(launch->part.log, "processes of this run are left that cannot be "
					      "killed fast enough");
}

/* The orchestrator's end is the end; the others see their sockets close and leave. */
static int await_all(struct launch *launch)
{
	const pid_t *const helpers[] = { &launch->signer, &launch->installer, &launch->depmod };
	int code = EXIT_INFRASTRUCTURE;
	sigset_t signals;

	launch_interruptions(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	while (launch->orchestrator > 0) {
		int status;
		pid_t pid;
		int number;

		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			/* With nobody at the terminal any more there is nothing to go on for. */
			if (pid == launch->terminal.relay)
				(void)kill(launch->orchestrator, SIGTERM);
			if (forget_helper(launch, pid) || pid != launch->orchestrator)
				continue;
			launch->orchestrator = 0;
			code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_INFRASTRUCTURE;
			if (WIFSIGNALED(status))
				log_warning(launch->part.log,
					    "killed by signal %d before the end: see kmodbox "
					    "status, then run the command again",
					    WTERMSIG(status));
		}
		if (launch->orchestrator <= 0)
			break;
		number = sigwaitinfo(&signals, NULL);
		if (number > 0 && number != SIGCHLD)
			(void)kill(launch->orchestrator, number);
	}
	terminal_finish(&launch->terminal);
	end_leftovers(launch);
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		while (*helpers[i] > 0 && waitpid(*helpers[i], NULL, 0) < 0 && errno == EINTR)
			;
	}
	return code;
}

static void close_all(struct launch *launch)
{
	struct orchestrator *part = &launch->part;

	part->signer = close_fd(part->signer);
	part->installer = close_fd(part->installer);
	part->given_source_fd = close_fd(part->given_source_fd);
	part->archive_fd = close_fd(part->archive_fd);
	part->unpack_fd = close_fd(part->unpack_fd);
	part->cache_fd = close_fd(part->cache_fd);
	part->terminal_fd = close_fd(part->terminal_fd);
	part->terminal_socket = close_fd(part->terminal_socket);
	slot_clear(&part->sandbox.slot);
	packages_close(part->packages, part->package_count);
	places_close(&part->places);
	targets_clear(part->targets, part->target_count);
	loaded_profile_clear(&part->profile);
	free(part->shown_dkms_tree);
	free(part->shown_source_tree);
	free(part->shown_source);
	free(part->scratch_place);
	free(part->build_environment);
	free(launch->depmod_tree);
}

/* A package of many modules is that many memfds, twice. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The last that can fail before the orchestrator starts: where that does not, the relay just ends.
 */
static int open_terminal(struct launch *launch, struct error **error)
{
	struct orchestrator *part = &launch->part;

	if (launch->row->verb != VERB_SHELL)
		return 0;
	if (terminal_is_there())
		return terminal_start(&launch->accounts, &launch->terminal, &part->terminal_fd,
				      &part->terminal_socket, error);
	if (part->options->command)
		return 0;
	return error_refuse(error, EXIT_USAGE, ENOTTY,
			    "shell: standard input and output are no terminal; give a command "
			    "behind '--', as in kmodbox shell MODULE/VERSION -- make");
}

static int prepare(struct launch *launch, struct error **error)
{
	sigset_t signals;
	int r;

	raise_descriptor_limit();
	/* From here on a signal waits until await_all() or the orchestrator looks at it. */
	launch_interruptions(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return error_set_errno(error, errno, "sigprocmask");
	(void)umask(022);
	r = accounts_choose(&launch->accounts, error);
	if (r == 0)
		r = places_open(launch->part.options, changes_something(launch->row->verb),
				&launch->part.places, error);
	if (r == 0)
		r = targets_load(launch->row, launch->part.options, &launch->part.places,
				 &launch->part.targets, &launch->part.target_count, error);
	if (r == 0)
		r = open_sources(launch, error);
	if (r == 0)
		r = open_packages(launch, error);
	if (r == 0)
		r = read_environment(launch, error);
	if (r == 0)
		r = helper_open_program("kmodbox-unpack", &launch->part.unpack_fd, error);
	if (r == 0)
		r = load_profile(launch, error);
	if (r == 0)
		r = make_slot(launch, error);
	if (r == 0)
		make_cgroup(launch);
	if (r == 0)
		r = stage_view(launch, error);
	if (r == 0)
		r = show_checkout(launch, error);
	if (r == 0)
		r = open_terminal(launch, error);
	return r < 0 ? r : launch_helpers(launch, error);
}

int launch(const struct verb_row *row, const struct options *options, const char *only,
	   struct results *results, const struct log *log)
{
	struct launch state = {
		.row = row,
		.part = { .options = options,
			  .only = only,
			  .results = results,
			  .log = log,
			  .places = PLACES_INITIAL,
			  .package = { .source_fd = -1 },
			  .given_source_fd = -1,
			  .archive_fd = -1,
			  .signer = -1,
			  .installer = -1,
			  .unpack_fd = -1,
			  .cache_fd = -1,
			  .terminal_fd = -1,
			  .terminal_socket = -1,
			  .sandbox = SANDBOX_SPEC_INITIAL },
		.signer_side = -1,
		.installer_side = -1,
		.terminal = TERMINAL_INITIAL,
		.cgroup = CGROUP_DELEGATION_NONE,
	};
	cleanup_error struct error *error = NULL;
	pid_t launcher = getpid();
	int code;

	/* What we read of keys and approvals is nobody's to look at through /proc. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* For end_leftovers(). */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (prepare(&state, &error) < 0) {
		results_add(&state.part, &state.part.package, NULL, error);
		code = state.told ? error_code(error) : report(log, error);
	} else {
		(void)fflush(NULL);
		state.orchestrator = fork();
		if (state.orchestrator == 0)
			be_orchestrator(&state, launcher);
		if (state.orchestrator < 0)
			log_warning(log, "cannot start the orchestrator: %s", strerror(errno));
		code = EXIT_INFRASTRUCTURE;
	}
	close_all(&state);
	if (state.orchestrator > 0)
		code = await_all(&state);
	cgroup_delegation_end(&state.cgroup);
	return code;
}
