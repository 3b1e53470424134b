/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far a build came, as the shell in its sandbox tells it. Hostile: what MAKE runs could tell
 * the same. So it only chooses words and exit codes of a build that failed anyway, and where in the
 * sandbox's own trees the modules of one that did not are looked for.
 */
#ifndef KMODBOX_ORCHESTRATOR_BUILD_PROGRESS_H
#define KMODBOX_ORCHESTRATOR_BUILD_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#define BUILD_PROGRESS_MAXIMUM 65536u /* bytes of the report: patches have a few lines each */

enum build_stage {
	STAGE_NONE,
	STAGE_ENVIRONMENT,
	STAGE_PATCH,
	STAGE_PRE_BUILD,
	STAGE_MAKE,
	STAGE_POST_BUILD,
	STAGES
};

enum build_stage_end {
	STAGE_UNKNOWN, /* it was not come to, or did not end */
	STAGE_EXITED,
	STAGE_MISSING,	      /* there is no such patch */
	STAGE_NOT_EXECUTABLE, /* the script was passed over */
};

struct build_progress {
	enum build_stage last; /* that began */
	size_t patch;	       /* which of them, where last is STAGE_PATCH */
	enum build_stage_end ends[STAGES];
	int statuses[STAGES]; /* where it exited */
	bool copied;	      /* all modules are in module/ */
};

/*
 * Lines "STAGE INDEX END", END being begun, missing, skipped or an exit status; and "copied 0
 * begun". What is none is passed over. patch_count: an index beyond it is none.
 */
struct build_progress build_progress_read(const char *report, size_t length, size_t patch_count);
/* "PRE_BUILD"; "the build" where none had begun. */
const char *build_stage_name(enum build_stage stage);

#endif
