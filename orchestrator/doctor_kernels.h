/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `kmodbox doctor` tells of kernels: can anything be built for them? Of each whose headers are
 * here, or that -k names, the reference module is obtained as a build would.
 */
#ifndef KMODBOX_ORCHESTRATOR_DOCTOR_KERNELS_H
#define KMODBOX_ORCHESTRATOR_DOCTOR_KERNELS_H

#include "lib/base/json.h"
#include "orchestrator/options.h"

/*
 * An array of objects: kernel, architecture, can_build, reason (null where it can), reference (as
 * in build.json, null where there is none). In a process of its own, as root where we are; empty
 * where there can be no sandbox, which is told elsewhere. NULL: out of memory.
 */
json_t *doctor_kernels(const struct options *options) must_check;

#endif
