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

static struct seccomp_program build, shell;

static int open_programs(void **state)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	if (load_policy("build.seccomp", &build, &error) == 0 &&
	    load_policy("shell.seccomp", &shell, &error) == 0)
		return 0;
	text = error_describe(error);
	print_error("%s\n", text);
	return -1;
}

static int close_programs(void **state)
{
	(void)state;
	seccomp_program_clear(&build);
	seccomp_program_clear(&shell);
	return 0;
}

/* The line of this call where it is another than a build's, or NULL. */
static char *different_line(int number)
{
	cleanup_free char *of_build = NULL;
	char *line;

	program = build;
	of_build = golden_line(number);
	program = shell;
	line = golden_line(number);
	if (!string_equal(line, of_build))
		return line;
	free(line);
	return NULL;
}

static void print_golden(void)
{
	printf("# What profiles/shell.seccomp makes of x86_64 system calls otherwise than "
	       "profiles/build.seccomp.\n# Made by: test_seccomp_shell --golden\n");
	for (int number = 0; number <= GOLDEN_LAST; number++) {
		cleanup_free char *line = different_line(number);

		if (line)
			printf("%s\n", line);
	}
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
		program = shell;
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
		return close_programs(NULL);
	}
	return cmocka_run_group_tests_name("shell", tests, open_programs, close_programs);
}
