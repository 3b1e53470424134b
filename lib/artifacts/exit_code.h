/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exit codes: DKMS's own, which packaging scripts test, and ours from 30 on. Documented in the
 * manual. */
#ifndef KMODBOX_ARTIFACTS_EXIT_CODE_H
#define KMODBOX_ARTIFACTS_EXIT_CODE_H

enum exit_code {
	EXIT_USAGE = 1,		    /* also: must be root, no temporary directory */
	EXIT_NO_SOURCE = 2,	    /* also: unknown option */
	EXIT_STATE = 3,		    /* already added, already built, not in the tree */
	EXIT_NO_CONF = 4,	    /* also: two actions, broken, more than one kernel */
	EXIT_ALREADY_INSTALLED = 5, /* also: --all not allowed, bad patch */
	EXIT_INSTALL_ABORTED = 6,
	EXIT_NO_MODULE = 7,   /* an expected .ko is missing; ldtarball: no archive of DKMS's */
	EXIT_BAD_CONF = 8,    /* bad dkms.conf or empty source; ldtarball: added already */
	EXIT_BAD_ARCHIVE = 9, /* a source archive that cannot be taken */
	EXIT_MAKE_FAILED = 10,
	EXIT_AUTOINSTALL = 11,
	EXIT_NO_ARCH = 12,
	EXIT_MISSING_DEPENDS = 13,
	EXIT_KERNEL_HOOK = 14,
	EXIT_NO_HEADERS = 21,
	EXIT_SKIPPED = 77, /* BUILD_EXCLUSIVE_* says no */
	EXIT_PRE_INSTALL = 101,
	EXIT_SANDBOX = 30, /* the sandbox could not be made */
	EXIT_LIMIT = 31,   /* a limit was hit */
	EXIT_WILL_NOT_LOAD = 32,
	EXIT_SIGNING = 33,
	EXIT_INSTALL_REFUSED = 34,
	EXIT_INFRASTRUCTURE = 35, /* runner, disk full, a helper that died */
	EXIT_APPROVAL = 36,	  /* policy objects, or an approval waits */
	EXIT_BOOT_TEST = 37,	  /* it loads, and breaks the kernel it was booted with */
	EXIT_INTERRUPTED = 130,	  /* Ctrl-C, as shells say it */
};

#endif
