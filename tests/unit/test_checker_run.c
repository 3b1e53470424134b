/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checker's jail, and its client. The jail: what a taken-over checker would try, each with a
 * control outside. The client: the real program, and programs that crash, lie and hang in its
 * place; this one plays them when it is started as "kmodbox-checker".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checker/checker.h"
#include "checker/jail.h"
#include "lib/base/memfd.h"
#include "lib/base/message.h"
#include "lib/base/text.h"

static const char symvers[] = "0x9060323f\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n";

/* What somebody would try who has taken over the checker. 0: it worked. */

static int try_open(void)
{
	return open("/proc/self/status", O_RDONLY | O_CLOEXEC) < 0;
}

static int try_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0;
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 || waitpid(pid, NULL, 0) < 0;
}

static int try_exec(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	return execve("/bin/true", argv, &argv[1]);
}

static int try_signal_parent(void)
{
	return kill(getppid(), 0);
}

static int try_executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static int try_mprotect(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED || mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0;
}

static int try_write_elsewhere(void)
{
	return write(STDERR_FILENO, "", 0) != 0;
}

static int try_to_raise_a_limit(void)
{
	struct rlimit limit = { 100, 100 };

	return setrlimit(RLIMIT_NOFILE, &limit);
}

static const struct probe {
	const char *name;
	int (*run)(void);
	bool server_may;
} probes[] = {
	{ "jail_open", try_open, false },
	{ "jail_socket", try_socket, false },
	{ "jail_fork", try_fork, true },
	{ "jail_exec", try_exec, false },
	{ "jail_signal", try_signal_parent, false },
	{ "jail_executable_memory", try_executable_memory, false },
	{ "jail_mprotect", try_mprotect, false },
	{ "jail_write_elsewhere", try_write_elsewhere, false },
	{ "jail_raise_a_limit", try_to_raise_a_limit, true },
};

enum place {
	OUTSIDE,
	SERVER, /* where readers are started */
	READER,
};

/* The wait status of a child that runs the probe there. */
static int status_of(int (*run)(void), enum place place, int record_fd)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct checker_jail jail;

		if (place != OUTSIDE && checker_jail_prepare(&jail, NULL) < 0)
			_exit(99);
		if (place == READER && checker_jail_enter(&jail, record_fd, 1, NULL) < 0)
			_exit(98);
		_exit(run() ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_jail_kills(void **state)
{
	const struct probe *probe = *state;
	int ends[2], status;

	status = status_of(probe->run, OUTSIDE, -1);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	status = status_of(probe->run, READER, ends[1]);
	close(ends[0]);
	close(ends[1]);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	if (probe->server_may)
		return;
	status = status_of(probe->run, SERVER, -1);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int allocate_and_free(void)
{
	for (size_t size = 16; size < (16u << 20); size *= 2) {
		char *memory = malloc(size), *more;

		if (!memory)
			return 1;
		memset(memory, 1, size);
		more = realloc(memory, 2 * size);
		free(more ? more : memory);
		if (!more)
			return 1;
	}
	return 0;
}

static int allocate_too_much(void)
{
	void *memory = mmap(NULL, (size_t)1 << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED;
}

static int allocate_too_much_of_its_own(void)
{
	/* Within the address space. */
	void *memory = malloc((size_t)300 << 20);
	const int result = memory == NULL;

	free(memory);
	return result;
}

static int compute_for_ever(void)
{
	for (volatile unsigned i = 0;; i++)
		;
	return 0;
}

static void test_jail_bounds_time(void **state)
{
	int ends[2], status;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	status = status_of(compute_for_ever, READER, ends[1]);
	close(ends[0]);
	close(ends[1]);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGXCPU);
}

static void test_jail_lets_it_work(void **state)
{
	int ends[2], status;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	status = status_of(allocate_and_free, READER, ends[1]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(ends[0]);
	close(ends[1]);
}

static void test_jail_bounds_memory(void **state)
{
	static int (*const probes_of_memory[])(void) = { allocate_too_much,
							 allocate_too_much_of_its_own };
	int ends[2], status;

	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	print_message("address space is not bounded under AddressSanitizer\n");
	skip();
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	print_message("address space is not bounded under AddressSanitizer\n");
	skip();
#endif
#endif
	for (size_t i = 0; i < ARRAY_SIZE(probes_of_memory); i++) {
		assert_int_equal(WEXITSTATUS(status_of(probes_of_memory[i], OUTSIDE, -1)), 0);
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		status = status_of(probes_of_memory[i], READER, ends[1]);
		close(ends[0]);
		close(ends[1]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
	}
}

/* A path beside this program: BUILD/tests/test_checker_run, BUILD/bin/kmodbox-checker. */
static int open_beside(const char *relative)
{
	char self[PATH_MAX] = "";
	cleanup_free char *path = NULL;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	path = format_string("%s/%s", dirname(self), relative);
	assert_non_null(path);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int run(int checker_fd, const char *name, const void *module, size_t size,
	       unsigned milliseconds, struct checker_verdict *verdict, struct text *exports,
	       struct error **error)
{
	struct checker_facts facts = { .vermagic = "6.1.0 SMP ",
				       .machine = EM_X86_64,
				       .modversions = 1 };
	cleanup_close int module_fd = -1, symvers_fd = -1;

	snprintf(facts.module_name, sizeof(facts.module_name), "%s", name);
	assert_int_equal(memfd_from_bytes("module", module, size, &module_fd, NULL), 0);
	assert_int_equal(
		memfd_from_bytes("symvers", symvers, sizeof(symvers) - 1, &symvers_fd, NULL), 0);
	return checker_run(checker_fd, module_fd, symvers_fd, &facts, milliseconds, verdict,
			   exports, error);
}

/* The real program gives the verdict that the function gives, whatever the bytes are. */
static void test_real_checker(void **state)
{
	static const char *const modules[] = { "", "not a module", "\177ELF\2\1\1" };
	cleanup_close int checker_fd = open_beside("../bin/kmodbox-checker");
	struct checker_facts facts = { .vermagic = "6.1.0 SMP ",
				       .module_name = "demo",
				       .machine = EM_X86_64,
				       .modversions = 1 };

	(void)state;
	if (checker_fd < 0) {
		print_message("bin/kmodbox-checker is not built\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(modules); i++) {
		struct checker_verdict verdict, expected;
		cleanup_text struct text exports = { 0 };
		cleanup_error struct error *error = NULL;

		assert_int_equal(run(checker_fd, "demo", modules[i], strlen(modules[i]), 60000,
				     &verdict, NULL, &error),
				 0);
		checker_examine((const uint8_t *)modules[i], strlen(modules[i]), symvers,
				sizeof(symvers) - 1, &facts, &expected, &exports);
		assert_memory_equal(&verdict, &expected, sizeof(verdict));
		assert_int_equal(verdict.errnum, modules[i][0] ? ENOEXEC : EINVAL);
	}
}

/* The program itself insists on sealed memfds. */
static void test_real_checker_wants_seals(void **state)
{
	cleanup_close int checker_fd = open_beside("../bin/kmodbox-checker"), module_fd = -1,
			  symvers_fd = -1;
	struct checker_facts facts = { .module_name = "demo" };
	cleanup_error struct error *error = NULL;
	struct checker_verdict verdict;

	(void)state;
	if (checker_fd < 0) {
		print_message("bin/kmodbox-checker is not built\n");
		skip();
	}
	assert_int_equal(memfd_new("module", &module_fd, NULL), 0);
	assert_int_equal(memfd_from_bytes("symvers", "", 0, &symvers_fd, NULL), 0);
	assert_int_equal(checker_run(checker_fd, module_fd, symvers_fd, &facts,
				     CHECKER_MILLISECONDS, &verdict, NULL, &error),
			 -EIO);
	assert_non_null(error);
}

static const struct lie {
	const char *name; /* of the module; what the false checker does for it */
	int result;
	const char *expected;
} lies[] = {
	{ "crash", -EBADMSG, "killed by SIGSEGV" },
	{ "crash_after_record", -EBADMSG, "killed by SIGSEGV" },
	{ "exit", -EIO, "status 9" },
	{ "gone", -EBADMSG, "no valid verdict" },
	{ "silence", -EBADMSG, "no valid verdict" },
	{ "answer", -EBADMSG, "no valid verdict" },
	{ "short", -EBADMSG, "no valid verdict" },
	{ "long", -EBADMSG, NULL },
	{ "flood", -EBADMSG, NULL },
	{ "outcome", -EBADMSG, "no valid verdict" },
	{ "will_load_with_errno", -EBADMSG, "no valid verdict" },
	{ "exports_missing", -EBADMSG, "no valid verdict" },
	{ "exports_huge", -EBADMSG, "no valid verdict" },
	{ "refusal_without_errno", -EBADMSG, "no valid verdict" },
	{ "hang", -ETIMEDOUT, "too long" },
	{ "hang_after_record", -ETIMEDOUT, "too long" },
	{ "hang_with_closed_pipe", -ETIMEDOUT, "too long" },
};

static void test_false_checker(void **state)
{
	const struct lie *lie = *state;
	cleanup_close int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	/* Only those that hang may run into the limit, however slow the machine is. */
	unsigned milliseconds = string_starts_with(lie->name, "hang") ? 300 : 60000;
	struct checker_verdict verdict = { .outcome = 77 };
	cleanup_text struct text exports = { 0 };
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	assert_true(self >= 0);
	assert_int_equal(run(self, lie->name, "x", 1, milliseconds, &verdict, &exports, &error),
			 lie->result);
	assert_int_equal(verdict.outcome, 77);
	assert_int_equal(exports.length, 0);
	text = error_describe(error);
	assert_non_null(text);
	assert_true(!lie->expected || strstr(text, lie->expected));
}

static void test_no_checker(void **state)
{
	cleanup_error struct error *error = NULL;
	struct checker_verdict verdict;

	(void)state;
	assert_int_equal(run(-1, "demo", "x", 1, 60000, &verdict, NULL, &error), -EIO);
}

/* A valid record, so the control of the lies; its strings are made safe. */
static void test_false_checker_is_sanitised(void **state)
{
	cleanup_close int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cleanup_text struct text exports = { 0 };
	struct checker_verdict verdict;

	(void)state;
	assert_true(self >= 0);
	assert_int_equal(run(self, "escape", "x", 1, 60000, &verdict, &exports, NULL), 0);
	assert_string_equal(exports.data, "l?n?\n");
	assert_int_equal(verdict.outcome, CHECKER_WILL_LOAD);
	assert_int_equal(strlen(verdict.license), sizeof(verdict.license) - 1);
	assert_string_equal(verdict.text, "?[2Jx");
}

static void send_record(int record_fd, const struct checker_verdict *verdict, size_t length)
{
	if (write(record_fd, verdict, length) != (ssize_t)length)
		_exit(8);
}

static _Noreturn void hang(void)
{
	for (;;)
		pause();
}

/* Plays a checker gone wrong; which way is the name of the module. */
static int play_checker(void)
{
	struct checker_verdict records[2] = { { .outcome = CHECKER_WILL_LOAD },
					      { .outcome = CHECKER_WILL_LOAD } };
	struct checker_verdict *verdict = &records[0];
	struct rlimit no_core = { 1, 1 };
	struct sigaction usual = { .sa_handler = SIG_DFL };
	static struct message request;
	struct checker_facts facts;
	const char *name = facts.module_name;
	size_t length = sizeof(*verdict);
	const int32_t status = 0;
	int record_fd;

	if (message_receive(CHECKER_SOCKET_FD, &request, NULL) < 0 ||
	    request.length != sizeof(facts) || request.fd_count != CHECKER_REQUEST_FDS ||
	    setrlimit(RLIMIT_CORE, &no_core) < 0)
		return 7;
	memcpy(&facts, request.payload, sizeof(facts));
	record_fd = request.fds[2];
	(void)sigaction(SIGSEGV, &usual, NULL); /* not the sanitizer's report */
	if (string_equal(name, "exit"))
		return 9;
	if (string_equal(name, "gone"))
		return 0;
	if (string_equal(name, "silence"))
		length = 0;
	if (string_equal(name, "crash"))
		raise(SIGSEGV);
	if (string_equal(name, "hang"))
		hang();
	if (string_equal(name, "hang_with_closed_pipe")) {
		close(record_fd);
		hang();
	}
	if (string_equal(name, "short"))
		length--;
	else if (string_equal(name, "long"))
		length++;
	else if (string_equal(name, "outcome"))
		verdict->outcome = 3;
	else if (string_equal(name, "will_load_with_errno"))
		verdict->errnum = ENOEXEC;
	else if (string_equal(name, "exports_missing"))
		verdict->exports = 5;
	else if (string_equal(name, "exports_huge"))
		verdict->exports = UINT32_MAX;
	else if (string_equal(name, "refusal_without_errno"))
		verdict->outcome = CHECKER_WILL_NOT_LOAD;
	if (string_equal(name, "escape")) {
		verdict->exports = 5;
		memcpy(records + 1, "l\033n\233\n", 5);
		length += 5;
	}
	memset(verdict->license, 'L', sizeof(verdict->license));
	memcpy(verdict->text, "\033[2Jx", 6);
	do
		send_record(record_fd, verdict, length);
	while (string_equal(name, "flood"));
	if (string_equal(name, "hang_after_record"))
		hang();
	if (string_equal(name, "crash_after_record"))
		raise(SIGSEGV);
	close(record_fd);
	if (string_equal(name, "answer"))
		return message_reply(CHECKER_SOCKET_FD, "", 0, NULL, 0, NULL);
	return message_reply(CHECKER_SOCKET_FD, &status, sizeof(status), NULL, 0, NULL);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_jail_lets_it_work),
		cmocka_unit_test(test_jail_bounds_memory),
		cmocka_unit_test(test_jail_bounds_time),
		cmocka_unit_test(test_real_checker),
		cmocka_unit_test(test_real_checker_wants_seals),
		cmocka_unit_test(test_no_checker),
		cmocka_unit_test(test_false_checker_is_sanitised),
	};
	static struct CMUnitTest tests[ARRAY_SIZE(probes) + ARRAY_SIZE(lies) + ARRAY_SIZE(others)];
	size_t count = 0;

	if (argc == 1 && string_equal(argv[0], "kmodbox-checker"))
		_exit(play_checker());
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
		tests[count++] =
			(struct CMUnitTest){ .name = probes[i].name,
					     .test_func = test_jail_kills,
					     .initial_state = (void *)(uintptr_t)&probes[i] };
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++)
		tests[count++] =
			(struct CMUnitTest){ .name = lies[i].name,
					     .test_func = test_false_checker,
					     .initial_state = (void *)(uintptr_t)&lies[i] };
	memcpy(&tests[count], others, sizeof(others));
	return cmocka_run_group_tests_name("checker_run", tests, NULL, NULL);
}
