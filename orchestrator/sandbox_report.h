/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `kmodbox sandbox --json`: what came of the command, as a document described in kmodbox(8). */
#ifndef KMODBOX_ORCHESTRATOR_SANDBOX_REPORT_H
#define KMODBOX_ORCHESTRATOR_SANDBOX_REPORT_H

#include "orchestrator/sandbox_command.h"

/* Prints it. Returns the outcome's exit code; EXIT_INFRASTRUCTURE where it could not be printed. */
int sandbox_report(const struct sandbox_outcome *outcome);

#endif
