/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of calls and of the values that give them away, see call_words.h. */
#include "sandbox/call_words.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/base/cleanup.h"
#include "lib/base/text.h"

/* Made from the host's <sys/syscall.h> while building. */
static const char *const names[] = {
#include "sandbox/syscall_names.inc"
};

struct word {
	uint32_t value;
	const char *name;
};

/* clang-format off */
#define WORD(name) { (uint32_t)(name), #name }
#define END { 0, NULL }
/* clang-format on */

static const struct word families[] = {
	WORD(AF_UNIX),	    WORD(AF_INET), WORD(AF_INET6),   WORD(AF_NETLINK),
	WORD(AF_PACKET),    WORD(AF_KEY),  WORD(AF_ALG),     WORD(AF_VSOCK),
	WORD(AF_BLUETOOTH), WORD(AF_CAN),  WORD(AF_TIPC),    WORD(AF_XDP),
	WORD(AF_KCM),	    WORD(AF_RDS),  WORD(AF_QIPCRTR), END,
};
static const struct word namespaces[] = {
	WORD(CLONE_NEWUSER),   WORD(CLONE_NEWNS),   WORD(CLONE_NEWPID),
	WORD(CLONE_NEWNET),    WORD(CLONE_NEWIPC),  WORD(CLONE_NEWUTS),
	WORD(CLONE_NEWCGROUP), WORD(CLONE_NEWTIME), END,
};
static const struct word traces[] = {
	WORD(PTRACE_TRACEME),  WORD(PTRACE_PEEKTEXT), WORD(PTRACE_PEEKDATA), WORD(PTRACE_POKETEXT),
	WORD(PTRACE_POKEDATA), WORD(PTRACE_ATTACH),   WORD(PTRACE_SEIZE),    END,
};
static const struct word processes[] = {
	WORD(PR_SET_DUMPABLE),
	WORD(PR_SET_KEEPCAPS),
	WORD(PR_SET_SECUREBITS),
	WORD(PR_CAPBSET_DROP),
	WORD(PR_CAP_AMBIENT),
	WORD(PR_SET_SECCOMP),
	WORD(PR_SET_NO_NEW_PRIVS),
	WORD(PR_SET_MM),
	WORD(PR_SET_PTRACER),
	WORD(PR_SET_CHILD_SUBREAPER),
	WORD(PR_SET_TIMERSLACK),
	WORD(PR_SET_THP_DISABLE),
	END,
};
static const struct word terminals[] = {
	WORD(TIOCSTI),
	WORD(TIOCLINUX),
	WORD(TIOCSCTTY),
	WORD(TIOCNOTTY),
	WORD(TIOCSPGRP),
	WORD(TIOCGPGRP),
	WORD(TIOCSETD),
	WORD(TIOCCONS),
	WORD(TIOCSWINSZ),
	WORD(TCSETS),
	WORD(TCSETSW),
	WORD(TCSETSF),
	END,
};
static const struct word descriptors[] = { WORD(F_SETLEASE), WORD(F_NOTIFY), END };
static const struct word resources[] = {
	WORD(RLIMIT_CORE), WORD(RLIMIT_NOFILE), WORD(RLIMIT_NPROC), WORD(RLIMIT_STACK), END,
};
static const struct word set_ids[] = { WORD(S_ISUID), WORD(S_ISGID), END };
static const struct word types[] = { WORD(S_IFCHR), WORD(S_IFBLK), WORD(S_IFSOCK), END };

/* What of a call tells most. Rows about one call are tried in order. */
static const struct row {
	int number;
	unsigned argument;
	enum { VALUE, ANY_BIT, FILE_TYPE } test;
	const struct word *words;
} rows[] = {
	{ SYS_socket, 0, VALUE, families },	{ SYS_socketpair, 0, VALUE, families },
	{ SYS_clone, 0, ANY_BIT, namespaces },	{ SYS_unshare, 0, ANY_BIT, namespaces },
	{ SYS_setns, 1, ANY_BIT, namespaces },	{ SYS_ptrace, 0, VALUE, traces },
	{ SYS_prctl, 0, VALUE, processes },	{ SYS_ioctl, 1, VALUE, terminals },
	{ SYS_fcntl, 1, VALUE, descriptors },	{ SYS_prlimit64, 1, VALUE, resources },
	{ SYS_openat, 3, ANY_BIT, set_ids },	{ SYS_mkdirat, 2, ANY_BIT, set_ids },
	{ SYS_fchmod, 1, ANY_BIT, set_ids },	{ SYS_fchmodat, 2, ANY_BIT, set_ids },
	{ SYS_mknodat, 2, ANY_BIT, set_ids },	{ SYS_mknodat, 2, FILE_TYPE, types },
#ifdef SYS_open /* architectures that have the calls before the *at() ones */
	{ SYS_setrlimit, 0, VALUE, resources }, { SYS_open, 2, ANY_BIT, set_ids },
	{ SYS_creat, 1, ANY_BIT, set_ids },	{ SYS_mkdir, 1, ANY_BIT, set_ids },
	{ SYS_chmod, 1, ANY_BIT, set_ids },	{ SYS_mknod, 1, ANY_BIT, set_ids },
	{ SYS_mknod, 1, FILE_TYPE, types },
#endif
};

static bool holds(const struct row *row, const struct word *word, uint32_t value)
{
	if (row->test == ANY_BIT)
		return (value & word->value) != 0;
	return (row->test == FILE_TYPE ? value & S_IFMT : value) == word->value;
}

/* The low half is what the kernel and the policy look at (CVE-2019-10063). */
static const char *find_word(int number, const uint64_t arguments[static CALL_ARGUMENTS],
			     bool *ret_bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		if (row->number != number)
			continue;
		for (const struct word *word = row->words; word->name; word++) {
			if (!holds(row, word, (uint32_t)arguments[row->argument]))
				continue;
			*ret_bit = row->words == set_ids;
			return word->name;
		}
	}
	return NULL;
}

void call_describe(int number, const uint64_t arguments[static CALL_ARGUMENTS],
		   char ret_words[static CALL_WORDS])
{
	const char *name = number >= 0 && (size_t)number < ARRAY_SIZE(names) ? names[number] : NULL;
	bool bit = false;
	const char *word = find_word(number, arguments, &bit);

	if (!name)
		(void)snprintf(ret_words, CALL_WORDS, "system call %d", number);
	else if (!word)
		(void)snprintf(ret_words, CALL_WORDS, "%s", name);
	else
		(void)snprintf(ret_words, CALL_WORDS, "%s%s %s", name, bit ? " with" : "", word);
}
