/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox: what a shell starts. It runs `kmodbox sandbox` by itself, and is kept free of the
 * libraries that all other verbs need, which would take the loader as long as a whole sandbox
 * takes. Those verbs, its --json, and what is wrong with a command line, are kmodbox-launcher's
 * business, which it becomes.
 */
#include <signal.h>
#include <stdio.h>

#include "lib/artifacts/exit_code.h"
#include "orchestrator/helpers.h"
#include "orchestrator/options.h"
#include "orchestrator/sandbox_command.h"

int main(int argc, char **argv)
{
	struct log log = { .out = stdout, .err = stderr, .program = "kmodbox" };
	cleanup_error struct error *error = NULL;
	struct options options;
	int code;

	/* Whoever starts us may ignore it, and then no child could be waited for. */
	(void)sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	if (options_parse(argc, argv, &options, NULL) == 0) {
		if (options.verb == VERB_SANDBOX && !options.json) {
			log.quiet = options.quiet;
			code = sandbox_command(&options, &log, NULL);
			options_clear(&options);
			return code;
		}
		options_clear(&options);
	}
	ignore_result(helper_become("kmodbox-launcher", argv, &error));
	log_error(&log, error);
	return error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
}
