/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The boot of a boot test, and what is to be made of it: see boot.h. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "orchestrator/boot.h"
#include "orchestrator/helpers.h"

#define MEMORY_MEBIBYTES 512
#define MEMORY_MAXIMUM 4096
/* A file is in memory packed and unpacked, then as the module, while it is loaded. */
#define MEMORY_FACTOR 12
/* For what a module does when its init is over: a work queue, a thread. */
#define SETTLE_MILLISECONDS 300
#define FATAL (BOOT_OOPS | BOOT_PANIC | BOOT_HANG | BOOT_LOCKDEP | BOOT_SANITIZER | BOOT_FLOOD)

static int require_image(const struct boot_spec *spec, struct error **error)
{
	if (!string_equal(spec->architecture, "x86_64"))
		return error_refuse(error, EXIT_INFRASTRUCTURE, EOPNOTSUPP,
				    "boot test: only kernels for x86_64 can be booted here, not "
				    "for %s",
				    spec->architecture);
	if (spec->kernel->image_fd < 0)
		return error_refuse(
			error, EXIT_INFRASTRUCTURE, ENOENT,
			"boot test: no image of kernel %s: neither boot/vmlinuz-%s nor "
			"lib/modules/%s/vmlinuz is there; install the kernel's package, "
			"or unpack it and name its root with --kernel-root",
			spec->release, spec->release, spec->release);
	return 0;
}

/* Files go by number, so that nobody else's name stands in the plan's paths. */
static int write_plan(const struct boot *boot, struct vm_file *files, struct text *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < boot->count; i++) {
		char *name = format_string("modules/%zu.ko", i);

		files[i] = (struct vm_file){ .name = name, .fd = boot->modules[i].fd };
		r = name ? text_append_format(plan, "load %s\n", name) : -ENOMEM;
	}
	if (r == 0)
		r = text_append_format(plan, "wait %d\n", SETTLE_MILLISECONDS);
	for (size_t i = boot->count; r == 0 && i > 0; i--) {
		if (boot->modules[i - 1].own)
			r = text_append_format(plan, "unload %s\n", boot->modules[i - 1].name);
	}
	return r;
}

static unsigned choose_memory(const struct boot *boot)
{
	uint64_t bytes = 0;
	struct stat status;

	for (size_t i = 0; i < boot->count; i++)
		bytes += fstat(boot->modules[i].fd, &status) == 0 ? (uint64_t)status.st_size : 0;
	bytes = MEMORY_MEBIBYTES + MEMORY_FACTOR * (bytes >> 20);
	return bytes < MEMORY_MAXIMUM ? (unsigned)bytes : MEMORY_MAXIMUM;
}

/* The last line that the kernel wrote before it was silent. */
static char *last_line(const struct text *console)
{
	size_t end = console->length;

	while (end > 0 && (console->data[end - 1] == '\n' || console->data[end - 1] == ' '))
		end--;
	for (size_t start = end; start > 0; start--) {
		if (console->data[start - 1] == '\n')
			return strndup(console->data + start, end - start);
	}
	return end > 0 ? strndup(console->data, end) : strdup("it wrote nothing");
}

static int require_ready(const struct boot_spec *spec, const struct boot *boot,
			 struct error **error)
{
	const struct vm_result *result = &boot->result;
	cleanup_free char *last = NULL;
	const char *ready, *end;

	if (result->end == VM_CANCELLED)
		return error_refuse(error, EXIT_INTERRUPTED, EINTR, "boot test: interrupted");
	ready = result->events.data ? strstr(result->events.data, "\nready ") : NULL;
	end = ready ? strchr(ready + 1, '\n') : NULL;
	if (end && !spec->certificate)
		return 0;
	if (end &&
	    (memmem(ready, (size_t)(end - ready), " integrity", strlen(" integrity")) ||
	     memmem(ready, (size_t)(end - ready), " confidentiality", strlen(" confidentiality"))))
		return 0;
	if (end)
		return error_refuse(error, EXIT_INFRASTRUCTURE, EOPNOTSUPP,
				    "boot test: kernel %s does not lock itself down under Secure "
				    "Boot: test it without --secure-boot",
				    spec->release);
	last = last_line(&result->console);
	return error_refuse(error, EXIT_INFRASTRUCTURE, EIO,
			    "boot test: kernel %s did not come up in %u s: %s", spec->release,
			    result->milliseconds / 1000, last ? last : "?");
}

int boot_run(const struct boot_spec *spec, struct boot *boot, int cancel_fd, struct error **error)
{
	cleanup_free struct vm_file *files = calloc(boot->count + 1, sizeof(*files));
	cleanup_text struct text plan = { 0 };
	cleanup_close int guest_fd = -1;
	struct vm_spec machine = { .kernel_fd = spec->kernel->image_fd,
				   .files = files,
				   .file_count = boot->count,
				   .certificate = spec->certificate,
				   .memory_mebibytes = choose_memory(boot),
				   .cancel_fd = cancel_fd };
	int r = require_image(spec, error);

	if (r == 0)
		r = helper_open_program("kmodbox-guest", &guest_fd, error);
	if (r == 0 && (!files || write_plan(boot, files, &plan) < 0))
		r = error_set_errno(error, ENOMEM, "boot test");
	machine.guest_fd = guest_fd;
	machine.plan = plan.data;
	if (r == 0)
		r = vm_run(&machine, &boot->result, error);
	for (size_t i = 0; files && i < boot->count; i++)
		free((char *)(uintptr_t)files[i].name);
	if (r == 0)
		r = require_ready(spec, boot, error);
	if (r == 0)
		boot_read_events(boot, boot->result.events.data,
				 boot->result.console.data ? boot->result.console.data : "");
	return r;
}

const char *boot_outcome_name(enum boot_outcome outcome)
{
	static const char *const names[] = {
		[BOOT_NOT_REACHED] = "not-reached",
		[BOOT_LOADED] = "loaded",
		[BOOT_NO_DEVICE] = "no-device",
		[BOOT_REFUSED] = "refused",
		[BOOT_KILLED] = "killed",
		[BOOT_STUCK] = "stuck",
		[BOOT_DOWN] = "down",
	};

	return names[outcome];
}

/* What all have, and what only announces another. */
static bool says_nothing(const char *line, size_t length)
{
	static const char *const texts[] = { " taints kernel", "tainting kernel", "[ cut here ]" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (memmem(line, length, texts[i], strlen(texts[i])))
			return true;
	}
	return length <= 2;
}

/* The line of its log that says most: the first of the gravest level. */
static char *gravest(const struct boot_module *module)
{
	const char *best = NULL;

	for (const char *line = module->log.data; line && *line;) {
		const size_t length = strcspn(line, "\n");

		if ((!best || *line < *best) && !says_nothing(line, length))
			best = line;
		line += length + (line[length] == '\n');
	}
	return best ? strndup(best + 2, strcspn(best + 2, "\n")) : strdup("its log says nothing");
}

static int judge_module(const struct boot_spec *spec, const struct boot_module *module,
			struct error **error)
{
	cleanup_free char *line = gravest(module);
	const char *said = line ? line : "?";

	switch (module->outcome) {
	case BOOT_REFUSED:
		return error_refuse(error, EXIT_WILL_NOT_LOAD, module->errnum,
				    "kernel %s refuses %s: %s: %s", spec->release, module->name,
				    strerrorname_np(module->errnum) ?: "?", said);
	case BOOT_KILLED:
		return error_refuse(error, EXIT_BOOT_TEST, EIO,
				    "kernel %s oopses when %s is loaded: %s", spec->release,
				    module->name, said);
	case BOOT_STUCK:
		return error_refuse(error, EXIT_BOOT_TEST, ETIMEDOUT,
				    "the init of %s does not come back on kernel %s: %s",
				    module->name, spec->release, said);
	case BOOT_DOWN:
		return error_refuse(error, EXIT_BOOT_TEST, EIO,
				    "kernel %s %s when %s is loaded: %s", spec->release,
				    module->problems & BOOT_HANG    ? "stands still"
				    : module->problems & BOOT_FLOOD ? "writes without end"
								    : "goes down",
				    module->name, said);
	case BOOT_NOT_REACHED:
		return error_refuse(error, EXIT_BOOT_TEST, EIO,
				    "the boot test ended before %s was loaded on kernel %s",
				    module->name, spec->release);
	case BOOT_LOADED:
	case BOOT_NO_DEVICE:
		break;
	}
	if ((module->problems & FATAL) == 0)
		return 0;
	return error_refuse(error, EXIT_BOOT_TEST, EIO, "%s loads on kernel %s, and breaks it: %s",
			    module->name, spec->release, said);
}

int boot_judge(const struct boot_spec *spec, const struct boot *boot, struct error **error)
{
	for (size_t i = 0; i < boot->count; i++) {
		int r = judge_module(spec, &boot->modules[i], error);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < boot->count; i++) {
		cleanup_free char *line = gravest(&boot->modules[i]);

		if (boot->modules[i].problems)
			return error_refuse(error, EXIT_APPROVAL, EPERM,
					    "%s loads on kernel %s, and the kernel complains: %s",
					    boot->modules[i].name, spec->release,
					    line ? line : "?");
	}
	return 0;
}
