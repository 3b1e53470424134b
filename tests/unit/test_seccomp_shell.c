/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filter of `kmodbox shell`: in what it differs from that of a build, held against
 * shell.seccomp.golden; what of a terminal may be asked, and what never. `test_seccomp_shell
 * --golden` prints those lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/ioctls.h>
#include <sys/syscall.h>

#include "tests/unit/seccomp_support.h"

#define GOLDEN_FILE "tests/unit/shell.seccomp.golden"

static int open_programs(void **state)
{
	(void)state;
	return open_extension("shell.seccomp");
}

static void print_golden(void)
{
	printf("# What profiles/shell.seccomp makes of x86_64 system calls otherwise than "
	       "profiles/build.seccomp.\n# Made by: test_seccomp_shell --golden\n");
	print_differences();
}

static void test_golden(void **state)
{
	(void)state;
	compare_golden(GOLDEN_FILE, "test_seccomp_shell --golden", different_line);
}

static void test_requests(void **state)
{
	static const struct {
		const char *what;
		uint64_t request;
		uint32_t of_build, of_shell;
	} rows[] = {
		{ "TCGETS", TCGETS, ALLOW, ALLOW },
		{ "TCSETS", TCSETS, REFUSE, ALLOW },
		{ "TCSETSW", TCSETSW, REFUSE, ALLOW },
		{ "TCSETSF", TCSETSF, REFUSE, ALLOW },
		{ "TIOCGPGRP", TIOCGPGRP, DECLINE, ALLOW },
		{ "TIOCSPGRP", TIOCSPGRP, REFUSE, ALLOW },
		{ "TCFLSH", TCFLSH, REFUSE, ALLOW },
		{ "TIOCSTI", TIOCSTI, REFUSE, REFUSE },
		/* The kernel looks at 32 bits alone. */
		{ "TIOCSTI with high bits", (UINT64_C(1) << 32) | TIOCSTI, REFUSE, REFUSE },
		{ "TIOCLINUX", TIOCLINUX, REFUSE, REFUSE },
		{ "TIOCSETD", TIOCSETD, REFUSE, REFUSE },
		{ "TIOCCONS", TIOCCONS, REFUSE, REFUSE },
		{ "TIOCSCTTY", TIOCSCTTY, REFUSE, REFUSE },
		{ "TIOCNOTTY", TIOCNOTTY, REFUSE, REFUSE },
		{ "TIOCSWINSZ", TIOCSWINSZ, REFUSE, REFUSE },
		{ "TIOCVHANGUP", TIOCVHANGUP, REFUSE, REFUSE },
		{ "TIOCGPTPEER", 0x5441, REFUSE, REFUSE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		program = build;
		if (fate_of(SYS_ioctl, 0, rows[i].request, 0, 0) != rows[i].of_build)
			fail_msg("%s of a build is decided otherwise", rows[i].what);
		program = extension;
		if (fate_of(SYS_ioctl, 0, rows[i].request, 0, 0) != rows[i].of_shell)
			fail_msg("%s of a shell is decided otherwise", rows[i].what);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_requests),
	};

	if (argc == 2 && strcmp(argv[1], "--golden") == 0) {
		if (open_programs(NULL) < 0)
			return 1;
		print_golden();
		return close_extension(NULL);
	}
	return cmocka_run_group_tests_name("shell", tests, open_programs, close_extension);
}
