/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Will this module load? The reader of hostile ELF and its verdict. checker_examine() is pure:
 * bytes in, verdict out; the program kmodbox-checker calls it in a jail; checker_run() starts that
 * program and is what the signer uses. Order and errnos follow load_module() in the kernel's
 * module/main.c.
 */
#ifndef KMODBOX_CHECKER_CHECKER_H
#define KMODBOX_CHECKER_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

#define CHECKER_SYMVERS_MAXIMUM (UINT64_C(64) << 20)
#define CHECKER_EXPORTS_MAXIMUM (1u << 20)
#define CHECKER_MILLISECONDS 60000

/* The descriptors that kmodbox-checker is started with, and those of its readers. No arguments. */
enum checker_fd {
	CHECKER_SOCKET_FD = 0,	/* lib/base/message.h: requests */
	CHECKER_SYMVERS_FD = 3, /* sealed memfd: what the kernel exports */
	CHECKER_RECORD_FD = 4,	/* of a reader, pipe: struct checker_verdict, then its exports */
};

/*
 * The only request. Payload: struct checker_facts. Descriptors: the module and what stands behind
 * the kernel's symbols, both sealed memfds, and the record. Answered by MESSAGE_OK with the wait
 * status of the reader (int32_t).
 */
#define CHECKER_EXAMINE 16 /* MESSAGE_FIRST_REQUEST */
#define CHECKER_REQUEST_FDS 3

/*
 * What a module shows of how it was built. A kernel's own modules and its reference module show
 * what to expect of others. Bits.
 */
enum checker_mark {
	CHECKER_MARK_RETPOLINE = 1 << 0,       /* .modinfo: retpoline=Y */
	CHECKER_MARK_RETPOLINE_SITES = 1 << 1, /* .retpoline_sites: objtool's, x86 */
	CHECKER_MARK_RETURN_SITES = 1 << 2,    /* .return_sites: return thunks, x86 */
	CHECKER_MARK_CALL_SITES = 1 << 3,      /* .call_sites: call depth tracking, x86 */
	CHECKER_MARK_IBT_SEAL = 1 << 4,	       /* .ibt_endbr_seal, x86 */
	CHECKER_MARK_KCFI = 1 << 5,	       /* symbols __cfi_*, __kcfi_typeid_* or .kcfi_traps */
	CHECKER_MARK_ORC = 1 << 6,	       /* .orc_unwind and .orc_unwind_ip, x86 */
	CHECKER_MARK_TRACING = 1 << 7,	       /* __mcount_loc or __patchable_function_entries */
	CHECKER_MARK_STACK_PROTECTOR = 1 << 8, /* imports __stack_chk_fail */
	CHECKER_MARK_BTF = 1 << 9,	       /* .BTF */
	CHECKER_MARK_BUILD_ID = 1 << 10,       /* .note.gnu.build-id */
};

enum checker_flag {
	CHECKER_FORCE_LOAD = 1 << 0,	/* CONFIG_MODULE_FORCE_LOAD: vermagic may be missing */
	CHECKER_MAY_BE_SIGNED = 1 << 1, /* as a file that somebody has; what we sign is not yet */
	CHECKER_RETPOLINE = 1 << 2,	/* CONFIG_(MITIGATION_)RETPOLINE */
	CHECKER_OF_KERNEL = 1 << 3,	/* a file of the kernel's own package: intree is true */
	CHECKER_SIGNATURE_FORCED = 1 << 4, /* CONFIG_MODULE_SIG_FORCE */
};

/* What the kernel is, as far as a module must agree with it. Fixed layout: it travels. */
struct checker_facts {
	char vermagic[256];	     /* what the kernel expects, whole */
	char module_name[128];	     /* stem of the file: '-' and '_' are the same */
	char compiler[128];	     /* .comment of its reference module; empty: not known */
	uint32_t machine;	     /* EM_X86_64, EM_AARCH64 (not yet held against a kernel) */
	uint32_t modversions;	     /* 0 or 1: CONFIG_MODVERSIONS */
	uint32_t purpose;	     /* enum checker_purpose */
	uint32_t struct_module_size; /* bytes; 0: not known */
	uint64_t marks;		     /* enum checker_mark, of its reference module; 0: not known */
	uint64_t flags;		     /* enum checker_flag */
};

enum checker_purpose {
	CHECKER_LOADING = 0, /* will this file load, as it is? */
	/*
	 * What does it export? Asked of a module that was signed before, and so was examined:
	 * compression and signature are passed over, what it imports and is called is not looked
	 * at, and a symbol that the kernel has too is not given.
	 */
	CHECKER_EXPORTS = 1,
	/*
	 * What does it say of its kernel? Asked of a module that is known to be right for it: made
	 * of nothing, or the kernel's own. The verdict's vermagic, struct_module_size, marks and
	 * compiler are facts to hold others against; nothing else is looked at.
	 */
	CHECKER_REFERENCE = 2,
	/*
	 * What does it say of itself? In the place of the exports come lines, in its own order:
	 * "depends=...", "alias=...", "firmware=..." and others of .modinfo, then "import=SYMBOL".
	 */
	CHECKER_DESCRIPTION = 3,
	/* CHECKER_LOADING and CHECKER_DESCRIPTION at once: its lines, whatever the verdict. */
	CHECKER_REPORT = 4,
};

enum checker_outcome {
	CHECKER_WILL_LOAD = 1,
	CHECKER_WILL_NOT_LOAD = 2,
	CHECKER_POLICY = 3, /* it will load, and ought not to: not signed */
};

/* Fixed layout: it comes through a pipe from a jail that hostile bytes may have taken over. */
struct checker_verdict {
	uint32_t outcome;
	/*
	 * CHECKER_WILL_NOT_LOAD: what finit_module(2) would give, positive. CHECKER_POLICY: EPERM.
	 * CHECKER_WILL_LOAD: 0; with another purpose than CHECKER_LOADING it stands for "can be
	 * read".
	 */
	int32_t errnum;
	uint32_t imports; /* undefined symbols, all resolved where it will load */
	uint32_t warnings;
	/* Bytes of its lines for Module.symvers, 0 where it will not load; or of its description.
	 */
	uint32_t exports;
	uint32_t struct_module_size; /* bytes */
	uint64_t marks;		     /* enum checker_mark */
	char vermagic[256];
	char license[64];
	char compiler[128]; /* the first of .comment, "GCC: (Debian 12.2.0-14) 12.2.0" */
	/*
	 * One line per finding, sanitised by checker_run(): "NAME: ..." of what will not load, with
	 * "policy: " or "warning: " before it of the others; "will load" where there is none.
	 */
	char text[2048];
};

struct symvers;
/*
 * symvers: what the kernel exports, and behind it the exports of modules that were checked before.
 * ret_exports: what this module exports itself, as lines of Module.symvers, read from its ELF and
 * not from what its build says; appended. Never fails: says so.
 */
void checker_examine_with(const uint8_t *module, size_t module_size, const struct symvers *symvers,
			  const struct checker_facts *facts, struct checker_verdict *ret_verdict,
			  struct text *ret_exports);
/* The same with the text of such a file. */
void checker_examine(const uint8_t *module, size_t module_size, const char *symvers,
		     size_t symvers_size, const struct checker_facts *facts,
		     struct checker_verdict *ret_verdict, struct text *ret_exports);

/*
 * Makes a verdict from elsewhere safe to use: strings end, hold printable ASCII (text: and
 * newlines) and nothing but zeros behind their end.
 */
void checker_verdict_sanitise(struct checker_verdict *verdict);
/* The same for lines of exports or of a description: printable ASCII, tabs and newlines. */
void checker_lines_sanitise(char *lines, size_t length);

/*
 * The finding that decided, as "%.*s": the first of those that are no less than the outcome,
 * without "policy: " and "NAME: " before it. Borrowed from the verdict.
 */
const char *checker_verdict_reason(const struct checker_verdict *verdict, const char *name,
				   int *ret_length);

/* The name of a mark as people know it, "return thunks". */
const char *checker_mark_name(enum checker_mark mark);

/* The expected facts from the text of a kernel's .config and its release
 * (include/linux/vermagic.h). */
int checker_facts_from_config(const char *config, size_t length, const char *release,
			      const char *architecture, const char *module_name,
			      struct checker_facts *ret_facts, struct error **error) must_check;
/*
 * The same, and stricter: with what the verdict of CHECKER_REFERENCE says of a module made with
 * that kernel's headers (NULL: none is there). -EINVAL: it contradicts .config. Only with it can
 * modules for a kernel with CONFIG_RANDSTRUCT be checked (else -EOPNOTSUPP).
 */
int checker_facts_with_reference(const char *config, size_t length, const char *release,
				 const char *architecture, const char *module_name,
				 const struct checker_verdict *reference,
				 struct checker_facts *ret_facts, struct error **error) must_check;

/*
 * A kmodbox-checker that is asked about many modules of one kernel, one after the other: it reads
 * the kernel's symbols once, and starts a process in a jail for each module.
 */
struct checker {
	int program_fd; /* kmodbox-checker; borrowed */
	int symvers_fd; /* sealed memfd, trusted: text of the kernel's Module.symvers; borrowed */
	int socket;	/* -1: not started */
	int pid_fd;
	int pid;
	int record_fd;	  /* of what was asked and not answered yet */
	int64_t deadline; /* CLOCK_MONOTONIC, milliseconds */
	char name[128];	  /* of that module */
	bool report;	  /* CHECKER_REPORT */
};
#define CHECKER_INITIAL(program, symvers)                                                          \
	{                                                                                          \
		.program_fd = (program), .symvers_fd = (symvers), .socket = -1, .pid_fd = -1,      \
		.record_fd = -1                                                                    \
	}
/*
 * Asks about a module, a sealed memfd, for at most so long (usually CHECKER_MILLISECONDS); starts
 * the program where it does not run. symvers_fd: a sealed memfd with lines that stand behind the
 * kernel's.
 */
int checker_ask(struct checker *checker, int module_fd, int symvers_fd,
		const struct checker_facts *facts, unsigned milliseconds,
		struct error **error) must_check;
/*
 * The answer: 0 and a verdict; or -errno when the checker itself failed, crashed or ran into its
 * limits (then nothing may be signed). ret_exports (may be NULL): what the module exports, to be
 * put behind the symvers that its sibling is checked with; like the module, not to be trusted.
 */
int checker_answer(struct checker *checker, struct checker_verdict *ret_verdict,
		   struct text *ret_exports, struct error **error) must_check;
void checker_stop(struct checker *checker);
#define cleanup_checker cleanup(checker_stop)
/*
 * One module, and all of symvers_fd is as little trusted as that: everything is read in the jail.
 */
int checker_run(int checker_fd, int module_fd, int symvers_fd, const struct checker_facts *facts,
		unsigned milliseconds, struct checker_verdict *ret_verdict,
		struct text *ret_exports, struct error **error) must_check;
/*
 * The same with CHECKER_REFERENCE, for a module made with the headers of that kernel: the verdict
 * that checker_facts_with_reference() takes.
 */
int checker_run_reference(int checker_fd, int module_fd, const char *release,
			  const char *architecture, struct checker_verdict *ret_verdict,
			  struct error **error) must_check;

#endif
