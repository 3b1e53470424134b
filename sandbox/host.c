/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host says of itself, see host.h. */
#include "sandbox/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/files.h"

#define HOST_FILE_BYTES (UINT64_C(1) << 20)
#define HOST_SYS_ADMIN 21 /* CAP_SYS_ADMIN, linux/capability.h */

/* A whole file, without the last newline; empty where it cannot be had. */
static void read_text(int root_fd, const char *path, struct text *ret_text)
{
	cleanup_close int fd = openat(root_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	text_clear(ret_text);
	if (fd < 0 || read_fd(fd, HOST_FILE_BYTES, ret_text, NULL) < 0)
		text_clear(ret_text);
	if (ret_text->length > 0 && ret_text->data[ret_text->length - 1] == '\n')
		ret_text->data[--ret_text->length] = '\0';
}

static void read_line(int root_fd, const char *path, char *ret_line, size_t size)
{
	cleanup_text struct text text = { 0 };

	read_text(root_fd, path, &text);
	(void)snprintf(ret_line, size, "%s", text.data ? text.data : "");
	ret_line[strcspn(ret_line, "\n")] = '\0';
}

static int64_t read_number(int root_fd, const char *path)
{
	char line[32];
	uint64_t value;

	read_line(root_fd, path, line, sizeof(line));
	return parse_u64(line, INT64_MAX, &value) < 0 ? HOST_UNKNOWN : (int64_t)value;
}

static bool exists(int root_fd, const char *path)
{
	return faccessat(root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* What stands behind "NAME:" at the start of a line; "" where there is none. */
static const char *find_field(const char *status, const char *name)
{
	const size_t length = strlen(name);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			return line + length + 1;
	}
	return "";
}

static void look_at_release(int root_fd, struct host *host)
{
	int length = 0;

	read_line(root_fd, "proc/sys/kernel/osrelease", host->release, sizeof(host->release));
	if (sscanf(host->release, "%5u.%5u%n", &host->major, &host->minor, &length) != 2)
		host->major = host->minor = 0;
}

uint64_t host_available_memory(int root_fd)
{
	cleanup_text struct text text = { 0 };
	unsigned long kilobytes;

	read_text(root_fd, "proc/meminfo", &text);
	return text.data && sscanf(find_field(text.data, "MemAvailable"), "%lu", &kilobytes) == 1 &&
			       kilobytes < UINT64_MAX >> 10
		       ? (uint64_t)kilobytes << 10
		       : 0;
}

static void look_at_namespaces(int root_fd, struct host *host)
{
	static const struct {
		const char *kind;
		const char *sysctl;
		const char *option;
	} rows[] = {
		{ "mnt", "user.max_mnt_namespaces", "CONFIG_NAMESPACES" },
		{ "user", "user.max_user_namespaces", "CONFIG_USER_NS" },
		{ "pid", "user.max_pid_namespaces", "CONFIG_PID_NS" },
		{ "net", "user.max_net_namespaces", "CONFIG_NET_NS" },
		{ "ipc", "user.max_ipc_namespaces", "CONFIG_IPC_NS" },
		{ "uts", "user.max_uts_namespaces", "CONFIG_UTS_NS" },
		{ "cgroup", "user.max_cgroup_namespaces", "CONFIG_CGROUPS" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "proc/sys/user/%s", rows[i].sysctl + 5);
		if (!host->exhausted_sysctl && read_number(root_fd, path) == 0)
			host->exhausted_sysctl = rows[i].sysctl;
		(void)snprintf(path, sizeof(path), "proc/self/ns/%s", rows[i].kind);
		if (host->has_proc && !host->missing_namespaces && !exists(root_fd, path))
			host->missing_namespaces = rows[i].option;
	}
}

static void look_at_process(int root_fd, struct host *host)
{
	cleanup_text struct text text = { 0 };
	unsigned long value;

	read_text(root_fd, "proc/self/status", &text);
	host->has_proc = text.length > 0;
	if (host->has_proc) {
		if (sscanf(find_field(text.data, "Seccomp"), "%lu", &value) == 1)
			host->seccomp = (int64_t)value;
		if (sscanf(find_field(text.data, "NoNewPrivs"), "%lu", &value) == 1)
			host->no_new_privileges = (int64_t)value;
		if (sscanf(find_field(text.data, "CapEff"), "%lx", &value) == 1)
			host->admin = value >> HOST_SYS_ADMIN & 1;
	}
	read_text(root_fd, "proc/self/uid_map", &text);
	if (text.length > 0) {
		unsigned long inside = 1, outside, count = 0;

		host->all_uids = sscanf(text.data, "%lu %lu %lu", &inside, &outside, &count) == 3 &&
				 inside == 0 && count == UINT32_MAX;
	}
	read_line(root_fd, "proc/self/attr/current", host->label, sizeof(host->label));
}

/* "0::/system.slice/ci.service": also of the first hierarchies, by name. */
static void look_at_unit(int root_fd, struct host *host)
{
	cleanup_text struct text text = { 0 };
	char *rest;

	read_text(root_fd, "proc/self/cgroup", &text);
	rest = text.data;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		const char *name = strrchr(line, '/');

		if (name && string_ends_with(name, ".service") && name_is_safe(name + 1) &&
		    !string_starts_with(name, "/user@"))
			(void)snprintf(host->unit, sizeof(host->unit), "%s", name + 1);
	}
}

/* One line of mountinfo, see proc_pid_mountinfo(5). */
static void look_at_mount(struct host *host, char *line, bool *root_seen, bool *etc_seen)
{
	const char *fields[6] = { NULL };
	char *rest = line;
	const char *target;
	bool read_only;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = strsep(&rest, " ");
		if (!fields[i] || !rest)
			return;
	}
	target = fields[4];
	read_only = string_equal(fields[5], "ro") || string_starts_with(fields[5], "ro,");
	*root_seen = *root_seen || string_equal(target, "/");
	if (string_equal(target, "/proc") || string_equal(target, "/proc/sys"))
		host->proc_sys_read_only = read_only;
	/* What lies over an empty directory made for it hides nothing. */
	if (string_starts_with(target, "/proc/") &&
	    !string_starts_with(target, "/proc/sys/fs/binfmt_misc"))
		host->proc_masked = true;
	if (string_starts_with(target, "/proc/") && strstr(rest, "- fuse.lxcfs "))
		host->container = HOST_LXC;
	if (string_equal(target, "/dev/termination-log"))
		host->container = HOST_OTHER_CONTAINER; /* Kubernetes */
	if (string_equal(target, "/etc/hosts") || string_equal(target, "/etc/hostname"))
		*etc_seen = true;
}

static void look_at_mounts(int root_fd, struct host *host)
{
	cleanup_text struct text text = { 0 };
	bool root_seen = false;
	bool etc_seen = false;
	char *rest;

	read_text(root_fd, "proc/self/mountinfo", &text);
	rest = text.data;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
		look_at_mount(host, line, &root_seen, &etc_seen);
	host->chroot = host->has_proc && !root_seen;
	/* Virtual machines made of docker's images have the file as well, but not the mounts. */
	if (etc_seen && exists(root_fd, ".dockerenv"))
		host->container = HOST_DOCKER;
}

/* As systemd's "Container Interface" has it, and what docker and podman leave of their own. */
static void look_at_container(int root_fd, struct host *host)
{
	static const struct {
		const char *name;
		enum host_container container;
	} names[] = { { "docker", HOST_DOCKER },
		      { "podman", HOST_PODMAN },
		      { "lxc", HOST_LXC },
		      { "lxc-libvirt", HOST_LXC },
		      { "systemd-nspawn", HOST_NSPAWN } };
	char name[32];

	read_line(root_fd, "run/systemd/container", name, sizeof(name));
	if (name[0])
		host->container = HOST_OTHER_CONTAINER;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (string_equal(name, names[i].name))
			host->container = names[i].container;
	if (string_starts_with(host->label, "lxc-") || strstr(host->label, "lxd-"))
		host->container = HOST_LXC;
	if (exists(root_fd, "run/.containerenv"))
		host->container = HOST_PODMAN;
}

void host_look(int root_fd, struct host *ret_host)
{
	struct host host = { .seccomp = HOST_UNKNOWN,
			     .no_new_privileges = HOST_UNKNOWN,
			     .all_uids = true };

	look_at_process(root_fd, &host);
	look_at_release(root_fd, &host);
	host.available_memory = host_available_memory(root_fd);
	host.user_namespaces = read_number(root_fd, "proc/sys/user/max_user_namespaces");
	host.unprivileged_clone = read_number(root_fd, "proc/sys/kernel/unprivileged_userns_clone");
	host.apparmor_restriction =
		read_number(root_fd, "proc/sys/kernel/apparmor_restrict_unprivileged_userns");
	look_at_namespaces(root_fd, &host);
	look_at_unit(root_fd, &host);
	look_at_mounts(root_fd, &host);
	look_at_container(root_fd, &host);
	*ret_host = host;
}

const char *host_container_name(enum host_container container)
{
	static const char *const names[] = {
		[HOST_NO_CONTAINER] = NULL,	  [HOST_DOCKER] = "docker",
		[HOST_PODMAN] = "podman",	  [HOST_LXC] = "LXC",
		[HOST_NSPAWN] = "systemd-nspawn", [HOST_OTHER_CONTAINER] = "container",
	};

	return (size_t)container < ARRAY_SIZE(names) ? names[container] : NULL;
}
