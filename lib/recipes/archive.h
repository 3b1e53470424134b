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

/* Where an archive is unpacked: in memory; again on disk where it needs more than that much. */
struct archive_scratch {
	uint64_t memory;   /* bytes */
	const char *place; /* as sandbox_tree.place; NULL: there is none, it has to be memory */
};

/*
 * archive_fd: a regular file open for reading, becomes the payload's fd 0. unpack_fd: the opened
 * kmodbox-unpack. base as in recipe.h. A single top directory ("demo-v0.1/") is taken off, as dkms
 * does. error_code() 9 for an archive that is refused, with the member's name and the reason. The
 * snapshot is a sealed memfd. scratch: NULL for memory.
 */
int archive_snapshot(const struct sandbox_spec *base, int unpack_fd, int archive_fd,
		     const struct archive_scratch *scratch, int *ret_snapshot_fd,
		     struct digest *ret_digest, struct error **error) must_check;
/*
 * The same for an archive of builds: the top stays as it is, and modules in it
 * (dkms_main_tree/K/A/module/NAME.ko*) become NAME.ko as it was before it was signed and
 * compressed. The snapshot is a sealed memfd.
 */
int archive_tarball_snapshot(const struct sandbox_spec *base, int unpack_fd, int archive_fd,
			     const struct archive_scratch *scratch, int *ret_snapshot_fd,
			     struct error **error) must_check;
/*
 * The other way round: a tar archive of a snapshot, as a sealed memfd. The same snapshot always
 * gives the same bytes. compression: none, gzip, bzip2, xz or zstd.
 */
int archive_pack(const struct sandbox_spec *base, int unpack_fd, int snapshot_fd,
		 const char *compression, int *ret_archive_fd, struct error **error) must_check;

#endif
