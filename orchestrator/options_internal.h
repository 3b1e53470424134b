/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the command line share: options.c reads it, options_check.c judges it. */
#ifndef KMODBOX_ORCHESTRATOR_OPTIONS_INTERNAL_H
#define KMODBOX_ORCHESTRATOR_OPTIONS_INTERNAL_H

#include "orchestrator/options.h"

/* May a bare word be a source directory; an archive? */
bool options_take_source(enum verb verb);
bool options_take_archive(enum verb verb);
/* What does not go together, in DKMS's order, with its codes. Bare words are not yet looked at. */
int options_check_combinations(const struct options *options, struct error **error) must_check;
/* Has the verb what it works on, and nothing else? */
int options_check_subject(const struct options *options, struct error **error) must_check;

#endif
