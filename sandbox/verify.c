/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A look at each wall from inside, see verify.h. Trusted code in the payload's process. */
#include "sandbox/verify.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "lib/base/syscalls.h"
#include "sandbox/remedy.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14; Debian 12's glibc has it, older ones lack it */
#endif
/* What a program leaves open are low numbers; the loop costs 0.1 us for each. */
#define DESCRIPTORS 64
#define INTERFACES 8

static const char *const namespace_names[SETUP_NAMESPACES] = { "user", "mnt", "pid",
							       "ipc",  "uts", "cgroup" };

int verify_note_namespaces(uint64_t ret_inodes[SETUP_NAMESPACES], struct error **error)
{
	cleanup_close int fd = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return error_set_errno(error, errno, "/proc/self/ns");
	for (size_t i = 0; i < SETUP_NAMESPACES; i++) {
		if (fstatat(fd, namespace_names[i], &status, 0) < 0)
			return error_set_errno(error, errno, "/proc/self/ns/%s",
					       namespace_names[i]);
		ret_inodes[i] = status.st_ino;
	}
	return 0;
}

static int network_of(int socket_fd, uint64_t *ret_cookie, struct error **error)
{
	socklen_t length = sizeof(*ret_cookie);

	if (getsockopt(socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, ret_cookie, &length) < 0)
		return error_set_errno(error, errno, "SO_NETNS_COOKIE");
	return 0;
}

int verify_note_network(uint64_t *ret_cookie, struct error **error)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_set_errno(error, errno, "socket") : network_of(fd, ret_cookie, error);
}

/* What pid 1 saw of itself, and the payload's ids in the first ones. */
int verify_namespaces(const struct setup *setup, struct error **error)
{
	for (size_t i = 0; i < SETUP_NAMESPACES; i++) {
		if (setup->namespaces[i] == setup->namespaces_outside[i])
			return error_set(error, EPERM, "the %s namespace is the caller's",
					 namespace_names[i]);
	}
	if (getuid() != 0 || geteuid() != 0 || getgid() != 0 || getegid() != 0)
		return error_set(error, EPERM, "not the namespace's own user");
	if (getppid() != 1)
		return error_set(error, EPERM, "its parent is not the first process");
	return 0;
}

/* The thing itself: unshare() is no way, as this process shares its memory. */
int verify_no_nesting(const struct setup *setup, struct error **error)
{
	pid_t pid = sys_clone3(CLONE_NEWUSER, SIGCHLD, NULL);

	(void)setup;
	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return 0;
	(void)waitpid(pid, NULL, 0);
	return error_set(error, EPERM, "one could be made");
}

static int check(const char *path, unsigned long flags, const struct statfs *status,
		 struct error **error)
{
	const unsigned long missing = flags & ~(unsigned long)status->f_flags;

	if (!missing)
		return 0;
	return error_set(error, EPERM, "%s is not mounted %s", path,
			 missing & ST_RDONLY   ? "read-only"
			 : missing & ST_NOSUID ? "nosuid"
			 : missing & ST_NODEV  ? "nodev"
					       : "noexec");
}

static int look(const char *path, unsigned long flags, struct statfs *ret_status,
		struct error **error)
{
	if (statfs(path, ret_status) < 0)
		return error_set_errno(error, errno, "%s", path);
	return check(path, flags, ret_status, error);
}

int verify_root(const struct setup *setup, struct error **error)
{
	struct statfs status;
	int r = look("/", ST_NOSUID | ST_NODEV, &status, error);

	(void)setup;
	if (r == 0 && status.f_type != TMPFS_MAGIC)
		r = error_set(error, EPERM, "the root is not a tmpfs");
	return r;
}

int verify_system(const struct setup *setup, struct error **error)
{
	static const char *const directories[] = { "/bin", "/sbin", "/lib", "/lib64" };
	struct statfs status;
	int r = look("/usr", ST_RDONLY | ST_NOSUID | ST_NODEV, &status, error);

	(void)setup;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(directories); i++) {
		if (statfs(directories[i], &status) == 0)
			r = check(directories[i], ST_RDONLY | ST_NOSUID | ST_NODEV, &status, error);
	}
	return r;
}

/* On the root's own tmpfs, on which nothing is but what was written there. */
static int on_root(const char *path, struct error **error)
{
	struct stat root, status;

	if (stat("/", &root) < 0 || lstat(path, &status) < 0)
		return error_set_errno(error, errno, "%s", path);
	if (root.st_dev != status.st_dev)
		return error_set(error, EPERM, "%s is not the one that was made", path);
	return 0;
}

int verify_etc(const struct setup *setup, struct error **error)
{
	int r = on_root("/etc/passwd", error);

	(void)setup;
	if (r == 0 && faccessat(AT_FDCWD, "/etc/shadow", F_OK, 0) == 0)
		r = error_set(error, EPERM, "there is an /etc/shadow");
	return r;
}

int verify_devices(const struct setup *setup, struct error **error)
{
	struct statfs mounted;
	struct stat status;
	int r = on_root("/dev", error);

	(void)setup;
	if (r == 0)
		r = look("/dev/null", ST_RDONLY | ST_NOSUID | ST_NOEXEC, &mounted, error);
	if (r == 0 && (stat("/dev/null", &status) < 0 || !S_ISCHR(status.st_mode) ||
		       status.st_rdev != makedev(1, 3)))
		r = error_set(error, EPERM, "/dev/null is something else");
	return r;
}

static int look_at_tmpfs(const char *path, uint64_t bytes, uint64_t inodes, struct error **error)
{
	struct statfs status;
	int r = look(path, ST_NOSUID | ST_NODEV, &status, error);

	if (r < 0)
		return r;
	if (status.f_type != TMPFS_MAGIC)
		return error_set(error, EPERM, "%s is not a tmpfs", path);
	/* 0: no limit. The kernel rounds up to a page. */
	if (status.f_blocks == 0 || status.f_blocks - 1 > bytes / (uint64_t)status.f_bsize ||
	    status.f_files == 0 || status.f_files > inodes)
		return error_set(error, EPERM, "%s has not the limit that it was given", path);
	return 0;
}

int verify_tmp(const struct setup *setup, struct error **error)
{
	return look_at_tmpfs("/tmp", setup->limits.scratch_bytes, setup->limits.scratch_inodes,
			     error);
}

int verify_proc(const struct setup *setup, struct error **error)
{
	struct statfs status;
	int r = look("/proc", ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC, &status, error);

	(void)setup;
	if (r < 0)
		return r;
	if (status.f_type != PROC_SUPER_MAGIC)
		return error_set(error, EPERM, "/proc is something else");
	if (faccessat(AT_FDCWD, "/proc/sys", F_OK, 0) == 0)
		return error_set(error, EPERM, "/proc/sys is seen");
	if (faccessat(AT_FDCWD, "/proc/1", F_OK, 0) == 0)
		return error_set(error, EPERM, "the sandbox's init is seen");
	return 0;
}

int verify_mounts(const struct setup *setup, struct error **error)
{
	const struct sandbox_spec *spec = setup->spec;
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->mount_count; i++) {
		const unsigned long read_only = spec->mounts[i].writable ? 0 : ST_RDONLY;
		struct statfs status;

		/* Behind what may not be read it cannot be reached by the payload either. */
		if (statfs(spec->mounts[i].target, &status) < 0 && errno == EACCES)
			continue;
		r = look(spec->mounts[i].target, ST_NOSUID | ST_NODEV | read_only, &status, error);
	}
	return r;
}

int verify_trees(const struct setup *setup, struct error **error)
{
	const struct sandbox_spec *spec = setup->spec;
	struct statfs status;
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->tree_count; i++)
		r = look(spec->trees[i].path,
			 ST_NOSUID | ST_NODEV | (spec->trees[i].writable ? 0 : ST_RDONLY), &status,
			 error);
	return r;
}

int verify_scratch_limit(const struct setup *setup, struct error **error)
{
	const struct sandbox_spec *spec = setup->spec;
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->tree_count; i++)
		r = look_at_tmpfs(spec->trees[i].path,
				  spec->trees[i].bytes ? spec->trees[i].bytes
						       : setup->limits.scratch_bytes,
				  setup->limits.scratch_inodes, error);
	return r;
}

/* What could not be mounted anew belongs to somebody whom the payload cannot be. */
int verify_program(const struct setup *setup, struct error **error)
{
	struct statfs status;

	if (fstatfs(setup->exec_fd, &status) < 0)
		return error_set_errno(error, errno, "%s", setup->spec->argv[0]);
	if (!(status.f_flags & ST_RDONLY) &&
	    faccessat(setup->exec_fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) == 0)
		return error_set(error, EPERM, "%s can be written to", setup->spec->argv[0]);
	return 0;
}

int verify_sealed_root(const struct setup *setup, struct error **error)
{
	struct statfs status;
	int r = look("/", ST_RDONLY, &status, error);

	if (r == 0 && setup->spec->toolchain_only && faccessat(AT_FDCWD, "/usr/src", F_OK, 0) == 0)
		r = look("/usr/src", ST_RDONLY, &status, error);
	return r;
}

/* A root that is not the process's own begins with "(unreachable)" (runc CVE-2024-21626). */
int verify_inside_root(const struct setup *setup, struct error **error)
{
	char directory[PATH_MAX];
	struct stat status;

	if (stat("/", &status) < 0 || status.st_dev != setup->root_device)
		return error_set(error, EPERM, "the root is another one");
	if (!getcwd(directory, sizeof(directory)) || directory[0] != '/')
		return error_set(error, EPERM, "the working directory lies outside of it");
	return 0;
}

/* An address, or an interface that is up. In a new namespace they are numbered from 1 on. */
int verify_no_network(const struct setup *setup, struct error **error)
{
	cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifconf addresses = { 0 };
	uint64_t cookie;
	int r;

	if (fd < 0)
		return error_set_errno(error, errno, "socket");
	r = network_of(fd, &cookie, error);
	if (r < 0)
		return r;
	if (cookie == setup->network_outside)
		return error_set(error, EPERM, "it is the caller's");
	/* Without a buffer it tells how long the list is; ENOTTY: a kernel without IPv4. */
	if (ioctl(fd, SIOCGIFCONF, &addresses) == 0 && addresses.ifc_len > 0)
		return error_set(error, EPERM, "an interface has an address");
	for (int i = 1; i <= INTERFACES; i++) {
		struct ifreq interface = { .ifr_ifindex = i };

		if (ioctl(fd, SIOCGIFNAME, &interface) < 0)
			continue;
		if (ioctl(fd, SIOCGIFFLAGS, &interface) < 0 || interface.ifr_flags & IFF_UP)
			return error_set(error, EPERM, "interface %.*s is up", IFNAMSIZ,
					 interface.ifr_name);
	}
	return 0;
}

int verify_host_name(const struct setup *setup, struct error **error)
{
	struct utsname name;

	(void)setup;
	if (uname(&name) < 0 || strcmp(name.nodename, SETUP_HOST_NAME) != 0 ||
	    name.domainname[0] != '\0')
		return error_set(error, EPERM, "it is another one");
	return 0;
}

/* Init's, or with a terminal of the sandbox its own; 0 were one of outside. */
int verify_session(const struct setup *setup, struct error **error)
{
	const pid_t session = getsid(0);

	if (session != (setup->spec->terminal_fd >= 0 ? getpid() : 1))
		return error_set(error, EPERM, "the session is another one");
	return 0;
}

/* 0 to 2, and 3 where the payload is given one. */
static int first_other(const struct setup *setup)
{
	return setup->report_fd >= 0 || setup->spec->output_file_fd >= 0 ? 4 : 3;
}

int verify_closed(const struct setup *setup, struct error **error)
{
	int kept[SETUP_KEPT];

	setup_list_kept(setup, kept);
	for (int fd = first_other(setup); fd < DESCRIPTORS; fd++) {
		bool known = false;

		if (fcntl(fd, F_GETFD) < 0)
			continue;
		for (size_t i = 0; i < SETUP_KEPT; i++)
			known = known || kept[i] == fd;
		if (!known)
			return error_set(error, EPERM, "descriptor %d is open", fd);
	}
	return 0;
}

int verify_clean(const struct setup *setup, struct error **error)
{
	int kept[SETUP_KEPT];

	for (int fd = 0; fd < first_other(setup); fd++) {
		if (fcntl(fd, F_GETFD) != 0)
			return error_set(error, EPERM, "descriptor %d is missing", fd);
	}
	setup_list_kept(setup, kept);
	for (size_t i = 0; i < SETUP_KEPT; i++) {
		const int flags = kept[i] < first_other(setup) ? -1 : fcntl(kept[i], F_GETFD);

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			return error_set(error, EPERM, "descriptor %d would stay open", kept[i]);
	}
	return 0;
}

int verify_no_capabilities(const struct setup *setup, struct error **error)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	int bound;

	(void)setup;
	if (capget(&header, sets) < 0)
		return error_set_errno(error, errno, "capget");
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		if (sets[i].effective | sets[i].permitted | sets[i].inheritable)
			return error_set(error, EPERM, "there is still one");
	}
	/* Nor an ambient one: those are a part of the permitted ones (capabilities(7)). */
	for (unsigned long i = 0; (bound = prctl(PR_CAPBSET_READ, i, 0, 0, 0)) >= 0; i++) {
		if (bound > 0)
			return error_set(error, EPERM, "the bounding set is not empty");
	}
	if (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != SETUP_SECUREBITS)
		return error_set(error, EPERM, "the securebits are not locked");
	return 0;
}

int verify_no_privileges(const struct setup *setup, struct error **error)
{
	(void)setup;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return error_set(error, EPERM, "no_new_privs is off");
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return error_set(error, EPERM, "the sandbox's init can be traced");
	return 0;
}

/*
 * The one thing here that everything else would allow: the node can be written to by anybody, and
 * no rule of step_landlock() names it.
 */
int verify_landlock(const struct setup *setup, struct error **error)
{
	cleanup_close int fd = open("/dev/random", O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	(void)setup;
	if (fd >= 0 || errno != EACCES)
		return error_set(error, EPERM, "it does not refuse what no rule of it names");
	return 0;
}

/* Those that are active, of both lists. */
int setup_verify(struct setup *setup, struct error **error)
{
	for (size_t i = 0; i < setup_step_count + payload_step_count; i++) {
		const struct setup_step *step = setup_step_at(i);

		if (!step->verify || !(setup->ready.active >> i & 1) ||
		    step->verify(setup, error) == 0)
			continue;
		error_set_code(*error, REMEDY_WALL);
		return error_context(error, "%s", step->name);
	}
	return 0;
}
