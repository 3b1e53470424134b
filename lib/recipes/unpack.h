/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the program kmodbox-unpack is made of. It runs only inside a sandbox, in an empty scratch
 * directory, and is believed by nobody. Internal to lib/recipes.
 */
#ifndef KMODBOX_RECIPES_UNPACK_H
#define KMODBOX_RECIPES_UNPACK_H

#include <archive.h>

#include "lib/base/error.h"

#define UNPACK_INPUT_FD 0
#define UNPACK_OUTPUT_FD 3

/* A source archive on the input, into the directory. */
int unpack_members(int top_fd, struct error **error) must_check;
/*
 * Modules of an unpacked archive of builds (dkms_main_tree/K/A/module/NAME.ko[.gz|.xz|.zst]) become
 * what left the compiler and strip: decompressed as NAME.ko, without appended signatures.
 */
int unpack_modules(int top_fd, struct error **error) must_check;
/* A snapshot on the input to an archive on the output; compression as in archive_pack(). */
int unpack_pack(const char *compression, struct error **error) must_check;

/* libarchive with these filters: gzip, bzip2, xz, zstd; NULL where it lacks one. */
struct archive *unpack_reader_new(void);
/* "member 'NAME': REASON", the name sanitised. */
int unpack_refuse(struct error **error, const char *name, const char *reason);

#endif
