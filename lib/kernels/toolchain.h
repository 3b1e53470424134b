/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The programs that turn a source into a module, as data for records: which files they are and what
 * is in them. They belong to the host, like its headers; nothing is executed here.
 */
#ifndef KMODBOX_KERNELS_TOOLCHAIN_H
#define KMODBOX_KERNELS_TOOLCHAIN_H

#include "lib/base/digest.h"
#include "lib/kernels/kernel.h"

#define TOOLCHAIN_TOOLS 16

struct tool {
	char *name; /* "gcc-12", "cc1", "ld" */
	char *path; /* without links: "/usr/bin/x86_64-linux-gnu-gcc-12" */
};

struct toolchain {
	struct tool tools[TOOLCHAIN_TOOLS];
	size_t count;
};

/*
 * The kernel's compiler, its cc1, assembler, linker, make, bash, strip and pahole: those that
 * exist, but the compiler must: -ENOENT with its name, and which package would bring it.
 */
int toolchain_find(const struct kernel *kernel, struct toolchain *ret_toolchain,
		   struct error **error) must_check;
/* SHA-256 of one tool's file. */
int toolchain_digest(const struct tool *tool, struct digest *ret_digest,
		     struct error **error) must_check;
/*
 * Of size, inode, and times of all: for "did they change meanwhile", on this host only. ret_newest
 * (may be NULL): the latest ctime, in seconds.
 */
int toolchain_stamp(const struct toolchain *toolchain, struct digest *ret_digest,
		    time_t *ret_newest, struct error **error) must_check;
void toolchain_clear(struct toolchain *toolchain);
#define cleanup_toolchain cleanup(toolchain_clear)

#endif
