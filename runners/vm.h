/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A virtual machine that boots one kernel, does what a plan says, and is gone: QEMU, with an
 * initial ramdisk made here that holds kmodbox-guest, the plan and the files it needs. QEMU is
 * started as who calls, with no network, no disk and nothing of the host but these files. By KVM
 * where that really boots within seconds, else by emulation. All that the guest says is hostile
 * text: bounded here, printable ASCII, and no more believed than the module that ran in it.
 */
#ifndef KMODBOX_RUNNERS_VM_H
#define KMODBOX_RUNNERS_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

#define VM_CONSOLE_MAXIMUM (UINT64_C(1) << 20)
#define VM_EVENTS_MAXIMUM (UINT64_C(16) << 20)
#define VM_MILLISECONDS 120000
/* Of Debian's package ovmf: a firmware that keeps its variables from the guest by SMM. */
#define VM_FIRMWARE "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd"
#define VM_VARIABLES "/usr/share/OVMF/OVMF_VARS_4M.fd"

/* A file of the initial ramdisk. */
struct vm_file {
	const char *name; /* below its root: "plan", "modules/demo.ko" */
	int fd;		  /* regular or memfd, read from its beginning; borrowed */
	bool executable;
};

enum vm_accelerator {
	VM_ANY = 0, /* KVM where it boots, which is tried; else emulation. The result says which */
	VM_KVM,
	VM_EMULATION,
};

struct vm_spec {
	int kernel_fd; /* the image, vmlinuz; borrowed */
	int guest_fd;  /* kmodbox-guest; borrowed */
	const struct vm_file *files;
	size_t file_count;
	const char *plan;	  /* runners/guest_init_main.c says what may stand in it */
	const char *command_line; /* added to the kernel's; NULL: nothing */
	/* DER: boots by UEFI Secure Boot, with this enrolled and nothing else. NULL: by the BIOS */
	const struct text *certificate;
	unsigned memory_mebibytes; /* 0: 512 */
	unsigned milliseconds;	   /* 0: VM_MILLISECONDS */
	enum vm_accelerator accelerator;
	int cancel_fd; /* readable: stop; -1 */
};

enum vm_end {
	VM_DONE = 1,  /* the plan was followed to its end */
	VM_STOPPED,   /* the guest went down before: a panic, as the console tells */
	VM_TIMED_OUT, /* in the step that is last in events */
	VM_FLOODED,   /* it wrote more than it may */
	VM_CANCELLED,
};

struct vm_result {
	enum vm_end end;
	enum vm_accelerator accelerator; /* that was used */
	unsigned milliseconds;		 /* from start to end */
	struct text events;		 /* lines of kmodbox-guest, in order */
	struct text console;		 /* what the kernel wrote to its console */
};

/*
 * Runs it to its end. error_code() EXIT_INFRASTRUCTURE: no QEMU (says which package), or it did not
 * start.
 */
int vm_run(const struct vm_spec *spec, struct vm_result *ret_result,
	   struct error **error) must_check;
void vm_result_clear(struct vm_result *result);
#define cleanup_vm_result cleanup(vm_result_clear)

/* A newc archive (cpio(5)) as a sealed memfd, the same for the same files. */
int vm_make_ramdisk(const struct vm_spec *spec, int *ret_fd, struct error **error) must_check;

/* Into an empty store of edk2's: the certificate, which is DER, as PK, KEK and db. */
int vm_fill_variables(struct text *template, const struct text *certificate,
		      struct error **error) must_check;
/* OVMF's, filled so: a memfd, which the firmware may write to. */
int vm_make_variables(const struct text *certificate, int *ret_fd, struct error **error) must_check;

#endif
