/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See jail.h. Every step must work: a jail with a wall missing is an error. */
#include "checker/jail.h"

#include <seccomp.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#endif

#define ADDRESS_SPACE (UINT64_C(768) << 20)
#define CPU_SECONDS 20

static int set_limits(struct error **error)
{
	static const struct {
		__rlimit_resource_t resource;
		rlim_t value;
	} limits[] = {
#ifndef ADDRESS_SANITIZER /* whose shadow takes terabytes of addresses */
		{ RLIMIT_AS, ADDRESS_SPACE },
#endif
		{ RLIMIT_CPU, CPU_SECONDS },
		{ RLIMIT_FSIZE, 0 },
		/* 1: with 0 the kernel still runs a core handler that is a pipe (core(5)). */
		{ RLIMIT_CORE, 1 },
		{ RLIMIT_NOFILE, 0 },
		{ RLIMIT_NPROC, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit = { limits[i].value, limits[i].value };

		if (setrlimit(limits[i].resource, &limit) < 0)
			return error_set_errno(error, errno, "cannot limit the checker (%d)",
					       (int)limits[i].resource);
	}
	return 0;
}

static int drop_privileges(struct error **error)
{
	cap_t none = cap_init();
	int r = none ? cap_set_proc(none) : -1;

	if (r < 0)
		r = error_set_errno(error, errno, "cannot drop the checker's capabilities");
	if (none)
		cap_free(none);
	if (r == 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0))
		r = error_set_errno(error, errno, "cannot give up the checker's privileges");
	return r;
}

static int add_rules(scmp_filter_ctx filter, int record_fd)
{
	static const int plain[] = {
		SCMP_SYS(munmap),  SCMP_SYS(mremap), SCMP_SYS(brk),    SCMP_SYS(exit_group),
#ifdef ADDRESS_SANITIZER /* its allocator and its reports */
		SCMP_SYS(madvise), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(sigaltstack),
#endif
	};
	const struct scmp_arg_cmp to_record = { .arg = 0,
						.op = SCMP_CMP_EQ,
						.datum_a = (scmp_datum_t)record_fd };
	const struct scmp_arg_cmp no_code = {
		.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(plain) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0);
	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, &to_record);
	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code);
	return r;
}

static int install_filter(int record_fd, struct error **error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return error_set(error, ENOMEM, "out of memory for the checker's seccomp filter");
	/* 32-bit and x32 calls are another architecture's, and that action is set apart. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = add_rules(filter, record_fd);
	if (r == 0)
		r = seccomp_load(filter);
	/* Not released: free() after seccomp_load() may return memory, and nothing is gained. */
	if (r < 0)
		return error_set_errno(error, -r, "cannot install the checker's seccomp filter");
	return 0;
}

int checker_jail_enter(int record_fd, struct error **error)
{
	int r;

	if (record_fd > 0 && close_range(0, (unsigned)record_fd - 1, 0) < 0)
		return error_set_errno(error, errno, "cannot close the checker's descriptors");
	if (close_range((unsigned)record_fd + 1, ~0u, 0) < 0)
		return error_set_errno(error, errno, "cannot close the checker's descriptors");
	r = drop_privileges(error);
	if (r < 0)
		return r;
	r = set_limits(error);
	if (r < 0)
		return r;
	return install_filter(record_fd, error);
}
