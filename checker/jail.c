/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See jail.h. Every step must work: a jail with a wall missing is an error. */
#include "checker/jail.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "checker/checker.h"
#include "lib/base/memfd.h"
#include "lib/base/syscalls.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#endif

/* Of its own; and with what is mapped: the module, symbols, libraries. */
#define MEMORY (UINT64_C(256) << 20)
#define ADDRESS_SPACE (UINT64_C(768) << 20)

static int set_limits(unsigned seconds, struct error **error)
{
	const struct {
		__rlimit_resource_t resource;
		rlim_t value;
	} limits[] = {
#ifndef ADDRESS_SANITIZER /* whose shadow takes terabytes of addresses */
		{ RLIMIT_AS, ADDRESS_SPACE },
		{ RLIMIT_DATA, MEMORY },
#endif
		{ RLIMIT_CPU, seconds },
		{ RLIMIT_FSIZE, 0 },
		/* 1: with 0 the kernel still runs a core handler that is a pipe (core(5)). */
		{ RLIMIT_CORE, 1 },
		{ RLIMIT_NOFILE, 0 },
		{ RLIMIT_NPROC, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		/* One more second to the hard one, which kills without a word. */
		struct rlimit limit = { limits[i].value,
					limits[i].value + (limits[i].resource == RLIMIT_CPU) };

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

/* What both may do: memory that is not executable, the record, an end. */
static int add_reading(scmp_filter_ctx filter)
{
	static const int plain[] = {
		SCMP_SYS(munmap),  SCMP_SYS(mremap), SCMP_SYS(brk),    SCMP_SYS(exit_group),
#ifdef ADDRESS_SANITIZER /* its allocator and its reports */
		SCMP_SYS(madvise), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(sigaltstack),
#endif
	};
	const struct scmp_arg_cmp to_record = { .arg = 0,
						.op = SCMP_CMP_EQ,
						.datum_a = CHECKER_RECORD_FD };
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

/* What it takes to hear a request, start a reader, put it in its jail and tell how it ended. */
static int add_serving(scmp_filter_ctx filter)
{
	static const int plain[] = { /* requests and answers over what is open already */
				     SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(close),
				     SCMP_SYS(fstat), SCMP_SYS(newfstatat),
				     /* fork(3) and waitpid(3) of the C library */
				     SCMP_SYS(rt_sigprocmask), SCMP_SYS(set_robust_list),
				     SCMP_SYS(wait4),
				     /* checker_jail_enter() */
				     SCMP_SYS(dup3), SCMP_SYS(close_range), SCMP_SYS(seccomp)
	};
	const struct scmp_arg_cmp a_process = {
		.arg = 0,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = ~(scmp_datum_t)(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CSIGNAL),
		.datum_b = 0
	};
	const struct scmp_arg_cmp its_own = {
		.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = 0
	};
	const struct scmp_arg_cmp seals = {
		.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = F_GET_SEALS
	};
	const struct scmp_arg_cmp with_parent = { .arg = 0,
						  .op = SCMP_CMP_MASKED_EQ,
						  .datum_a = UINT32_MAX,
						  .datum_b = PR_SET_PDEATHSIG };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(plain) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain[i], 0);
	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &a_process);
	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
					   &its_own);
	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &seals);
	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
					   &with_parent);
	return r;
}

/* The instructions of a filter, in memory for good. */
static int export_filter(scmp_filter_ctx filter, struct sock_fprog *ret_program,
			 struct error **error)
{
	cleanup_close int fd = -1;
	const uint8_t *bytes;
	size_t size;
	int r = memfd_new("filter", &fd, error);

	if (r == 0 && seccomp_export_bpf(filter, fd) < 0)
		r = error_set(error, EIO, "cannot write the checker's seccomp filter");
	if (r == 0)
		r = memfd_seal(fd, error);
	if (r == 0)
		r = memfd_map(fd, BPF_MAXINSNS * sizeof(struct sock_filter), &bytes, &size, error);
	if (r < 0)
		return r;
	ret_program->len = (unsigned short)(size / sizeof(struct sock_filter));
	ret_program->filter = (struct sock_filter *)(uintptr_t)bytes;
	return 0;
}

static int make_filter(bool serving, struct sock_fprog *ret_program, struct error **error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!filter)
		return error_set(error, ENOMEM, "out of memory for the checker's seccomp filter");
	/* 32-bit and x32 calls are another architecture's, and that action is set apart. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = add_reading(filter);
	if (r == 0 && serving)
		r = add_serving(filter);
	if (r < 0)
		r = error_set_errno(error, -r, "cannot make the checker's seccomp filter");
	else
		r = export_filter(filter, ret_program, error);
	seccomp_release(filter);
	return r;
}

static int install_filter(const struct sock_fprog *program, struct error **error)
{
	int r = sys_seccomp_filter(0, program);

	return r < 0 ? error_set_errno(error, -r, "cannot install the checker's seccomp filter")
		     : 0;
}

int checker_jail_prepare(struct checker_jail *ret_jail, struct error **error)
{
	struct sock_fprog server;
	int r = drop_privileges(error);

	if (r == 0)
		r = make_filter(false, &ret_jail->reader, error);
	if (r == 0)
		r = make_filter(true, &server, error);
	return r < 0 ? r : install_filter(&server, error);
}

int checker_jail_enter(const struct checker_jail *jail, int record_fd, unsigned seconds,
		       struct error **error)
{
	int r;

	if (record_fd != CHECKER_RECORD_FD && dup3(record_fd, CHECKER_RECORD_FD, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "cannot open the checker's record");
	if (close_range(0, CHECKER_RECORD_FD - 1, 0) < 0 ||
	    close_range(CHECKER_RECORD_FD + 1, ~0u, 0) < 0)
		return error_set_errno(error, errno, "cannot close the checker's descriptors");
	r = set_limits(seconds, error);
	return r < 0 ? r : install_filter(&jail->reader, error);
}
