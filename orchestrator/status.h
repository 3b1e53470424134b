/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb status: reads the trees as the caller may, runs nothing, prints DKMS's lines or JSON. */
#ifndef KMODBOX_ORCHESTRATOR_STATUS_H
#define KMODBOX_ORCHESTRATOR_STATUS_H

#include "lib/base/error.h"
#include "lib/base/log.h"
#include "orchestrator/options.h"

int status_print(const struct options *options, const struct log *log,
		 struct error **error) must_check;

#endif
