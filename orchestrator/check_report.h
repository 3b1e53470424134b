/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `kmodbox check --json` says of one file: kmodbox(8). */
#ifndef KMODBOX_ORCHESTRATOR_CHECK_REPORT_H
#define KMODBOX_ORCHESTRATOR_CHECK_REPORT_H

#include "checker/checker.h"
#include "lib/base/json.h"

/* All borrowed. */
struct check_report {
	const char *path;    /* as it was given */
	const char *module;  /* NULL: the file is called like none */
	const char *kernel;  /* release */
	const char *outcome; /* "will-load", "will-not-load", "policy", "error" */
	const struct checker_verdict *verdict;
	const char *description;   /* lines of CHECKER_DESCRIPTION: hostile, printable ASCII */
	const char *warnings;	   /* as lines of a verdict */
	const struct error *error; /* NULL: there is a verdict */
	int exit_code;
};

/* New reference; NULL where memory is out. */
json_t *check_report_to_json(const struct check_report *report) must_check;

#endif
