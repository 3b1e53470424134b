/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a host says of itself, and what is said about it when it refuses a sandbox: by recorded
 * files of /proc and /, as the named systems show them. (tests/hosts has what can be had for real.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "sandbox/remedy.h"
#include "tests/unit/orchestrator_support.h"

#define FILES 10

struct recorded {
	const char *path; /* a directory for what ends in '/' */
	const char *text;
};

/* What any Linux with /proc has; a host of a test comes over it. */
#define RELEASE "proc/sys/kernel/osrelease"
#define STATUS "proc/self/status"
#define MOUNTS "proc/self/mountinfo"
#define LABEL "proc/self/attr/current"
#define CGROUP "proc/self/cgroup"
#define UIDS "proc/self/uid_map"
#define USER_NAMESPACES "proc/sys/user/max_user_namespaces"
#define ROOT_MOUNTS "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw - ext4 /dev/vda rw\n"
#define ETC_MOUNT "30 27 254:0 /h /etc/hosts rw - ext4 /dev/vda rw\n"
#define READ_ONLY "31 22 0:21 /sys /proc/sys ro,nosuid - proc proc rw\n"
#define MASKED "32 22 0:6 /null /proc/kcore rw - tmpfs tmpfs rw\n"
#define FILTERED                                                                                   \
	"Name:\tx\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"

static const struct recorded usual[] = {
	{ RELEASE, "6.1.0-9-amd64\n" },
	{ STATUS, "Name:\tx\nCapEff:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n" },
	{ MOUNTS, ROOT_MOUNTS },
	{ LABEL, "unconfined\n" },
	{ CGROUP, "0::/user.slice/user-1000.slice/session-1.scope\n" },
	{ UIDS, "         0          0 4294967295\n" },
	{ USER_NAMESPACES, "63432\n" },
	{ "proc/meminfo", "MemTotal:  9 kB\nMemAvailable:   2048 kB\n" },
	{ "proc/self/ns/mnt", "" },
	{ "proc/self/ns/user", "" },
	{ "proc/self/ns/pid", "" },
	{ "proc/self/ns/net", "" },
	{ "proc/self/ns/ipc", "" },
	{ "proc/self/ns/uts", "" },
	{ "proc/self/ns/cgroup", "" },
};

static void record(int root_fd, const struct recorded *file)
{
	char parent[128];
	char *slash;

	(void)snprintf(parent, sizeof(parent), "%s", file->path);
	slash = strrchr(parent, '/');
	if (slash) {
		*slash = '\0';
		assert_int_equal(make_directories(root_fd, parent, 0755, NULL), 0);
	}
	if (file->text)
		assert_int_equal(write_file_atomically(root_fd, file->path, file->text,
						       strlen(file->text), 0644, NULL),
				 0);
	else
		assert_int_equal(remove_tree(root_fd, file->path, NULL), 0);
}

/* A root directory with the usual files and these over them; text NULL: not there. */
static struct host host_of(const struct place *place, const struct recorded *files)
{
	cleanup_close int root_fd = -1;
	struct host host;

	assert_int_equal(remove_tree(place->fd, "root", NULL), 0);
	assert_int_equal(make_directories(place->fd, "root", 0755, NULL), 0);
	assert_int_equal(open_beneath(place->fd, "root", O_RDONLY | O_DIRECTORY, 0, &root_fd, NULL),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		record(root_fd, &usual[i]);
	for (size_t i = 0; i < FILES && files[i].path; i++)
		record(root_fd, &files[i]);
	host_look(root_fd, &host);
	return host;
}

static void test_look(void **state)
{
	const struct recorded none[FILES] = { { 0 } };
	struct host host = host_of(*state, none);

	assert_string_equal(host.release, "6.1.0-9-amd64");
	assert_int_equal(host.major, 6);
	assert_int_equal(host.minor, 1);
	assert_int_equal(host.available_memory, 2048 * 1024);
	assert_true(host.has_proc && host.all_uids && host.admin);
	assert_int_equal(host.user_namespaces, 63432);
	assert_int_equal(host.unprivileged_clone, HOST_UNKNOWN);
	assert_int_equal(host.apparmor_restriction, HOST_UNKNOWN);
	assert_null(host.exhausted_sysctl);
	assert_null(host.missing_namespaces);
	assert_int_equal(host.seccomp, 0);
	assert_int_equal(host.no_new_privileges, 0);
	assert_string_equal(host.label, "unconfined");
	assert_string_equal(host.unit, "");
	assert_int_equal(host.container, HOST_NO_CONTAINER);
	assert_false(host.chroot || host.proc_masked || host.proc_sys_read_only);
}

/* Nothing at all is known of it, and nothing breaks. */
static void test_look_at_nothing(void **state)
{
	const struct place *place = *state;
	cleanup_text struct text text = { 0 };
	struct host host;

	host_look(place->fd, &host);
	assert_false(host.has_proc || host.chroot);
	assert_int_equal(host.seccomp, HOST_UNKNOWN);
	assert_int_equal(remedy_find(&host, REMEDY_USER_NAMESPACE, ENOENT, false, &text), 0);
	assert_non_null(strstr(text.data, "mount -t proc"));
	host_look(-1, &host);
	assert_false(host.has_proc);
}

static const struct {
	const char *name;
	struct recorded files[FILES];
	enum remedy_part part;
	int errnum;
	bool root;
	const char *words; /* NULL: nothing is known */
} cases[] = {
	{ "Debian's sysctl",
	  { { "proc/sys/kernel/unprivileged_userns_clone", "0\n" } },
	  REMEDY_USER_NAMESPACE,
	  EPERM,
	  false,
	  "sysctl -w kernel.unprivileged_userns_clone=1" },
	{ "Debian's sysctl does not stop root",
	  { { "proc/sys/kernel/unprivileged_userns_clone", "0\n" } },
	  REMEDY_SLOT,
	  EPERM,
	  true,
	  "a security module" },
	{ "Ubuntu's sysctl: the maps",
	  { { "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n" } },
	  REMEDY_USER_NAMESPACE,
	  EPERM,
	  false,
	  "apparmor_parser -r /etc/apparmor.d/kmodbox" },
	{ "Ubuntu's sysctl: a later step",
	  { { "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n" },
	    { LABEL, "unprivileged_userns (enforce)\n" } },
	  REMEDY_STEP,
	  EACCES,
	  false,
	  "kernel.apparmor_restrict_unprivileged_userns is 1" },
	{ "Ubuntu's sysctl is off",
	  { { "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0\n" } },
	  REMEDY_STEP,
	  EACCES,
	  false,
	  NULL },
	{ "no user namespaces",
	  { { USER_NAMESPACES, "0\n" } },
	  REMEDY_USER_NAMESPACE,
	  ENOSPC,
	  false,
	  "sysctl -w user.max_user_namespaces=10000" },
	{ "no user namespaces, root",
	  { { USER_NAMESPACES, "0\n" } },
	  REMEDY_SLOT,
	  ENOSPC,
	  true,
	  "user.max_user_namespaces is 0" },
	{ "no net namespaces",
	  { { "proc/sys/user/max_net_namespaces", "0\n" } },
	  REMEDY_NAMESPACES,
	  ENOSPC,
	  false,
	  "user.max_net_namespaces is 0" },
	{ "none left, further out",
	  { { NULL, NULL } },
	  REMEDY_USER_NAMESPACE,
	  ENOSPC,
	  false,
	  "outside of it" },
	{ "a full scratch is no lack of namespaces",
	  { { USER_NAMESPACES, "0\n" } },
	  REMEDY_STEP,
	  ENOSPC,
	  false,
	  NULL },
	{ "docker, an ordinary user",
	  { { ".dockerenv", "" },
	    { STATUS, FILTERED },
	    { MOUNTS, ROOT_MOUNTS ETC_MOUNT READ_ONLY MASKED },
	    { LABEL, "docker-default (enforce)\n" } },
	  REMEDY_USER_NAMESPACE,
	  EPERM,
	  false,
	  "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
	  "(GitLab runner: security_opt in" },
	{ "docker, only the filter",
	  { { ".dockerenv", "" }, { STATUS, FILTERED }, { MOUNTS, ROOT_MOUNTS ETC_MOUNT } },
	  REMEDY_USER_NAMESPACE,
	  EPERM,
	  false,
	  "docker run --security-opt seccomp=unconfined (GitLab runner: security_opt in" },
	{ "docker, root",
	  { { ".dockerenv", "" },
	    { STATUS, FILTERED },
	    { MOUNTS, ROOT_MOUNTS ETC_MOUNT READ_ONLY } },
	  REMEDY_SLOT,
	  EPERM,
	  true,
	  "or docker run --cap-add SYS_ADMIN (GitLab runner: cap_add and security_opt in" },
	{ "docker's AppArmor profile refuses mounts",
	  { { ".dockerenv", "" },
	    { MOUNTS, ROOT_MOUNTS ETC_MOUNT },
	    { LABEL, "docker-default (enforce)\n" } },
	  REMEDY_STEP,
	  EACCES,
	  false,
	  "'docker-default (enforce)' refuses it: docker run --security-opt apparmor=unconfined" },
	{ "podman with SELinux",
	  { { "run/.containerenv", "" }, { LABEL, "system_u:system_r:container_t:s0:c1,c2\n" } },
	  REMEDY_STEP,
	  EACCES,
	  false,
	  "podman run --security-opt label=disable" },
	{ "podman of an ordinary user, root in it",
	  { { "run/.containerenv", "" }, { UIDS, "0 1000 1\n1 100000 65536\n" } },
	  REMEDY_SLOT,
	  EINVAL,
	  true,
	  "only some uids are mapped" },
	{ "LXC by its mounts",
	  { { STATUS, FILTERED },
	    { MOUNTS, ROOT_MOUNTS "40 22 0:50 /proc/stat /proc/stat rw - fuse.lxcfs lxcfs rw\n" } },
	  REMEDY_NAMESPACES,
	  EPERM,
	  false,
	  "lxc config set NAME security.nesting true" },
	{ "LXC by its label",
	  { { LABEL, "lxc-container-default-cgns (enforce)\n" } },
	  REMEDY_STEP,
	  EACCES,
	  false,
	  "lxc.apparmor.profile" },
	{ "systemd-nspawn",
	  { { "run/systemd/container", "systemd-nspawn\n" }, { STATUS, FILTERED } },
	  REMEDY_STEP,
	  EPERM,
	  false,
	  "--system-call-filter=" },
	{ "Kubernetes",
	  { { STATUS, FILTERED },
	    { MOUNTS, ROOT_MOUNTS "40 27 8:1 /x /dev/termination-log rw - ext4 /dev/sda rw\n" } },
	  REMEDY_USER_NAMESPACE,
	  EPERM,
	  false,
	  "securityContext.seccompProfile" },
	{ "a systemd unit with RestrictNamespaces=",
	  { { STATUS, FILTERED }, { CGROUP, "1:name=systemd:/\n0::/system.slice/ci.service\n" } },
	  REMEDY_USER_NAMESPACE,
	  EPERM,
	  false,
	  "ci.service filters system calls: set RestrictNamespaces=no" },
	{ "a systemd unit with ProtectHostname=yes",
	  { { STATUS, FILTERED }, { CGROUP, "1:name=systemd:/\n0::/system.slice/ci.service\n" } },
	  REMEDY_HOST_NAME,
	  EPERM,
	  false,
	  "ci.service filters system calls: set ProtectHostname=no (systemctl edit ci.service)" },
	{ "a unit's name that is none is not shown",
	  { { STATUS, FILTERED }, { CGROUP, "0::/system.slice/\033[31m.service\n" } },
	  REMEDY_USER_NAMESPACE,
	  EPERM,
	  false,
	  "the seccomp filter of what started kmodbox" },
	{ "a chroot",
	  { { MOUNTS, "22 27 0:21 / /proc rw - proc proc rw\n" } },
	  REMEDY_USER_NAMESPACE,
	  EPERM,
	  false,
	  "this is a chroot" },
	{ "a chroot, root's own mounts",
	  { { MOUNTS, "22 27 0:21 / /proc rw - proc proc rw\n" } },
	  REMEDY_SLOT,
	  EINVAL,
	  true,
	  "this is a chroot" },
	{ "an old kernel",
	  { { RELEASE, "5.10.0-28-amd64\n" } },
	  REMEDY_STEP,
	  ENOSYS,
	  false,
	  "Linux 5.10 is too old: kmodbox needs 5.14" },
	{ "the oldest kernel that will do",
	  { { RELEASE, "5.14.0\n" } },
	  REMEDY_STEP,
	  ENOSYS,
	  false,
	  "lacks the call" },
	{ "a kernel without user namespaces",
	  { { "proc/self/ns/user", NULL } },
	  REMEDY_USER_NAMESPACE,
	  EINVAL,
	  false,
	  "without CONFIG_USER_NS" },
	{ "a kernel without filters",
	  { { STATUS, "Name:\tx\nNoNewPrivs:\t0\n" } },
	  REMEDY_STEP,
	  EINVAL,
	  false,
	  "without CONFIG_SECCOMP_FILTER" },
	{ "no more processes", { { NULL, NULL } }, REMEDY_NAMESPACES, EAGAIN, false, "ulimit -u" },
	{ "root without the capability",
	  { { STATUS, "Name:\tx\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t0\nSeccomp:\t0\n" } },
	  REMEDY_SLOT,
	  EPERM,
	  true,
	  "root has no CAP_SYS_ADMIN here" },
	{ "nothing that is known", { { NULL, NULL } }, REMEDY_STEP, EIO, false, NULL },
};

static void test_remedies(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct host host = host_of(*state, cases[i].files);
		cleanup_text struct text text = { 0 };

		assert_int_equal(
			remedy_find(&host, cases[i].part, cases[i].errnum, cases[i].root, &text),
			0);
		if (!cases[i].words && text.length == 0)
			continue;
		if (!cases[i].words || !text.data || !strstr(text.data, cases[i].words))
			fail_msg("%s: '%s'", cases[i].name, text.data ? text.data : "");
		/* One line, and nothing that drives a terminal. */
		for (const char *byte = text.data; *byte; byte++)
			assert_true(*byte >= ' ' && *byte <= '~');
	}
}

static void test_layers(void **state)
{
	static const struct {
		struct recorded files[FILES];
		const char *layer;
		const char *words; /* NULL: nothing is known */
	} layers[] = {
		{ { { "run/.containerenv", "" } },
		  "own /proc",
		  "podman run --security-opt unmask=ALL" },
		{ { { CGROUP, "0::/system.slice/ci.service\n" } },
		  "own /proc",
		  "ProtectProc=default of ci.service" },
		{ { { "run/.containerenv", "" }, { MOUNTS, ROOT_MOUNTS READ_ONLY MASKED } },
		  "no nested user namespaces",
		  "podman run --security-opt unmask=ALL" },
		{ { { ".dockerenv", "" }, { MOUNTS, ROOT_MOUNTS ETC_MOUNT READ_ONLY MASKED } },
		  "no nested user namespaces",
		  "docker run --security-opt systempaths=unconfined (GitLab runner: privileged" },
		/* A virtual machine made of docker's image. */
		{ { { ".dockerenv", "" }, { MOUNTS, ROOT_MOUNTS READ_ONLY } },
		  "no nested user namespaces",
		  "mount -o remount,bind,rw /proc/sys" },
		{ { { CGROUP, "0::/system.slice/ci.service\n" },
		    { MOUNTS, ROOT_MOUNTS READ_ONLY } },
		  "no nested user namespaces",
		  "ProtectKernelTunables=no and ProcSubset=all of ci.service" },
		{ { { NULL, NULL } }, "landlock", "lsm=" },
		{ { { NULL, NULL } }, "cgroup", "systemd-run --user --scope -p Delegate=yes" },
		{ { { NULL, NULL } }, "exact scratch limit", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
		struct host host = host_of(*state, layers[i].files);
		cleanup_text struct text text = { 0 };

		assert_int_equal(remedy_find_layer(&host, layers[i].layer, &text), 0);
		if (layers[i].words && (!text.data || !strstr(text.data, layers[i].words)))
			fail_msg("%s: '%s'", layers[i].layer, text.data ? text.data : "");
		assert_true(layers[i].words || text.length == 0);
	}
}

/* Only what a part of the set-up has marked is explained; the reason stays before the remedy. */
static void test_explain(void **state)
{
	struct error *error = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	remedy_explain(NULL, REMEDY_STEP, false);
	remedy_explain(&error, REMEDY_STEP, false);
	assert_null(error);
	(void)error_set_errno(&error, EAGAIN, "namespaces");
	remedy_explain(&error, 0, false);
	remedy_explain(&error, 30, false);
	assert_true(says(&error, 0, "namespaces: Resource temporarily unavailable"));
	(void)error_set_errno(&error, EAGAIN, "namespaces");
	error_set_code(error, REMEDY_NAMESPACES);
	remedy_explain(&error, error_code(error), false);
	assert_int_equal(error_number(error), EAGAIN);
	text = error_describe(error);
	assert_true(string_starts_with(text, "namespaces: Resource temporarily unavailable; "));
	assert_non_null(strstr(text, "ulimit -u"));
	error = error_free(error);
	(void)error_set(&error, EPERM, "landlock: no");
	error_set_code(error, REMEDY_WALL);
	remedy_explain(&error, error_code(error), false);
	assert_true(says(&error, REMEDY_WALL,
			 "landlock: no; something answers system calls here without doing what "
			 "they ask for, a filter, a tracer or what emulates Linux: run kmodbox "
			 "outside of it"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_look),   TEST(test_look_at_nothing),	   TEST(test_remedies),
		TEST(test_layers), cmocka_unit_test(test_explain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
