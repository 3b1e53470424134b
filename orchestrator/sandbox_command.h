/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `kmodbox sandbox [--ro PATH] [--rw PATH] -- CMD`: one command in the sandbox that builds get. */
#ifndef KMODBOX_ORCHESTRATOR_SANDBOX_COMMAND_H
#define KMODBOX_ORCHESTRATOR_SANDBOX_COMMAND_H

#include "lib/base/error.h"
#include "lib/base/log.h"
#include "orchestrator/options.h"
#include "sandbox/profile.h"
#include "sandbox/sandbox.h"

/* What came of it. */
struct sandbox_outcome {
	const struct options *options;
	const struct profile *settings;	     /* of its profile; NULL: none could be read */
	const struct sandbox_result *result; /* NULL: it was not run */
	const struct error *error;	     /* NULL: it was run */
	int exit_code;
};
typedef int sandbox_outcome_function(const struct sandbox_outcome *outcome);

/*
 * Returns the command's own exit status, 128 + signal, 31 for a limit, 127 if it cannot be run.
 * tell: called at the end, and what it returns is returned; standard output is its alone, the
 * command prints to standard error. NULL: the command has standard output.
 */
int sandbox_command(const struct options *options, const struct log *log,
		    sandbox_outcome_function *tell);

#endif
