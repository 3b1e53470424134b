/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one serialiser of directories that every writer of snapshots goes through. Internal to
 * lib/recipes. */
#ifndef KMODBOX_RECIPES_SNAPSHOT_WRITER_H
#define KMODBOX_RECIPES_SNAPSHOT_WRITER_H

#include <stdio.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"

/* outward: with links that lead out. Writes to file (NULL: nowhere), hashes meanwhile where
 * ret_digest is not NULL. */
int snapshot_serialise(int directory_fd, bool outward, FILE *file, struct digest *ret_digest,
		       struct error **error) must_check;

#endif
