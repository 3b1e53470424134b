/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A place for cgroups of sandboxes, see cgroup_delegation.h. */
#include "orchestrator/cgroup_delegation.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "lib/base/files.h"
#include "lib/base/text.h"

#define PREFIX "kmodbox-"
#define LEAF "main"
/* The place, a sandbox in it: more is nobody's business there. */
#define DEPTH 2
#define DESCENDANTS "1024"
#define NO_MEMORY "the cgroups of version 2 have no memory controller here"

static const char *const controllers[] = { "memory", "pids", "cpu" };

/* ---- where */

/* Hosts have the hierarchy at the first, those that have version 1 too, at the second. */
static int open_hierarchy(void)
{
	static const char *const paths[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && cgroup_is_one(fd))
			return fd;
		(void)close_fd(fd);
	}
	return -1;
}

static int read_proc(const char *path, struct text *ret_text)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_fd(fd, 1 << 16, ret_text, NULL);
}

/* This process's own: what is behind "0::". */
static int open_own(int hierarchy_fd)
{
	cleanup_text struct text text = { 0 };
	char *rest;

	if (read_proc("/proc/self/cgroup", &text) < 0)
		return -1;
	rest = text.data;
	for (char *entry = strsep(&rest, "\n"); entry; entry = strsep(&rest, "\n")) {
		int fd = -1;

		if (!string_starts_with(entry, "0::/"))
			continue;
		if (open_beneath(hierarchy_fd, entry[4] ? entry + 4 : ".",
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, &fd, NULL) < 0)
			return -1;
		return fd;
	}
	return -1;
}

static bool is_marked(int fd)
{
	char value = '\0';

	/* Service managers mark what they delegate: systemd.resource-control(5). */
	return (fgetxattr(fd, "trusted.delegate", &value, 1) == 1 && value == '1') ||
	       (fgetxattr(fd, "user.delegate", &value, 1) == 1 && value == '1');
}

static bool may_write(int fd)
{
	static const char *const files[] = { ".", "cgroup.procs", "cgroup.subtree_control" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (faccessat(fd, files[i], W_OK, AT_EACCESS) < 0)
			return false;
	return true;
}

/* Whether file lists the word, as cgroup.controllers and cgroup.procs do. */
static bool lists(int fd, const char *file, const char *word, bool alone)
{
	cleanup_text struct text text = { 0 };
	bool found = false, others = false;
	char *rest;

	if (read_file(fd, file, 1 << 16, &text, NULL) < 0)
		return false;
	rest = text.data;
	for (char *entry = strsep(&rest, " \n"); entry; entry = strsep(&rest, " \n")) {
		found = found || string_equal(entry, word);
		others = others || (*entry && !string_equal(entry, word));
	}
	return found && !(alone && others);
}

static const char *find_obstacle(int fd, bool inside)
{
	char process[16];

	if (!may_write(fd))
		return inside ? "the cgroup of this process may not be written to: it is not "
				"delegated"
			      : "the host's cgroups are read-only";
	if (!lists(fd, "cgroup.controllers", "memory", false))
		return NO_MEMORY;
	if (!lists(fd, "cgroup.controllers", "pids", false))
		return "the cgroups of version 2 have no pids controller here";
	(void)snprintf(process, sizeof(process), "%d", (int)getpid());
	if (inside && !lists(fd, "cgroup.procs", process, true))
		return "other processes share the delegated cgroup";
	return NULL;
}

struct cgroup_delegation cgroup_delegation_find(void)
{
	struct cgroup_delegation self = CGROUP_DELEGATION_NONE;
	cleanup_close int hierarchy_fd = open_hierarchy();
	cleanup_close int own_fd = -1;
	/* Only the top of all has no events; that of a container's namespace is an own one. */
	bool top = hierarchy_fd >= 0 && !cgroup_has(hierarchy_fd, "cgroup.events");

	if (hierarchy_fd < 0) {
		self.absent_because = "the host has no cgroups of version 2";
		return self;
	}
	/* The quick answer of hybrid hosts. */
	if (top && !lists(hierarchy_fd, "cgroup.controllers", "memory", false)) {
		self.absent_because = NO_MEMORY;
		return self;
	}
	own_fd = open_own(hierarchy_fd);
	self.inside = geteuid() != 0 || !top || (own_fd >= 0 && is_marked(own_fd));
	if (self.inside && own_fd < 0)
		self.absent_because = "the cgroup of this process cannot be seen";
	else
		self.absent_because =
			find_obstacle(self.inside ? own_fd : hierarchy_fd, self.inside);
	if (!self.absent_because)
		self.base_fd = self.inside ? TAKE_FD(own_fd) : TAKE_FD(hierarchy_fd);
	return self;
}

/* ---- names */

/* When a process began, in ticks since the host did: proc(5), the 22nd of its stat. 0: it is gone.
 */
static uint64_t start_time(uint64_t pid)
{
	cleanup_text struct text text = { 0 };
	char path[64];
	char *rest;
	uint64_t value = 0;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	if (read_proc(path, &text) < 0 || !text.data)
		return 0;
	/* Behind its name, in which anything can be. */
	rest = strrchr(text.data, ')');
	for (int field = 2; rest && field < 22; field++)
		(void)strsep(&rest, " ");
	rest = strsep(&rest, " ");
	return rest && parse_u64(rest, UINT64_MAX, &value) == 0 ? value : 0;
}

/* Of a run in this pid namespace that is dead. */
static bool is_left(const char *name)
{
	char copy[CGROUP_NAME];
	char *rest = copy, *pid;
	uint64_t number, start;

	if (!string_starts_with(name, PREFIX) || strlen(name) >= sizeof(copy))
		return false;
	(void)snprintf(copy, sizeof(copy), "%s", name + strlen(PREFIX));
	pid = strsep(&rest, "-");
	return rest && parse_u64(pid, INT_MAX, &number) == 0 &&
	       parse_u64(rest, UINT64_MAX, &start) == 0 && start_time(number) != start;
}

/* ---- removal */

static void remove_below(int fd, const char *spared, int depth);

static void remove_one(int parent_fd, const char *name, int depth)
{
	cleanup_close int fd =
		openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (cgroup_has(fd, "cgroup.kill"))
		ignore_result(cgroup_kill(fd, -1));
	if (depth > 0)
		remove_below(fd, NULL, depth - 1);
	(void)unlinkat(parent_fd, name, AT_REMOVEDIR);
}

static void remove_below(int fd, const char *spared, int depth)
{
	cleanup_list DIR *list = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *entry;

	while (list && (entry = readdir(list))) {
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    !string_equal(entry->d_name, spared))
			remove_one(fd, entry->d_name, depth);
	}
}

void cgroup_delegation_sweep(int base_fd)
{
	cleanup_list DIR *list =
		fdopendir(openat(base_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *entry;

	while (list && (entry = readdir(list))) {
		cleanup_close int fd = -1;
		struct stat status;

		if (entry->d_type != DT_DIR || !is_left(entry->d_name))
			continue;
		fd = openat(base_fd, entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* Root's base is written to by root alone. The lock: it may be a living run of
		 * another pid namespace. */
		if (fd >= 0 && fstat(fd, &status) == 0 &&
		    (geteuid() == 0 || status.st_uid == geteuid()) &&
		    flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_one(base_fd, entry->d_name, DEPTH);
	}
}

/* ---- the place */

static void enable(int fd, bool on)
{
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		char word[16];

		if (lists(fd, "cgroup.subtree_control", controllers[i], false) == on)
			continue;
		(void)snprintf(word, sizeof(word), "%c%s", on ? '+' : '-', controllers[i]);
		/* What is not there at the end is told of as absent, by who needed it. */
		ignore_result(cgroup_write(fd, "cgroup.subtree_control", word));
	}
}

static int give(int fd, uid_t owner)
{
	if (owner == geteuid())
		return 0;
	/* For who is in there to start others in there: not its limits, nor its controllers. */
	return fchownat(fd, ".", owner, (gid_t)owner, AT_SYMLINK_NOFOLLOW) < 0 ||
			       fchownat(fd, "cgroup.procs", owner, (gid_t)owner,
					AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

static int make(struct cgroup_delegation *self, uid_t owner)
{
	char depth[8];
	int r;

	(void)snprintf(self->name, sizeof(self->name), PREFIX "%d-%" PRIu64, (int)getpid(),
		       start_time((uint64_t)getpid()));
	if (mkdirat(self->base_fd, self->name, 0755) < 0) {
		r = -errno;
		/* Whosever it is, it is not ours to remove. */
		self->name[0] = '\0';
		return r;
	}
	self->fd =
		openat(self->base_fd, self->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (self->fd < 0 || flock(self->fd, LOCK_EX | LOCK_NB) < 0 ||
	    mkdirat(self->fd, LEAF, 0755) < 0)
		return -errno;
	/* Controllers come to who has no processes of his own. */
	r = self->inside ? cgroup_delegation_enter(self) : 0;
	if (r < 0)
		return r;
	(void)snprintf(depth, sizeof(depth), "%d", DEPTH);
	r = cgroup_write(self->fd, "cgroup.max.depth", depth);
	if (r == 0)
		r = cgroup_write(self->fd, "cgroup.max.descendants", DESCENDANTS);
	enable(self->base_fd, true);
	enable(self->fd, true);
	return r < 0 ? r : give(self->fd, owner);
}

void cgroup_delegation_begin(struct cgroup_delegation *self, uid_t owner)
{
	if (self->base_fd < 0)
		return;
	cgroup_delegation_sweep(self->base_fd);
	if (make(self, owner) == 0)
		return;
	cgroup_delegation_end(self);
	self->absent_because = "the kernel refused a cgroup for this run";
}

int cgroup_delegation_enter(const struct cgroup_delegation *self)
{
	return self->fd < 0 ? 0 : cgroup_write(self->fd, LEAF "/cgroup.procs", "0");
}

/* Back to where it was, which takes no processes while it has controllers to give. */
static int leave(const struct cgroup_delegation *self)
{
	remove_below(self->fd, LEAF, DEPTH);
	enable(self->fd, false);
	enable(self->base_fd, false);
	return cgroup_write(self->base_fd, "cgroup.procs", "0");
}

void cgroup_delegation_end(struct cgroup_delegation *self)
{
	if (self->keeper > 0) {
		self->keeper_fd = close_fd(self->keeper_fd);
		self->fd = close_fd(self->fd);
		(void)waitpid(self->keeper, NULL, 0);
	} else if (self->base_fd >= 0 && self->name[0]) {
		/* Who cannot leave would kill himself: then who delegated it removes it. */
		if (!self->inside || self->fd < 0 || leave(self) == 0)
			remove_one(self->base_fd, self->name, DEPTH);
	}
	(void)close_fd(self->fd);
	(void)close_fd(self->base_fd);
	(void)close_fd(self->keeper_fd);
	*self = CGROUP_DELEGATION_NONE;
}

static _Noreturn void keep(struct cgroup_delegation *self, int fd)
{
	char byte;

	/* What ends the others must not end it. */
	(void)setsid();
	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
	cgroup_delegation_end(self);
	_exit(0);
}

void cgroup_delegation_keep(struct cgroup_delegation *self)
{
	int ends[2];

	/* Who is inside keeps his uid, or is its only one and leaves it to who delegated it. */
	if (self->fd < 0 || self->inside || geteuid() != 0)
		return;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	self->keeper = fork();
	if (self->keeper == 0) {
		(void)close_fd(ends[1]);
		keep(self, ends[0]);
	}
	(void)close_fd(ends[0]);
	self->keeper_fd = ends[1];
}
