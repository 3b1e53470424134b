/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real kmodbox-signer with the real kmodbox-checker, spoken to as the orchestrator does, and
 * modules for it that a real assembler makes.
 */
#ifndef KMODBOX_TESTS_SIGNER_CHILD_H
#define KMODBOX_TESTS_SIGNER_CHILD_H

#include "tests/unit/signer_support.h"

#include <limits.h>
#include <sys/resource.h>

#include "lib/artifacts/approval.h"
#include "lib/base/memfd.h"
#include "lib/kernels/kernel.h"
#include "signer/signer_protocol.h"

#define RELEASE "6.1.0-test"
#define LAYOUT "0x11111111\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"
#define PRINTK "0x22222222\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n"

/* What all tests use: keys once (they take seconds), programs, a module to be signed. */
static struct scratch home;
static char program_directory[PATH_MAX];
static struct text good;

static const char config[] = "CONFIG_SMP=y\nCONFIG_MODULE_UNLOAD=y\nCONFIG_MODVERSIONS=y\n"
			     "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"sha256\"\n"
			     "CONFIG_CRYPTO_SHA256=y\n";

/* The sections of a module, as kbuild would make them of one that calls two functions. */
static const char source_format[] =
	".text\n.globl init_module\ninit_module:\n\tcall _printk\n\tcall %s\n\tret\n"
	".section .modinfo,\"a\"\n.string \"license=GPL\"\n.string \"name=%s\"\n"
	".string \"vermagic=" RELEASE " SMP mod_unload modversions \"\n%s"
	".section .gnu.linkonce.this_module,\"aw\"\n"
	"\t.zero 24\n1:\t.string \"%s\"\n\t.zero 56-(.-1b)\n\t.zero 816\n"
	".section __versions,\"a\"\n"
	"\t.quad 0x11111111\n1:\t.string \"module_layout\"\n\t.zero 56-(.-1b)\n"
	"\t.quad 0x22222222\n1:\t.string \"_printk\"\n\t.zero 56-(.-1b)\n"
	"\t.quad %s\n1:\t.string \"%s\"\n\t.zero 56-(.-1b)\n"
	".data\n.zero 8+%u\n.section .note.GNU-stack,\"\"\n";

struct module {
	const char *name;  /* in modinfo; NULL: "demo" */
	const char *calls; /* besides _printk; NULL: nothing else */
	const char *crc;   /* version of what it calls; NULL: that of _printk */
	const char *extra; /* more lines, the first in .modinfo; NULL: none */
	unsigned size;	   /* of its data */
};

static inline void make_module(const struct module *module, struct text *ret_module)
{
	const char *name = module->name ?: "demo", *calls = module->calls ?: "_printk";
	cleanup_free char *source =
		format_string(source_format, calls, name, module->extra ?: "", name,
			      module->crc ?: "0x22222222", calls, module->size);

	scratch_write(&home, "demo.s", source, strlen(source), 0600);
	assert_int_equal(RUN(&home, NULL, "gcc", "-c", "demo.s", "-o", "demo.ko"), 0);
	scratch_read(&home, "demo.ko", ret_module);
}

static inline int open_beside(const char *name, int flags)
{
	int fd = openat(home.fd, name, flags | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

static inline void write_approval(void)
{
	static const char text[] =
		"kmodbox-approval-1\nmodule demo\nversion 0.1\nsource "
		"0000000000000000000000000000000000000000000000000000000000000000"
		"\nkernels *\nfile demo\nfile demo-two\nfile demo-three\n";

	assert_int_equal(mkdirat(home.fd, "approvals", 0755), 0);
	assert_int_equal(mkdirat(home.fd, "approvals/demo", 0755), 0);
	scratch_write(&home, "approvals/demo/0.1", text, strlen(text), 0644);
}

static inline void prepare_home(void)
{
	const char *bin = secure_getenv("KMODBOX_BIN");
	ssize_t length = readlink("/proc/self/exe", program_directory, PATH_MAX - 16);

	assert_true(length > 0);
	program_directory[length] = '\0';
	*strrchr(program_directory, '/') = '\0';
	memcpy(program_directory + strlen(program_directory), "/../bin", sizeof("/../bin"));
	if (bin)
		assert_true((size_t)snprintf(program_directory, PATH_MAX, "%s", bin) < PATH_MAX);
	scratch_make(&home);
	assert_int_equal(mkdirat(home.fd, "keys", 0700), 0);
	assert_int_equal(mkdirat(home.fd, "kernel", 0755), 0);
	write_approval();
	scratch_write(&home, "kernel/.config", config, strlen(config), 0644);
	scratch_write(&home, "kernel/Module.symvers", LAYOUT PRINTK, strlen(LAYOUT PRINTK), 0644);
	make_module(&(struct module){ .size = 1000000 }, &good);
}

static inline void remove_home(void)
{
	text_clear(&good);
	scratch_remove(&home);
}

/* A running signer. */
struct child {
	pid_t pid;
	int socket;
	const char *uid;     /* NULL: as we are */
	const char *checker; /* NULL: the real one */
	const char *kernel;  /* headers below home; NULL: those of RELEASE */
	const char *release; /* of them; NULL: RELEASE */
	int audit_flags;     /* 0: as it must be */
	bool will_not_start;
	rlim_t open_files; /* soft limit it starts with; 0: ours */
	struct message reply;
	struct error *error;
};

static inline int open_program(const char *name)
{
	cleanup_free char *path = format_string("%s/%s", program_directory, name);
	int fd = open(strchr(name, '/') ? name : path, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		print_message("no %s: build the programs first (make)\n", path);
		skip();
	}
	return fd;
}

static inline void start(struct child *child)
{
	int program = open_program("kmodbox-signer"), sockets[2], ready[2], fds[7];
	int audit_flags = child->audit_flags ? child->audit_flags : O_RDWR | O_APPEND | O_CREAT;
	char numbers[7][160], byte = 1;
	/* clang-format off */
	char *argv[] = {
		(char[]){ "kmodbox-signer" },
		(char[]){ "--socket" }, numbers[0], (char[]){ "--keys" }, numbers[1],
		(char[]){ "--approvals" }, numbers[2], (char[]){ "--audit" }, numbers[3],
		(char[]){ "--checker" }, numbers[4], (char[]){ "--kernel" }, numbers[5],
		(char[]){ "--ready" }, numbers[6], (char[]){ "--uid" }, (char *)child->uid, NULL,
	};
	/* clang-format on */
	char *environment[] = { (char[]){ "ASAN_OPTIONS=detect_leaks=0" }, NULL };

	assert_int_equal(message_pair(sockets, NULL), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	fds[0] = sockets[1];
	fds[1] = open_beside("keys", O_RDONLY | O_DIRECTORY);
	fds[2] = open_beside("approvals", O_PATH | O_DIRECTORY);
	fds[3] = open_beside("audit", audit_flags);
	fds[4] = open_program(child->checker ? child->checker : "kmodbox-checker");
	fds[5] = open_beside(child->kernel ?: "kernel", O_PATH | O_DIRECTORY);
	fds[6] = ready[1];
	for (int i = 0; i < 7; i++)
		(void)snprintf(numbers[i], sizeof(numbers[i]), "%d", fds[i]);
	(void)snprintf(numbers[5], sizeof(numbers[5]), "%s=%d", child->release ?: RELEASE, fds[5]);
	if (!child->uid)
		argv[15] = NULL;
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (child->pid == 0) {
		int log = openat(home.fd, "stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);

		for (int i = 0; i < 7; i++)
			(void)fcntl(fds[i], F_SETFD, 0);
		(void)dup2(log, 2);
		if (child->open_files > 0) {
			struct rlimit limit;

			(void)getrlimit(RLIMIT_NOFILE, &limit);
			limit.rlim_cur = child->open_files;
			(void)setrlimit(RLIMIT_NOFILE, &limit);
		}
		(void)execveat(program, "", argv, environment, AT_EMPTY_PATH);
		_exit(127);
	}
	for (int i = 0; i < 7; i++)
		(void)close(fds[i]);
	(void)close(program);
	child->socket = sockets[0];
	/* A byte when it is ready to serve, the end of the pipe when it refuses to start. */
	assert_int_equal(read(ready[0], &byte, 1), child->will_not_start ? 0 : 1);
	(void)close(ready[0]);
}

/* Hangs up; gives the exit status and, if wanted, what it wrote for people. */
static inline int stop(struct child *child, struct text *ret_messages)
{
	int status;

	message_clear(&child->reply);
	child->error = error_free(child->error);
	child->socket = close_fd(child->socket);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	if (ret_messages)
		scratch_read(&home, "stderr", ret_messages);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline int call(struct child *child, uint32_t type, const void *payload, size_t length,
		       int fd, size_t reply_length, size_t reply_fds)
{
	message_clear(&child->reply);
	child->error = error_free(child->error);
	return message_call(child->socket, type, payload, length, &fd, fd >= 0 ? 1 : 0,
			    &child->reply, reply_length, reply_fds, &child->error);
}

static inline struct signer_begin usual_begin(uint32_t count)
{
	struct signer_begin begin = { .compression = KERNEL_COMPRESSION_NONE, .count = count };

	assert_int_equal(MESSAGE_STRING_SET(begin.module, "demo"), 0);
	assert_int_equal(MESSAGE_STRING_SET(begin.version, "0.1"), 0);
	assert_int_equal(MESSAGE_STRING_SET(begin.kernel, RELEASE), 0);
	assert_int_equal(MESSAGE_STRING_SET(begin.architecture, "x86_64"), 0);
	return begin;
}

static inline int call_begin(struct child *child, const struct signer_begin *begin)
{
	return call(child, SIGNER_BEGIN, begin, sizeof(*begin), -1, 0, 0);
}

static inline int begin(struct child *child, uint32_t count)
{
	struct signer_begin request = usual_begin(count);

	return call_begin(child, &request);
}

static inline int send_file(struct child *child, const struct text *module, const char *built_name,
			    const char *name, const char *directory)
{
	struct signer_file file = { 0 };
	cleanup_close int fd = -1;

	assert_int_equal(MESSAGE_STRING_SET(file.built_name, built_name), 0);
	assert_int_equal(MESSAGE_STRING_SET(file.name, name), 0);
	assert_int_equal(MESSAGE_STRING_SET(file.directory, directory), 0);
	assert_int_equal(memfd_from_bytes("demo", module->data, module->length, &fd, NULL), 0);
	return call(child, SIGNER_FILE, &file, sizeof(file), fd, 0, 0);
}

static inline int send_as(struct child *child, const struct text *module, const char *name)
{
	return send_file(child, module, name, name, "updates/dkms");
}

/* Under the name that make_module() gives where none is wanted. */
static inline int send_demo(struct child *child, const struct text *module)
{
	return send_as(child, module, "demo");
}

static inline int finish(struct child *child)
{
	return call(child, SIGNER_FINISH, NULL, 0, -1, sizeof(struct signer_ticket), 1);
}

static inline int fetch(struct child *child, uint32_t index)
{
	struct signer_fetch request = { index };

	return call(child, SIGNER_FETCH, &request, sizeof(request), -1,
		    sizeof(struct signer_signed), 1);
}

/* A signing of one file, up to its ticket. */
static inline int sign(struct child *child, const struct text *module)
{
	int r = begin(child, 1);

	if (r == 0)
		r = send_demo(child, module);
	return r < 0 ? r : finish(child);
}

/* That signing is over, the conversation is not. */
static inline void assert_refused(struct child *child, int code, const char *words)
{
	assert_int_equal(error_code(child->error), code);
	assert_error(&child->error, words);
	assert_int_equal(sign(child, &good), 0);
	assert_int_equal(fetch(child, 0), 0);
}

#endif
