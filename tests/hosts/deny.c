/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host that refuses system calls, as containers and service managers do it: installs a filter and
 * runs a command under it. Root keeps its privileges; whoever has not CAP_SYS_ADMIN gets
 * no_new_privs, as any filter asks for.
 *
 *	deny EPERM|ENOSYS|EINVAL|KILL CALL[,CALL...] -- COMMAND...
 *
 * KILL ends who asks with SIGSYS, as systemd's SystemCallFilter= does.
 * CALL is the name of a system call, or: namespaces (unshare, setns, and clone with a flag of a new
 * namespace; clone3, whose flags a filter cannot see, is always ENOSYS), mounts (the old calls),
 * mount-api (the new ones), docker (all of these, as docker's default profile without
 * CAP_SYS_ADMIN, with sethostname and setdomainname).
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEW_NAMESPACE                                                                              \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)
#define INSTRUCTIONS 256
#define KILL 0x10000 /* no errno */
#define ARGUMENT                                                                                   \
	(offsetof(struct seccomp_data, args)) /* the first; its low half: little-endian            \
					       */

static const struct {
	const char *name;
	const char *group;
	long number;
} calls[] = {
	{ "unshare", "namespaces", __NR_unshare },
	{ "setns", "namespaces", __NR_setns },
	{ "clone", "namespaces", __NR_clone },
	{ "clone3", "namespaces", __NR_clone3 },
	{ "mount", "mounts", __NR_mount },
	{ "umount2", "mounts", __NR_umount2 },
	{ "pivot_root", "mounts", __NR_pivot_root },
	{ "fsopen", "mount-api", __NR_fsopen },
	{ "fsconfig", "mount-api", __NR_fsconfig },
	{ "fsmount", "mount-api", __NR_fsmount },
	{ "move_mount", "mount-api", __NR_move_mount },
	{ "open_tree", "mount-api", __NR_open_tree },
	{ "mount_setattr", "mount-api", __NR_mount_setattr },
	{ "sethostname", "names", __NR_sethostname },
	{ "setdomainname", "names", __NR_setdomainname },
	{ "openat2", "single", __NR_openat2 },
	{ "close_range", "single", __NR_close_range },
	{ "pidfd_open", "single", __NR_pidfd_open },
	{ "seccomp", "single", __NR_seccomp },
	{ "landlock_create_ruleset", "landlock", __NR_landlock_create_ruleset },
	{ "landlock_add_rule", "landlock", __NR_landlock_add_rule },
	{ "landlock_restrict_self", "landlock", __NR_landlock_restrict_self },
};

static struct sock_filter program[INSTRUCTIONS];
static unsigned short length;

static void add(unsigned short code, unsigned jump_true, unsigned jump_false, unsigned value)
{
	program[length++] = (struct sock_filter){ code, (unsigned char)jump_true,
						  (unsigned char)jump_false, value };
}

static void refuse(long number, unsigned error)
{
	/* It must fall back to clone(2), whose flags can be seen. */
	const unsigned answer = number == __NR_clone3 ? SECCOMP_RET_ERRNO | ENOSYS
				: error == KILL	      ? SECCOMP_RET_KILL_PROCESS
						      : SECCOMP_RET_ERRNO | error;

	add(BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	if (number == __NR_clone) {
		add(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (unsigned)number);
		add(BPF_LD | BPF_W | BPF_ABS, 0, 0, ARGUMENT);
		add(BPF_JMP | BPF_JSET | BPF_K, 0, 1, NEW_NAMESPACE);
	} else {
		add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)number);
	}
	add(BPF_RET | BPF_K, 0, 0, answer);
}

static int is_asked_for(size_t index, const char *name)
{
	return strcmp(name, calls[index].name) == 0 || strcmp(name, calls[index].group) == 0 ||
	       (strcmp(name, "docker") == 0 && strcmp(calls[index].group, "single") != 0 &&
		strcmp(calls[index].group, "landlock") != 0);
}

static int build(char *names, unsigned error)
{
	for (char *name = strsep(&names, ","); name; name = strsep(&names, ",")) {
		unsigned short before = length;

		for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
			if (is_asked_for(i, name) && length + 8 < INSTRUCTIONS)
				refuse(calls[i].number, error);
		if (length == before)
			return 0;
	}
	add(BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	return 1;
}

int main(int argc, char **argv)
{
	unsigned error = argc < 2			  ? 0
			 : strcmp(argv[1], "EPERM") == 0  ? EPERM
			 : strcmp(argv[1], "ENOSYS") == 0 ? ENOSYS
			 : strcmp(argv[1], "EINVAL") == 0 ? EINVAL
			 : strcmp(argv[1], "KILL") == 0	  ? KILL
							  : 0;
	struct sock_fprog filter = { .filter = program };

	if (!error || argc < 5 || strcmp(argv[3], "--") != 0 || !build(argv[2], error)) {
		(void)fprintf(stderr,
			      "deny EPERM|ENOSYS|EINVAL|KILL CALL[,CALL...] -- COMMAND...\n");
		return 2;
	}
	filter.len = length;
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	     syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)) {
		perror("deny: seccomp");
		return 125;
	}
	(void)execvp(argv[4], argv + 4);
	perror(argv[4]);
	return 127;
}
