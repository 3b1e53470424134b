/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-installer: the only writer of trusted state. It is started by root's launcher, which
 * opens every tree and key and fixes by --verb what may be asked; the requests come from the
 * orchestrator, which may have been taken over. What is allowed when is the table below, after
 * OpenSSH's monitor.c. It runs no program, parses nothing of a module's author but the listing of a
 * source tree, and gives up every capability before the first request.
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "installer/installer.h"
#include "lib/recipes/snapshot.h"

enum { IDLE = 1, ADDING = 2, PUBLISHING = 4 };
enum { NO_TARGET, VERSION, KERNEL };
/* What a run is for. ADDED: to build and install whatever is added, but to add nothing. */
enum {
	ADD = 1,
	BUILD = 2,
	INSTALL = 4,
	ADDED = 8,
	UNINSTALL = 16,
	UNBUILD = 32,
	REMOVE = 64,
	TARBALL = 128,
	LOAD = 256,
	ADDS = ADD | BUILD | INSTALL | LOAD,
	BUILDS = BUILD | INSTALL | ADDED,
	PUBLISHES = BUILDS | LOAD,
};

static const struct {
	const char *name;
	uint32_t verb;
} verbs[] = {
	{ "add", ADD },		  { "build", BUILD },
	{ "install", INSTALL },	  { "uninstall", UNINSTALL },
	{ "unbuild", UNBUILD },	  { "remove", REMOVE },
	{ "match", ADDED },	  { "autoinstall", ADDED },
	{ "mktarball", TARBALL }, { "ldtarball", LOAD },
};

#define TARGET sizeof(struct installer_target)
#define FILE_NAME sizeof(struct installer_file)

static int handle(void *context, int socket, struct message *message, struct error **error);

static const struct request {
	struct message_rule rule;
	uint32_t verbs; /* in which runs it may be asked */
	uint32_t after; /* state: IDLE ends a request of several steps, as any refusal does */
	int target;	/* of its struct installer_target, what is used */
	unsigned trees; /* what every run that may ask it must be able to write to */
	bool counts;	/* the answer is a struct installer_installed */
	installer_function *perform;
} requests[] = {
	/* clang-format off */
	{ { INSTALLER_ADD, "add", IDLE, sizeof(struct installer_add), 1, SNAPSHOT_BYTES, handle },
	  ADDS, ADDING, VERSION, 0, false, source_add },
	{ { INSTALLER_ADD_FILE, "add-file", ADDING, FILE_NAME, 0, 0, handle },
	  ADDS, ADDING, NO_TARGET, 0, false, source_add_file },
	{ { INSTALLER_ADD_COMMIT, "add-commit", ADDING, 0, 0, 0, handle },
	  ADDS, IDLE, NO_TARGET, 0, false, source_add_commit },
	{ { INSTALLER_PUBLISH, "publish", IDLE, TARGET, 1, TICKET_MAXIMUM, handle },
	  PUBLISHES, PUBLISHING, KERNEL, 1u << TREE_LEDGER, false, build_publish },
	{ { INSTALLER_PUBLISH_FILE, "publish-file", PUBLISHING, FILE_NAME, 1,
	    BUILD_MODULE_MAXIMUM, handle },
	  PUBLISHES, PUBLISHING, NO_TARGET, 0, false, build_publish_file },
	{ { INSTALLER_PUBLISH_DATA, "publish-data", PUBLISHING, FILE_NAME, 1,
	    INSTALLER_DATA_MAXIMUM, handle },
	  PUBLISHES, PUBLISHING, NO_TARGET, 0, false, build_publish_data },
	{ { INSTALLER_PUBLISH_COMMIT, "publish-commit", PUBLISHING, 0, 2, BUILD_LOG_MAXIMUM,
	    handle }, PUBLISHES, IDLE, NO_TARGET, 0, false, build_publish_commit },
	{ { INSTALLER_FAILED_LOG, "failed-log", IDLE, TARGET, 2, BUILD_LOG_MAXIMUM, handle },
	  BUILDS, IDLE, VERSION, 0, false, build_failed_log },
	{ { INSTALLER_INSTALL, "install", IDLE, TARGET, 0, 0, handle },
	  INSTALL | ADDED, IDLE, KERNEL, 1u << TREE_INSTALL, true, module_install },
	{ { INSTALLER_UNINSTALL, "uninstall", IDLE, TARGET, 0, 0, handle },
	  UNINSTALL | UNBUILD | REMOVE, IDLE, KERNEL, 0, true, module_uninstall },
	{ { INSTALLER_UNBUILD, "unbuild", IDLE, TARGET, 0, 0, handle },
	  UNBUILD | REMOVE, IDLE, KERNEL, 0, false, build_unbuild },
	{ { INSTALLER_REMOVE, "remove", IDLE, TARGET, 0, 0, handle },
	  REMOVE, IDLE, VERSION, 1u << TREE_APPROVALS, false, source_remove },
	{ { INSTALLER_TARBALL, "tarball", IDLE, sizeof(struct installer_tarball), 1,
	    INSTALLER_TARBALL_MAXIMUM, handle }, TARBALL, IDLE, VERSION, 0, false, source_tarball },
	/* clang-format on */
};

static int handle(void *context, int socket, struct message *message, struct error **error)
{
	struct installer *installer = context;
	const struct request *request = requests;
	int r = trees_require_writable(&installer->trees, installer->trees_needed, error);

	installer->installed = (struct installer_installed){ 0 };
	while (request->rule.type != message->type) /* message_serve() found it in the rules */
		request++;
	if (r == 0 && request->target != NO_TARGET) {
		memcpy(&installer->target, message->payload, sizeof(installer->target));
		r = installer_check_target(installer, request->target == KERNEL, error);
	}
	if (r == 0)
		r = request->perform(installer, message, error);
	installer->state = r < 0 ? IDLE : request->after;
	if (installer->state == IDLE)
		installer_reset(installer);
	if (r < 0 && error_code(*error) == 0)
		error_set_code(*error,
			       request->counts ? EXIT_INSTALL_ABORTED : EXIT_INFRASTRUCTURE);
	if (r < 0)
		return r;
	return message_reply(socket, &installer->installed,
			     request->counts ? sizeof(installer->installed) : 0, NULL, 0, error);
}

static int serve(struct installer *installer, int socket, uint32_t verb, struct error **error)
{
	struct message_rule rules[ARRAY_SIZE(requests)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].verbs & verb) {
			rules[count++] = requests[i].rule;
			installer->trees_needed |= requests[i].trees;
		}
	installer->state = IDLE;
	return message_serve(socket, rules, count, &installer->state, installer, error);
}

/* As measured by the tests, and what the C library may choose instead. */
/* clang-format off */
static const char *const allowed_calls[] = {
	"brk", "clock_gettime", "close", "exit", "exit_group", "faccessat", "fchmod", "fcntl",
	"flock",
	"fstat", "fsync", "futex", "getdents64", "getpid", "getrandom", "linkat", "lseek",
	"madvise", "memfd_create", "mkdirat", "mremap", "munmap", "newfstatat", "openat",
	"openat2", "pread64", "read", "readlinkat", "recvmsg", "renameat", "sigaltstack",
	"rt_sigreturn", "sendmsg", "symlinkat", "syncfs", "unlinkat", "utimensat", "write",
	"restart_syscall",
};
/* clang-format on */

static int filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed_calls); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     seccomp_syscall_resolve_name(allowed_calls[i]), 0);
	/* Memory, but none that could be run. */
	for (size_t i = 0; r == 0 && i < 2; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     i == 0 ? SCMP_SYS(mmap) : SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

static int lock_down(struct error **error)
{
	struct digest digest;
	cap_t none = cap_init();
	/* Root writes root's trees as their owner: not one capability is needed for that. */
	int r = none && cap_set_proc(none) == 0 ? 0 : -errno;

	if (none)
		(void)cap_free(none);
	if (r < 0)
		return error_set_errno(error, -r, "cannot give up the capabilities");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "cannot lock the installer down");
	(void)umask(022);
	/* libcrypto reads its configuration now: afterwards nothing could be loaded. */
	r = digest_bytes("", 0, &digest, error);
	if (r < 0)
		return r;
	r = filter_calls();
	return r < 0 ? error_set_errno(error, -r, "cannot filter the installer's system calls") : 0;
}

enum option_number {
	OPTION_SOCKET = TREE_COUNT, /* below: the trees, by number */
	OPTION_KEY,
	OPTION_DEPMOD,
	OPTION_READY, /* closed when the trees are locked and recovered, or never will be */
	OPTION_VERB,  /* from here on no descriptors */
	OPTION_PACKAGES,
	OPTION_KERNELS,
	OPTION_MAY_FORCE,
	OPTION_MAY_WRITE_SOURCE,
	OPTION_COUNT,
};
static const struct option long_options[] = {
	/* PATH=FD, the path as root calls it. */
	{ "dkms-tree", required_argument, NULL, TREE_DKMS },
	{ "source-tree", required_argument, NULL, TREE_SOURCE },
	{ "install-tree", required_argument, NULL, TREE_INSTALL },
	{ "approvals", required_argument, NULL, TREE_APPROVALS },
	{ "ledger", required_argument, NULL, TREE_LEDGER },
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "ticket-key", required_argument, NULL, OPTION_KEY },
	{ "depmod", required_argument, NULL, OPTION_DEPMOD },
	{ "ready", required_argument, NULL, OPTION_READY },
	{ "verb", required_argument, NULL, OPTION_VERB },
	/* What the run is about: nothing else may be asked for. See installer.h. */
	{ "packages", required_argument, NULL, OPTION_PACKAGES },
	{ "kernels", required_argument, NULL, OPTION_KERNELS },
	{ "may-force", no_argument, NULL, OPTION_MAY_FORCE },
	{ "may-write-source", no_argument, NULL, OPTION_MAY_WRITE_SOURCE },
	{ 0 },
};

struct arguments {
	int fds[OPTION_VERB]; /* -1: not given */
	const char *texts[OPTION_COUNT];
	uint32_t verb;
};

static int parse_arguments(int argc, char **argv, struct arguments *arguments, struct error **error)
{
	bool missing = false;
	uint64_t value;
	int option;

	for (size_t i = 0; i < ARRAY_SIZE(arguments->fds); i++)
		arguments->fds[i] = -1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		char *equals = option < TREE_COUNT ? strrchr(optarg, '=') : NULL;
		const char *number = equals ? equals + 1 : optarg;

		if (option == '?' || (option < TREE_COUNT && !equals))
			return error_set(error, EINVAL, "unknown option, or a tree without path");
		if (equals)
			*equals = '\0';
		arguments->texts[option] = optarg ? optarg : "yes";
		if (option >= OPTION_VERB || string_equal(number, "-1"))
			continue;
		if (parse_u64(number, INT_MAX, &value) < 0 ||
		    fcntl((int)value, F_SETFD, FD_CLOEXEC) < 0)
			return error_set(error, EBADF, "'%s' is no open descriptor", number);
		arguments->fds[option] = (int)value;
	}
	for (size_t i = 0; arguments->texts[OPTION_VERB] && i < ARRAY_SIZE(verbs); i++)
		if (string_equal(verbs[i].name, arguments->texts[OPTION_VERB]))
			arguments->verb = verbs[i].verb;
	for (int i = 0; i <= OPTION_SOCKET; i++)
		missing = missing || arguments->fds[i] < 0;
	return optind < argc || !arguments->verb || missing
		       ? error_set(error, EINVAL, "--socket, --verb and all trees are needed")
		       : 0;
}

static int prepare(struct installer *installer, const struct arguments *arguments,
		   uint8_t key[static 32], struct error **error)
{
	int r;

	installer->directory_fd = installer->file_fd = -1;
	installer->depmod_socket = arguments->fds[OPTION_DEPMOD];
	for (int i = 0; i < TREE_COUNT; i++) {
		installer->trees.fds[i] = arguments->fds[i];
		installer->trees.paths[i] = arguments->texts[i];
	}
	installer->only_packages = arguments->texts[OPTION_PACKAGES];
	installer->only_kernels = arguments->texts[OPTION_KERNELS];
	installer->may_approve_anew = arguments->verb & (ADD | LOAD);
	installer->may_force = arguments->texts[OPTION_MAY_FORCE];
	installer->may_write_source = arguments->texts[OPTION_MAY_WRITE_SOURCE];
	if (arguments->fds[OPTION_KEY] >= 0) {
		if (pread(arguments->fds[OPTION_KEY], key, 32, 0) != 32)
			return error_set(error, EINVAL, "the ticket key is not of 32 bytes");
		installer->key = key;
	}
	r = trees_lock(&installer->trees, error);
	/* Who waited for another kmodbox ended with the launcher; who has begun finishes. */
	(void)prctl(PR_SET_PDEATHSIG, 0);
	r = r < 0 ? r : lock_down(error);
	return r < 0 ? r : trees_open(&installer->trees, error);
}

static int report(struct error *error)
{
	cleanup_free char *text = error_describe(error);

	(void)fprintf(stderr, "kmodbox-installer: %s\n", text ? text : "out of memory");
	(void)error_free(error);
	return EXIT_INFRASTRUCTURE;
}

int main(int argc, char **argv)
{
	struct installer installer = { .trees = { .lock_fd = -1 } };
	struct arguments arguments = { 0 };
	struct error *error = NULL;
	uint8_t key[32];
	int r;

	if (parse_arguments(argc, argv, &arguments, &error) < 0)
		return report(error);
	r = prepare(&installer, &arguments, key, &error);
	(void)close_fd(arguments.fds[OPTION_READY]);
	if (r < 0) {
		/* Whoever asks first is told why nothing can be done. */
		cleanup_message struct message message = { .fd_count = 0 };

		if (message_receive(arguments.fds[OPTION_SOCKET], &message, NULL) == 0 &&
		    message_reply_error(arguments.fds[OPTION_SOCKET], error) == 0)
			_exit(EXIT_INFRASTRUCTURE);
		_exit(report(error));
	}
	r = serve(&installer, arguments.fds[OPTION_SOCKET], arguments.verb, &error);
	installer_reset(&installer);
	trees_close(&installer.trees);
	_exit(r < 0 ? report(error)
		    : 0); /* what runs at exit is written for processes that may do everything */
}
