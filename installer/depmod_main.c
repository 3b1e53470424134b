/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-depmod: makes the module index for the installer. depmod(8) parses every module of a
 * tree, so it runs in a sandbox: it sees the tree as it will be after the installation, as a
 * directory of links into a read-only INSTALLTREE/K and the installer's stage, and what it leaves
 * there is collected like any foreign file. Holds no capability and no trusted descriptor itself.
 */
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "installer/depmod_protocol.h"
#include "installer/transaction.h"
#include "lib/artifacts/collect.h"
#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "sandbox/sandbox.h"

#define DEPTH 32
#define OUTPUT_MAXIMUM 4096u
#define SEEN_TREE "/kmodbox/tree"   /* INSTALLTREE/K */
#define SEEN_LAYER "/kmodbox/layer" /* what the installer adds and removes */
#define SEEN_OUT "/kmodbox/out"

enum { IDLE = 1, DONE = 2 };

struct depmod {
	const char *install_tree;
	struct slot slot;
	unsigned optional; /* layers of its sandbox that may be absent */
	struct seccomp_program program;
	uint32_t state;
	struct artifact artifacts[ARRAY_SIZE(depmod_files)];
	const char *names[ARRAY_SIZE(depmod_files)];
	uint32_t count;
};

/* One run. */
struct view {
	char kernel[TICKET_NAME];
	int tree_fd;
	int layer_fd;
	struct text output;
};

static void view_clear(struct view *view)
{
	view->tree_fd = close_fd(view->tree_fd);
	view->layer_fd = close_fd(view->layer_fd);
	text_clear(&view->output);
}

/* modules.order and modules.builtin* are read, all other modules.* are what depmod makes. */
static bool is_skipped(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(depmod_files); i++)
		if (string_equal(name, depmod_files[i]))
			return true;
	return string_equal(name, "build") || string_equal(name, "source");
}

static int link_directory(int tree_fd, int layer_fd, int out_fd, const char *path, unsigned depth,
			  struct error **error);

/* One name; a regular file or directory of the layer wins, a link there says that it is gone. */
static int link_entry(int tree_fd, int layer_fd, int out_fd, const char *path, const char *name,
		      unsigned depth, struct error **error)
{
	cleanup_close int tree_below = -1, layer_below = -1, out_below = -1;
	cleanup_free char *target = NULL;
	struct stat tree, layer;
	bool in_tree = tree_fd >= 0 && fstatat(tree_fd, name, &tree, AT_SYMLINK_NOFOLLOW) == 0;
	bool in_layer = layer_fd >= 0 && fstatat(layer_fd, name, &layer, AT_SYMLINK_NOFOLLOW) == 0;
	int r;

	if (in_layer && !S_ISREG(layer.st_mode) && !S_ISDIR(layer.st_mode))
		return 0;
	if (!(in_tree && S_ISDIR(tree.st_mode)) && !(in_layer && S_ISDIR(layer.st_mode))) {
		target = format_string("%s%s/%s", in_layer ? SEEN_LAYER : SEEN_TREE, path, name);
		if (!target)
			return error_set(error, ENOMEM, "out of memory");
		if (symlinkat(target, out_fd, name) < 0 && errno != EEXIST)
			return path_error(error, errno, "cannot link", name);
		return 0;
	}
	target = format_string("%s/%s", path, name);
	if (!target || depth == 0)
		return error_set(error, ELOOP, "the directories of the kernel are too deep");
	if (mkdirat(out_fd, name, 0755) < 0)
		return errno == EEXIST ? 0 : path_error(error, errno, "cannot make", name);
	r = open_beneath(out_fd, name, O_RDONLY | O_DIRECTORY, 0, &out_below, error);
	if (r == 0 && in_tree && S_ISDIR(tree.st_mode))
		r = open_beneath(tree_fd, name, O_RDONLY | O_DIRECTORY, 0, &tree_below, error);
	if (r == 0 && in_layer && S_ISDIR(layer.st_mode))
		r = open_beneath(layer_fd, name, O_RDONLY | O_DIRECTORY, 0, &layer_below, error);
	return r < 0 ? r
		     : link_directory(tree_below, layer_below, out_below, target, depth - 1, error);
}

/* Overlayfs would do the same, but not every host lets a user namespace mount it. */
static int link_directory(int tree_fd, int layer_fd, int out_fd, const char *path, unsigned depth,
			  struct error **error)
{
	const int fds[] = { tree_fd, layer_fd };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fds); i++) {
		int copy =
			fds[i] < 0 ? -1 : openat(fds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *directory = copy >= 0 ? fdopendir(copy) : NULL;
		struct dirent *entry;

		if (fds[i] < 0)
			continue;
		if (!directory) {
			(void)close_fd(copy);
			return error_set_errno(error, errno, "cannot read the kernel's modules");
		}
		while (r == 0 && (entry = readdir(directory)))
			if (entry->d_name[0] != '.' && (*path || !is_skipped(entry->d_name)))
				r = link_entry(tree_fd, layer_fd, out_fd, path, entry->d_name,
					       depth, error);
		(void)closedir(directory);
	}
	return r;
}

/* In the sandbox, before depmod: usr/lib/modules/K and lib -> usr/lib, for whatever it looks for.
 */
static int fill(void *context, int directory_fd, struct error **error)
{
	const struct view *view = context;
	cleanup_close int out_fd = -1;
	char path[TICKET_NAME + 32];
	int r;

	(void)snprintf(path, sizeof(path), "usr/lib/modules/%s", view->kernel);
	r = make_directories(directory_fd, path, 0755, error);
	if (r == 0)
		r = open_beneath(directory_fd, path, O_RDONLY | O_DIRECTORY, 0, &out_fd, error);
	if (r == 0 && symlinkat("usr/lib", directory_fd, "lib") < 0)
		r = error_set_errno(error, errno, "cannot link lib");
	return r < 0 ? r : link_directory(view->tree_fd, view->layer_fd, out_fd, "", DEPTH, error);
}

static void note_output(void *context, const void *bytes, size_t length)
{
	struct text *output = context;

	if (output->length < OUTPUT_MAXIMUM)
		(void)!text_append_sanitised(
			output, bytes, length < OUTPUT_MAXIMUM ? length : OUTPUT_MAXIMUM, false);
}

static const char *find_program(void)
{
	static const char *const places[] = { "/usr/sbin/depmod", "/sbin/depmod",
					      "/usr/bin/depmod" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

static int collect(struct depmod *depmod, const struct view *view,
		   const struct sandbox_result *result, struct error **error)
{
	cleanup_free char *how = sandbox_result_describe(result);
	char path[TICKET_NAME + 64];

	if (result->end != SANDBOX_EXITED || result->status != 0)
		return error_set(error, EIO, "depmod %s: %s", how ? how : "failed",
				 view->output.data ? view->output.data : "it said nothing");
	for (size_t i = 0; i < ARRAY_SIZE(depmod_files); i++) {
		cleanup_error struct error *reason = NULL;
		int r;

		(void)snprintf(path, sizeof(path), "usr/lib/modules/%s/%s", view->kernel,
			       depmod_files[i]);
		r = collect_file(result->tree_fds[0], path, DEPMOD_FILE_MAXIMUM,
				 &depmod->artifacts[depmod->count], &reason);
		if (r == -ENOENT)
			continue; /* not every version makes every file */
		if (r < 0) {
			*error = TAKE_PTR(reason);
			return r;
		}
		depmod->names[depmod->count++] = depmod_files[i];
	}
	return 0;
}

static int run_sandbox(struct depmod *depmod, struct view *view, const char *tree,
		       const char *layer, struct error **error)
{
	static const char *const environment[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
						   NULL };
	static const char *const settings[] = { "/etc/depmod.d", "/run/depmod.d" };
	const char *argv[] = { find_program(), "-a", "-b", SEEN_OUT, view->kernel, NULL };
	struct sandbox_mount mounts[2 + ARRAY_SIZE(settings)] = {
		{ .source = tree, .target = SEEN_TREE }, { .source = layer, .target = SEEN_LAYER }
	};
	struct sandbox_tree out = {
		.path = SEEN_OUT, .writable = true, .fill = fill, .context = view
	};
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	struct sandbox_result result;
	int r;

	if (!argv[0])
		return error_set(error, ENOENT, "there is no depmod on this system; install kmod");
	spec.argv = argv;
	spec.environment = environment;
	spec.slot = depmod->slot;
	spec.mounts = mounts;
	spec.mount_count = 2;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (access(settings[i], R_OK | X_OK) == 0)
			mounts[spec.mount_count++] =
				(struct sandbox_mount){ .source = settings[i],
							.target = settings[i] };
	spec.trees = &out;
	spec.tree_count = 1;
	spec.limits.wall_milliseconds = 600 * 1000;
	spec.limits.cpu_seconds = 300;
	spec.seccomp = &depmod->program;
	/* Its uid is another than that of who may make cgroups in this run's. */
	spec.optional = depmod->optional | SANDBOX_OPTIONAL_CGROUP;
	spec.output = note_output;
	spec.output_context = &view->output;
	r = sandbox_run(&spec, &result, error);
	if (r < 0)
		return r;
	r = collect(depmod, view, &result, error);
	sandbox_result_clear(&result);
	return r;
}

static void forget(struct depmod *depmod)
{
	for (uint32_t i = 0; i < depmod->count; i++)
		artifact_clear(&depmod->artifacts[i]);
	depmod->count = 0;
}

static int handle_run(void *context, int socket, struct message *message, struct error **error)
{
	struct depmod *depmod = context;
	cleanup(view_clear) struct view view = { .tree_fd = -1, .layer_fd = -1 };
	cleanup_free char *tree = NULL, *layer = NULL;
	struct depmod_done done;
	struct depmod_run run;
	int r;

	memcpy(&run, message->payload, sizeof(run));
	forget(depmod);
	if (!MESSAGE_STRING_IS_VALID(run.kernel) || !name_is_safe(run.kernel) ||
	    !MESSAGE_STRING_IS_VALID(run.stage) || !name_is_safe(run.stage))
		return error_set(error, EINVAL, "not a kernel and a stage");
	memcpy(view.kernel, run.kernel, sizeof(view.kernel));
	tree = format_string("%s/%s", depmod->install_tree, run.kernel);
	layer = format_string("%s/" INSTALL_STAGE "/%s/layer", depmod->install_tree, run.stage);
	if (!tree || !layer)
		return error_set(error, ENOMEM, "out of memory");
	view.tree_fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (view.tree_fd >= 0)
		view.layer_fd = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (view.layer_fd < 0)
		return error_set_errno(error, errno, "cannot read %s",
				       view.tree_fd < 0 ? tree : layer);
	r = run_sandbox(depmod, &view, tree, layer, error);
	if (r < 0)
		return r;
	depmod->state = DONE;
	done.count = depmod->count;
	return message_reply(socket, &done, sizeof(done), NULL, 0, error);
}

static int handle_fetch(void *context, int socket, struct message *message, struct error **error)
{
	struct depmod *depmod = context;
	struct depmod_file file = { 0 };
	struct depmod_fetch fetch;

	memcpy(&fetch, message->payload, sizeof(fetch));
	if (fetch.index >= depmod->count)
		return error_set(error, EINVAL, "there is no such file");
	(void)snprintf(file.name, sizeof(file.name), "%s", depmod->names[fetch.index]);
	return message_reply(socket, &file, sizeof(file), &depmod->artifacts[fetch.index].fd, 1,
			     error);
}

static const struct message_rule rules[] = {
	{ DEPMOD_RUN, "run", IDLE | DONE, sizeof(struct depmod_run), 0, 0, handle_run },
	{ DEPMOD_FETCH, "fetch", DONE, sizeof(struct depmod_fetch), 0, 0, handle_fetch },
};

static int drop_root(uint64_t uid, struct error **error)
{
	uid_t id = (uid_t)uid;

	if (geteuid() == 0 && uid != 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0))
		return error_set_errno(error, errno, "cannot become uid %u", id);
	/* Behind the change of uids, which sets it anew: PR_SET_DUMPABLE(2const). */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "cannot become non-dumpable");
	return 0;
}

static int parse_arguments(int argc, char **argv, struct depmod *depmod, int *ret_socket,
			   int *ret_profile, uint64_t *ret_uid, struct error **error)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "install-tree", required_argument, NULL, 'i' },
		{ "profile", required_argument, NULL, 'p' },
		{ "userns", required_argument, NULL, 'n' },
		{ "netns", required_argument, NULL, 'w' },
		{ "uid", required_argument, NULL, 'u' },
		{ "optional", required_argument, NULL, 'o' },
		{ 0 },
	};
	uint64_t value;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == '?')
			return error_set(error, EINVAL, "unknown option");
		if (option == 'i') {
			depmod->install_tree = optarg;
			continue;
		}
		if (string_equal(optarg, "-1"))
			continue;
		if (parse_u64(optarg, option == 'u' ? UINT32_MAX - 1 : INT_MAX, &value) < 0 ||
		    (option != 'u' && option != 'o' && fcntl((int)value, F_SETFD, FD_CLOEXEC) < 0))
			return error_set(error, EINVAL, "'%s' cannot be used here", optarg);
		if (option == 'u')
			*ret_uid = value;
		else if (option == 'o')
			depmod->optional = (unsigned)value;
		else
			*(option == 's'	  ? ret_socket
			  : option == 'p' ? ret_profile
			  : option == 'w' ? &depmod->slot.netns_fd
					  : &depmod->slot.userns_fd) = (int)value;
	}
	if (optind < argc || *ret_socket < 0 || *ret_profile < 0 || !depmod->install_tree ||
	    depmod->install_tree[0] != '/')
		return error_set(error, EINVAL,
				 "--socket, --profile and an absolute --install-tree are needed");
	return 0;
}

int main(int argc, char **argv)
{
	struct depmod depmod = { .slot = SLOT_NONE, .state = IDLE };
	cleanup_error struct error *error = NULL;
	cleanup_free char *description = NULL;
	cleanup_text struct text profile = { 0 };
	int socket = -1, profile_fd = -1, r;
	uint64_t uid = 0;

	(void)umask(022);
	r = parse_arguments(argc, argv, &depmod, &socket, &profile_fd, &uid, &error);
	depmod.slot.by_root = depmod.slot.userns_fd >= 0;
	if (r == 0)
		r = read_fd(profile_fd, 1 << 20, &profile, &error);
	if (r == 0)
		r = seccomp_compile("profile", profile.data, profile.length, &depmod.program,
				    &error);
	if (r == 0)
		r = drop_root(uid, &error);
	if (r == 0)
		r = message_serve(socket, rules, ARRAY_SIZE(rules), &depmod.state, &depmod, &error);
	forget(&depmod);
	seccomp_program_clear(&depmod.program);
	if (r == 0)
		return 0;
	description = error_describe(error);
	(void)fprintf(stderr, "kmodbox-depmod: %s\n", description ? description : "out of memory");
	return EXIT_INFRASTRUCTURE;
}
