/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A boot test: the modules of one build, behind what they depend on, really loaded by the kernel
 * that they were built for, in a virtual machine, and unloaded again. Compressed modules travel as
 * they are, and what they say of themselves the checker's jail reads. What the guest tells is no
 * more believed than the module: it can make its own result bad, or, if it is hostile, look good.
 */
#ifndef KMODBOX_ORCHESTRATOR_BOOT_H
#define KMODBOX_ORCHESTRATOR_BOOT_H

#include "orchestrator/boot_kernel.h"
#include "runners/vm.h"

/* Which modules, and where the others are looked for. All borrowed. */
struct boot_spec {
	const struct boot_kernel *kernel;
	const char *release;
	const char *architecture;
	int dkms_tree_fd;
	const char *module; /* the package's name and version */
	const char *version;
	const struct text *certificate; /* by Secure Boot, with this enrolled; NULL: by the BIOS */
};

enum boot_outcome {
	BOOT_NOT_REACHED = 0, /* the boot ended before its turn */
	BOOT_LOADED,
	BOOT_NO_DEVICE, /* loaded, and its init found no hardware of its own: ENODEV, ENXIO */
	BOOT_REFUSED,	/* errnum says how */
	BOOT_KILLED,	/* the kernel killed who loaded it */
	BOOT_STUCK,	/* its init did not come back */
	BOOT_DOWN,	/* the whole guest went down or stood still */
};

/* What its kernel's log and taint tell of a module, beyond the errno. Bits; boot_problem_name(). */
enum boot_problem {
	BOOT_OOPS = 1 << 0,
	BOOT_PANIC = 1 << 1,
	BOOT_HANG = 1 << 2, /* the watchdogs of the kernel: soft lockup, stalls, hung tasks */
	BOOT_LOCKDEP = 1 << 3,
	BOOT_SANITIZER = 1 << 4, /* KASAN, KCSAN, KMSAN */
	BOOT_WARNING = 1 << 5,	 /* the kernel complains of what does not break it; UBSAN too */
	BOOT_FLOOD = 1 << 6,	 /* it writes without end */
};

struct boot_module {
	char *name; /* as the kernel calls it */
	int fd;	    /* sealed; the file, compressed or not */
	bool own;   /* of the package; else one that it depends on */
	char **depends;
	size_t depend_count;
	bool placed; /* in the order */
	/* What came of it. */
	enum boot_outcome outcome;
	int errnum;
	uint64_t taint; /* bits of the kernel that came with it, also while it was unloaded */
	unsigned problems;
	int unload_errnum; /* -1: was not unloaded */
	struct text log;   /* "LEVEL TEXT" lines, bounded, printable ASCII */
};

struct boot {
	struct boot_module *modules; /* in the order in which they are loaded */
	size_t count;
	struct vm_result result;
};
#define BOOT_INITIAL ((struct boot){ 0 })

/* error_code() 3: not built, 13: a dependency is nowhere, 35: no image, no QEMU. */
int boot_collect(const struct boot_spec *spec, struct boot *boot, struct error **error) must_check;
/* Boots and fills in what came of each. cancel_fd: readable, stop; -1. */
int boot_run(const struct boot_spec *spec, struct boot *boot, int cancel_fd,
	     struct error **error) must_check;
/*
 * 0 where all of the package's modules load and nothing broke. Else error_code() 32: the kernel
 * refuses one; 37: it loads, and breaks the kernel; 36: the kernel complains of one.
 */
int boot_judge(const struct boot_spec *spec, const struct boot *boot,
	       struct error **error) must_check;
void boot_clear(struct boot *boot);
#define cleanup_boot cleanup(boot_clear)

const char *boot_outcome_name(enum boot_outcome outcome); /* "no-device" */
/* Of one bit; NULL behind the last. */
const char *boot_problem_name(unsigned bit);
/* The letters of the kernel's Documentation/admin-guide/tainted-kernels.rst, in order. */
char *boot_taint_letters(uint64_t taint) must_check;

/* boot_read.c: what the guest said and wrote, into boot. */
void boot_read_events(struct boot *boot, const char *events, const char *console);

#endif
