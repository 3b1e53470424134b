/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any words as a command line, a line each; the byte 1 stands for a newline in one. What
 * is accepted must be what options.h promises: safe names, absolute paths, a subject that fits the
 * verb. What is refused must say why, with an exit code of a usage error. Anything else is a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/text.h"
#include "orchestrator/options.h"
#include "tests/fuzz/promise.h"

#define WORDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name)
{
	promise(!name || name_is_safe(name));
}

static void check_path(const char *path)
{
	promise(!path || path[0] == '/');
}

static void check_names(char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		promise(names[i] && name_is_safe(names[i]));
}

static void check_paths(char *const *paths, size_t count)
{
	for (size_t i = 0; i < count; i++)
		promise(paths[i] && paths[i][0] == '/');
}

static void check(const struct options *options)
{
	promise(options->verb != VERB_NONE && *verb_name(options->verb));
	/* These count at once, whatever else stands there. */
	if (options->verb == VERB_HELP || options->verb == VERB_VERSION)
		return;
	check_name(options->module);
	check_name(options->version);
	check_name(options->template_kernel);
	check_name(options->profile);
	check_names(options->kernels, options->kernel_count);
	check_names(options->architectures, options->architecture_count);
	promise(options->architecture_count <= 1 ||
		options->architecture_count == options->kernel_count);
	check_path(options->source);
	if (options->verb == VERB_MKTARBALL)
		check_name(options->archive);
	else
		check_path(options->archive);
	check_path(options->dkms_tree);
	check_path(options->source_tree);
	check_path(options->install_tree);
	check_path(options->kernel_root);
	check_path(options->state_directory);
	check_path(options->config);
	check_path(options->dkms_config);
	check_paths(options->read_only, options->read_only_count);
	check_paths(options->read_write, options->read_write_count);
	promise(options->jobs <= OPTIONS_JOBS && options->ignored_count <= OPTIONS_IGNORED);
	for (size_t i = 0; i < options->directive_count; i++)
		promise(strchr(options->directives[i], '=') > options->directives[i]);
	promise(options->verb != VERB_SANDBOX || (options->command && options->command[0]));
	promise(options->verb != VERB_PROFILE || options->action == PROFILE_LIST ||
		(options->action == PROFILE_SHOW && options->profile) ||
		(options->action == PROFILE_CHECK && options->checked));
	promise(options->verb != VERB_BUILD || options->source || options->archive ||
		(options->module && options->version));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = strndup((const char *)data, size);
	static char program[] = "kmodbox";
	char *words[WORDS + 2] = { program };
	cleanup_error struct error *error = NULL;
	struct options options;
	char *rest = text;
	int count = 1;
	char *word;

	if (!text)
		return 0;
	while (count <= WORDS && (word = strsep(&rest, "\n"))) {
		for (char *byte = word; *byte; byte++)
			*byte = *byte == 1 ? '\n' : *byte;
		words[count++] = word;
	}
	if (options_parse(count, words, &options, &error) == 0) {
		check(&options);
		options_clear(&options);
		return 0;
	}
	promise(error && error_code(error) >= 1 && error_code(error) <= 8);
	return 0;
}
