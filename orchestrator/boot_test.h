/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verb boot-test: the modules of a build really loaded by their kernel, in a virtual machine.
 * Reads the build and the kernel as who calls, then gives up root: QEMU runs as the orchestrator's
 * account. Changes nothing.
 */
#ifndef KMODBOX_ORCHESTRATOR_BOOT_TEST_H
#define KMODBOX_ORCHESTRATOR_BOOT_TEST_H

#include "lib/base/log.h"
#include "orchestrator/orchestrator.h"

/* Returns the exit code; what went wrong has been told. */
int boot_test_command(const struct options *options, const struct log *log);
/* Of an installation: where modules.d/MODULE.conf demands it. */
int boot_test_demanded(const struct orchestrator *orchestrator, const struct package *package,
		       const struct target *target, struct error **error) must_check;

#endif
