/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `kmodbox boot-test MODULE/VERSION -k KERNEL`: boots that kernel's own image in a virtual machine,
 * loads what was built for it behind what that depends on, and tells what the kernel made of it.
 * Changes nothing; started by root it gives root up first. Its --json is documented in kmodbox(8).
 */
#ifndef KMODBOX_ORCHESTRATOR_BOOT_TEST_H
#define KMODBOX_ORCHESTRATOR_BOOT_TEST_H

#include "lib/base/log.h"
#include "orchestrator/options.h"

/*
 * 0: all were loaded and unloaded; 32: the kernel refused one, or went down with it; 36: it
 * complained; 13: what one depends on is not there; 3: nothing was built.
 */
int boot_test(const struct options *options, const struct log *log);

#endif
