/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * build.json: what went in, what stood around it, what came out. Every fact is computed here or by
 * signer and installer; nothing is believed because the build printed it. Schema in
 * kmodbox-build.json(5).
 */
#ifndef KMODBOX_ORCHESTRATOR_RECORD_H
#define KMODBOX_ORCHESTRATOR_RECORD_H

#include "orchestrator/build_step.h"
#include "orchestrator/signer_client.h"

/* All as a sealed memfd. Of a finished, signed build. */
int record_make(const struct build *build, const struct signed_set *set, int *ret_fd,
		struct error **error) must_check;
/*
 * failure.json, of a build that came to nothing: as far as it came, and why it came no further.
 */
int record_make_failed(const struct build *build, const struct error *reason, int *ret_fd,
		       struct error **error) must_check;

#endif
