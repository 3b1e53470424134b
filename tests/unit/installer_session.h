/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The real kmodbox-installer, asked over a socket as the orchestrator asks it. After cmocka.h. */
#ifndef KMODBOX_TESTS_INSTALLER_SESSION_H
#define KMODBOX_TESTS_INSTALLER_SESSION_H

#include <signal.h>
#include <sys/prctl.h>

#include "tests/unit/installer_support.h"

#define BUILD "demo/1/" KERNEL "/" ARCHITECTURE
#define LINK "demo/kernel-" KERNEL "-" ARCHITECTURE

static const struct content contents[] = { { "demo.ko.xz", "updates/dkms", "bytes of demo" },
					   { "more.ko.xz", "updates/dkms", "bytes of more" } };

struct session {
	struct world world;
	int socket;
	pid_t pid;
	const char *packages; /* the run is about these: " M/V M/ "; NULL: about any */
	const char *kernels;  /* and about these kernels: "/A/B/"; NULL: about any */
	bool may_nothing;     /* neither force nor write a source */
	int depmod_socket;    /* what the next installer is given; -1: none */
	char said[2048];      /* why it refused what was asked last */
};

/* ../bin/NAME beside this program's folder; opened before anything is put over it. */
static inline int open_program(const char *name)
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
static inline pid_t spawn(const char *name, char *const *argv, const int *fds, size_t fd_count)
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

static inline void start(struct session *session, const char *verb)
{
	char numbers[TREE_COUNT + 3][PATH_LENGTH];
	int fds[TREE_COUNT + 3], pair[2] = { -1, -1 };
	const struct world *world = &session->world;
	cleanup_close int key_fd = -1;
	const char *const fixed[] = {
		"kmodbox-installer",
		"--verb",
		verb,
		"--dkms-tree",
		numbers[TREE_DKMS],
		"--source-tree",
		numbers[TREE_SOURCE],
		"--install-tree",
		numbers[TREE_INSTALL],
		"--approvals",
		numbers[TREE_APPROVALS],
		"--ledger",
		numbers[TREE_LEDGER],
		"--socket",
		numbers[TREE_COUNT],
		"--ticket-key",
		numbers[TREE_COUNT + 1],
		"--depmod",
		numbers[TREE_COUNT + 2],
	};
	/* What the command line asked for. */
	const char *const asked[][2] = {
		{ "--packages", session->packages },
		{ "--kernels", session->kernels },
	};
	char *arguments[ARRAY_SIZE(fixed) + 2 * ARRAY_SIZE(asked) + 3];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		arguments[count++] = (char *)(uintptr_t)fixed[i];
	for (size_t i = 0; i < 2 * ARRAY_SIZE(asked); i++)
		if (asked[i / 2][1])
			arguments[count++] = (char *)(uintptr_t)asked[i / 2][i % 2];
	if (!session->may_nothing) {
		arguments[count++] = (char *)"--may-force";
		arguments[count++] = (char *)"--may-write-source";
	}
	arguments[count] = NULL;
	must(memfd_from_bytes("key", world->raw_key, sizeof(world->raw_key), &key_fd, error));
	must(message_pair(pair, error));
	for (int i = 0; i < TREE_COUNT; i++)
		fds[i] = world->trees[i];
	fds[TREE_COUNT] = pair[1];
	fds[TREE_COUNT + 1] = key_fd;
	fds[TREE_COUNT + 2] = session->depmod_socket;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		(void)snprintf(numbers[i], sizeof(numbers[i]), "%s%s%d",
			       i < TREE_COUNT ? world->paths[i] : "", i < TREE_COUNT ? "=" : "",
			       fds[i]);
	session->pid = spawn("kmodbox-installer", arguments, fds, ARRAY_SIZE(fds));
	(void)close_fd(pair[1]);
	session->socket = pair[0];
}

/* Its exit status, or -signal. */
static inline int stop(struct session *session)
{
	int status = 0;

	session->socket = close_fd(session->socket);
	if (session->pid <= 0)
		return 0;
	assert_int_equal(waitpid(session->pid, &status, 0), session->pid);
	session->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The same trees in another run. */
static inline void start_again(struct session *session, const char *verb)
{
	assert_int_equal(stop(session), 0);
	start(session, verb);
}

/* 0, or the exit code that the answer carries (-1: the conversation was ended). */
static inline int ask(struct session *session, uint32_t type, const void *payload, size_t length,
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
	(void)snprintf(session->said, sizeof(session->said), "%s", text);
	return r == -EPIPE ? -1 : error_code(reason);
}

static inline int publish_begin(struct session *session, const struct installer_target *target,
				int ticket_fd)
{
	return ask(session, INSTALLER_PUBLISH, target, sizeof(*target), &ticket_fd, 1, NULL);
}

static inline int publish_file(struct session *session, const char *name, const char *bytes)
{
	struct installer_file file = { 0 };
	cleanup_close int fd = sealed(bytes);

	assert_int_equal(MESSAGE_STRING_SET(file.name, name), 0);
	return ask(session, INSTALLER_PUBLISH_FILE, &file, sizeof(file), &fd, 1, NULL);
}

static inline int publish_commit(struct session *session)
{
	cleanup_close int log_fd = sealed("the log"), record_fd = sealed("{}\n");
	int fds[] = { log_fd, record_fd };

	return ask(session, INSTALLER_PUBLISH_COMMIT, NULL, 0, fds, 2, NULL);
}

static inline int publish_contents(struct session *session, const char *version, uint64_t serial,
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

static inline int publish(struct session *session, uint64_t serial)
{
	return publish_contents(session, "1", serial, contents, 2, 0);
}

static inline int simple(struct session *session, uint32_t type, const char *version,
			 uint32_t force, struct installer_installed *ret_installed)
{
	struct installer_target target = target_of("demo", version, force);

	return ask(session, type, &target, sizeof(target), NULL, 0, ret_installed);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	struct session *session = *state;

	(void)stop(session);
	world_remove(&session->world);
	world_free(&session->world);
	free(session);
	return 0;
}

/* openat2 of the tests follows no links either: the link is read instead. */
static inline void assert_link(int fd, const char *path, const char *expected)
{
	char target[PATH_LENGTH] = "";

	assert_true(readlinkat(fd, path, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, expected);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
