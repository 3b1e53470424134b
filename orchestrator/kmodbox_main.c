/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox: reads the command line and hands on. A new verb is one file and one line in this table.
 * Verbs that change nothing (status, sandbox, help) need no other process of ours.
 */
#include <signal.h>
#include <stdio.h>

#include "orchestrator/launcher.h"
#include "orchestrator/sandbox_command.h"
#include "orchestrator/status.h"

static const struct verb_row verbs[] = {
	/* verb, needs -m and -v, needs headers, signs, may run depmod */
	{ VERB_ADD, false, false, false, false, verb_add },
	{ VERB_BUILD, true, true, true, true, verb_build },
	{ VERB_INSTALL, true, true, true, true, verb_install },
	{ VERB_UNINSTALL, true, false, false, true, verb_uninstall },
	{ VERB_UNBUILD, true, false, false, true, verb_unbuild },
	{ VERB_REMOVE, true, false, false, true, verb_remove },
};

static int usage(const struct log *log, const char *verb)
{
	cleanup_error struct error *error = NULL;

	(void)error_set(&error, EINVAL,
			"%s needs a module and its version: kmodbox %s MODULE/VERSION", verb, verb);
	log_error(log, error);
	return EXIT_USAGE;
}

static int refuse_json(const struct log *log, const char *verb)
{
	cleanup_error struct error *error = NULL;

	(void)error_set(
		&error, ENOTSUP,
		"%s has no --json: the record of a build is its build.json, see kmodbox help",
		verb);
	log_error(log, error);
	return EXIT_NO_SOURCE;
}

static int run_verb(const struct options *options, const struct log *log)
{
	if (options->json)
		return refuse_json(log, verb_name(options->verb));
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (verbs[i].verb != options->verb)
			continue;
		if ((verbs[i].needs_module || (!options->source && !options->archive)) &&
		    (!options->module || !options->version))
			return usage(log, verb_name(options->verb));
		return launch(&verbs[i], options, log);
	}
	return EXIT_USAGE;
}

static int run(const struct options *options, const struct log *log)
{
	cleanup_error struct error *error = NULL;

	for (size_t i = 0; i < options->ignored_count; i++)
		log_warning(log, "%s has no effect here", options->ignored[i]);
	switch (options->verb) {
	case VERB_NONE:
	case VERB_HELP:
		(void)fputs(options_help(), stdout);
		return options->verb == VERB_NONE ? EXIT_USAGE : 0;
	case VERB_VERSION:
		(void)printf("kmodbox-%s\n", KMODBOX_VERSION);
		return 0;
	case VERB_SANDBOX:
		return sandbox_command(options, log);
	case VERB_STATUS:
		if (status_print(options, log, &error) == 0)
			return 0;
		log_error(log, error);
		return error_code(error) ? error_code(error) : EXIT_USAGE;
	case VERB_ADD:
	case VERB_BUILD:
	case VERB_INSTALL:
	case VERB_UNINSTALL:
	case VERB_UNBUILD:
	case VERB_REMOVE:
	default:
		return run_verb(options, log);
	}
}

int main(int argc, char **argv)
{
	struct log log = { .out = stdout, .err = stderr, .program = "kmodbox" };
	cleanup_error struct error *error = NULL;
	struct options options;
	int code;

	/* Whoever starts us may ignore it, and then no child could be waited for. */
	(void)sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	if (options_parse(argc, argv, &options, &error) < 0) {
		log_error(&log, error);
		return error_code(error) ? error_code(error) : EXIT_USAGE;
	}
	log.quiet = options.quiet;
	/* Progress is for a person who watches: a line at a time, also through a pipe. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	code = run(&options, &log);
	options_clear(&options);
	return code;
}
