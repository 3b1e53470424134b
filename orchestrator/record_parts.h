/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of build.json that all kinds of records, and what tells of profiles, have. */
#ifndef KMODBOX_ORCHESTRATOR_RECORD_PARTS_H
#define KMODBOX_ORCHESTRATOR_RECORD_PARTS_H

#include "lib/base/json.h"
#include "orchestrator/signer_client.h"
#include "sandbox/sandbox.h"

#define RECORD_VERSION 2

/* JSON is UTF-8; text may be anything. New reference; NULL where memory is out. */
json_t *record_text(const char *text) must_check;
/* Each wall, and if it stood. New reference; NULL where memory is out. */
json_t *record_layers(const struct sandbox_result *result) must_check;
/*
 * Appends what one step tried and was refused; calls may be NULL. Returns how many more there were
 * than it had place for.
 */
uint64_t record_append_denied(json_t *list, const char *step, const struct denied_calls *calls);
/* "wall_milliseconds" and its like are added to object. Returns 0, or -1 where memory is out. */
int record_add_usage(json_t *object, const struct sandbox_result *result) must_check;
/* What the kernel's reference module, which there is, said. New reference; NULL: out of memory. */
json_t *record_reference(const struct target *target) must_check;
/* In the units of their names. New reference; NULL where memory is out. */
json_t *record_limits(const struct sandbox_limits *limits) must_check;
/* What was signed, and what the checker said of it. New reference; NULL where memory is out. */
json_t *record_artifacts(const struct signed_set *set) must_check;

#endif
