/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A source archive becomes a snapshot. libarchive parses hostile bytes, so it runs only inside a
 * sandbox, as the program kmodbox-unpack (lib/recipes/unpack_main.c), which writes the snapshot
 * format to its fd 3; this side checks every byte of that (snapshot_from_stream).
 */
#ifndef KMODBOX_RECIPES_ARCHIVE_H
#define KMODBOX_RECIPES_ARCHIVE_H

#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "sandbox/sandbox.h"

/*
 * archive_fd: a regular file open for reading, becomes the payload's fd 0. unpack_fd: the opened
 * kmodbox-unpack. base as in recipe.h. A single top directory ("demo-v0.1/") is taken off, as dkms
 * does. error_code() 9 for an archive that is refused, with the member's name and the reason.
 */
int archive_snapshot(const struct sandbox_spec *base, int unpack_fd, int archive_fd,
		     int *ret_snapshot_fd, struct digest *ret_digest,
		     struct error **error) must_check;

#endif
