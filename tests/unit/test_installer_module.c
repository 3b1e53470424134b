/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A build into a kernel's module tree and back: originals, other versions, tampering, crashes, a
 * full disk, the module index.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>

#include "installer/depmod_protocol.h"
#include "sandbox/slot.h"
#include "tests/unit/installer_session.h"

#define ORIGINALS "demo/original_module/" KERNEL "/" ARCHITECTURE
#define DEPMOD_UID 2000000098u
#define SLOT_UID 2000000099u

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
	start_again(session, "uninstall");
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
		start_again(session, "install");
		assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
		write_text(trees[TREE_DKMS], ORIGINALS "/x.ko", "x");
		write_text(trees[TREE_DKMS], ORIGINALS "/x.ko.origin", origin.data);
		start_again(session, "uninstall");
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
	start_again(session, "uninstall");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "2", 0, &installed), 0);
	assert_text(trees[TREE_INSTALL], KERNEL "/kernel/net/demo.ko", "in-tree");
	assert_false(is_there(trees[TREE_INSTALL], KERNEL "/extra"));
}

/*
 * Where root named no version, no older build takes the place of a newer one: one of an older
 * version that is still there could. By name or by force it does.
 */
static void test_no_way_back(void **state)
{
	static const struct content newer[] = { { "demo.ko.xz", "extra", "newer" } };
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_installed installed;

	start(session, "install");
	assert_int_equal(publish(session, 5), 0);
	assert_int_equal(publish_contents(session, "2", 7, newer, 1, 0), 0);
	session->packages = " demo/ ";
	start_again(session, "match");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "2", 0, &installed), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 34);
	session->packages = NULL;
	start_again(session, "autoinstall");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 34);
	assert_text(trees[TREE_INSTALL], KERNEL "/extra/demo.ko.xz", "newer");
	assert_link(trees[TREE_DKMS], LINK, "2/" KERNEL "/" ARCHITECTURE);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 1, &installed), 0);
	session->packages = " demo/2 ";
	start_again(session, "install");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "2", 0, &installed), 0);
	session->packages = " demo/1 ";
	start_again(session, "install");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	/* What dkms built has no ticket to compare with. */
	assert_int_equal(unlinkat(trees[TREE_DKMS], "demo/2/" KERNEL "/" ARCHITECTURE "/ticket", 0),
			 0);
	assert_int_equal(unlinkat(trees[TREE_DKMS], LINK, 0), 0);
	assert_int_equal(symlinkat("2/" KERNEL "/" ARCHITECTURE, trees[TREE_DKMS], LINK), 0);
	session->packages = NULL;
	start_again(session, "autoinstall");
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
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
	start_again(session, "uninstall");
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
	start_again(session, "uninstall");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
	assert_int_equal(installed.files, 1);
	assert_int_equal(installed.left, 1);
	assert_text(trees[TREE_INSTALL], KERNEL "/updates/dkms/demo.ko.xz", "the admin's");
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

		start(session, is_installed ? "uninstall" : "install");
		must(message_send(session->socket,
				  is_installed ? INSTALLER_UNINSTALL : INSTALLER_INSTALL, &target,
				  sizeof(target), NULL, 0, error));
		(void)usleep(200 * (i % 30));
		assert_int_equal(kill(session->pid, SIGKILL), 0);
		assert_int_equal(stop(session), -SIGKILL);
		start(session, "unbuild"); /* recovers before it answers */
		assert_int_equal(simple(session, INSTALLER_UNBUILD, "9", 0, NULL), 3);
		assert_int_equal(stop(session), 0);
		now = world_list(&session->world);
		if (!string_equal(now, built))
			assert_string_equal(now, installed_state);
		counts[string_equal(now, built)]++;
	}
	print_message("  after 60 kills: %u times installed, %u times not\n", counts[0], counts[1]);
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
	cleanup_free char *writable = NULL, *read_only = NULL;
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
	writable = world_list(&session->world);
	assert_int_equal(mount(NULL, session->world.paths[TREE_INSTALL], NULL,
			       MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL),
			 0);
	start(session, "uninstall");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 35);
	assert_int_equal(stop(session), 0);
	read_only = world_list(&session->world);
	assert_string_equal(writable, read_only);
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
	cleanup_slot struct slot slot = SLOT_NONE;
	cleanup_close int profile_fd = open("profiles/build.seccomp", O_RDONLY | O_CLOEXEC);
	cleanup_error struct error *reason = NULL;
	char numbers[5][16];
	int pair[2] = { -1, -1 };
	pid_t pid;

	assert_true(profile_fd >= 0); /* tests run from the top of the checkout */
	if (geteuid() == 0 && slot_new(DEPMOD_UID, SLOT_UID, &slot, &reason) < 0)
		return -1;
	must(message_pair(pair, error));
	(void)snprintf(numbers[0], sizeof(numbers[0]), "%d", pair[1]);
	(void)snprintf(numbers[1], sizeof(numbers[1]), "%d", profile_fd);
	(void)snprintf(numbers[2], sizeof(numbers[2]), "%d", slot.userns_fd);
	(void)snprintf(numbers[3], sizeof(numbers[3]), "%u", geteuid() == 0 ? DEPMOD_UID : 0);
	(void)snprintf(numbers[4], sizeof(numbers[4]), "%d", slot.netns_fd);
	pid = spawn("kmodbox-depmod",
		    (char *[]){ (char *)"kmodbox-depmod", (char *)"--socket", numbers[0],
				(char *)"--profile", numbers[1], (char *)"--userns", numbers[2],
				(char *)"--netns", numbers[4], (char *)"--uid", numbers[3],
				(char *)"--install-tree", session->world.paths[TREE_INSTALL],
				NULL },
		    (int[]){ pair[1], profile_fd, slot.userns_fd, slot.netns_fd }, 4);
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

/* Another dkms tree may have its modules in the same kernel's tree: one at a time plans there. */
static void test_waits_for_the_kernel(void **state)
{
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0);
	cleanup_message struct message reply = { .fd_count = 0 };
	struct installer_installed installed;
	int kernel_fd;

	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	kernel_fd = openat(session->world.trees[TREE_INSTALL], KERNEL,
			   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(kernel_fd >= 0);
	assert_int_equal(flock(kernel_fd, LOCK_EX), 0);
	must(message_send(session->socket, INSTALLER_INSTALL, &target, sizeof(target), NULL, 0,
			  error));
	(void)usleep(200000);
	write_text(session->world.trees[TREE_INSTALL], KERNEL "/extra/demo.ko", "the other's");
	(void)close_fd(kernel_fd);
	must(message_receive(session->socket, &reply, error));
	assert_int_equal(reply.type, MESSAGE_OK);
	memcpy(&installed, reply.payload, sizeof(installed));
	/* It has seen what came while it waited. */
	assert_int_equal(installed.originals, 1);
}

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
	start_again(session, "uninstall");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_install_and_back),
		TEST(test_originals),
		TEST(test_several_namesakes),
		TEST(test_bad_origins),
		TEST(test_change_of_version),
		TEST(test_no_way_back),
		TEST(test_built_anew),
		TEST(test_changed_file_stays),
		TEST(test_tampered_build),
		TEST(test_no_kernel),
		TEST(test_links_in_the_way),
		TEST(test_kill),
		TEST(test_disk_full),
		TEST(test_waits_for_the_kernel),
		TEST(test_depmod),
		TEST(test_hostile_depmod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
