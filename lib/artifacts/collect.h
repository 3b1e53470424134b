/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Takes declared files out of a dead sandbox's scratch into sealed memfds. Everything in the
 * scratch is hostile: names are resolved BENEATH, without links, without blocking; only a regular
 * file with one link within the cap is taken. Lessons of CVE-2024-27297 and CVE-2026-39860 (Nix).
 */
#ifndef KMODBOX_ARTIFACTS_COLLECT_H
#define KMODBOX_ARTIFACTS_COLLECT_H

#include "lib/base/digest.h"
#include "lib/base/error.h"

struct artifact {
	char *name; /* file stem as declared, without .ko; owned */
	int fd;	    /* sealed memfd; owned */
	uint64_t size;
	struct digest digest;
};

/*
 * -ENOENT with error_code() 7 when it is missing; else -errno with error_code() 7 and a message
 * that says what is there instead: "demo.ko is a symbolic link, not a regular file". -EFBIG with
 * error_code() 31 when it is larger than maximum.
 */
int collect_file(int scratch_fd, const char *path, uint64_t maximum, struct artifact *ret_artifact,
		 struct error **error) must_check;
void artifact_clear(struct artifact *artifact);

#endif
