/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-launcher, which kmodbox becomes for all verbs but one (kmodbox_main.c): reads the command
 * line and hands on. A new verb is one file and one line in this table. Verbs that change nothing
 * (status, doctor, help) need no other process of ours.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "orchestrator/boot_test.h"
#include "orchestrator/check_command.h"
#include "orchestrator/doctor.h"
#include "orchestrator/framework.h"
#include "orchestrator/imports_command.h"
#include "orchestrator/launcher.h"
#include "orchestrator/profile_command.h"
#include "orchestrator/rebuild.h"
#include "orchestrator/results.h"
#include "orchestrator/sandbox_report.h"
#include "orchestrator/status.h"

static const struct verb_row verbs[] = {
	/* verb, needs -m and -v, signs, may run depmod */
	{ VERB_ADD, false, false, false, verb_add },
	{ VERB_BUILD, true, true, true, verb_build },
	{ VERB_INSTALL, true, true, true, verb_install },
	{ VERB_UNINSTALL, true, false, true, verb_uninstall },
	{ VERB_UNBUILD, true, false, true, verb_unbuild },
	{ VERB_REMOVE, true, false, true, verb_remove },
	{ VERB_MATCH, false, true, true, verb_match },
	{ VERB_AUTOINSTALL, false, true, true, verb_autoinstall },
	{ VERB_MKTARBALL, true, false, false, verb_mktarball },
	{ VERB_LDTARBALL, false, true, false, verb_ldtarball },
	{ VERB_SHELL, true, false, false, verb_shell },
};

static int usage(const struct log *log, const char *verb)
{
	cleanup_error struct error *error = NULL;

	(void)error_set(&error, EINVAL,
			"%s needs a module and its version: kmodbox %s MODULE/VERSION", verb, verb);
	log_error(log, error);
	return EXIT_USAGE;
}

static int told(const struct log *log, const struct error *error)
{
	log_error(log, error);
	return error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
}

/*
 * What depends on what was just installed, in a run of its own: the installer of the first one may
 * touch no other module than the one that was named, that of the second only these.
 */
static int rebuild(const struct options *options, struct results *results, const struct log *log)
{
	static const struct verb_row row = { VERB_AUTOINSTALL, false, true, true, verb_rebuild };
	cleanup_error struct error *error = NULL;
	cleanup_free char *list = NULL;
	struct options again = *options;
	int code;

	if (rebuild_list(options, &list, &error) < 0)
		return told(log, error);
	again.module = again.version = NULL;
	again.force = true; /* what is replaced was built from the same approved source */
	code = list ? launch(&row, &again, list, results, log) : 0;
	if (code == 0 || code == EXIT_INTERRUPTED)
		return code;
	/* A code of its own: what the command line names is installed, its dependents are not. */
	(void)error_refuse(
		&error, EXIT_AUTOINSTALL, EIO,
		"what was installed is in place, but what depends on it could not be "
		"made again (%d): it stays as it was, and may not load; mend what is told "
		"above and run the command again",
		code);
	return told(log, error);
}

/* Where autoinstall failed for some, others may be there that something depends on. */
static bool may_have_installed(enum verb verb, int code)
{
	return verb == VERB_AUTOINSTALL ? code == 0 || code == EXIT_AUTOINSTALL
					: code == 0 && (verb == VERB_INSTALL || verb == VERB_MATCH);
}

static int run_verb(const struct options *options, struct results *results, const struct log *log)
{
	int code;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (verbs[i].verb != options->verb)
			continue;
		if (verbs[i].needs_module && (!options->module || !options->version))
			return usage(log, verb_name(options->verb));
		code = launch(&verbs[i], options, NULL, results, log);
		if (may_have_installed(options->verb, code)) {
			int rebuilt = rebuild(options, results, log);

			return code ? code : rebuilt;
		}
		return code;
	}
	return EXIT_USAGE;
}

static int run_verb_as_json(const struct options *options, const struct log *log)
{
	cleanup_results struct results results = RESULTS_INITIAL;
	cleanup_error struct error *error = NULL;

	if (results_open(&results, &error) < 0)
		return told(log, error);
	return results_print(&results, options->verb, run_verb(options, &results, log), log);
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
	case VERB_DOCTOR:
		return doctor(options, log);
	case VERB_PROFILE:
		return profile_command(options, log);
	case VERB_CHECK:
		return check_command(options, log);
	case VERB_IMPORTS:
		return imports_command(options, log);
	case VERB_BOOT_TEST:
		return boot_test_command(options, log);
	case VERB_SANDBOX: /* with --json; else kmodbox_main.c */
		return sandbox_command(options, log, sandbox_report);
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
	case VERB_MATCH:
	case VERB_AUTOINSTALL:
	case VERB_MKTARBALL:
	case VERB_LDTARBALL:
	case VERB_SHELL:
	default:
		return options->json ? run_verb_as_json(options, log)
				     : run_verb(options, NULL, log);
	}
}

static bool uses_trees(enum verb verb)
{
	return verb != VERB_NONE && verb != VERB_HELP && verb != VERB_VERSION &&
	       verb != VERB_SANDBOX && verb != VERB_DOCTOR && verb != VERB_PROFILE &&
	       verb != VERB_CHECK && verb != VERB_IMPORTS;
}

int main(int argc, char **argv)
{
	struct log log = { .out = stdout, .err = stderr, .program = "kmodbox" };
	cleanup_error struct error *error = NULL;
	struct options options;
	int code;

	/* As people know it, also in what ps and top show. */
	(void)prctl(PR_SET_NAME, "kmodbox", 0, 0, 0);
	/* Whoever starts us may ignore it, and then no child could be waited for. */
	(void)sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	if (options_parse(argc, argv, &options, &error) < 0) {
		log_error(&log, error);
		return error_code(error) ? error_code(error) : EXIT_USAGE;
	}
	log.quiet = options.quiet;
	/* Standard output is the document's alone. */
	if (options.json)
		log.out = stderr;
	if (uses_trees(options.verb) &&
	    (doctor_try_open(&error) < 0 || framework_apply(&options, &log, &error) < 0)) {
		log_error(&log, error);
		code = error_code(error) ? error_code(error) : EXIT_USAGE;
		options_clear(&options);
		return code;
	}
	/* Progress is for a person who watches: a line at a time, also through a pipe. */
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	code = run(&options, &log);
	options_clear(&options);
	return code;
}
