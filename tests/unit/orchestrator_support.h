/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of the orchestrator share: a directory, and children that are somebody else. */
#ifndef KMODBOX_TESTS_ORCHESTRATOR_SUPPORT_H
#define KMODBOX_TESTS_ORCHESTRATOR_SUPPORT_H

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/error.h"
#include "lib/base/files.h"

#define SOMEBODY 65534u
#define CANNOT 77

/* In a child, where an assertion of cmocka would run the rest of the tests a second time. */
#define expect(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);      \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

struct place {
	char path[64];
	int fd;
};

static inline int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	(void)snprintf(place->path, sizeof(place->path), "/tmp/kmodbox-orchestrator-XXXXXX");
	assert_non_null(mkdtemp(place->path));
	/* An ordinary user's tests write here too. */
	assert_int_equal(chmod(place->path, 0777), 0);
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->fd >= 0);
	*state = place;
	return 0;
}

static inline int teardown(void **state)
{
	struct place *place = *state;
	cleanup_close int parent_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(remove_tree(parent_fd, strrchr(place->path, '/') + 1, NULL), 0);
	(void)close_fd(place->fd);
	free(place);
	return 0;
}

static inline bool write_path(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	return fd >= 0 && write_all(fd, text, strlen(text)) == 0;
}

/* Root in a mount namespace of its own, an ordinary user as root of a user namespace as well. */
static inline bool be_root_apart(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char uid_map[64], gid_map[64];

	(void)snprintf(uid_map, sizeof(uid_map), "0 %u 1", uid);
	(void)snprintf(gid_map, sizeof(gid_map), "0 %u 1", gid);
	if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) < 0)
		return false;
	if (uid != 0 && !(write_path("/proc/self/uid_map", uid_map) &&
			  write_path("/proc/self/setgroups", "deny") &&
			  write_path("/proc/self/gid_map", gid_map)))
		return false;
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static inline bool be_ordinary(void)
{
	return geteuid() != 0 ||
	       (setgroups(0, NULL) == 0 && setresgid(SOMEBODY, SOMEBODY, SOMEBODY) == 0 &&
		setresuid(SOMEBODY, SOMEBODY, SOMEBODY) == 0);
}

/* Runs checks in a child, of which all namespaces, ids and variables go with it. */
static inline void in_child(int (*checks)(const struct place *place), const struct place *place)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(checks(place));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT) {
		print_message("  skipped: no namespaces of our own can be had here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* error's whole text says this; it goes. */
static inline bool says(struct error **error, int code, const char *expected)
{
	cleanup_free char *text = error_describe(*error);
	bool good = text && strstr(text, expected) && error_code(*error) == code;

	if (!good)
		(void)fprintf(stderr, "(%d) %s\n", error_code(*error), text ? text : "no text");
	*error = error_free(*error);
	return good;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
