/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `kmodbox doctor`: makes a sandbox as a build here would, and shows which of its layers stand and
 * what the host and its kernels give. Its --json is documented in kmodbox(8).
 */
#ifndef KMODBOX_ORCHESTRATOR_DOCTOR_H
#define KMODBOX_ORCHESTRATOR_DOCTOR_H

#include "lib/base/log.h"
#include "orchestrator/options.h"

/* 0: builds can run here, with every layer that is not optional; else 30, and the reason is told.
 */
int doctor(const struct options *options, const struct log *log);

/* Nothing of ours opens a path without openat2(2): 0, or why this host kills who asks for it. */
int doctor_try_open(struct error **error) must_check;

#endif
