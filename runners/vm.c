/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A virtual machine from its start to its end, see vm.h. */
#include "runners/vm.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/syscalls.h"

#define PROGRAM "qemu-system-x86_64"
#define MEMORY_MEBIBYTES 512
/*
 * A real KVM has said "ready" by then. Nested under some hypervisors /dev/kvm opens, and guests
 * hang in it without a word.
 */
#define KVM_MILLISECONDS 5000
#define FIRMWARE_MILLISECONDS 5000 /* UEFI's, before the kernel is its own */
#define FIRST_FD 10
/* edd=off: the BIOS has no disk to be asked for, and waiting for it takes a second. */
#define COMMAND_LINE "console=ttyS0 quiet panic=-1 edd=off"

/* Beside the guest's own memory: QEMU, and up to 1 GiB of code that it has translated. */
#define QEMU_MEBIBYTES 4096
#define QEMU_FILES 256
#define KERNEL_MAXIMUM (UINT64_C(256) << 20)
#define MESSAGE_MAXIMUM 1000 /* of what QEMU says of itself */

/* Descriptors of ours in QEMU, by these numbers. */
enum { KERNEL = FIRST_FD, RAMDISK, CONSOLE, VARIABLES, OUTPUT, MESSAGES, NOTHING, QEMU_FDS };
/* From the end of what it says to its own. */
#define END_MILLISECONDS 10000

struct machine {
	const struct vm_spec *spec;
	int kernel_fd;
	int ramdisk_fd;
	int variables_fd; /* -1: by the BIOS */
	pid_t pid;
	int pid_fd;
	int events_fd;	 /* its end of the second serial port */
	int console_fd;	 /* memfd that QEMU writes the first one to */
	int messages_fd; /* memfd: what QEMU has to say */
	bool kvm;
	int64_t started;
	struct vm_result result;
};

static int64_t now_milliseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What does not depend on the machine. Serial ports: the console, then what the guest tells. */
static const char *const fixed[] = {
	"-nodefaults",
	"-no-user-config",
	"-display",
	"none",
	"-monitor",
	"none",
	"-no-reboot",
	/* So that one which a module keeps busy for ever leaves another to tell of it. */
	"-smp",
	"2",
	"-nic",
	"none",
	"-sandbox",
	"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
	"-chardev",
	"file,id=console,path=/proc/self/fd/12",
	"-serial",
	"chardev:console",
	"-chardev",
	"stdio,id=events,signal=off",
	"-serial",
	"chardev:events",
	"-kernel",
	"/proc/self/fd/10",
	"-initrd",
	"/proc/self/fd/11",
};

/* Secure Boot: what is in system management mode alone writes the variables. */
static const char *const by_firmware[] = {
	"-machine", "q35,smm=on",
	"-global",  "driver=cfi.pflash01,property=secure,value=on",
	"-drive",   ("if=pflash,format=raw,unit=0,readonly=on,file=" VM_FIRMWARE),
	"-drive",   "if=pflash,format=raw,unit=1,file=/proc/self/fd/13",
};

static unsigned memory(const struct vm_spec *spec)
{
	return spec->memory_mebibytes ? spec->memory_mebibytes : MEMORY_MEBIBYTES;
}

static _Noreturn void run_qemu(const struct machine *machine)
{
	static const char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C",
						   NULL };
	const struct vm_spec *spec = machine->spec;
	char mebibytes[16], command_line[1024];
	const char *const changing[] = {
		"-accel",  machine->kvm ? "kvm" : "tcg",
		"-cpu",	   machine->kvm ? "host" : "max",
		"-m",	   mebibytes,
		"-append", command_line,
	};
	const char *argv[1 + ARRAY_SIZE(fixed) + ARRAY_SIZE(changing) + ARRAY_SIZE(by_firmware) +
			 1] = { PROGRAM };

	(void)snprintf(mebibytes, sizeof(mebibytes), "%u", memory(spec));
	(void)snprintf(command_line, sizeof(command_line), "%s%s%s", COMMAND_LINE,
		       spec->command_line ? " " : "", spec->command_line ? spec->command_line : "");
	memcpy(argv + 1, fixed, sizeof(fixed));
	memcpy(argv + 1 + ARRAY_SIZE(fixed), changing, sizeof(changing));
	if (spec->certificate)
		memcpy(argv + 1 + ARRAY_SIZE(fixed) + ARRAY_SIZE(changing), by_firmware,
		       sizeof(by_firmware));
	execvpe(PROGRAM, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)environment);
	_exit(errno == ENOENT ? 127 : 126);
}

static bool set_limit(__rlimit_resource_t resource, rlim_t value)
{
	const struct rlimit limit = { value, value };

	return setrlimit(resource, &limit) == 0;
}

/* A guest that has taken QEMU over is held by these, no privilege, and QEMU's own filter. */
static bool set_limits(const struct machine *machine)
{
	return set_limit(RLIMIT_AS,
			 ((rlim_t)memory(machine->spec) + QEMU_MEBIBYTES) * (1u << 20)) &&
	       set_limit(RLIMIT_FSIZE, 2 * VM_CONSOLE_MAXIMUM) &&
	       set_limit(RLIMIT_NOFILE, QEMU_FILES) && set_limit(RLIMIT_CORE, 0);
}

/*
 * In the child: only what it is given, gone with us, and in a session of its own: nobody's terminal
 * is there to be typed into.
 */
static _Noreturn void become_qemu(const struct machine *machine, int output_fd)
{
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int given[] = {
		machine->kernel_fd,
		machine->ramdisk_fd,
		machine->console_fd,
		machine->variables_fd < 0 ? null_fd : machine->variables_fd,
		output_fd,
		machine->messages_fd,
		null_fd,
	};
	int sources[ARRAY_SIZE(given)];

	/* First out of the way, or one would overwrite another that is still needed. */
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		sources[i] = fcntl(given[i], F_DUPFD_CLOEXEC, QEMU_FDS);
		if (sources[i] < 0)
			_exit(126);
	}
	for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
		if (dup2(sources[i], FIRST_FD + (int)i) < 0)
			_exit(126);
	}
	if (setsid() < 0 || dup2(NOTHING, 0) < 0 || dup2(OUTPUT, 1) < 0 || dup2(MESSAGES, 2) < 0 ||
	    !set_limits(machine) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || close_range(3, FIRST_FD - 1, 0) < 0 ||
	    close_range(OUTPUT, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	run_qemu(machine);
}

static int start(struct machine *machine, struct error **error)
{
	cleanup_close int read_fd = -1, write_fd = -1;
	int ends[2], r = memfd_new("console", &machine->console_fd, error);

	if (r == 0)
		r = memfd_new("messages", &machine->messages_fd, error);
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "virtual machine");
	read_fd = ends[0];
	write_fd = ends[1];
	machine->started = now_milliseconds();
	machine->pid = sys_clone3(CLONE_PIDFD, SIGCHLD, &machine->pid_fd);
	if (machine->pid < 0)
		return error_set_errno(error, -machine->pid, "virtual machine");
	if (machine->pid == 0)
		become_qemu(machine, write_fd);
	machine->events_fd = TAKE_FD(read_fd);
	return 0;
}

static bool has_line(const struct text *events, const char *line)
{
	const size_t length = strlen(line);
	const char *at = events->data;

	while (at && (at = strstr(at, line))) {
		if ((at == events->data || at[-1] == '\n') &&
		    (at[length] == '\n' || at[length] == ' '))
			return true;
		at += length;
	}
	return false;
}

/* More of what the guest says. False: it ended, or said too much. */
static bool read_events(struct machine *machine)
{
	char bytes[16384];
	ssize_t length = read(machine->events_fd, bytes, sizeof(bytes));

	if (length < 0)
		return errno == EINTR || errno == EAGAIN;
	if (length == 0)
		return false;
	for (ssize_t i = 0; i < length; i++) {
		if (bytes[i] != '\n' && (bytes[i] < ' ' || bytes[i] > '~'))
			bytes[i] = '?';
	}
	if (machine->result.events.length + (size_t)length > VM_EVENTS_MAXIMUM ||
	    text_append(&machine->result.events, bytes, (size_t)length) < 0) {
		machine->result.end = VM_FLOODED;
		return false;
	}
	return true;
}

/* -1: the first deadline passed without a word. */
static int follow(struct machine *machine)
{
	const unsigned allowed =
		machine->spec->milliseconds ? machine->spec->milliseconds : VM_MILLISECONDS;
	bool spoken = false;

	for (;;) {
		const int64_t passed = now_milliseconds() - machine->started;
		const int64_t first =
			KVM_MILLISECONDS + (machine->spec->certificate ? FIRMWARE_MILLISECONDS : 0);
		const int64_t limit = machine->kvm && !spoken ? first : allowed;
		struct pollfd fds[] = { { .fd = machine->events_fd, .events = POLLIN },
					{ .fd = machine->spec->cancel_fd, .events = POLLIN } };
		struct stat console;
		int r;

		if (passed >= limit) {
			machine->result.end = VM_TIMED_OUT;
			return machine->kvm && !spoken ? -1 : 0;
		}
		/* The console has no reader: looked at now and then. */
		r = poll(fds, ARRAY_SIZE(fds), (int)(limit - passed < 500 ? limit - passed : 500));
		if (fstat(machine->console_fd, &console) == 0 &&
		    (uint64_t)console.st_size > VM_CONSOLE_MAXIMUM) {
			machine->result.end = VM_FLOODED;
			return 0;
		}
		if (r > 0 && fds[1].revents) {
			machine->result.end = VM_CANCELLED;
			return 0;
		}
		if (r > 0 && fds[0].revents && !read_events(machine))
			return 0;
		spoken = spoken || has_line(&machine->result.events, "ready");
	}
}

static int read_console(struct machine *machine, struct error **error)
{
	int r;

	if (lseek(machine->console_fd, 0, SEEK_SET) < 0)
		return error_set_errno(error, errno, "console");
	r = read_fd(machine->console_fd, 2 * VM_CONSOLE_MAXIMUM, &machine->result.console, error);
	for (size_t i = 0; r == 0 && i < machine->result.console.length; i++) {
		char *c = &machine->result.console.data[i];

		if (*c != '\n' && (*c < ' ' || *c > '~'))
			*c = *c == '\r' ? ' ' : '?';
	}
	return r;
}

/* QEMU's own word for why it ended, as it would stand on a terminal. */
static int tell_failure(const struct machine *machine, int status, struct error **error)
{
	char said[MESSAGE_MAXIMUM + 1] = "";
	cleanup_free char *shown = NULL;
	ssize_t length = pread(machine->messages_fd, said, MESSAGE_MAXIMUM, 0);

	while (length > 0 && said[length - 1] == '\n')
		said[--length] = '\0';
	shown = sanitised(length > 0 ? said : "it said nothing");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_refuse(error, EXIT_INFRASTRUCTURE, ENOENT,
				    PROGRAM " is not there: install qemu-system-x86");
	return error_refuse(error, EXIT_INFRASTRUCTURE, EIO, PROGRAM " ended with %s %d: %s",
			    WIFEXITED(status) ? "status" : "signal",
			    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
			    shown ? shown : "?");
}

/* Its end, by force where it has not come by itself. */
static int finish(struct machine *machine, struct error **error)
{
	struct pollfd ended = { .fd = machine->pid_fd, .events = POLLIN };
	const bool by_itself = machine->result.end == 0 && poll(&ended, 1, END_MILLISECONDS) == 1;
	int status = 0;

	if (machine->result.end == 0 && !by_itself)
		machine->result.end = VM_TIMED_OUT;
	if (!by_itself)
		(void)pidfd_send_signal(machine->pid_fd, SIGKILL, NULL, 0);
	while (waitpid(machine->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set_errno(error, errno, "virtual machine");
	}
	machine->result.milliseconds = (unsigned)(now_milliseconds() - machine->started);
	if (by_itself && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		return tell_failure(machine, status, error);
	if (by_itself)
		machine->result.end =
			has_line(&machine->result.events, "done") ? VM_DONE : VM_STOPPED;
	return read_console(machine, error);
}

static void clear(struct machine *machine)
{
	machine->pid_fd = close_fd(machine->pid_fd);
	machine->events_fd = close_fd(machine->events_fd);
	machine->console_fd = close_fd(machine->console_fd);
	machine->messages_fd = close_fd(machine->messages_fd);
	vm_result_clear(&machine->result);
}

/* ret_silent: KVM was tried and said nothing. */
static int run(const struct vm_spec *spec, const int files[3], bool kvm,
	       struct vm_result *ret_result, bool *ret_silent, struct error **error)
{
	cleanup(clear) struct machine machine = { .spec = spec,
						  .kernel_fd = files[0],
						  .ramdisk_fd = files[1],
						  .variables_fd = files[2],
						  .pid_fd = -1,
						  .events_fd = -1,
						  .console_fd = -1,
						  .messages_fd = -1,
						  .kvm = kvm };
	int r = start(&machine, error);

	if (r < 0)
		return r;
	*ret_silent = follow(&machine) < 0;
	r = finish(&machine, error);
	/* One that does not even start says so by its status. */
	if (kvm && (r < 0 || !has_line(&machine.result.events, "ready")))
		*ret_silent = true;
	machine.result.accelerator = kvm ? VM_KVM : VM_EMULATION;
	if (r == 0 && !*ret_silent) {
		*ret_result = machine.result;
		machine.result = (struct vm_result){ 0 };
	}
	return r;
}

/* QEMU opens it by a name, which it may do as who it is: an image may be root's to read alone. */
static int copy_kernel(const struct vm_spec *spec, int *ret_fd, struct error **error)
{
	struct stat status;

	if (fstat(spec->kernel_fd, &status) < 0)
		return error_set_errno(error, errno, "image of the kernel");
	if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size > KERNEL_MAXIMUM)
		return error_refuse(error, EXIT_INFRASTRUCTURE, EFBIG,
				    "the image of the kernel is no regular file of at most %u MiB",
				    (unsigned)(KERNEL_MAXIMUM >> 20));
	return memfd_from_file("kernel", spec->kernel_fd, (uint64_t)status.st_size, ret_fd, error);
}

int vm_run(const struct vm_spec *spec, struct vm_result *ret_result, struct error **error)
{
	cleanup_close int kernel_fd = -1, ramdisk_fd = -1, variables_fd = -1;
	int files[3];
	bool silent = false;
	const bool kvm = spec->accelerator == VM_KVM ||
			 (spec->accelerator == VM_ANY && access("/dev/kvm", R_OK | W_OK) == 0);
	int r = copy_kernel(spec, &kernel_fd, error);

	if (r == 0)
		r = vm_make_ramdisk(spec, &ramdisk_fd, error);
	if (r == 0 && spec->certificate)
		r = vm_make_variables(spec->certificate, &variables_fd, error);
	if (r < 0)
		return r;
	files[0] = kernel_fd;
	files[1] = ramdisk_fd;
	files[2] = variables_fd;
	if (kvm) {
		cleanup_error struct error *reason = NULL;

		r = run(spec, files, true, ret_result, &silent, &reason);
		if (r == 0 && !silent)
			return 0;
		if (spec->accelerator == VM_KVM)
			return error_refuse(error, EXIT_INFRASTRUCTURE, EIO,
					    "no guest boots by KVM here within %d s",
					    KVM_MILLISECONDS / 1000);
	}
	return run(spec, files, false, ret_result, &silent, error);
}

void vm_result_clear(struct vm_result *result)
{
	text_clear(&result->events);
	text_clear(&result->console);
	*result = (struct vm_result){ 0 };
}
