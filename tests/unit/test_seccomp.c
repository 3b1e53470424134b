/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filter of a build, by an interpreter of our own: what becomes of every system call, held
 * against build.seccomp.golden; arguments that decide; foreign entries; and what a policy's text
 * says of each mistake. `test_seccomp --golden` prints the table that profiles/build.seccomp makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/personality.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/seccomp_support.h"

#define GOLDEN_FILE "tests/unit/build.seccomp.golden"
#define URETPROBE 335
#define UPROBE 336
#define X32_BIT 0x40000000
#define PLAIN_STEPS 32 /* a call without conditions is decided within as many instructions */

static int open_program(void **state)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	if (load_policy("build.seccomp", &program, &error) == 0)
		return 0;
	text = error_describe(error);
	print_error("%s\n", text);
	return -1;
}

static int close_program(void **state)
{
	(void)state;
	seccomp_program_clear(&program);
	return 0;
}

static void print_golden(void)
{
	printf("# What profiles/build.seccomp makes of each x86_64 system call; where arguments "
	       "decide, the\n# first entry that fits counts. Made by: test_seccomp --golden\n");
	for (int number = 0; number <= GOLDEN_LAST; number++) {
		cleanup_free char *line = golden_line(number);

		printf("%s\n", line);
	}
}

static void test_golden(void **state)
{
	(void)state;
	compare_golden(GOLDEN_FILE, "test_seccomp --golden", golden_line);
}

static void test_steps(void **state)
{
	(void)state;
	for (int number = 0; number < 2000; number++) {
		struct seccomp_data data = { .nr = number, .arch = AUDIT_ARCH_X86_64 };
		cleanup_free char *fate = describe_fate(number);
		size_t steps = 0;

		assert_int_not_equal(interpret(&program, &data, &steps), BROKEN);
		if (!strstr(fate, " if "))
			assert_in_range(steps, 1, PLAIN_STEPS);
	}
}

static void test_foreign_entry(void **state)
{
	static const uint32_t foreign[] = { AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM,
					    AUDIT_ARCH_RISCV64, 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		for (int number = 0; number <= GOLDEN_LAST; number++) {
			struct seccomp_data data = { .nr = number, .arch = foreign[i] };

			assert_int_equal(interpret(&program, &data, NULL),
					 SECCOMP_RET_KILL_PROCESS);
		}
	}
	for (int number = 0; number <= 1100; number++)
		assert_int_equal(fate_of(number | X32_BIT, 0, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(fate_of(-1, 0, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(fate_of(INT32_MIN, 0, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

static void test_unknown_numbers(void **state)
{
	static const int numbers[] = { 471, 512, 547, 1023, 1024, 1025, 100000, X32_BIT - 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		assert_int_equal(fate_of(numbers[i], 0, 0, 0, 0), ERRNO(ENOSYS));
}

struct argument_case {
	const char *what;
	long number;
	uint64_t arguments[4];
	uint32_t fate;
};

#define HIGH_BITS (UINT64_C(0xdead) << 32)
static const struct argument_case argument_cases[] = {
	{ "clone: a user namespace", SYS_clone, { CLONE_NEWUSER | SIGCHLD }, REFUSE },
	{ "clone: a mount namespace", SYS_clone, { CLONE_NEWNS | SIGCHLD }, REFUSE },
	{ "clone: a pid namespace", SYS_clone, { CLONE_NEWPID | SIGCHLD }, REFUSE },
	{ "clone: a network namespace", SYS_clone, { CLONE_NEWNET | SIGCHLD }, REFUSE },
	{ "clone: an ipc namespace", SYS_clone, { CLONE_NEWIPC | SIGCHLD }, REFUSE },
	{ "clone: a uts namespace", SYS_clone, { CLONE_NEWUTS | SIGCHLD }, REFUSE },
	{ "clone: a cgroup namespace", SYS_clone, { CLONE_NEWCGROUP | SIGCHLD }, REFUSE },
	{ "clone: fork", SYS_clone, { SIGCHLD }, ALLOW },
	{ "clone: vfork", SYS_clone, { CLONE_VM | CLONE_VFORK | SIGCHLD }, ALLOW },
	{ "clone: a thread",
	  SYS_clone,
	  { CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM },
	  ALLOW },
	{ "clone3: its flags cannot be seen", SYS_clone3, { 0x1000, 88 }, ERRNO(ENOSYS) },
	{ "ioctl TIOCSTI", SYS_ioctl, { 0, TIOCSTI, 0x1000 }, REFUSE },
	{ "ioctl TIOCSTI with high bits", SYS_ioctl, { 0, HIGH_BITS | TIOCSTI, 0x1000 }, REFUSE },
	{ "ioctl TIOCLINUX", SYS_ioctl, { 0, TIOCLINUX, 0x1000 }, REFUSE },
	{ "ioctl TIOCSCTTY", SYS_ioctl, { 0, TIOCSCTTY }, REFUSE },
	{ "ioctl TCGETS", SYS_ioctl, { 0, TCGETS, 0x1000 }, ALLOW },
	{ "ioctl TCSETS", SYS_ioctl, { 0, TCSETS, 0x1000 }, REFUSE },
	{ "ioctl FS_IOC_SETFLAGS", SYS_ioctl, { 0, 0x40086602 }, REFUSE },
	{ "chmod 04755", SYS_chmod, { 0x1000, 04755 }, REFUSE },
	{ "chmod 02755", SYS_chmod, { 0x1000, 02755 }, REFUSE },
	{ "chmod 04755 with high bits", SYS_chmod, { 0x1000, HIGH_BITS | 04755 }, REFUSE },
	{ "chmod 01777", SYS_chmod, { 0x1000, 01777 }, ALLOW },
	{ "chmod 0755", SYS_chmod, { 0x1000, 0755 }, ALLOW },
	{ "fchmod 06755", SYS_fchmod, { 3, 06755 }, REFUSE },
	{ "fchmod 0644", SYS_fchmod, { 3, 0644 }, ALLOW },
	{ "fchmodat 04755", SYS_fchmodat, { 3, 0x1000, 04755 }, REFUSE },
	{ "fchmodat 0755", SYS_fchmodat, { 3, 0x1000, 0755 }, ALLOW },
	{ "fchmodat2 0755", 452, { 3, 0x1000, 0755 }, ERRNO(ENOSYS) },
	{ "open O_CREAT 06755", SYS_open, { 0x1000, O_WRONLY | O_CREAT, 06755 }, REFUSE },
	{ "open O_TMPFILE 04755", SYS_open, { 0x1000, O_WRONLY | O_TMPFILE, 04755 }, REFUSE },
	{ "open O_CREAT 0755", SYS_open, { 0x1000, O_WRONLY | O_CREAT, 0755 }, ALLOW },
	{ "open, its mode never read", SYS_open, { 0x1000, O_RDONLY, 0xffffffff }, ALLOW },
	{ "open of a directory", SYS_open, { 0x1000, O_DIRECTORY, 06755 }, ALLOW },
	{ "openat O_CREAT 04644", SYS_openat, { 3, 0x1000, O_RDWR | O_CREAT, 04644 }, REFUSE },
	{ "openat O_TMPFILE 02644", SYS_openat, { 3, 0x1000, O_RDWR | O_TMPFILE, 02644 }, REFUSE },
	{ "openat O_CREAT 0644", SYS_openat, { 3, 0x1000, O_RDWR | O_CREAT, 0644 }, ALLOW },
	{ "openat, its mode never read", SYS_openat, { 3, 0x1000, O_RDONLY, 06755 }, ALLOW },
	{ "openat2: its mode cannot be seen", SYS_openat2, { 3, 0x1000, 0x1000 }, ERRNO(ENOSYS) },
	{ "setxattr: cp falls back to chmod", SYS_setxattr, { 0 }, ERRNO(ENOSYS) },
	{ "removexattr", SYS_removexattr, { 0 }, ERRNO(ENOSYS) },
	{ "creat 06755", SYS_creat, { 0x1000, 06755 }, REFUSE },
	{ "creat 0755", SYS_creat, { 0x1000, 0755 }, ALLOW },
	{ "mkdir 02755", SYS_mkdir, { 0x1000, 02755 }, REFUSE },
	{ "mkdir 01777", SYS_mkdir, { 0x1000, 01777 }, ALLOW },
	{ "mkdirat 02755", SYS_mkdirat, { 3, 0x1000, 02755 }, REFUSE },
	{ "mkdirat 0755", SYS_mkdirat, { 3, 0x1000, 0755 }, ALLOW },
	{ "mknod of a character device", SYS_mknod, { 0x1000, S_IFCHR | 0644, 0x103 }, REFUSE },
	{ "mknod of a block device", SYS_mknod, { 0x1000, S_IFBLK | 0644, 0x103 }, REFUSE },
	{ "mknod of a socket", SYS_mknod, { 0x1000, S_IFSOCK | 0644 }, REFUSE },
	{ "mknod of a FIFO", SYS_mknod, { 0x1000, S_IFIFO | 0644 }, ALLOW },
	{ "mknod of a file", SYS_mknod, { 0x1000, S_IFREG | 0644 }, ALLOW },
	{ "mknod of a file, by no type", SYS_mknod, { 0x1000, 0644 }, ALLOW },
	{ "mknod of a setuid file", SYS_mknod, { 0x1000, S_IFREG | 06755 }, REFUSE },
	{ "mknodat of a character device", SYS_mknodat, { 3, 0x1000, S_IFCHR | 0644, 5 }, REFUSE },
	{ "mknodat of a FIFO", SYS_mknodat, { 3, 0x1000, S_IFIFO | 0644 }, ALLOW },
	{ "mknodat of a setgid file", SYS_mknodat, { 3, 0x1000, 02755 }, REFUSE },
	{ "personality: which", SYS_personality, { 0xffffffff }, ALLOW },
	{ "personality: no randomisation", SYS_personality, { ADDR_NO_RANDOMIZE }, ALLOW },
	{ "personality: readable is executable", SYS_personality, { READ_IMPLIES_EXEC }, REFUSE },
	{ "personality: both", SYS_personality, { ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC }, REFUSE },
	{ "prctl: thread name", SYS_prctl, { PR_SET_NAME, 0x1000 }, ALLOW },
	{ "prctl: dumpable", SYS_prctl, { PR_SET_DUMPABLE, 1 }, REFUSE },
	{ "prctl: strict seccomp", SYS_prctl, { PR_SET_SECCOMP, 2, 0x1000 }, REFUSE },
	{ "prctl: who may trace", SYS_prctl, { PR_SET_PTRACER, 1 }, REFUSE },
	{ "prctl: memory map", SYS_prctl, { PR_SET_MM, 1 }, REFUSE },
	{ "prctl: subreaper", SYS_prctl, { PR_SET_CHILD_SUBREAPER, 1 }, REFUSE },
	{ "socketpair AF_UNIX", SYS_socketpair, { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC }, ALLOW },
	{ "socketpair of packets", SYS_socketpair, { AF_UNIX, SOCK_SEQPACKET }, ALLOW },
	{ "socketpair of datagrams", SYS_socketpair, { AF_UNIX, SOCK_DGRAM }, REFUSE },
	{ "socketpair, raw", SYS_socketpair, { AF_UNIX, SOCK_RAW | SOCK_CLOEXEC }, REFUSE },
	{ "socketpair AF_INET", SYS_socketpair, { AF_INET, SOCK_STREAM }, REFUSE },
	{ "socketpair AF_TIPC", SYS_socketpair, { AF_TIPC, SOCK_STREAM }, REFUSE },
	{ "prlimit64 of oneself", SYS_prlimit64, { 0, RLIMIT_NOFILE, 0x1000 }, ALLOW },
	{ "prlimit64 of pid 1", SYS_prlimit64, { 1, RLIMIT_NOFILE, 0x1000 }, REFUSE },
	{ "prlimit64 of core files", SYS_prlimit64, { 0, RLIMIT_CORE, 0x1000 }, REFUSE },
	{ "setrlimit of core files", SYS_setrlimit, { RLIMIT_CORE, 0x1000 }, REFUSE },
	{ "setrlimit of the stack", SYS_setrlimit, { RLIMIT_STACK, 0x1000 }, ALLOW },
	{ "fcntl: duplicate", SYS_fcntl, { 3, F_DUPFD_CLOEXEC, 10 }, ALLOW },
	{ "fcntl: a lease", SYS_fcntl, { 3, F_SETLEASE, F_RDLCK }, REFUSE },
	{ "fcntl: directory notices", SYS_fcntl, { 3, F_NOTIFY, DN_ACCESS }, REFUSE },
};

static void test_arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(argument_cases); i++) {
		const struct argument_case *one = &argument_cases[i];
		uint32_t fate = fate_of(one->number, one->arguments[0], one->arguments[1],
					one->arguments[2], one->arguments[3]);

		if (fate != one->fate)
			fail_msg("%s: %s instead of %s", one->what, fate_name(fate),
				 fate_name(one->fate));
	}
}

/* Reports by its exit status: 0, or 1 and the number and answer in the shared page. */
static void compare_with_kernel(int *report)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(&program, NULL, NULL) < 0)
		_exit(2);
	for (int number = 0; number < 1100; number++) {
		uint32_t fate = fate_of(number, 0, 0, 0, 0);
		long answer;

		/* What is allowed would really be done; the rest the kernel only answers. It lets
		 * no filter see the two calls that it puts into probed programs itself. */
		if (fate == SECCOMP_RET_ALLOW || number == URETPROBE || number == UPROBE)
			continue;
		answer = syscall(number, 0, 0, 0, 0, 0, 0);
		report[0] = number;
		report[1] = answer < 0 ? errno : (int)answer;
		report[2]++;
		if ((fate == REFUSE ? ERRNO(EPERM) : fate) != ERRNO(report[1]))
			_exit(1);
	}
	_exit(0);
}

/* The kernel takes the program and answers as the interpreter does. */
static void test_kernel_agrees(void **state)
{
	int *report = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	(void)state;
	assert_true(report != MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		compare_with_kernel(report);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("status %#x at system call %d: the kernel answers %d", status, report[0],
			 report[1]);
	assert_true(report[2] > 500);
	(void)munmap(report, 4096);
}

static void expect_mistake(const char *text, size_t length, const char *expected)
{
	struct seccomp_program none = { 0 };
	struct error *error = NULL;
	cleanup_free char *message = NULL;

	assert_int_equal(seccomp_compile("p", text, length, &none, &error), -EINVAL);
	message = error_describe(error);
	error = error_free(error);
	assert_string_equal(message, expected);
	assert_null(none.instructions);
}

static const struct {
	const char *text;
	const char *message;
} mistakes[] = {
	{ "allow read\n\n# x\nallow no_such_call\n", "p:4: unknown system call 'no_such_call'" },
	{ "permit read\n", "p:1: unknown action 'permit'" },
	{ "\nallow\n", "p:2: no system call behind 'allow'" },
	{ "allow read\nallow ioctl if arg1 is TIOCSTI\n", "p:2: unknown constant 'TIOCSTI'" },
	{ "allow open if arg1 has O_CREAT|O_X\n", "p:1: unknown constant 'O_X'" },
	{ "allow ioctl if arg1 is\n", "p:1: incomplete or too long condition at 'if'" },
	{ "allow ioctl if arg1\n", "p:1: incomplete or too long condition at 'if'" },
	{ "allow ioctl if\n", "p:1: no condition behind 'if'" },
	{ "\n\nallow ioctl if arg1 is 1 and\n", "p:3: no condition behind 'and'" },
	{ "allow ioctl if arg1 is 1 or\n", "p:1: no condition behind 'or'" },
	{ "allow ioctl if arg1 is 1 or arg2 is 1\n", "p:1: expected 'and' instead of 'or'" },
	{ "allow ioctl if arg6 is 1\n", "p:1: not arg0 to arg5: 'arg6'" },
	{ "allow ioctl if arg10 is 1\n", "p:1: not arg0 to arg5: 'arg10'" },
	{ "allow ioctl if arg1 equals 1\n", "p:1: unknown test 'equals'" },
	{ "allow ioctl if arg1 is 0x\n", "p:1: not a 32-bit number: '0x'" },
	{ "allow ioctl if arg1 is 0x1g\n", "p:1: not a 32-bit number: '0x1g'" },
	{ "allow ioctl if arg1 is 0x:\n", "p:1: not a 32-bit number: '0x:'" },
	{ "allow ioctl if arg1 is 09\n", "p:1: not a 32-bit number: '09'" },
	{ "allow ioctl if arg1 is 1|2\n", "p:1: not a 32-bit number: '1|2'" },
	{ "allow ioctl if arg1 is 4294967296\n", "p:1: not a 32-bit number: '4294967296'" },
	{ "allow ioctl if arg1 is |\n", "p:1: no value in '|'" },
	{ "allow ioctl if arg0 is 1 and arg1 is 1 and arg2 is 1 and arg3 is 1 and arg4 is 1\n",
	  "p:1: incomplete or too long condition at 'and'" },
	{ "allow read write if arg0 is 1\n", "p:1: unknown system call 'if'" },
	{ "allow read\nallow write\nrefuse read\n",
	  "p:3: already decided without condition: 'read'" },
	{ "allow read read\n", "p:1: already decided without condition: 'read'" },
	{ "allow ioctl\nallow ioctl if arg1 is 1\n",
	  "p:2: already decided without condition: 'ioctl'" },
	{ "allow ioctl if arg1 is 1\nallow ioctl if arg1 is 2\nallow read\n",
	  "p:2: the last line about a call must have no condition: 'ioctl'" },
};

static void test_mistakes(void **state)
{
	static const char nul[] = "allow read\nallow wri\0te\n";
	cleanup_text struct text long_line = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)
		expect_mistake(mistakes[i].text, strlen(mistakes[i].text), mistakes[i].message);
	expect_mistake(nul, sizeof(nul) - 1, "p:2: not a text file: 'NUL byte'");
	/* As many words as there may be are another mistake; one more is too many. */
	assert_int_equal(text_append_string(&long_line, "\nallow"), 0);
	for (size_t i = 1; i < 64; i++)
		assert_int_equal(text_append_string(&long_line, " x"), 0);
	expect_mistake(long_line.data, long_line.length, "p:2: unknown system call 'x'");
	assert_int_equal(text_append_string(&long_line, " y"), 0);
	expect_mistake(long_line.data, long_line.length, "p:2: too many words, at 'y'");
}

static void test_too_large(void **state)
{
	cleanup_text struct text policy = { 0 };
	struct seccomp_program none = { 0 };
	struct error *error = NULL;

	(void)state;
	for (int i = 0; i < BPF_MAXINSNS; i++)
		assert_int_equal(text_append_format(&policy, "allow ioctl if arg1 is %d\n", i), 0);
	assert_int_equal(text_append_string(&policy, "refuse ioctl\n"), 0);
	assert_int_equal(seccomp_compile("p", policy.data, policy.length, &none, &error), -E2BIG);
	assert_null(none.instructions);
	error = error_free(error);
}

/* More values of one argument than one jump can span. */
static void test_many_alike(void **state)
{
	cleanup_text struct text policy = { 0 };
	struct seccomp_program kept = program;
	struct seccomp_data data = { .nr = SYS_ioctl, .arch = AUDIT_ARCH_X86_64 };

	(void)state;
	for (int i = 0; i < 600; i++)
		assert_int_equal(text_append_format(&policy, "allow ioctl if arg1 is %d\n", 2 * i),
				 0);
	assert_int_equal(text_append_string(&policy, "pretend ioctl if arg1 is 7\n"
						     "refuse ioctl\nallow read\n"),
			 0);
	assert_int_equal(seccomp_compile("p", policy.data, policy.length, &program, NULL), 0);
	for (unsigned i = 0; i < 1300; i++) {
		data.args[1] = i;
		assert_int_equal(interpret(&program, &data, NULL), i < 1200 && i % 2 == 0 ? ALLOW
								   : i == 7 ? SECCOMP_RET_ERRNO
									    : REFUSE);
	}
	seccomp_program_clear(&program);
	program = kept;
}

/* Only for the text that it was made of, byte by byte. */
static void test_stored(void **state)
{
	static const char text[] = "allow read\nrefuse write\n",
			  other[] = "allow read\nallow  write\n";
	const size_t length = sizeof(text) - 1;
	struct seccomp_program made = { 0 }, back = { 0 };
	cleanup_text struct text stored = { 0 };

	(void)state;
	assert_int_equal(sizeof(text), sizeof(other));
	assert_int_equal(seccomp_compile("p", text, length, &made, NULL), 0);
	assert_int_equal(seccomp_stored_make(&made, text, length, &stored), 0);
	assert_int_equal(seccomp_stored_read(stored.data, stored.length, text, length, &back), 0);
	assert_int_equal(back.count, made.count);
	assert_int_equal(back.can_report, made.can_report);
	assert_memory_equal(back.instructions, made.instructions,
			    made.count * sizeof(*made.instructions));
	seccomp_program_clear(&back);
	assert_int_equal(seccomp_stored_read(stored.data, stored.length, other, length, &back),
			 -ESTALE);
	for (size_t i = 0; i < stored.length; i++)
		assert_int_equal(seccomp_stored_read(stored.data, i, text, length, &back), -ESTALE);
	/* Of another version, for another architecture, with more instructions than there are. */
	for (size_t i = 0; i < 28; i++) {
		if (i >= 20 && i < 24)
			continue; /* can_report: any value is one */
		stored.data[i] ^= 0x40;
		assert_int_equal(
			seccomp_stored_read(stored.data, stored.length, text, length, &back),
			-ESTALE);
		stored.data[i] ^= 0x40;
	}
	assert_null(back.instructions);
	seccomp_program_clear(&made);
}

/* What the language promises and build.seccomp does not use. */
static void test_language(void **state)
{
	static const char text[] = "\tallow ioctl if arg0 is 010 and arg1 lacks 0x0f and arg5 has 3"
				   " and arg2 is 4294967295\t# why\r\n"
				   "pretend ioctl if arg3 has S_ISUID|S_ISGID\nrefuse ioctl\n"
				   "allow set_tls\nallow read";
	struct seccomp_program kept = program;
	struct seccomp_data data = { .nr = SYS_ioctl, .arch = AUDIT_ARCH_X86_64 };
	cleanup_error struct error *error = NULL;

	(void)state;
	assert_int_equal(seccomp_compile("p", text, sizeof(text) - 1, &program, &error), 0);
	data.args[0] = 8;
	data.args[1] = 0x10;
	data.args[2] = UINT64_C(0x1ffffffff);
	data.args[5] = 2;
	assert_int_equal(interpret(&program, &data, NULL), ALLOW);
	data.args[5] = 4;
	assert_int_equal(interpret(&program, &data, NULL), REFUSE);
	data.args[3] = 02000;
	assert_int_equal(interpret(&program, &data, NULL), ERRNO(0));
	data.args[5] = 1;
	assert_int_equal(interpret(&program, &data, NULL), ALLOW);
	data.args[1] = 0x18;
	assert_int_equal(interpret(&program, &data, NULL), ERRNO(0));
	assert_int_equal(fate_of(SYS_read, 0, 0, 0, 0), ALLOW);
	assert_int_equal(fate_of(SYS_write, 0, 0, 0, 0), ERRNO(ENOSYS));
	seccomp_program_clear(&program);
	program = kept;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),	      cmocka_unit_test(test_steps),
		cmocka_unit_test(test_foreign_entry), cmocka_unit_test(test_unknown_numbers),
		cmocka_unit_test(test_arguments),     cmocka_unit_test(test_kernel_agrees),
		cmocka_unit_test(test_language),      cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_too_large),     cmocka_unit_test(test_many_alike),
		cmocka_unit_test(test_stored),
	};

	if (argc == 2 && strcmp(argv[1], "--golden") == 0) {
		if (open_program(NULL) < 0)
			return 1;
		print_golden();
		return close_program(NULL);
	}
	return cmocka_run_group_tests_name("seccomp", tests, open_program, close_program);
}
