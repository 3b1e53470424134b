/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A git checkout as a source: the files of its HEAD commit as they are stored, and nothing that
 * merely lies about; attributes (filters, export-subst, export-ignore, line ends) do not act on
 * them. git runs in a sandbox that sees the checkout read-only and nothing else, so hooks, filters
 * and settings of a hostile repository have nothing to reach. Which commit that is, is the
 * repository's word: what is approved is the digest of the files.
 */
#ifndef KMODBOX_ORCHESTRATOR_GIT_H
#define KMODBOX_ORCHESTRATOR_GIT_H

#include <stdbool.h>

#include "orchestrator/orchestrator.h"

/* Is the directory one? error_code() 2: its repository lies elsewhere. */
int git_find(int directory_fd, bool *ret_found, struct error **error) must_check;
/*
 * An archive of the commit, a sealed memfd, for archive_snapshot(). Tells which commit it is, and
 * warns of what is not in it. error_code(): 2 git is not installed; 9 git says no.
 */
int git_archive(const struct orchestrator *orchestrator, int *ret_archive_fd,
		struct error **error) must_check;

#endif
