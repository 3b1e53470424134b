/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * --json of the verbs that build and install: what became of each package on each kernel, printed
 * as one document when all is done. A verb may take several orchestrators and each may be killed:
 * so each writes what it has done into one memory file, an object at a time, and the launcher puts
 * the whole ones into the document without looking into them. Described in kmodbox(8).
 */
#ifndef KMODBOX_ORCHESTRATOR_RESULTS_H
#define KMODBOX_ORCHESTRATOR_RESULTS_H

#include "orchestrator/orchestrator.h"

struct results {
	int fd;	       /* objects as text, each ends with a NUL */
	int record_fd; /* of the build that was made last, until it is told; -1 */
	char *log;     /* where its log is; NULL: it could not be kept */
	bool failed;   /* one that failed was told, by this process */
};
#define RESULTS_INITIAL ((struct results){ .fd = -1, .record_fd = -1 })

int results_open(struct results *results, struct error **error) must_check;
void results_close(struct results *results);
#define cleanup_results cleanup(results_close)

/*
 * All of these do nothing where nobody asked for JSON (orchestrator->results is NULL).
 *
 * A build came to its end, well or not: the next that is told has its record, and where its log is
 * (to be freed here; NULL: nowhere). Borrows record_fd, a sealed memfd.
 */
void results_take_build(const struct orchestrator *orchestrator, int record_fd, char *log);
/* reason: NULL: what was asked for is there. target: NULL: it came to no kernel. */
void results_add(const struct orchestrator *orchestrator, const struct package *package,
		 const struct target *target, const struct error *reason);
/* It waits for a package that is not there yet. */
void results_add_deferred(const struct orchestrator *orchestrator, const struct package *package,
			  const struct target *target);

/* The document. Returns code, or EXIT_INFRASTRUCTURE where it could not be printed. */
int results_print(const struct results *results, enum verb verb, int code, const struct log *log);

#endif
