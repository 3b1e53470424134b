/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probes of files, modes and descriptors: part of probe.c, which explains them. */
#ifndef KMODBOX_TESTS_PROBE_FILES_H
#define KMODBOX_TESTS_PROBE_FILES_H

static int read_leaked_fd(void)
{
	char byte;

	return answer(pread(9, &byte, 1, 0));
}

static int open_leaked_directory(void)
{
	int fd = openat(8, "etc/passwd", O_RDONLY | O_CLOEXEC);

	return answer(fd);
}

static int read_environment(void)
{
	return secure_getenv("KMODBOX_TEST_SECRET") ? 0 : -ENOENT;
}

/* Anything that was open and is no part of what a build is given: pipes may be make's. */
static int find_descriptor(void)
{
	struct stat status;

	for (int fd = 3; fd < 1024; fd++) {
		if (fstat(fd, &status) == 0 && !S_ISFIFO(status.st_mode))
			return 0;
	}
	return -ENOENT;
}

static int read_named(void)
{
	return answer(open(argument, O_RDONLY | O_CLOEXEC));
}

/* The caller's own file, by a path that climbs out of the working directory. */
static int climb_out(void)
{
	char *path;

	if (asprintf(&path, "../../../../../../../../../../../../../..%s/../canary", shown) < 0)
		return NO_CONTROL;
	return answer(open(path, O_RDONLY | O_CLOEXEC));
}

static int write_scratch(void)
{
	char *path = path_in(scratch, "plain");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	int r = answer(fd < 0 ? fd : fchmod(fd, 0711));

	(void)unlink(path);
	return r;
}

static int make_fifo(void)
{
	char *path = path_in(scratch, "fifo");
	int r = answer(mkfifo(path, 0600));

	(void)unlink(path);
	return r;
}

static int make_device(void)
{
	char *path = path_in(scratch, "device");
	int r = answer(mknod(path, S_IFCHR | 0600, 0x103));

	(void)unlink(path);
	return r;
}

static int link_system_file(void)
{
	char *path = path_in(scratch, "link");
	int r = answer(link("/usr/bin/env", path));

	(void)unlink(path);
	return r;
}

static int link_shown_file(void)
{
	char *path = path_in(shown, "link");
	int r = answer(link(path_in(shown, "file"), path));

	(void)unlink(path);
	return r;
}

/* Ways to a file with a setuid or setgid bit; what counts is the bit. */
enum setuid_way {
	BY_CHMOD,
	BY_FCHMOD,
	BY_FCHMODAT,
	BY_FCHMODAT2,
	BY_OPEN,
	BY_OPENAT,
	BY_OPENAT2,
	BY_CREAT,
	BY_MKNOD,
	BY_MKNODAT,
	BY_DIRECTORY,
	BY_TMPFILE,
};

static int setuid_call(enum setuid_way way, const char *path)
{
	struct open_how how = { .flags = O_WRONLY | O_CREAT, .mode = 06755 };
	int fd = -1;

	if (way < BY_OPEN) {
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
		if (fd < 0)
			return fd;
	}
	switch (way) {
	case BY_CHMOD:
		return chmod(path, 04755);
	case BY_FCHMOD:
		return fchmod(fd, 02755);
	case BY_FCHMODAT:
		return fchmodat(AT_FDCWD, path, 04755, 0);
	case BY_FCHMODAT2:
		return (int)syscall(FCHMODAT2, AT_FDCWD, path, 04755, 0);
	case BY_OPEN:
		return (int)syscall(SYS_open, path, O_WRONLY | O_CREAT, 06755);
	case BY_OPENAT:
		return openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_CLOEXEC, 04755);
	case BY_OPENAT2:
		return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	case BY_CREAT:
		return creat(path, 06755);
	case BY_MKNOD:
		return (int)syscall(SYS_mknod, path, S_IFREG | 06755, 0);
	case BY_MKNODAT:
		return mknodat(AT_FDCWD, path, S_IFREG | 04755, 0);
	case BY_DIRECTORY:
		return mkdir(path, 0755) < 0 ? -1 : chmod(path, 02755);
	case BY_TMPFILE:
		return openat(AT_FDCWD, scratch, O_WRONLY | O_TMPFILE | O_CLOEXEC, 04755);
	default:
		return -1;
	}
}

static int make_setuid(enum setuid_way way)
{
	char *path = path_in(scratch, "setuid");
	struct stat status = { 0 };
	int result;
	int r;

	(void)unlink(path);
	(void)rmdir(path);
	(void)umask(0);
	result = setuid_call(way, path);
	r = answer(result);
	if (r == 0 && (way == BY_TMPFILE ? fstat(result, &status) : stat(path, &status)) < 0)
		r = -errno;
	if (r == 0 && !(status.st_mode & (S_ISUID | S_ISGID)))
		r = NO_EFFECT;
	(void)unlink(path);
	(void)rmdir(path);
	return r;
}

#define SETUID_PROBE(function, way)                                                                \
	static int function(void)                                                                  \
	{                                                                                          \
		return make_setuid(way);                                                           \
	}
SETUID_PROBE(setuid_chmod, BY_CHMOD)
SETUID_PROBE(setuid_fchmod, BY_FCHMOD)
SETUID_PROBE(setuid_fchmodat, BY_FCHMODAT)
SETUID_PROBE(setuid_fchmodat2, BY_FCHMODAT2)
SETUID_PROBE(setuid_open, BY_OPEN)
SETUID_PROBE(setuid_openat, BY_OPENAT)
SETUID_PROBE(setuid_openat2, BY_OPENAT2)
SETUID_PROBE(setuid_creat, BY_CREAT)
SETUID_PROBE(setuid_mknod, BY_MKNOD)
SETUID_PROBE(setuid_mknodat, BY_MKNODAT)
SETUID_PROBE(setuid_directory, BY_DIRECTORY)
SETUID_PROBE(setuid_tmpfile, BY_TMPFILE)

static int file_capability(void)
{
	struct vfs_cap_data data = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
				     .data = { { .permitted = 1u << CAP_NET_ADMIN } } };
	char *path = path_in(scratch, "capable");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	int r = make_private();

	(void)close(fd);
	if (r == 0)
		r = answer(setxattr(path, "security.capability", &data, sizeof(data), 0));
	(void)unlink(path);
	return r;
}

static int user_attribute(void)
{
	char *path = path_in(scratch, "attributed");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	int r = answer(fsetxattr(fd, "user.probe", "x", 1, 0));

	(void)close(fd);
	(void)unlink(path);
	/* A file system without them: the call came through. */
	return r == -EOPNOTSUPP ? 0 : r;
}

static int make_socket_file(void)
{
	char *path = path_in(scratch, "socket");
	int r = answer(mknod(path, S_IFSOCK | 0600, 0));

	(void)unlink(path);
	return r;
}

static int change_owner(void)
{
	char *path = path_in(scratch, "owned");
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	struct stat status;
	int r = answer(fchown(fd, 1, 1));

	if (r == 0 && (fstat(fd, &status) < 0 || status.st_uid != 1))
		r = NO_EFFECT;
	(void)unlink(path);
	return r;
}

static int lease(void)
{
	int fd = open(path_in(shown, "file"), O_RDONLY | O_CLOEXEC);

	return answer(fcntl(fd, F_SETLEASE, F_RDLCK));
}

/* Out of the page cache, with all others who use it. */
static int evict_file(void)
{
	int fd = open("/usr/bin/env", O_RDONLY | O_CLOEXEC);

	return answer(syscall(SYS_fadvise64, fd, 0, 0, POSIX_FADV_DONTNEED));
}

/* On a descriptor that is none: who does nothing does not see that. */
static int sync_nothing(int number)
{
	return syscall(number, -1, 0, 0, 0) == 0 ? NO_EFFECT : errno == EBADF ? 0 : -errno;
}

static int sync_file(void)
{
	return sync_nothing(SYS_fsync);
}

static int sync_range(void)
{
	return sync_nothing(SYS_sync_file_range);
}

/* Of no mapping: ENOMEM. */
static int sync_mapping(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)munmap(memory, 4096);
	return msync(memory, 4096, MS_SYNC) == 0 ? NO_EFFECT : errno == ENOMEM ? 0 : -errno;
}

static int watch_directory(void)
{
	int fd = open("/usr/bin", O_RDONLY | O_CLOEXEC);

	return answer(fcntl(fd, F_NOTIFY, DN_ACCESS));
}

static int handle_of_file(int *ret_mount, struct file_handle *handle)
{
	handle->handle_bytes = MAX_HANDLE_SZ;
	return name_to_handle_at(AT_FDCWD, "/usr", handle, ret_mount, 0);
}

static union {
	struct file_handle handle;
	char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
} handle_space;

static int name_to_handle(void)
{
	int mount_id;

	return answer(handle_of_file(&mount_id, &handle_space.handle));
}

static int open_by_handle(void)
{
	int fd = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int mount_id;

	(void)handle_of_file(&mount_id, &handle_space.handle);
	return answer(open_by_handle_at(fd, &handle_space.handle, O_RDONLY));
}

#endif
