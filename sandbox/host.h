/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the host says of itself: the settings, filters and mounts that decide if a sandbox can be
 * made here. Only read when it could not, and by `kmodbox doctor`. Trusted: it is the kernel's and
 * the administrator's word; what is missing or strange counts as unknown.
 */
#ifndef KMODBOX_SANDBOX_HOST_H
#define KMODBOX_SANDBOX_HOST_H

#include <stdbool.h>
#include <stdint.h>

#define HOST_UNKNOWN (-1)

enum host_container {
	HOST_NO_CONTAINER,
	HOST_DOCKER,
	HOST_PODMAN,
	HOST_LXC,
	HOST_NSPAWN,
	HOST_OTHER_CONTAINER,
};

struct host {
	char release[65]; /* "6.1.0-9-amd64"; empty: unknown */
	unsigned major, minor;
	uint64_t available_memory; /* bytes, without swapping; 0: unknown */
	bool has_proc;
	/* Sysctls; HOST_UNKNOWN where there is no such file. */
	int64_t user_namespaces;	/* user.max_user_namespaces */
	int64_t unprivileged_clone;	/* kernel.unprivileged_userns_clone: Debian, Arch */
	int64_t apparmor_restriction;	/* kernel.apparmor_restrict_unprivileged_userns: Ubuntu */
	const char *exhausted_sysctl;	/* "user.max_net_namespaces", of those that are 0; NULL */
	const char *missing_namespaces; /* "CONFIG_NET_NS": a kind the kernel lacks; NULL */
	/* Of this process. */
	int64_t seccomp; /* 2: filtered; HOST_UNKNOWN: the kernel has no seccomp */
	int64_t no_new_privileges;
	bool admin;	 /* CAP_SYS_ADMIN is in the effective set */
	bool all_uids;	 /* every uid is mapped in this user namespace */
	char label[128]; /* of AppArmor or SELinux: "docker-default (enforce)"; empty */
	char unit[128];	 /* the systemd service it runs in: "ci.service"; empty */
	enum host_container container;
	/* From the mount table. */
	bool chroot; /* the root directory is not where a file system is mounted */
	bool proc_masked;
	bool proc_sys_read_only;
};

/* root_fd: the host's root directory; tests give one with recorded files. */
uint64_t host_available_memory(int root_fd); /* alone, as in struct host */
void host_look(int root_fd, struct host *ret_host);
/* "docker", "podman", "LXC", "systemd-nspawn", "container"; NULL for none. */
const char *host_container_name(enum host_container container);

#endif
