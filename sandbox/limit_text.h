/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The limits of a sandbox as people write them: one table of their names, units and bounds, for
 * profiles, modules.d and what is shown. Trusted texts; no policy, which is in profiles/.
 */
#ifndef KMODBOX_SANDBOX_LIMIT_TEXT_H
#define KMODBOX_SANDBOX_LIMIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/sandbox.h"

/* What "log" and "artifact_bytes" can be at most: more is not taken by who comes next. */
#define LIMIT_TEXT_LOG (UINT64_C(256) << 20)
#define LIMIT_TEXT_ARTIFACTS (UINT64_C(2) << 30)

/* The names in the order of the table; NULL behind the last. */
const char *limit_text_name(size_t index);
bool limit_text_is_set(const struct sandbox_limits *limits, size_t index);
/*
 * Sets the limit of that name: "1h", "15min", "30s"; "4G", "64M", "512K", or bytes; or a number.
 * -ENOENT, with no error: there is none of that name. -EEXIST: it is set already. -EINVAL: the
 * value is none, or not within its bounds, which the error tells.
 */
int limit_text_set(struct sandbox_limits *limits, const char *name, const char *value,
		   struct error **error) must_check;
/* "1h": its largest unit that leaves no rest. Allocated; NULL if memory is out. */
char *limit_text_format(const struct sandbox_limits *limits, size_t index) must_check;
/* limits with what is set in others in its place. */
struct sandbox_limits limit_text_override(struct sandbox_limits limits,
					  const struct sandbox_limits *others);

#endif
