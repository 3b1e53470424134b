/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dropping privileges and the system call filter; see jail.h. */
#include "signer/jail.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/securebits.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/*
 * The upper block is the signer's own. The lower is for the checker it starts, for a filter is
 * inherited: fork, loader (sanitizers too) and its own jails, whose own filters leave it a handful.
 * clone3's flags are out of a filter's sight, but no call that a new namespace is good for is here.
 * Missing calls answer ENOSYS, so a newer C library falls back to those that are here.
 */
/* clang-format off */
static const char *const allowed_calls[] = {
	"read", "write", "pread64", "sendmsg", "recvmsg", "close", "fcntl", "fstat", "newfstatat",
	"openat2", "memfd_create", "flock", "fsync", "mmap", "munmap", "mremap", "brk", "madvise",
	"futex", "getrandom", "clock_gettime", "getpid", "gettid", "poll", "ppoll", "pipe2",
	"dup2", "dup3", "close_range", "wait4", "kill", "tgkill", "rt_sigprocmask", "rt_sigaction",
	"rt_sigreturn", "restart_syscall", "exit", "exit_group",

	"clone", "clone3", "execveat", "access", "mprotect", "arch_prctl", "set_tid_address",
	"set_robust_list", "rseq", "prlimit64", "prctl", "seccomp", "capget", "capset",
	"readlink", "sigaltstack",
};
/* clang-format on */

int jail_prepare(struct error **error)
{
	struct rlimit files = { 0 }; /* one signing holds up to TICKET_FILES */
	int r = getrlimit(RLIMIT_NOFILE, &files);

	files.rlim_cur = files.rlim_max;
	if (r < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return error_set_errno(error, errno, "the signer cannot protect itself");
	return 0;
}

/* Needs CAP_SETPCAP, so only where root started us: no exec and no uid gives a capability again. */
static int lock_root_out(struct error **error)
{
	for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); capability++)
		if (cap_drop_bound(capability) < 0)
			return error_set_errno(error, errno, "capability %d cannot be dropped",
					       capability);
	if (prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "the secure bits cannot be locked");
	return 0;
}

static int drop_capabilities(struct error **error)
{
	cap_t none = cap_init();
	int r = none ? cap_set_proc(none) : -1;

	(void)cap_free(none);
	if (r < 0 || cap_reset_ambient() < 0)
		return error_set_errno(error, errno, "the capabilities cannot be dropped");
	return 0;
}

static int install_filter(struct error **error)
{
	const scmp_datum_t writing = O_ACCMODE | O_CREAT | O_TRUNC;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed_calls); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
				     seccomp_syscall_resolve_name(allowed_calls[i]), 0);
	/* The checker's loader opens by these; the signer opens approvals, by openat2. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0));
	/* To the checker, which is asked over it. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
				     SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return error_set_errno(error, -r, "the system call filter cannot be installed");
	return 0;
}

int jail_enter(uid_t uid, struct error **error)
{
	uid_t real, effective, saved;
	int r;

	if (geteuid() == 0) {
		r = lock_root_out(error);
		if (r < 0)
			return r;
	}
	if (uid != 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
			 setresuid(uid, uid, uid) < 0))
		return error_set_errno(error, errno, "the signer cannot become uid %u", uid);
	r = drop_capabilities(error);
	if (r < 0)
		return r;
	if (uid != 0 && (getresuid(&real, &effective, &saved) < 0 || real != uid ||
			 effective != uid || saved != uid || seteuid(0) == 0))
		return error_set(error, EPERM, "the signer is still root");
	/* Dumpable again: a change of user sets it to what the host's fs.suid_dumpable says. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "the signer cannot protect itself");
	return install_filter(error);
}
