/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which directories a kernel's headers consist of. Distributions split them: Debian's build
 * directory includes a Makefile of a "common" package and links to a third one with scripts and
 * tools. Links and Makefiles read here belong to root or the kernel's owner (open_trusted).
 */
#ifndef KMODBOX_KERNELS_TREES_H
#define KMODBOX_KERNELS_TREES_H

#include "lib/base/text.h"
#include "lib/kernels/kernel.h"

/* The root a kernel comes from. Borrowed by those who are handed it. */
struct kernel_root {
	int fd;	    /* O_PATH */
	char *path; /* on the host, without links; "/" */
	uid_t owner;
};

/*
 * Fills kernel->mounts and kernel->trees. build and source (may be NULL) are paths below the root,
 * without links. error_code() 21 where a part is not there.
 */
int trees_find(const struct kernel_root *root, const char *build, const char *source,
	       struct kernel *kernel, struct error **error) must_check;
/* The same directory in a sandbox, where /lib is a link to usr/lib. Allocated; NULL: out of memory.
 */
char *trees_sandbox_path(const char *path) must_check;
/* A regular file below the root as text. */
int trees_read_file(const struct kernel_root *root, const char *path, uint64_t maximum,
		    struct text *ret_text, struct error **error) must_check;

#endif
