/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How far a build came, see build_progress.h. */
#include "orchestrator/build_progress.h"

#include <string.h>

#include "lib/base/text.h"

#define LINE_MAXIMUM 64u

static const char *const names[STAGES] = {
	[STAGE_ENVIRONMENT] = "build_environment", [STAGE_PATCH] = "patch",
	[STAGE_PRE_BUILD] = "PRE_BUILD",	   [STAGE_MAKE] = "MAKE",
	[STAGE_POST_BUILD] = "POST_BUILD",
};

static enum build_stage find_stage(const char *name)
{
	for (enum build_stage stage = STAGE_ENVIRONMENT; stage < STAGES; stage++) {
		if (string_equal(name, names[stage]))
			return stage;
	}
	return STAGE_NONE;
}

static void take_end(struct build_progress *progress, enum build_stage stage, const char *end)
{
	uint64_t status;

	if (string_equal(end, "missing")) {
		progress->ends[stage] = STAGE_MISSING;
	} else if (string_equal(end, "skipped")) {
		progress->ends[stage] = STAGE_NOT_EXECUTABLE;
	} else if (parse_u64(end, 255, &status) == 0) {
		progress->ends[stage] = STAGE_EXITED;
		progress->statuses[stage] = (int)status;
	}
}

/* Takes line apart. */
static void take_line(struct build_progress *progress, char *line, size_t patch_count)
{
	char *index_text = strchr(line, ' ');
	char *end = index_text ? strchr(index_text + 1, ' ') : NULL;
	enum build_stage stage;
	uint64_t index;

	if (!end)
		return;
	*index_text++ = '\0';
	*end++ = '\0';
	if (string_equal(line, "copied")) {
		progress->copied = true;
		return;
	}
	stage = find_stage(line);
	if (stage == STAGE_NONE || parse_u64(index_text, UINT32_MAX, &index) < 0)
		return;
	if (stage == STAGE_PATCH && index >= patch_count)
		return;
	if (stage == STAGE_PATCH)
		progress->patch = (size_t)index;
	progress->last = stage;
	take_end(progress, stage, end);
}

struct build_progress build_progress_read(const char *report, size_t length, size_t patch_count)
{
	struct build_progress progress = { 0 };

	for (size_t start = 0; start < length;) {
		const char *newline = memchr(report + start, '\n', length - start);
		size_t end = newline ? (size_t)(newline - report) : length;
		char line[LINE_MAXIMUM] = { 0 };

		if (end - start < sizeof(line)) {
			memcpy(line, report + start, end - start);
			take_line(&progress, line, patch_count);
		}
		start = end + 1;
	}
	return progress;
}

const char *build_stage_name(enum build_stage stage)
{
	return stage == STAGE_NONE ? "the build" : names[stage];
}
