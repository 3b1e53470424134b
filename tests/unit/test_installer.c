/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The conversation with the installer: which request when, names, add and remove, the lock, and
 * what it runs with. Every refusal has its counterpart that passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/pidfd.h>
#include <sys/socket.h>

#include "lib/recipes/snapshot.h"
#include "tests/unit/installer_session.h"
#include "tests/unit/many_descriptors.h"

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

static int directory_snapshot(const struct world *world, const char *name, struct digest *digest)
{
	cleanup_close int fd =
		openat(world->trees[TREE_SOURCE], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int snapshot_fd = -1;

	assert_true(fd >= 0);
	must(snapshot_from_directory(fd, -1, &snapshot_fd, digest, error));
	return snapshot_fd;
}

static void new_add(struct installer_add *add, const char *version)
{
	*add = (struct installer_add){ .count = 1 };
	add->target = target_of("new", version, 0);
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
	/* Whoever makes the request must not choose what is replaced: root names it. */
	add.target.force = 1;
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 3);
	assert_text(trees[TREE_SOURCE], "new-3/precious", "work");
	session->packages = " new/1.0 ";
	start_again(session, "add");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 34);
	(void)snprintf(add.target.version, sizeof(add.target.version), "1.0");
	write_text(trees[TREE_SOURCE], "new-1.0/precious", "work");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 0);
	assert_false(is_there(trees[TREE_SOURCE], "new-1.0/precious"));
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

/* Which request is allowed in which run: all pairs. What is not ends the conversation. */
static void test_verbs(void **state)
{
	static const struct {
		const char *verb;
		uint32_t allowed;
	} verbs[] = {
#define BIT(request) (1u << (request - INSTALLER_ADD))
#define ADDED (BIT(INSTALLER_PUBLISH) | BIT(INSTALLER_FAILED_LOG) | BIT(INSTALLER_INSTALL))
		{ "add", BIT(INSTALLER_ADD) },
		{ "build",
		  BIT(INSTALLER_ADD) | BIT(INSTALLER_PUBLISH) | BIT(INSTALLER_FAILED_LOG) },
		{ "install", BIT(INSTALLER_ADD) | ADDED },
		{ "uninstall", BIT(INSTALLER_UNINSTALL) },
		{ "unbuild", BIT(INSTALLER_UNINSTALL) | BIT(INSTALLER_UNBUILD) },
		{ "remove",
		  BIT(INSTALLER_UNINSTALL) | BIT(INSTALLER_UNBUILD) | BIT(INSTALLER_REMOVE) },
		{ "match", ADDED },
		{ "autoinstall", ADDED },
		{ "mktarball", BIT(INSTALLER_TARBALL) },
		{ "ldtarball", BIT(INSTALLER_ADD) | BIT(INSTALLER_PUBLISH) },
	};
	struct session *session = *state;
	cleanup_close int fd = sealed("x");
	const int both[] = { fd, fd };

	for (size_t v = 0; v < ARRAY_SIZE(verbs); v++) {
		for (uint32_t type = INSTALLER_ADD - 1; type <= INSTALLER_TARBALL + 1; type++) {
			struct installer_target target = target_of("demo", "9", 0);
			struct installer_installed installed;
			struct installer_add add = { .count = 1 };
			bool counts = type == INSTALLER_INSTALL || type == INSTALLER_UNINSTALL;
			size_t fds = type == INSTALLER_ADD || type == INSTALLER_PUBLISH ||
				     type == INSTALLER_TARBALL;
			struct installer_tarball tarball = { .target = target };
			bool allowed = type >= INSTALLER_ADD && type <= INSTALLER_TARBALL &&
				       verbs[v].allowed & BIT(type);
			int code;

			start(session, verbs[v].verb);
			if (type == INSTALLER_FAILED_LOG)
				fds = 2;
			if (type == INSTALLER_ADD)
				code = ask(session, type, &add, sizeof(add), &fd, fds, NULL);
			else if (type == INSTALLER_TARBALL)
				code = ask(session, type, &tarball, sizeof(tarball), &fd, fds,
					   NULL);
			else
				code = ask(session, type, &target, sizeof(target), both, fds,
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

/* More descriptors than any request has, or fewer than this one; each ends the conversation. */
static void test_descriptors(void **state)
{
	static const size_t counts[] = { 0, 2, 5, DESCRIPTORS_MAXIMUM };
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0);
	cleanup_close int ticket_fd = issue(session->world.key, 5, "demo", "1", contents, 2);
	cleanup_free char *before = world_list(&session->world), *after = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct message reply = { .fd_count = 0 };

		start(session, "install");
		assert_int_equal(send_descriptors(session->socket, INSTALLER_PUBLISH, &target,
						  sizeof(target), ticket_fd, 300),
				 -EINVAL);
		assert_int_equal(send_descriptors(session->socket, INSTALLER_PUBLISH, &target,
						  sizeof(target), ticket_fd, counts[i]),
				 0);
		assert_int_equal(message_receive(session->socket, &reply, NULL), -EPIPE);
		assert_int_equal(stop(session), 35);
	}
	after = world_list(&session->world);
	assert_string_equal(before, after);
	start(session, "install");
	assert_int_equal(send_descriptors(session->socket, INSTALLER_PUBLISH, &target,
					  sizeof(target), ticket_fd, 1),
			 0);
	assert_int_equal(publish_file(session, "demo.ko.xz", "bytes of demo"), 0);
}

static int take_descriptor(pid_t pid, int fd)
{
	cleanup_close int pidfd = pidfd_open(pid, 0);
	cleanup_close int taken = pidfd < 0 ? -1 : pidfd_getfd(pidfd, fd, 0);

	return taken < 0 ? -errno : 0;
}

/* Whoever has the socket may ask; who is another uid, or ours without it, does not get at it. */
static void test_socket_is_not_to_be_had(void **state)
{
	struct session *session = *state;
	int status = 0;
	pid_t pid;

	start(session, "unbuild");
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 3);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool refused = geteuid() != 0 || setresuid(65534, 65534, 65534) == 0;
		pid_t own;
		int r;

		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		own = fork();
		if (own == 0)
			for (;;)
				(void)pause();
		r = take_descriptor(own, session->socket);
		(void)kill(own, SIGKILL);
		for (int fd = 0; fd < 64; fd++)
			refused = refused && take_descriptor(session->pid, fd) == -EPERM;
		_exit(r == -ENOSYS ? 2 : r < 0 ? 3 : !refused);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 2)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_hostile_names(void **state)
{
	static const char *const names[] = { "",   ".",	   "..",  "../x", "a/b",     "-m",
					     ".a", "a\nb", "a b", "$(x)", "a\x1b[0m" };
	struct session *session = *state;
	struct installer_target target;

	start(session, "unbuild");
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
			assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target),
					     NULL, 0, NULL),
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

/* A run is about what the command line named: a taken-over orchestrator can ask for nothing else.
 */
static void test_only_what_was_asked(void **state)
{
	struct session *session = *state;
	const int *trees = session->world.trees;
	cleanup_free char *before = NULL, *after = NULL;
	struct installer_target other, forced;
	struct installer_add add;
	cleanup_close int snapshot_fd = -1;

	new_add(&add, "1.0");
	write_text(trees[TREE_SOURCE], "new-1.0/dkms.conf", "PACKAGE_NAME=new\n");
	snapshot_fd = directory_snapshot(&session->world, "new-1.0", &add.source);
	before = world_list(&session->world);
	/* Another module, --force that was not given, a source that was not to be written. */
	session->may_nothing = true;
	session->packages = " another/1.0 new/2 knew/1.0 new/1.0.1 ";
	start(session, "add");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 34);
	session->packages = " another/1.0 new/ ";
	start_again(session, "add");
	add.target.force = 1;
	assert_int_equal(add_begin(session, &add, snapshot_fd), 34);
	add.target.force = 0;
	add.write_source = 1;
	assert_int_equal(add_begin(session, &add, snapshot_fd), 34);
	after = world_list(&session->world);
	assert_string_equal(before, after);
	/* The control: what was named, as it was named. */
	add.write_source = 0;
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 0);
	assert_int_equal(stop(session), 0);
	start(session, "remove");
	other = target_of("other", "1.0", 0);
	forced = target_of("new", "1.0", 0);
	forced.force = 1;
	assert_int_equal(ask(session, INSTALLER_REMOVE, &other, sizeof(other), NULL, 0, NULL), 34);
	assert_int_equal(ask(session, INSTALLER_REMOVE, &forced, sizeof(forced), NULL, 0, NULL),
			 34);
	forced.force = 0;
	assert_int_equal(ask(session, INSTALLER_REMOVE, &forced, sizeof(forced), NULL, 0, NULL), 0);
}

/* No kernel but those of the command line, and no new approval by a build, forced or not. */
static void test_only_its_kernels(void **state)
{
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 0);
	struct installer_add add;
	cleanup_close int snapshot_fd = -1;

	session->kernels = "/another/";
	start(session, "unbuild");
	assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0, NULL),
			 34);
	assert_int_equal(stop(session), 0);
	session->kernels = "/another/" KERNEL "/";
	start(session, "unbuild");
	assert_int_equal(ask(session, INSTALLER_UNBUILD, &target, sizeof(target), NULL, 0, NULL),
			 3); /* allowed; not built */
	assert_int_equal(stop(session), 0);
	session->kernels = NULL;

	new_add(&add, "1.0");
	write_text(session->world.trees[TREE_SOURCE], "new-1.0/dkms.conf", "PACKAGE_NAME=new\n");
	snapshot_fd = directory_snapshot(&session->world, "new-1.0", &add.source);
	add.target.force = 1;
	start(session, "build");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0); /* it is the first */
	assert_int_equal(add_rest(session), 0);
	assert_int_equal(add_begin(session, &add, snapshot_fd), 3);
	assert_int_equal(stop(session), 0);
	start(session, "add");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 3);
	/* Its name alone is not enough: root says which version he means. */
	session->packages = " new/ ";
	start_again(session, "add");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 3);
	session->packages = " new/1.0 ";
	start_again(session, "add");
	assert_int_equal(add_begin(session, &add, snapshot_fd), 0);
	assert_int_equal(add_rest(session), 0);
}

/* What depends on what changed is made anew in a run about a closed list, and about nothing else.
 */
static void test_only_its_packages(void **state)
{
	static const char *const lists[] = { " other/1 third/2 ", " demo/2 ", " emo/1 demo/1.1 ",
					     " x/demo/1/x ",	  " ",	      "" };
	struct session *session = *state;
	struct installer_target target = target_of("demo", "1", 1);
	struct installer_installed installed;
	cleanup_close int fd = issue(session->world.key, 2, "demo", "1", contents, 2);
	cleanup_free char *before = NULL, *after = NULL;

	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	before = world_list(&session->world);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		session->packages = lists[i];
		start_again(session, "autoinstall");
		assert_int_equal(publish_begin(session, &target, fd), 34);
		assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 1, &installed), 34);
	}
	after = world_list(&session->world);
	assert_string_equal(before, after);
	session->packages = " other/1 demo/1 ";
	start_again(session, "autoinstall");
	assert_int_equal(publish_contents(session, "1", 2, contents, 2, 1), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 1, &installed), 0);
}

/* A tree that only the last step needs is looked at before the first. */
static void test_unwritable(void **state)
{
	static const struct {
		const char *verb;
		uint32_t type;
		enum tree tree;
	} cases[] = {
		{ "remove", INSTALLER_UNINSTALL, TREE_APPROVALS },
		{ "remove", INSTALLER_UNBUILD, TREE_APPROVALS },
		{ "install", INSTALLER_INSTALL, TREE_LEDGER },
		{ "build", INSTALLER_PUBLISH, TREE_LEDGER },
		{ "install", INSTALLER_PUBLISH, TREE_INSTALL },
		{ "autoinstall", INSTALLER_PUBLISH, TREE_INSTALL },
		{ "match", INSTALLER_PUBLISH, TREE_INSTALL },
		{ "ldtarball", INSTALLER_PUBLISH, TREE_LEDGER },
	};
	struct session *session = *state;
	const int *trees = session->world.trees;
	struct installer_target target = target_of("demo", "1", 1);
	struct installer_installed installed;
	cleanup_close int fd = issue(session->world.key, 2, "demo", "1", contents, 2);
	cleanup_free char *before = NULL;

	start(session, "install");
	assert_int_equal(publish(session, 1), 0);
	assert_int_equal(simple(session, INSTALLER_INSTALL, "1", 0, &installed), 0);
	before = world_list(&session->world);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool counts =
			cases[i].type != INSTALLER_PUBLISH && cases[i].type != INSTALLER_UNBUILD;
		cleanup_free char *after = NULL;
		int code;

		assert_int_equal(fchmod(trees[cases[i].tree], 0555), 0);
		start_again(session, cases[i].verb);
		code = ask(session, cases[i].type, &target, sizeof(target), &fd,
			   cases[i].type == INSTALLER_PUBLISH, counts ? &installed : NULL);
		assert_int_equal(fchmod(trees[cases[i].tree], 0755), 0);
		assert_int_equal(code, 35);
		assert_non_null(strstr(session->said, session->world.paths[cases[i].tree]));
		assert_non_null(strstr(session->said, "nothing was changed"));
		after = world_list(&session->world);
		assert_string_equal(before, after);
	}
	start_again(session, "remove");
	assert_int_equal(simple(session, INSTALLER_UNINSTALL, "1", 0, &installed), 0);
	assert_int_equal(simple(session, INSTALLER_UNBUILD, "1", 0, NULL), 0);
	assert_int_equal(simple(session, INSTALLER_REMOVE, "1", 0, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_add_directory),
		TEST(test_add_archive),
		TEST(test_remove_with_builds),
		TEST(test_verbs),
		TEST(test_order),
		TEST(test_descriptors),
		TEST(test_socket_is_not_to_be_had),
		TEST(test_hostile_names),
		TEST(test_lock),
		TEST(test_confinement),
		TEST(test_only_what_was_asked),
		TEST(test_only_its_kernels),
		TEST(test_only_its_packages),
		TEST(test_unwritable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
