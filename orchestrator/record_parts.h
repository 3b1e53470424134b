/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of build.json that all kinds of records, and what tells of profiles, have. */
#ifndef KMODBOX_ORCHESTRATOR_RECORD_PARTS_H
#define KMODBOX_ORCHESTRATOR_RECORD_PARTS_H

#include "lib/base/json.h"
#include "orchestrator/signer_client.h"
#include "sandbox/sandbox.h"

#define RECORD_VERSION 2

/* In the units of their names. New reference; NULL where memory is out. */
json_t *record_limits(const struct sandbox_limits *limits) must_check;
/* What was signed, and what the checker said of it. New reference; NULL where memory is out. */
json_t *record_artifacts(const struct signed_set *set) must_check;

#endif
