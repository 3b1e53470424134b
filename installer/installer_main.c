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
	BUILDS = BUILD | INSTALL | ADDED | LOAD,
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

static const struct request {
	uint32_t type;
	const char *name;
	uint32_t verbs;	 /* in which runs it may be asked */
	uint32_t before; /* in which state, and in which it leaves the conversation */
	uint32_t after;	 /* IDLE ends a request of several steps, as any refusal does */
	size_t length;
	size_t fd_count;
	uint64_t fd_maximum;
	enum {
		NO_TARGET,
		VERSION,
		KERNEL
	} target;    /* of its struct installer_target, what is used */
	bool counts; /* the answer is a struct installer_installed */
	installer_function *perform;
} requests[] = {
	{ INSTALLER_ADD, "add", ADDS, IDLE, ADDING, sizeof(struct installer_add), 1, SNAPSHOT_BYTES,
	  NO_TARGET, false, source_add },
	{ INSTALLER_ADD_FILE, "add-file", ADDS, ADDING, ADDING, FILE_NAME, 0, 0, NO_TARGET, false,
	  source_add_file },
	{ INSTALLER_ADD_COMMIT, "add-commit", ADDS, ADDING, IDLE, 0, 0, 0, NO_TARGET, false,
	  source_add_commit },
	{ INSTALLER_PUBLISH, "publish", BUILDS, IDLE, PUBLISHING, TARGET, 1, TICKET_MAXIMUM, KERNEL,
	  false, build_publish },
	{ INSTALLER_PUBLISH_FILE, "publish-file", BUILDS, PUBLISHING, PUBLISHING, FILE_NAME, 1,
	  INSTALLER_MODULE_MAXIMUM, NO_TARGET, false, build_publish_file },
	{ INSTALLER_PUBLISH_DATA, "publish-data", BUILDS, PUBLISHING, PUBLISHING, FILE_NAME, 1,
	  INSTALLER_DATA_MAXIMUM, NO_TARGET, false, build_publish_data },
	{ INSTALLER_PUBLISH_COMMIT, "publish-commit", BUILDS, PUBLISHING, IDLE, 0, 2,
	  INSTALLER_LOG_MAXIMUM, NO_TARGET, false, build_publish_commit },
	{ INSTALLER_FAILED_LOG, "failed-log", BUILDS, IDLE, IDLE, TARGET, 1, INSTALLER_LOG_MAXIMUM,
	  VERSION, false, build_failed_log },
	{ INSTALLER_INSTALL, "install", INSTALL | ADDED, IDLE, IDLE, TARGET, 0, 0, KERNEL, true,
	  module_install },
	{ INSTALLER_UNINSTALL, "uninstall", INSTALL | ADDED | UNINSTALL | UNBUILD | REMOVE, IDLE,
	  IDLE, TARGET, 0, 0, KERNEL, true, module_uninstall },
	{ INSTALLER_UNBUILD, "unbuild", BUILDS | UNBUILD | REMOVE, IDLE, IDLE, TARGET, 0, 0, KERNEL,
	  false, build_unbuild },
	{ INSTALLER_REMOVE, "remove", REMOVE, IDLE, IDLE, TARGET, 0, 0, VERSION, false,
	  source_remove },
	{ INSTALLER_TARBALL, "tarball", TARBALL, IDLE, IDLE, sizeof(struct installer_tarball), 1,
	  INSTALLER_TARBALL_MAXIMUM, VERSION, false, source_tarball },
};

static int handle(void *context, int socket, struct message *message, struct error **error)
{
	struct installer *installer = context;
	const struct request *request = requests;
	int r = 0;

	installer->installed = (struct installer_installed){ 0 };
	while (request->type != message->type) /* message_serve() found it in the rules */
		request++;
	if (request->target != NO_TARGET) {
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
		if (requests[i].verbs & verb)
			rules[count++] = (struct message_rule){
				.type = requests[i].type,
				.name = requests[i].name,
				.states = requests[i].before,
				.length = requests[i].length,
				.fd_count = requests[i].fd_count,
				.fd_maximum = requests[i].fd_maximum,
				.handle = handle,
			};
	installer->state = IDLE;
	return message_serve(socket, rules, count, &installer->state, installer, error);
}

/* As measured by the tests, and what the C library may choose instead. */
/* clang-format off */
static const char *const allowed_calls[] = {
	"brk", "clock_gettime", "close", "exit", "exit_group", "fchmod", "fcntl", "flock",
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
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
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
	OPTION_LAST_FD = OPTION_READY,
	OPTION_VERB,
	OPTION_DKMS_PATH,
	OPTION_SOURCE_PATH,
	OPTION_INSTALL_PATH,
	OPTION_MODULE,
	OPTION_VERSION,
	OPTION_KERNELS,
	OPTION_MAY_FORCE,
	OPTION_MAY_WRITE_SOURCE,
	OPTION_COUNT,
};
static const struct option long_options[] = {
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
	{ "dkms-path", required_argument, NULL, OPTION_DKMS_PATH },
	{ "source-path", required_argument, NULL, OPTION_SOURCE_PATH },
	{ "install-path", required_argument, NULL, OPTION_INSTALL_PATH },
	/* What the run is about: nothing else may be asked for. */
	{ "module", required_argument, NULL, OPTION_MODULE },
	{ "version", required_argument, NULL, OPTION_VERSION },
	{ "kernels", required_argument, NULL, OPTION_KERNELS }, /* "/6.1.0-1-amd64/6.12.1/" */
	{ "may-force", no_argument, NULL, OPTION_MAY_FORCE },
	{ "may-write-source", no_argument, NULL, OPTION_MAY_WRITE_SOURCE },
	{ 0 },
};

struct arguments {
	int fds[OPTION_LAST_FD + 1]; /* -1: not given */
	const char *texts[OPTION_COUNT];
	uint32_t verb;
};

static int parse_arguments(int argc, char **argv, struct arguments *arguments, struct error **error)
{
	uint64_t value;
	int option;

	for (size_t i = 0; i < ARRAY_SIZE(arguments->fds); i++)
		arguments->fds[i] = -1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		if (option == '?')
			return error_set(error, EINVAL, "unknown option");
		arguments->texts[option] = optarg ? optarg : "yes";
		if (option > OPTION_LAST_FD || string_equal(optarg, "-1"))
			continue;
		if (parse_u64(optarg, INT_MAX, &value) < 0 ||
		    fcntl((int)value, F_SETFD, FD_CLOEXEC) < 0)
			return error_set(error, EBADF, "'%s' is no open descriptor", optarg);
		arguments->fds[option] = (int)value;
	}
	for (size_t i = 0; arguments->texts[OPTION_VERB] && i < ARRAY_SIZE(verbs); i++)
		if (string_equal(verbs[i].name, arguments->texts[OPTION_VERB]))
			arguments->verb = verbs[i].verb;
	if (optind < argc || arguments->verb == 0 || arguments->fds[OPTION_SOCKET] < 0 ||
	    arguments->fds[TREE_DKMS] < 0)
		return error_set(error, EINVAL, "--socket, --verb and --dkms-tree are needed");
	return 0;
}

static int prepare(struct installer *installer, const struct arguments *arguments,
		   uint8_t key[static 32], struct error **error)
{
	int r;

	installer->directory_fd = installer->file_fd = -1;
	installer->depmod_socket = arguments->fds[OPTION_DEPMOD];
	for (int i = 0; i < TREE_COUNT; i++)
		installer->trees.fds[i] = arguments->fds[i];
	installer->trees.paths[TREE_DKMS] = arguments->texts[OPTION_DKMS_PATH];
	installer->trees.paths[TREE_SOURCE] = arguments->texts[OPTION_SOURCE_PATH];
	installer->trees.paths[TREE_INSTALL] = arguments->texts[OPTION_INSTALL_PATH];
	installer->only_module = arguments->texts[OPTION_MODULE];
	installer->only_version = arguments->texts[OPTION_VERSION];
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
	r = r < 0 ? report(error) : 0;
	_exit(r); /* what runs at exit is written for processes that may do everything */
}
