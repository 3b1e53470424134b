/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long each part of a build takes, see build_parts.h. */
#include "orchestrator/build_parts.h"

#include <time.h>

static uint64_t now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void build_parts_start(struct build_parts *parts)
{
	parts->since = now();
}

void build_parts_end(struct build_parts *parts, enum build_part part)
{
	uint64_t moment = now();

	parts->nanoseconds[part] += moment - parts->since;
	parts->since = moment;
}

const char *build_part_name(enum build_part part)
{
	static const char *const names[PARTS] = { "snapshot",	 "evaluate",  "stamp",
						  "fingerprint", "reference", "collect",
						  "strip",	 "sign",      "publish" };

	return names[part];
}
