/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Will this module load? The reader of hostile ELF and its verdict. checker_examine() is pure:
 * bytes in, verdict out; the program kmodbox-checker calls it in a jail; checker_run() starts that
 * program and is what the signer uses. Order and errnos follow load_module() in the kernel's
 * module/main.c.
 */
#ifndef KMODBOX_CHECKER_CHECKER_H
#define KMODBOX_CHECKER_CHECKER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

#define CHECKER_SYMVERS_MAXIMUM (UINT64_C(64) << 20)
#define CHECKER_EXPORTS_MAXIMUM (1u << 20)
#define CHECKER_MILLISECONDS 60000

/* The descriptors that kmodbox-checker is started with; it has no arguments. */
enum checker_fd {
	CHECKER_MODULE_FD = 0,	/* sealed memfd */
	CHECKER_SYMVERS_FD = 3, /* sealed memfd */
	CHECKER_RECORD_FD = 4,	/* pipe: struct checker_verdict, then its exports */
	CHECKER_FACTS_FD = 5,	/* sealed memfd: struct checker_facts */
};

/* What the kernel is, as far as a module must agree with it. Fixed layout: it travels. */
struct checker_facts {
	char vermagic[256];    /* what the kernel expects, whole */
	char module_name[128]; /* stem of the file: '-' and '_' are the same */
	uint32_t machine;      /* EM_X86_64 */
	uint32_t modversions;  /* 0 or 1: CONFIG_MODVERSIONS */
	uint32_t purpose;      /* enum checker_purpose */
};

enum checker_purpose {
	CHECKER_LOADING = 0, /* will this file load, as it is? */
	/*
	 * What does it export? Asked of a module that was signed before, and so was examined:
	 * compression and signature are passed over, what it imports and is called is not looked
	 * at, and a symbol that the kernel has too is not given.
	 */
	CHECKER_EXPORTS = 1,
};

enum checker_outcome {
	CHECKER_WILL_LOAD = 1,
	CHECKER_WILL_NOT_LOAD = 2,
};

/* Fixed layout: it comes through a pipe from a jail that hostile bytes may have taken over. */
struct checker_verdict {
	uint32_t outcome;
	/*
	 * What init_module(2) would give, positive; EPERM where the kernel would take the module
	 * but kmodbox does not (wrong name, intree=...); 0 where it will load.
	 * CHECKER_EXPORTS: "will load" stands for "can be read".
	 */
	int32_t errnum;
	uint32_t imports; /* undefined symbols, all resolved where it will load */
	uint32_t warnings;
	uint32_t exports; /* bytes of its lines for Module.symvers; 0 where it will not load */
	uint32_t reserved;
	char vermagic[256];
	char license[64];
	char text[1024]; /* one line per finding; sanitised by checker_run() */
};

/*
 * symvers: text of Module.symvers, and behind it the exports of modules that were checked before.
 * ret_exports: what this module exports itself, as such lines, read from its ELF and not from what
 * its build says; appended. Never fails: says so.
 */
void checker_examine(const uint8_t *module, size_t module_size, const char *symvers,
		     size_t symvers_size, const struct checker_facts *facts,
		     struct checker_verdict *ret_verdict, struct text *ret_exports);

/*
 * Makes a verdict from elsewhere safe to use: strings end, hold printable ASCII (text: and
 * newlines) and nothing but zeros behind their end.
 */
void checker_verdict_sanitise(struct checker_verdict *verdict);

/* The expected facts from the text of a kernel's .config and its release
 * (include/linux/vermagic.h). */
int checker_facts_from_config(const char *config, size_t length, const char *release,
			      const char *architecture, const char *module_name,
			      struct checker_facts *ret_facts, struct error **error) must_check;

/*
 * Runs the program behind checker_fd on two sealed memfds, for at most so long (usually
 * CHECKER_MILLISECONDS). 0 and a verdict; or -errno when the checker itself failed, crashed or ran
 * into its limits (then nothing may be signed). ret_exports (may be NULL): what the module exports,
 * to be put behind the symvers that its sibling is checked with; like the module, not to be
 * trusted.
 */
int checker_run(int checker_fd, int module_fd, int symvers_fd, const struct checker_facts *facts,
		unsigned milliseconds, struct checker_verdict *ret_verdict,
		struct text *ret_exports, struct error **error) must_check;

#endif
