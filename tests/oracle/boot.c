/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A boot by hand, of the code that boot-test uses:
 *
 *	boot KERNEL GUEST PLAN [OPTIONS [FILE...]]
 *
 * Boots the image KERNEL with GUEST (kmodbox-guest), the plan in the file PLAN and the files, each
 *below its base name in the root, OPTIONS behind the kernel's command line. Prints what the guest
 *said, a line each; the console goes to standard error. 0: the plan was followed to its end; 1: it
 *was not.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "runners/vm.h"

static int open_or_exit(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

int main(int argc, char **argv)
{
	cleanup_free struct vm_file *files = calloc((size_t)argc + 1, sizeof(*files));
	cleanup_vm_result struct vm_result result = { 0 };
	cleanup_error struct error *error = NULL;
	cleanup_text struct text plan = { 0 };
	struct vm_spec spec = { .cancel_fd = -1 };
	const char *accelerator = secure_getenv("VM_ACCELERATOR");

	if (argc < 4 || !files) {
		(void)fprintf(stderr, "usage: boot KERNEL GUEST PLAN [OPTIONS [FILE...]]\n");
		return 2;
	}
	spec.kernel_fd = open_or_exit(argv[1]);
	spec.guest_fd = open_or_exit(argv[2]);
	if (read_fd(open_or_exit(argv[3]), 1 << 20, &plan, &error) < 0) {
		(void)fprintf(stderr, "boot: cannot read %s\n", argv[3]);
		return 2;
	}
	spec.plan = plan.data;
	spec.command_line = argc > 4 && *argv[4] ? argv[4] : NULL;
	spec.accelerator = accelerator && strcmp(accelerator, "kvm") == 0   ? VM_KVM
			   : accelerator && strcmp(accelerator, "tcg") == 0 ? VM_EMULATION
									    : VM_ANY;
	for (int i = 5; i < argc; i++) {
		char *path = strchr(argv[i], '=');
		const char *name = path ? argv[i] : basename(argv[i]);

		if (path)
			*path++ = '\0';
		files[spec.file_count++] =
			(struct vm_file){ name, open_or_exit(path ? path : argv[i]), false };
	}
	spec.files = files;
	if (vm_run(&spec, &result, &error) < 0) {
		cleanup_free char *text = error_describe(error);

		(void)fprintf(stderr, "boot: %s\n", text ? text : "out of memory");
		return 2;
	}
	(void)fputs(result.events.data ? result.events.data : "", stdout);
	(void)fputs(result.console.data ? result.console.data : "", stderr);
	(void)fprintf(stderr, "boot: end %d after %u ms by %s\n", result.end, result.milliseconds,
		      result.accelerator == VM_KVM ? "KVM" : "emulation");
	return result.end == VM_DONE ? 0 : 1;
}
