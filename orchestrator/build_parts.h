/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long each part of a build takes beside the sandboxed make, on CLOCK_MONOTONIC. */
#ifndef KMODBOX_ORCHESTRATOR_BUILD_PARTS_H
#define KMODBOX_ORCHESTRATOR_BUILD_PARTS_H

#include <stdint.h>

enum build_part {
	PART_SNAPSHOT,
	PART_EVALUATE,
	PART_STAMP, /* have headers or toolchain changed? */
	PART_FINGERPRINT,
	PART_REFERENCE, /* obtained; by a sandbox of its own where it was not kept */
	PART_COLLECT,
	PART_STRIP,
	PART_SIGN,
	PART_PUBLISH,
	PARTS
};

struct build_parts {
	uint64_t nanoseconds[PARTS];
	uint64_t since; /* the last call */
};

void build_parts_start(struct build_parts *parts);
/* What passed since the last call was this part's. */
void build_parts_end(struct build_parts *parts, enum build_part part);
const char *build_part_name(enum build_part part); /* "snapshot" */

#endif
