/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real kmodbox-installer, asked over a socket as the orchestrator asks it, with tickets that
 * are issued here. Every refusal has its counterpart that passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "installer/depmod_protocol.h"
#include "lib/recipes/snapshot.h"
#include "sandbox/slot.h"
#include "tests/unit/installer_support.h"
#include <sys/socket.h>

#define BUILD "demo/1/" KERNEL "/" ARCHITECTURE
#define ORIGINALS "demo/original_module/" KERNEL "/" ARCHITECTURE
#define LINK "demo/kernel-" KERNEL "-" ARCHITECTURE
#define DEPMOD_UID 2000000098u
#define SLOT_UID 2000000099u

static const struct content contents[] = { { "demo.ko.xz", "updates/dkms", "bytes of demo" },
					   { "more.ko.xz", "updates/dkms", "bytes of more" } };

struct session {
	struct world world;
	int socket;
	pid_t pid;
	int depmod_socket; /* what the next installer is given; -1: none */
};

/* ../bin/NAME beside this program's folder; opened before anything is put over it. */
static int open_program(const char *name)
{
	char path[PATH_LENGTH];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *slash;

	assert_true(length > 0);
	path[length] = '\0';
	slash = strrchr(path, '/');
	assert_non_null(slash);
	(void)snprintf(slash, 64, "/../bin/%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The child keeps these descriptors and no others. */
static pid_t spawn(const char *name, char *const *argv, const int *fds, size_t fd_count)
{
	cleanup_close int program_fd = open_program(name);
	pid_t pid;

	if (program_fd < 0)
		print_error("%s is not built: make it before its test\n", name);
	assert_true(program_fd >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *const environment[] = { NULL };

		for (size_t i = 0; i < fd_count; i++)
			if (fds[i] >= 0)
				(void)fcntl(fds[i], F_SETFD, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)fexecve(program_fd, argv, environment);
		_exit(127);
	}
	return pid;
}

static void start(struct session *session, const char *verb)
{
	char numbers[TREE_COUNT + 3][16];
	int fds[TREE_COUNT + 3], pair[2] = { -1, -1 };
	const struct world *world = &session->world;
	cleanup_close int key_fd = -1;

	must(memfd_from_bytes("key", world->raw_key, sizeof(world->raw_key), &key_fd, error));
	must(message_pair(pair, error));
	for (int i = 0; i < TREE_COUNT; i++)
		fds[i] = world->trees[i];
	fds[TREE_COUNT] = pair[1];
	fds[TREE_COUNT + 1] = key_fd;
	fds[TREE_COUNT + 2] = session->depmod_socket;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)snprintf(numbers[i], sizeof(numbers[i]), "%d", fds[i]);
	session->pid = spawn("kmodbox-installer",
			     (char *[]){ (char *)"kmodbox-installer", (char *)"--verb",
					 (char *)(uintptr_t)verb,     (char *)"--dkms-tree",
					 numbers[TREE_DKMS],	      (char *)"--source-tree",
					 numbers[TREE_SOURCE],	      (char *)"--install-tree",
					 numbers[TREE_INSTALL],	      (char *)"--approvals",
					 numbers[TREE_APPROVALS],     (char *)"--ledger",
					 numbers[TREE_LEDGER],	      (char *)"--socket",
					 numbers[TREE_COUNT],	      (char *)"--ticket-key",
					 numbers[TREE_COUNT + 1],     (char *)"--depmod",
					 numbers[TREE_COUNT + 2],     (char *)"--dkms-path",
					 world->paths[TREE_DKMS],     (char *)"--source-path",
					 world->paths[TREE_SOURCE],   (char *)"--install-path",
					 world->paths[TREE_INSTALL],  NULL },
			     fds, ARRAY_SIZE(fds));
	(void)close_fd(pair[1]);
	session->socket = pair[0];
}

/* Its exit status, or -signal. */
static int stop(struct session *session)
{
	int status = 0;

	session->socket = close_fd(session->socket);
	if (session->pid <= 0)
		return 0;
	assert_int_equal(waitpid(session->pid, &status, 0), session->pid);
	session->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* 0, or the exit code that the answer carries (-1: the conversation was ended). */
static int ask(struct session *session, uint32_t type, const void *payload, size_t length,
	       const int *fds, size_t fd_count, struct installer_installed *ret_installed)
{
	cleanup_message struct message reply = { .fd_count = 0 };
	cleanup_error struct error *reason = NULL;
	cleanup_free char *text = NULL;
	size_t reply_length = ret_installed ? sizeof(*ret_installed) : 0;
	int r = message_call(session->socket, type, payload, length, fds, fd_count, &reply,
			     reply_length, 0, &reason);

	if (r == 0) {
		if (ret_installed)
			memcpy(ret_installed, reply.payload, sizeof(*ret_installed));
		return 0;
	}
	text = error_describe(reason);
	print_message("  (%d) %s\n", error_code(reason), text);
	return r == -EPIPE ? -1 : error_code(reason);
}

static int add_begin(struct session *session, struct installer_add *add, int snapshot_fd)
{
	return ask(session, INSTALLER_ADD, add, sizeof(*add), &snapshot_fd, 1, NULL);
}

static int add_rest(struct session *session)
{
	struct installer_file file = { .name = "demo" };
	int code = ask(session, INSTALLER_ADD_FILE, &file, sizeof(file), NULL, 0, NULL);

	return code ? code : ask(session, INSTALLER_ADD_COMMIT, NULL, 0, NULL, 0, NULL);
}

static int publish_begin(struct session *session, const struct installer_target *target,
			 int ticket_fd)
{
	return ask(session, INSTALLER_PUBLISH, target, sizeof(*target), &ticket_fd, 1, NULL);
}

static int publish_file(struct session *session, const char *name, const char *bytes)
{
	struct installer_file file = { 0 };
	cleanup_close int fd = sealed(bytes);

	assert_int_equal(MESSAGE_STRING_SET(file.name, name), 0);
	return ask(session, INSTALLER_PUBLISH_FILE, &file, sizeof(file), &fd, 1, NULL);
}

static int publish_commit(struct session *session)
{
	struct installer_publish_commit commit = { 0 };
	cleanup_close int log_fd = sealed("the log"), record_fd = sealed("{}\n");
	int fds[] = { log_fd, record_fd };

	return ask(session, INSTALLER_PUBLISH_COMMIT, &commit, sizeof(commit), fds, 2, NULL);
}

static int publish_contents(struct session *session, const char *version, uint64_t serial,
			    const struct content *files, uint32_t count, uint32_t force)
{
	struct installer_target target = target_of("demo", version, force);
	cleanup_close int ticket_fd =
		issue(session->world.key, serial, "demo", version, files, count);
	int code = publish_begin(session, &target, ticket_fd);

	for (uint32_t i = 0; code == 0 && i < count; i++)
		code = publish_file(session, files[i].name, files[i].bytes);
	return code ? code : publish_commit(session);
}

static int publish(struct session *session, uint64_t serial)
{
	return publish_contents(session, "1", serial, contents, 2, 0);
}

static int simple(struct session *session, uint32_t type, const char *version, uint32_t force,
		  struct installer_installed *ret_installed)
{
	struct installer_target target = target_of("demo", version, force);

	return ask(session, type, &target, sizeof(target), NULL, 0, ret_installed);
}

static int setup(void **state)
{
	struct session *session = calloc(1, sizeof(*session));

	assert_non_null(session);
	session->socket = session->depmod_socket = -1;
	world_make(&session->world);
	assert_int_equal(mkdirat(session->world.trees[TREE_INSTALL], KERNEL, 0755), 0);
	pretend_added(&session->world, "demo", "1");
	pretend_added(&session->world, "demo", "2");
	*state = session;
	return 0;
}

static int teardown(void **state)
{
	struct session *session = *state;

	(void)stop(session);
	world_remove(&session->world);
	world_free(&session->world);
	free(session);
	return 0;
}

static void test_life(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;
	struct stat status;

	start(session, "install");
	assert_int_equal(publish(session, 7), 0);
	assert_text(trees[TREE_DKMS], BUILD "/module/demo.ko.xz", "bytes of demo");
	assert_text(trees[TREE_DKMS], BUILD "/module/more.ko.xz", "bytes of more");
	assert_text(trees[TREE_DKMS], BUILD "/log/make.log", "the log");
	assert_text(trees[TREE_DKMS], BUILD "/build.json", "{}\n");
	assert_text(trees[TREE_LEDGER], "demo/" KERNEL "-" ARCHITECTURE, "7\n");
	assert_int_equal(fstatat(trees[TREE_DKMS], BUILD "/module", &status, 0), 0);
	assert_int_equal(status.st_mode, S_IFDIR | 0755);
	assert_int_equal(fstatat(trees[TREE_DKMS], BUILD "/module/demo.ko.xz", &status, 0), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0644);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.files, 2);
	assert_int_equal(installed.originals, 0);
	assert_int_equal(installed.depmod, 0);
	assert_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "bytes of demo");
	assert_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/more.ko.xz", "bytes of more");
}

/* openat2 of the tests follows no links either: the link is read instead. */
static void assert_link(int fd, const char *path, const char *expected)
{
	char target[PATH_LENGTH] = "";

	assert_true(readlinkat(fd, path, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, expected);
}

static void test_install_and_back(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;
	cleanup_free char *before = NULL, *after = NULL;

	start(session, "install");
	assert_int_equal(publish(session, 7), 0);
	before = world_list(&session->world);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_link(trees[TREE_DKMS], LINK, "1/" KERNEL "/" ARCHITECTURE);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 5);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 1, &installed), 0);
	assert_int_equal(stop(session), 0);
	start(session, "unbuild");
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 3);
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "2", 0, &installed), 3);
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.files, 2);
	assert_int_equal(installed.left, 0);
	after = world_list(&session->world);
	assert_string_equal(before, after);
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 0);
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 3);
	assert_false(is_there(trees[TREE_DKMS], "demo/1/" KERNEL));
	assert_int_equal(stop(session), 0);
}

static void test_originals(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;
	cleanup_free char *before = NULL, *after = NULL, *origin = NULL;

	write_text(trees[TREE_INSTALL], KERNEL "/kernel/net/demo.ko", "in-tree \x01 demo");
	write_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/more.ko.xz", "another's more");
	write_text(trees[TREE_INSTALL], KERNEL "/kernel/net/demo_more.ko", "no namesake");
	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	before = world_list(&session->world);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.originals, 2);
	assert_false(is_there(trees[TREE_INSTALL], KERNEL "/kernel/net/demo.ko"));
	assert_text(trees[TREE_DKMS], ORIGINALS "/demo.ko", "in-tree \x01 demo");
	origin = format_string("%s/" KERNEL "/kernel/net/demo.ko\n",
			       session->world.paths[TREE_INSTALL]);
	assert_text(trees[TREE_DKMS], ORIGINALS "/demo.ko.origin", origin);
	assert_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/more.ko.xz", "bytes of more");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.originals, 2);
	after = world_list(&session->world);
	assert_string_equal(before, after);
}

/* What DKMS would not know where to put back is not taken away. */
static void test_several_namesakes(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;

	write_text(trees[TREE_INSTALL], KERNEL "/kernel/a/demo.ko.xz", "one");
	write_text(trees[TREE_INSTALL], KERNEL "/kernel/b/demo.ko.xz", "two");
	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.originals, 0);
	assert_text(trees[TREE_INSTALL], KERNEL "/kernel/a/demo.ko.xz", "one");
	assert_text(trees[TREE_INSTALL], KERNEL "/kernel/b/demo.ko.xz", "two");
}

static void test_bad_origins(void **state)
{
	static const char *const origins[] = { "/etc/passwd\n", "kernel/demo.ko\n",
					       "%s/" KERNEL "/../../../x.ko\n", "%s/other/x.ko\n",
					       "\n" };
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;

	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(origins); i++) {
		cleanup_text struct text origin = { 0 };
		const char *rest = origins[i];

		if (string_starts_with(rest, "%s")) {
			assert_int_equal(
				text_append_string(&origin, session->world.paths[TREE_INSTALL]), 0);
			rest += 2;
		}
		assert_int_equal(text_append_string(&origin, rest), 0);
		assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
		write_text(trees[TREE_DKMS], ORIGINALS "/x.ko", "x");
		write_text(trees[TREE_DKMS], ORIGINALS "/x.ko.origin", origin.data);
		assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
		assert_int_equal(installed.originals, 0);
		assert_int_equal(installed.left, 1);
		assert_text(trees[TREE_DKMS], ORIGINALS "/x.ko", "x");
	}
}

static void test_change_of_version(void **state)
{
	static const struct content newer[] = { { "demo.ko.xz", "extra", "newer" } };
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;

	write_text(trees[TREE_INSTALL], KERNEL "/kernel/net/demo.ko", "in-tree");
	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(publish_contents(session, "2", 2, newer, 1, 0), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "2", 0, &installed), 0);
	assert_int_equal(installed.files, 1);
	assert_int_equal(installed.originals, 0);
	assert_link(trees[TREE_DKMS], LINK, "2/" KERNEL "/" ARCHITECTURE);
	assert_false(is_there(trees[TREE_INSTALL], KERNEL "/updates"));
	assert_text(trees[TREE_INSTALL], KERNEL "/extra/demo.ko.xz", "newer");
	assert_text(trees[TREE_DKMS], ORIGINALS "/demo.ko", "in-tree");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "2", 0, &installed), 0);
	assert_text(trees[TREE_INSTALL], KERNEL "/kernel/net/demo.ko", "in-tree");
	assert_false(is_there(trees[TREE_INSTALL], KERNEL "/extra"));
}

/* Built anew while installed: what was installed is still known and goes. */
static void test_built_anew(void **state)
{
	static const struct content newer[] = { { "demo.ko.xz", "updates/dkms", "newer" } };
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;

	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(publish_contents(session, "1", 2, newer, 1, 0), 3);
	assert_int_equal(publish_contents(session, "1", 2, newer, 1, 1), 0);
	assert_int_equal(publish_contents(session, "1", 3, newer, 1, 1), 0);
	assert_text(trees[TREE_DKMS], BUILD "/module/demo.ko.xz", "newer");
	assert_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "bytes of demo");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.files, 2);
	assert_false(is_there(trees[TREE_INSTALL], KERNEL "/updates"));
	assert_false(is_there(trees[TREE_DKMS], BUILD "/installed"));
}

static void test_changed_file_stays(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;

	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	write_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "the admin's");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.files, 1);
	assert_int_equal(installed.left, 1);
	assert_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "the admin's");
}

static void test_publish_refusals(void **state)
{
	static const struct content others[] = { { "demo.ko.xz", "updates/dkms",
						   "other bytes!!" } };
	static const struct content namesakes[] = { { "demo.ko.xz", "updates/dkms", "a" },
						    { "demo.ko.xz", "extra", "b" } };
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0), other = target;
	EVP_PKEY *wrong_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	cleanup_close int good_fd = issue(session->world.key, 5, "demo", "1", contents, 2);
	cleanup_close int bad_fd = issue(wrong_key, 5, "demo", "1", contents, 2);
	cleanup_close int twice_fd = issue(session->world.key, 5, "demo", "1", namesakes, 2);
	cleanup_close int noise_fd = sealed("noise");
	cleanup_free char *before = NULL, *after = NULL;

	start(session, "build");
	before = world_list(&session->world);
	assert_int_equal(publish_begin(session, &target, bad_fd), 34);
	assert_int_equal(publish_begin(session, &target, noise_fd), 34);
	assert_int_equal(publish_begin(session, &target, twice_fd), 34);
	(void)snprintf(other.kernel, sizeof(other.kernel), "6.1.0-2-amd64");
	assert_int_equal(publish_begin(session, &other, good_fd), 34);
	other = target_of("demo", "2", 0);
	assert_int_equal(publish_begin(session, &other, good_fd), 34);
	other = target_of("demo", "3", 0);
	assert_int_equal(publish_begin(session, &other, good_fd), 3);
	/* A refused file ends the publishing, so each begins anew. */
	assert_int_equal(publish_begin(session, &target, good_fd), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", others[0].bytes), 34);
	assert_int_equal(publish_begin(session, &target, good_fd), 0);
	assert_int_equal(publish_file(session, "other.ko.xz", "bytes of demo"), 34);
	assert_int_equal(publish_begin(session, &target, good_fd), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), 34);
	assert_int_equal(publish_begin(session, &target, good_fd), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), 0);
	assert_int_equal(publish_commit(session), 34);
	after = world_list(&session->world);
	assert_string_equal(before, after);
	assert_int_equal(publish(session, 5), 0);
	assert_int_equal(stop(session), 0);
	EVP_PKEY_free(wrong_key);
}

static void test_replay(void **state)
{
	struct session *session = *state;

	start(session, "install");
	assert_int_equal(publish(session, 5), 0);
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 0);
	assert_int_equal(publish(session, 5), 34);
	assert_int_equal(publish(session, 4), 34);
	assert_int_equal(publish(session, 6), 0);
	write_text(session->world.trees[TREE_LEDGER], "demo/" KERNEL "-" ARCHITECTURE, "-1\n");
	assert_int_equal(publish_contents(session, "1", 7, contents, 2, 1), 34);
}

static void test_approval_is_needed(void **state)
{
	struct session *session = *state;

	start(session, "build");
	must(remove_tree(session->world.trees[TREE_APPROVALS], "demo/1", error));
	assert_int_equal(publish(session, 1), 36);
	must(remove_tree(session->world.trees[TREE_DKMS], "demo/1", error));
	pretend_added(&session->world, "demo", "1");
	assert_int_equal(publish(session, 1), 0);
}

static void test_tampered_build(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;

	start(session, "install");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 3);
	assert_int_equal(publish(session, 1), 0);
	write_text(trees[TREE_DKMS], BUILD "/module/demo.ko.xz", "bytes of evil");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 34);
	write_text(trees[TREE_DKMS], BUILD "/module/demo.ko.xz", "bytes of demo");
	assert_int_equal(symlinkat("demo.ko.xz", trees[TREE_DKMS], BUILD "/module/link"), 0);
	assert_int_equal(renameat(trees[TREE_DKMS], BUILD "/ticket", trees[TREE_DKMS], "kept"), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 34);
	write_text(trees[TREE_DKMS], BUILD "/ticket", "kmodbox-ticket-1");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 34);
	assert_false(is_there(trees[TREE_INSTALL], KERNEL "/updates"));
	assert_int_equal(renameat(trees[TREE_DKMS], "kept", trees[TREE_DKMS], BUILD "/ticket"), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
}

static void test_no_kernel(void **state)
{
	struct session *session = *state;
	struct installer_installed installed;

	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(unlinkat(session->world.trees[TREE_INSTALL], KERNEL, AT_REMOVEDIR), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 6);
}

/* A link where a directory should be would lead out of the tree. */
static void test_links_in_the_way(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;

	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(mkdirat(session->world.fd, "outside", 0755), 0);
	assert_int_equal(symlinkat("../../outside", trees[TREE_INSTALL], KERNEL "/updates"), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 6);
	assert_false(is_there(session->world.fd, "outside/dkms"));
	assert_false(is_there(trees[TREE_DKMS], LINK));
	assert_int_equal(unlinkat(trees[TREE_INSTALL], KERNEL "/updates", 0), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
}

static int directory_snapshot(const struct world *world, const char *name, struct digest *digest)
{
	cleanup_close int fd =
		openat(world->trees[TREE_SOURCE], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int snapshot_fd = -1;

	assert_true(fd >= 0);
	must(snapshot_from_directory(fd, &snapshot_fd, digest, error));
	return snapshot_fd;
}

static void new_add(struct installer_add *add, const char *version)
{
	*add = (struct installer_add){ .count = 1 };
	assert_int_equal(MESSAGE_STRING_SET(add->module, "new"), 0);
	assert_int_equal(MESSAGE_STRING_SET(add->version, version), 0);
}

static void test_add_directory(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	cleanup_approval struct approval approval = { 0 };
	cleanup_free char *source = NULL, *before = NULL, *after = NULL;
	struct installer_target target = target_of("new", "1.0", 0);
	struct installer_add add;
	cleanup_close int snapshot_fd = -1;

	new_add(&add, "1.0");
	write_text(trees[TREE_SOURCE], "new-1.0/dkms.conf", "PACKAGE_NAME=new\n");
	snapshot_fd = directory_snapshot(&session->world, "new-1.0", &add.source);
	before = world_list(&session->world);
	start(session, "add");
	/* It changes after it was evaluated. */
	write_text(trees[TREE_SOURCE], "new-1.0/dkms.conf", "PACKAGE_NAME=evil\n");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 34);
	write_text(trees[TREE_SOURCE], "new-1.0/dkms.conf", "PACKAGE_NAME=new\n");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 0);
	source = format_string("%s/new-1.0", session->world.paths[TREE_SOURCE]);
	assert_link(trees[TREE_DKMS], "new/1.0/source", source);
	assert_true(is_there(trees[TREE_DKMS], "new/1.0/build"));
	must(approval_load(trees[TREE_APPROVALS], "new", "1.0", &approval, error));
	assert_true(digest_equal(&approval.source, &add.source));
	assert_string_equal(approval.files[0], "demo");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 3);
	assert_int_equal(stop(session), 0);
	start(session, "remove");
	assert_int_equal(ask(session, INSTALLER_REMOVE, &target, sizeof(target), NULL, 0, NULL), 0);
	assert_int_equal(ask(session, INSTALLER_REMOVE, &target, sizeof(target), NULL, 0, NULL), 3);
	after = world_list(&session->world);
	assert_string_equal(before, after);
}

static void test_add_archive(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_add add;
	cleanup_close int snapshot_fd = -1, bad_fd = sealed("no snapshot");

	new_add(&add, "2");
	add.write_source = 1;
	write_text(trees[TREE_SOURCE], "tmp/sub/dkms.conf", "PACKAGE_NAME=new\n");
	snapshot_fd = directory_snapshot(&session->world, "tmp", &add.source);
	start(session, "add");
	assert_int_equal(add_begin(session, &add, bad_fd), 0);
	assert_int_equal(add_rest(session), 34);
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 0);
	assert_text(trees[TREE_SOURCE], "new-2/sub/dkms.conf", "PACKAGE_NAME=new\n");
	/* Somebody else's directory is in the way of a new one. */
	new_add(&add, "3");
	add.write_source = 1;
	add.source = (struct digest){ 0 };
	must(digest_file(snapshot_fd, &add.source, error));
	write_text(trees[TREE_SOURCE], "new-3/precious", "work");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 3);
	assert_text(trees[TREE_SOURCE], "new-3/precious", "work");
	add.force = 1;
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 0);
	assert_false(is_there(trees[TREE_SOURCE], "new-3/precious"));
	assert_false(is_there(trees[TREE_SOURCE], INSTALL_STAGE));
}

static void test_remove_with_builds(void **state)
{
	struct session *session = *state;

	start(session, "build");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(stop(session), 0);
	start(session, "remove");
	assert_int_equal(simple(session, INSTALLER_REMOVE, "1", 0, NULL), 3);
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 0);
	assert_int_equal(simple(session, INSTALLER_REMOVE, "1", 0, NULL), 0);
	assert_false(is_there(session->world.trees[TREE_DKMS], "demo/1"));
	assert_true(is_there(session->world.trees[TREE_DKMS], "demo/2"));
	assert_text(session->world.trees[TREE_LEDGER], "demo/" KERNEL "-" ARCHITECTURE, "1\n");
}

static void test_failed_log(void **state)
{
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0);
	cleanup_close int fd = sealed("it failed");

	start(session, "build");
	assert_int_equal(ask(session, INSTALLER_FAILED_LOG, &target, sizeof(target), &fd, 1, NULL),
			 0);
	assert_text(session->world.trees[TREE_DKMS], "demo/1/build/make.log", "it failed");
	assert_int_equal(publish(session, 1), 0);
	assert_false(is_there(session->world.trees[TREE_DKMS], "demo/1/build"));
}

/* Which request is allowed in which run: all pairs. What is not ends the conversation. */
static void test_verbs(void **state)
{
	static const struct {
		const char *verb;
		uint32_t allowed;
	} verbs[] = {
#define BIT(request) (1u << (request - INSTALLER_ADD))
		{ "add", BIT(INSTALLER_ADD) },
		{ "build", BIT(INSTALLER_ADD) | BIT(INSTALLER_PUBLISH) | BIT(INSTALLER_FAILED_LOG) |
				   BIT(INSTALLER_UNBUILD) },
		{ "install", BIT(INSTALLER_ADD) | BIT(INSTALLER_PUBLISH) |
				     BIT(INSTALLER_FAILED_LOG) | BIT(INSTALLER_UNBUILD) |
				     BIT(INSTALLER_INSTALL) | BIT(INSTALLER_UNINSTALL) },
		{ "uninstall", BIT(INSTALLER_UNINSTALL) },
		{ "unbuild", BIT(INSTALLER_UNINSTALL) | BIT(INSTALLER_UNBUILD) },
		{ "remove",
		  BIT(INSTALLER_UNINSTALL) | BIT(INSTALLER_UNBUILD) | BIT(INSTALLER_REMOVE) },
	};
	struct session *session = *state;
	cleanup_close int fd = sealed("x");

	for (size_t v = 0; v < ARRAY_SIZE(verbs); v++) {
		for (uint32_t type = INSTALLER_ADD - 1; type <= INSTALLER_REMOVE + 1; type++) {
			struct installer_target target = target_of("demo", "9", 0);
			struct installer_installed installed;
			struct installer_add add = { .count = 1 };
			bool counts = type == INSTALLER_INSTALL || type == INSTALLER_UNINSTALL;
			size_t fds = type == INSTALLER_ADD || type == INSTALLER_PUBLISH ||
				     type == INSTALLER_FAILED_LOG;
			bool allowed = type >= INSTALLER_ADD && type <= INSTALLER_REMOVE &&
				       verbs[v].allowed & BIT(type);
			int code;

			start(session, verbs[v].verb);
			if (type == INSTALLER_ADD)
				code = ask(session, type, &add, sizeof(add), &fd, fds, NULL);
			else
				code = ask(session, type, &target, sizeof(target), &fd, fds,
					   counts ? &installed : NULL);
			if (allowed)
				assert_true(code > 0); /* understood, and refused as nonsense */
			else
				assert_int_equal(code, -1);
			assert_int_equal(stop(session), allowed ? 0 : 35);
		}
	}
}

/* What breaks the rules of a conversation ends it. */
static void test_order(void **state)
{
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0);
	struct installer_installed installed;
	cleanup_close int ticket_fd = issue(session->world.key, 5, "demo", "1", contents, 2);
	cleanup_close int unsealed_fd = -1;
	cleanup_free char *before = world_list(&session->world), *after = NULL;

	must(memfd_new("unsealed", &unsealed_fd, error));
	start(session, "install");
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), -1);
	assert_int_equal(stop(session), 35);
	start(session, "install");
	assert_int_equal(publish_begin(session, &target, ticket_fd), 0);
	assert_int_equal(publish_begin(session, &target, ticket_fd), -1);
	assert_int_equal(stop(session), 35);
	start(session, "install");
	assert_int_equal(publish_begin(session, &target, ticket_fd), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), -1);
	assert_int_equal(stop(session), 35);
	start(session, "install");
	assert_int_equal(publish_begin(session, &target, unsealed_fd), -1);
	assert_int_equal(stop(session), 35);
	start(session, "install");
	assert_int_equal(
		ask(session, INSTALLER_INSTALL, &target, sizeof(target) - 1, NULL, 0, NULL), -1);
	assert_int_equal(stop(session), 35);
	/* Hanging up in the middle leaves nothing. */
	start(session, "install");
	assert_int_equal(publish_begin(session, &target, ticket_fd), 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), 0);
	assert_int_equal(stop(session), 0);
	after = world_list(&session->world);
	assert_string_equal(before, after);
}

static void test_hostile_names(void **state)
{
	static const char *const names[] = { "",   ".",	   "..",  "../x", "a/b",     "-m",
					     ".a", "a\nb", "a b", "$(x)", "a\x1b[0m" };
	struct session *session = *state;
	struct installer_target target;
	struct installer_installed installed;

	start(session, "install");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (unsigned field = 0; field < 4; field++) {
			target = target_of("demo", "1", 0);
			if (field < 3)
				(void)snprintf((char *)&target + (size_t)field * TICKET_NAME,
					       TICKET_NAME, "%s%c", names[i], 0);
			else
				(void)snprintf(target.architecture, sizeof(target.architecture),
					       "%s", names[i]);
			/* Zeros behind the name, or it would be refused for that. */
			for (unsigned f = 0; f < 3; f++) {
				char *text = (char *)&target + (size_t)f * TICKET_NAME;
				size_t length = strlen(text);

				memset(text + length, 0, TICKET_NAME - length);
			}
			memset(target.architecture + strlen(target.architecture), 0,
			       sizeof(target.architecture) - strlen(target.architecture));
			assert_int_equal(ask(session, INSTALLER_INSTALL, &target, sizeof(target),
					     NULL, 0, &installed),
					 34);
		}
	}
	target = target_of("demo", "original_module", 0);
	assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0, NULL),
			 34);
	target = target_of("demo", "kernel-x", 0);
	assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0, NULL),
			 34);
	target = target_of("demo", "1", 0);
	memset(target.kernel, 0, sizeof(target.kernel));
	memcpy(target.kernel, "source", 6);
	assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0, NULL),
			 34);
	target = target_of("demo", "1", 0);
	memset(target.module, 'a', sizeof(target.module));
	assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0, NULL),
			 34);
	target = target_of("demo", "1", 0);
	target.module[sizeof(target.module) - 1] = 'x'; /* behind the NUL */
	assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0, NULL),
			 34);
	target = target_of("demo", "1", 0);
	assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0, NULL),
			 3);
}

/* SIGKILL at some moment of an install and of an uninstall, then the next start repairs. */
static void test_kill(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_target target = target_of("demo", "1", 0);
	cleanup_free char *built = NULL, *installed_state = NULL;
	struct installer_installed installed;
	unsigned counts[2] = { 0, 0 };

	write_text(trees[TREE_INSTALL], KERNEL "/kernel/net/demo.ko", "in-tree");
	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	built = world_list(&session->world);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	installed_state = world_list(&session->world);
	assert_int_equal(stop(session), 0);
	for (unsigned i = 0; i < 60; i++) {
		cleanup_free char *now = NULL;
		bool is_installed = is_there(trees[TREE_DKMS], LINK);

		start(session, "install");
		must(message_send(session->socket,
				  is_installed ? INSTALLER_UNINSTALL : INSTALLER_INSTALL, &target,
				  sizeof(target), NULL, 0, error));
		(void)usleep(200 * (i % 30));
		assert_int_equal(kill(session->pid, SIGKILL), 0);
		assert_int_equal(stop(session), -SIGKILL);
		start(session, "install"); /* recovers before it answers */
		assert_int_equal(simple(session, INSTALLER_UNBUILD, "9", 0, NULL), 3);
		assert_int_equal(stop(session), 0);
		now = world_list(&session->world);
		if (!string_equal(now, built))
			assert_string_equal(now, installed_state);
		counts[string_equal(now, built)]++;
	}
	print_message("  after 60 kills: %u times installed, %u times not\n", counts[0], counts[1]);
}

/* Two at once: the second waits for the first and then sees what it did. */
static void test_lock(void **state)
{
	struct session *session = *state, second = { .socket = -1, .depmod_socket = -1 };
	struct installer_target target = target_of("demo", "1", 0);
	cleanup_message struct message message = { .fd_count = 0 };
	int count;

	start(session, "build");
	assert_int_equal(publish(session, 1), 0);
	second.world = session->world;
	start(&second, "unbuild");
	must(message_send(second.socket, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0,
			  error));
	(void)usleep(100 * 1000);
	count = (int)recv(second.socket, message.payload, sizeof(message.payload),
			  MSG_DONTWAIT | MSG_PEEK);
	assert_int_equal(count, -1); /* no answer while the lock is held */
	assert_true(is_there(session->world.trees[TREE_DKMS], BUILD));
	assert_int_equal(stop(session), 0);
	must(message_receive(second.socket, &message, error));
	assert_int_equal(message.type, MESSAGE_OK);
	assert_false(is_there(session->world.trees[TREE_DKMS], BUILD));
	assert_int_equal(stop(&second), 0);
}

/* Puts an empty file system of this size over the install tree. */
static bool mount_small(struct session *session, const char *options)
{
	int *fd = &session->world.trees[TREE_INSTALL];

	if (mount("tmpfs", session->world.paths[TREE_INSTALL], "tmpfs", 0, options) < 0)
		return false;
	*fd = open(session->world.paths[TREE_INSTALL], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(*fd, KERNEL, 0755), 0);
	return true;
}

static bool write_proc(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write_all(fd, text, strlen(text)) == 0;
}

/* A mount namespace, and for an ordinary user one in which he may mount. */
static bool enter_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char uid_map[64], gid_map[64];

	(void)snprintf(uid_map, sizeof(uid_map), "%u %u 1", uid, uid);
	(void)snprintf(gid_map, sizeof(gid_map), "%u %u 1", gid, gid);
	if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return uid == 0 || (write_proc("/proc/self/uid_map", uid_map) &&
			    write_proc("/proc/self/setgroups", "deny") &&
			    write_proc("/proc/self/gid_map", gid_map));
}

/* In a mount namespace of its own. 77: it cannot be had. */
static int in_small_disk(struct session *session)
{
	struct installer_installed installed;
	cleanup_free char *big = calloc(1, 200001), *before = NULL, *after = NULL;
	struct content files[] = { { "demo.ko", "extra", big } };

	assert_non_null(big);
	memset(big, 'x', 200000);
	if (!enter_namespace() || !mount_small(session, "size=128k,mode=755"))
		return 77;
	start(session, "install");
	assert_int_equal(publish_contents(session, "1", 1, files, 1, 0), 0);
	before = world_list(&session->world);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 35);
	after = world_list(&session->world);
	assert_string_equal(before, after);
	assert_int_equal(stop(session), 0);
	assert_true(mount_small(session, "size=1m,mode=755"));
	start(session, "install");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(stop(session), 0);
	return 0;
}

static void test_disk_full(void **state)
{
	struct session *session = *state;
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(in_small_disk(session));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("  skipped: no mount namespace can be had here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Compiles what depmod takes for a module; false where there is no compiler. */
static bool compile_module(const char *text, struct text *ret_object)
{
	char path[] = "/tmp/kmodbox-module-XXXXXX";
	int fd = mkstemp(path), pipe_fds[2], status = 0;
	pid_t child;

	assert_true(fd >= 0 && pipe(pipe_fds) == 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)dup2(pipe_fds[0], 0);
		(void)close(pipe_fds[1]);
		(void)execlp("cc", "cc", "-c", "-x", "c", "-o", path, "-", (char *)NULL);
		_exit(127);
	}
	(void)close(pipe_fds[0]);
	assert_int_equal(write_all(pipe_fds[1], text, strlen(text)), 0);
	(void)close(pipe_fds[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	(void)close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(read_fd(fd, 1 << 20, ret_object, error));
	(void)close(fd);
	(void)unlink(path);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* In the place of kmodbox-depmod's launcher. -1: skip. */
static pid_t start_depmod(struct session *session)
{
	cleanup_close int userns_fd = -1,
			  profile_fd = open("profiles/build.seccomp", O_RDONLY | O_CLOEXEC);
	cleanup_error struct error *reason = NULL;
	char numbers[4][16];
	int pair[2] = { -1, -1 };
	pid_t pid;

	assert_true(profile_fd >= 0); /* tests run from the top of the checkout */
	if (geteuid() == 0 && slot_new(DEPMOD_UID, SLOT_UID, &userns_fd, &reason) < 0)
		return -1;
	must(message_pair(pair, error));
	(void)snprintf(numbers[0], sizeof(numbers[0]), "%d", pair[1]);
	(void)snprintf(numbers[1], sizeof(numbers[1]), "%d", profile_fd);
	(void)snprintf(numbers[2], sizeof(numbers[2]), "%d", userns_fd);
	(void)snprintf(numbers[3], sizeof(numbers[3]), "%u", geteuid() == 0 ? DEPMOD_UID : 0);
	pid = spawn("kmodbox-depmod",
		    (char *[]){ (char *)"kmodbox-depmod", (char *)"--socket", numbers[0],
				(char *)"--profile", numbers[1], (char *)"--userns", numbers[2],
				(char *)"--uid", numbers[3], (char *)"--install-tree",
				session->world.paths[TREE_INSTALL], NULL },
		    (int[]){ pair[1], profile_fd, userns_fd }, 3);
	(void)close_fd(pair[1]);
	session->depmod_socket = pair[0];
	return pid;
}

static bool index_mentions(const struct session *session, const char *file, const char *word)
{
	cleanup_text struct text text = { 0 };
	char path[PATH_LENGTH];

	(void)snprintf(path, sizeof(path), KERNEL "/%s", file);
	must(read_file(session->world.trees[TREE_INSTALL], path, 1 << 20, &text, error));
	return strstr(text.data, word) != NULL;
}

static void publish_object(struct session *session, const struct text *object)
{
	struct installer_target target = target_of("demo", "1", 0);
	struct installer_file name = { .name = "demo.ko" };
	struct ticket_file file = { .name = "demo.ko", .directory = "updates/dkms" };
	struct ticket ticket = { .serial = 1, .files = &file, .file_count = 1 };
	cleanup_close int ticket_fd = -1, fd = -1;

	must(memfd_from_bytes("demo", object->data, object->length, &fd, error));
	file.size = object->length;
	must(digest_file(fd, &file.digest, error));
	ticket.source = digest_of("source");
	memcpy(ticket.module, target.module, sizeof(ticket.module));
	memcpy(ticket.version, target.version, sizeof(ticket.version));
	memcpy(ticket.kernel, target.kernel, sizeof(ticket.kernel));
	memcpy(ticket.architecture, target.architecture, sizeof(ticket.architecture));
	must(ticket_issue(&ticket, session->world.key, &ticket_fd, error));
	assert_int_equal(publish_begin(session, &target, ticket_fd), 0);
	assert_int_equal(ask(session, INSTALLER_PUBLISH_FILE, &name, sizeof(name), &fd, 1, NULL),
			 0);
	assert_int_equal(publish_commit(session), 0);
}

#define MODULE_SOURCE(alias)                                                                       \
	"static const char text[] __attribute__((section(\".modinfo\"), used)) ="                  \
	" \"license=GPL\\0alias=" alias "\\0name=demo\";\n"

static void test_depmod(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	cleanup_text struct text ours = { 0 }, original = { 0 };
	struct installer_installed installed;
	pid_t depmod;
	int code;

	if (!compile_module(MODULE_SOURCE("pci:ours"), &ours) ||
	    !compile_module(MODULE_SOURCE("pci:original"), &original)) {
		print_message("  skipped: there is no C compiler\n");
		skip();
	}
	write_text(trees[TREE_INSTALL], KERNEL "/kernel/net/none", "");
	must(write_file_atomically(trees[TREE_INSTALL], KERNEL "/kernel/net/demo.ko", original.data,
				   original.length, 0644, error));
	must(write_file_atomically(trees[TREE_INSTALL], KERNEL "/kernel/net/other.ko",
				   original.data, original.length, 0644, error));
	write_text(trees[TREE_INSTALL], KERNEL "/modules.order", "");
	write_text(trees[TREE_INSTALL], KERNEL "/modules.builtin", "");
	write_text(trees[TREE_INSTALL], KERNEL "/modules.dep", "stale");
	/* There is an index, but nobody who could make it anew: nothing is installed. */
	start(session, "install");
	publish_object(session, &ours);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 6);
	assert_false(is_there(trees[TREE_INSTALL], KERNEL "/updates"));
	assert_int_equal(stop(session), 0);
	depmod = start_depmod(session);
	if (depmod < 0) {
		print_message("  skipped: no user namespaces here\n");
		skip();
	}
	start(session, "install");
	code = simple(session, INSTALLER_INSTALL, "1", 0, &installed);
	assert_int_equal(code, 0);
	assert_int_equal(installed.depmod, 1);
	assert_int_equal(installed.originals, 1);
	assert_true(index_mentions(session, "modules.dep", "updates/dkms/demo.ko:"));
	assert_true(index_mentions(session, "modules.dep", "kernel/net/other.ko:"));
	assert_false(index_mentions(session, "modules.dep", "kernel/net/demo.ko"));
	assert_true(index_mentions(session, "modules.alias", "pci:ours demo"));
	assert_true(is_there(trees[TREE_INSTALL], KERNEL "/modules.dep.bin"));
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.depmod, 1);
	assert_true(index_mentions(session, "modules.dep", "kernel/net/demo.ko:"));
	assert_false(index_mentions(session, "modules.dep", "updates/dkms"));
	assert_false(index_mentions(session, "modules.alias", "pci:ours"));
	assert_int_equal(stop(session), 0);
	session->depmod_socket = close_fd(session->depmod_socket);
	assert_int_equal(waitpid(depmod, &code, 0), depmod);
	assert_int_equal(code, 0);
}

static void answer_fetch(int socket, const struct depmod_file *file, int fd)
{
	cleanup_message struct message message = { .fd_count = 0 };

	must(message_receive(socket, &message, error));
	assert_int_equal(message.type, DEPMOD_FETCH);
	must(message_reply(socket, file, sizeof(*file), &fd, 1, error));
}

/* Stands in for kmodbox-depmod: a good modules.dep, then this. Gives the answer's type. */
static uint32_t install_with_index(struct session *session, uint32_t count,
				   const struct depmod_file *second, int fd)
{
	struct installer_target target = target_of("demo", "1", 0);
	cleanup_message struct message message = { .fd_count = 0 };
	struct depmod_done done = { .count = count };
	struct depmod_file first = { .name = "modules.dep" };
	cleanup_close int first_fd = sealed("new index");
	int pair[2] = { -1, -1 };

	must(message_pair(pair, error));
	session->depmod_socket = pair[1];
	start(session, "install");
	must(message_send(session->socket, INSTALLER_INSTALL, &target, sizeof(target), NULL, 0,
			  error));
	must(message_receive(pair[0], &message, error));
	assert_int_equal(message.type, DEPMOD_RUN);
	must(message_reply(pair[0], &done, sizeof(done), NULL, 0, error));
	if (count <= 2)
		answer_fetch(pair[0], &first, first_fd);
	if (count == 2)
		answer_fetch(pair[0], second, fd);
	must(message_receive(session->socket, &message, error));
	session->depmod_socket = -1;
	(void)close_fd(pair[0]);
	(void)close_fd(pair[1]);
	assert_int_equal(stop(session), 0);
	return message.type;
}

/* An indexer that was taken over: what it sends is not written anywhere. */
static void test_hostile_depmod(void **state)
{
	static const char *const names[] = { "../../../etc/passwd", "modules.order", "modules.dep",
					     "updates/dkms/demo.ko.xz", "" };
	struct session *session = *state;
	struct depmod_file file = { .name = "modules.alias" };
	cleanup_free char *before = NULL, *after = NULL;
	cleanup_close int fd = sealed("x"), unsealed_fd = -1;

	must(memfd_new("unsealed", &unsealed_fd, error));
	write_text(session->world.trees[TREE_INSTALL], KERNEL "/modules.dep", "index");
	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(stop(session), 0);
	before = world_list(&session->world);
	assert_int_equal(install_with_index(session, 1000, &file, fd), MESSAGE_ERROR);
	assert_int_equal(install_with_index(session, 2, &file, unsealed_fd), MESSAGE_ERROR);
	memset(file.name, 'm', sizeof(file.name));
	assert_int_equal(install_with_index(session, 2, &file, fd), MESSAGE_ERROR);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(MESSAGE_STRING_SET(file.name, names[i]), 0);
		assert_int_equal(install_with_index(session, 2, &file, fd), MESSAGE_ERROR);
	}
	after = world_list(&session->world);
	assert_string_equal(before, after);
	assert_int_equal(MESSAGE_STRING_SET(file.name, "modules.alias"), 0);
	assert_int_equal(install_with_index(session, 2, &file, fd), MESSAGE_OK);
	assert_text(session->world.trees[TREE_INSTALL], KERNEL "/modules.dep", "new index");
}

/* The installer runs without a capability, with no_new_privs and a filter, and is not dumpable. */
static void test_confinement(void **state)
{
	static const char *const lines[] = { "CapEff:\t0000000000000000",
					     "CapPrm:\t0000000000000000", "NoNewPrivs:\t1",
					     "Seccomp:\t2" };
	struct session *session = *state;
	cleanup_text struct text text = { 0 };
	cleanup_close int fd = -1;
	char path[64];

	start(session, "unbuild");
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 3);
	(void)snprintf(path, sizeof(path), "/proc/%d/status", session->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(read_fd(fd, 1 << 16, &text, error));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_non_null(strstr(text.data, lines[i]));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_life),
		TEST(test_install_and_back),
		TEST(test_originals),
		TEST(test_several_namesakes),
		TEST(test_bad_origins),
		TEST(test_change_of_version),
		TEST(test_built_anew),
		TEST(test_changed_file_stays),
		TEST(test_publish_refusals),
		TEST(test_replay),
		TEST(test_approval_is_needed),
		TEST(test_tampered_build),
		TEST(test_no_kernel),
		TEST(test_links_in_the_way),
		TEST(test_add_directory),
		TEST(test_add_archive),
		TEST(test_remove_with_builds),
		TEST(test_failed_log),
		TEST(test_verbs),
		TEST(test_order),
		TEST(test_hostile_names),
		TEST(test_kill),
		TEST(test_lock),
		TEST(test_disk_full),
		TEST(test_depmod),
		TEST(test_hostile_depmod),
		TEST(test_confinement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
