/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-guest: pid 1 of a virtual machine that modules are loaded in (runners/vm.h). Does what
 * /plan says, a line each, and tells what came of it on the second serial port, a line each; then
 * powers off. Static and alone in its initial ramdisk: libc, the decoders of compressed modules,
 *and the kernel, whose own errno it tells. Nothing here is trusted: it runs beside what it loads.
 *
 *	load FILE [OPTIONS]	finit_module(2); compressed, init_module(2)
 *	unload NAME		delete_module(2)
 *	run PROGRAM [ARGUMENT...]
 *	wait MILLISECONDS	for what a module does later
 *
 * ready RELEASE LOCKDOWN | log LEVEL TEXT | begin N | end N RESULT TAINT | done
 *
 * RESULT is 0, an errno, "killed" where the kernel killed who asked (an oops), or "stuck" where it
 * did not come back within 10 seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "checker/decompress.h"

#define KILLED (-1)
#define STUCK (-2)
#define STUCK_SECONDS 10
#define ARGUMENTS 32

static int port = -1;
static int kernel_log = -1;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char line[2048];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length < 0)
		return;
	if ((size_t)length > sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length++] = '\n';
	for (int at = 0; at < length;) {
		ssize_t written = write(port, line + at, (size_t)(length - at));

		if (written < 0 && errno != EINTR)
			return;
		at += written > 0 ? (int)written : 0;
	}
}

static _Noreturn void power_off(void)
{
	(void)tcdrain(port);
	sync();
	(void)reboot(RB_POWER_OFF);
	(void)reboot(RB_AUTOBOOT);
	for (;;)
		(void)pause();
}

static void open_port(void)
{
	struct termios settings;

	port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (port >= 0 && tcgetattr(port, &settings) == 0) {
		cfmakeraw(&settings);
		(void)tcsetattr(port, TCSANOW, &settings);
	}
	if (port < 0)
		port = 2;
}

/* Records of /dev/kmsg: "PRIORITY,SEQUENCE,TIME,FLAGS;TEXT\n KEY=VALUE\n", text already escaped. */
static void tell_log(void)
{
	char record[8192];
	ssize_t length;

	while ((length = read(kernel_log, record, sizeof(record) - 1)) > 0 || errno == EPIPE) {
		char *text, *end;

		if (length <= 0)
			continue; /* overwritten: the next one */
		record[length] = '\0';
		text = strchr(record, ';');
		end = text ? strchr(text, '\n') : NULL;
		if (!end)
			continue;
		*end = '\0';
		say("log %ld %.1000s", strtol(record, NULL, 10) & 7, text + 1);
	}
}

/* "none [integrity] confidentiality": which of them holds; "?": that cannot be told. */
static void read_lockdown(char word[32])
{
	char text[64] = "", *start, *end;
	int fd = open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!read(fd, text, sizeof(text) - 1);
		(void)close(fd);
	}
	start = strchr(text, '[');
	end = start ? strchr(start, ']') : NULL;
	(void)snprintf(word, 32, "%.*s", end ? (int)(end - start - 1) : 1, end ? start + 1 : "?");
}

static unsigned long taint(void)
{
	char text[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!read(fd, text, sizeof(text) - 1);
		(void)close(fd);
	}
	return strtoul(text, NULL, 10);
}

/* As modprobe does it where the kernel does not: unpacked, or -EBADMSG, as bytes. */
static int load_bytes(int fd, const char *options)
{
	struct stat status;
	const uint8_t *packed, *bytes;
	size_t size;
	int r;

	if (fstat(fd, &status) < 0)
		return errno;
	packed = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (packed == MAP_FAILED)
		return errno;
	r = decompress(packed, (size_t)status.st_size, &bytes, &size);
	if (r < 0)
		return -r;
	return syscall(SYS_init_module, bytes, size, options) == 0 ? 0 : errno;
}

static bool is_compressed(int fd)
{
	/* gzip, xz, zstd */
	static const char *const magics[] = { "\x1f\x8b", "\xfd\x37zXZ", "\x28\xb5\x2f\xfd" };
	char start[8] = "";

	if (pread(fd, start, sizeof(start) - 1, 0) <= 0)
		return false;
	for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
		if (memcmp(start, magics[i], strlen(magics[i])) == 0)
			return true;
	}
	return false;
}

static int load(const char *file, const char *options)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (is_compressed(fd))
		return load_bytes(fd, options ? options : "");
	if (syscall(SYS_finit_module, fd, options ? options : "", 0) == 0)
		return 0;
	return errno;
}

static int wait_for(const char *milliseconds)
{
	const unsigned long all = strtoul(milliseconds, NULL, 10);
	const struct timespec pause = { (time_t)(all / 1000), (long)(all % 1000) * 1000000 };

	return nanosleep(&pause, NULL) == 0 ? 0 : errno;
}

static int run(char *line)
{
	char *argv[ARGUMENTS + 1] = { NULL };
	size_t count = 0;

	for (char *word; count < ARGUMENTS && (word = strsep(&line, " "));)
		if (*word)
			argv[count++] = word;
	if (count == 0)
		return EINVAL;
	(void)dup2(port, 1);
	(void)dup2(port, 2);
	execv(argv[0], argv);
	return errno;
}

static int act(char *line)
{
	char *verb = strsep(&line, " ");

	if (!line)
		return EINVAL;
	if (strcmp(verb, "run") == 0)
		return run(line);
	if (strcmp(verb, "wait") == 0)
		return wait_for(line);
	if (strcmp(verb, "unload") == 0)
		return syscall(SYS_delete_module, line, O_NONBLOCK) == 0 ? 0 : errno;
	if (strcmp(verb, "load") == 0) {
		char *file = strsep(&line, " ");

		return load(file, line);
	}
	return EINVAL;
}

/* In a child: an oops kills who asked, and that must not be pid 1. */
static int act_apart(char *line)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(act(line));
	for (unsigned waited = 0; waitpid(pid, &status, WNOHANG) == 0; waited++) {
		const struct timespec pause = { .tv_nsec = 2000000 };

		if (waited == STUCK_SECONDS * 500)
			return STUCK;
		(void)nanosleep(&pause, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED;
}

static void follow_plan(char *plan)
{
	unsigned number = 0;

	for (char *line; (line = strsep(&plan, "\n"));) {
		int result;

		if (!*line)
			continue;
		say("begin %u", ++number);
		result = act_apart(line);
		tell_log();
		if (result < 0)
			say("end %u %s %lu", number, result == STUCK ? "stuck" : "killed", taint());
		else
			say("end %u %d %lu", number, result, taint());
	}
}

static char *read_plan(void)
{
	int fd = open("/plan", O_RDONLY | O_CLOEXEC);
	struct stat status;
	char *plan;

	if (fd < 0 || fstat(fd, &status) < 0)
		return NULL;
	plan = calloc(1, (size_t)status.st_size + 1);
	for (off_t at = 0; plan && at < status.st_size;) {
		ssize_t length = read(fd, plan + at, (size_t)(status.st_size - at));

		if (length <= 0)
			return NULL;
		at += length;
	}
	return plan;
}

int main(void)
{
	static const struct {
		const char *path;
		const char *type;
	} mounts[] = { { "/dev", "devtmpfs" },
		       { "/proc", "proc" },
		       { "/sys", "sysfs" },
		       { "/sys/kernel/security", "securityfs" } };
	struct utsname name = { .release = "?" };
	char lockdown[32];
	char *plan;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		(void)mkdir(mounts[i].path, 0755);
		(void)mount(mounts[i].type, mounts[i].path, mounts[i].type, 0, NULL);
	}
	open_port();
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	(void)uname(&name);
	/* What it said while it booted is on the console. */
	(void)lseek(kernel_log, 0, SEEK_END);
	read_lockdown(lockdown);
	/* Firmware may have written to this port before. */
	say("\nready %s %s", name.release, lockdown);
	plan = read_plan();
	if (plan)
		follow_plan(plan);
	say(plan ? "done" : "no plan");
	power_off();
}
