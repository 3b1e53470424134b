/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `kmodbox sandbox [--ro PATH] [--rw PATH] -- CMD`: one command in the sandbox that builds get. */
#ifndef KMODBOX_ORCHESTRATOR_SANDBOX_COMMAND_H
#define KMODBOX_ORCHESTRATOR_SANDBOX_COMMAND_H

#include "lib/base/error.h"
#include "lib/base/log.h"
#include "orchestrator/options.h"

/* Returns the command's own exit status, 128 + signal, 31 for a limit, 127 if it cannot be run. */
int sandbox_command(const struct options *options, const struct log *log);

#endif
