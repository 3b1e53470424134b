/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one serialiser of directories that every writer of snapshots goes through. Internal to
 * lib/recipes. */
#ifndef KMODBOX_RECIPES_SNAPSHOT_WRITER_H
#define KMODBOX_RECIPES_SNAPSHOT_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"

/*
 * outward: with links that lead out. Writes to file (NULL: nowhere), hashes meanwhile where
 * ret_digest is not NULL. -EFBIG: it is larger than maximum bytes.
 */
int snapshot_serialise(int directory_fd, bool outward, uint64_t maximum, FILE *file,
		       struct digest *ret_digest, struct error **error) must_check;

#endif
