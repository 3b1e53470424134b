/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb imports, see imports_command.h. */
#include "orchestrator/imports_command.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "checker/checker.h"
#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/json.h"
#include "lib/base/memfd.h"
#include "lib/kernels/import_groups.h"
#include "orchestrator/check_kernel.h"
#include "orchestrator/helpers.h"
#include "orchestrator/module_file.h"
#include "orchestrator/record_parts.h"

#define SCHEMA_VERSION 1
#define GROUPS_FILE "imports"
#define GROUPS_MAXIMUM (1 << 20)
#define SHOWN_MAXIMUM 8 /* symbols of a group, but for --verbose */

/* What one file imports, each symbol once, sorted. */
struct imports {
	const char *path; /* borrowed */
	char **symbols;
	size_t count;
};

struct command {
	const struct options *options;
	const struct log *log;
	const char *architecture;
	int checker_fd;
	struct import_groups groups;
	struct imports against; /* path NULL: there is none */
	json_t *list;		/* --json: of what is told */
};

static void imports_clear(struct imports *imports)
{
	for (size_t i = 0; i < imports->count; i++)
		free(imports->symbols[i]);
	free(imports->symbols);
	*imports = (struct imports){ 0 };
}

static int compare(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool has(const struct imports *imports, const char *symbol)
{
	return imports->count > 0 && bsearch(&symbol, imports->symbols, imports->count,
					     sizeof(*imports->symbols), compare);
}

/* From the lines of CHECKER_DESCRIPTION. */
static int take_symbols(struct imports *imports, const char *lines)
{
	char *symbol;
	size_t kept = 0;

	while ((symbol = check_next_value(&lines, "import"))) {
		char **grown = reallocarray(imports->symbols, imports->count + 1, sizeof(*grown));

		if (!grown) {
			free(symbol);
			return -ENOMEM;
		}
		imports->symbols = grown;
		grown[imports->count++] = symbol;
	}
	if (imports->count == 0)
		return 0;
	qsort(imports->symbols, imports->count, sizeof(*imports->symbols), compare);
	for (size_t i = 0; i < imports->count; i++) {
		if (kept > 0 && string_equal(imports->symbols[kept - 1], imports->symbols[i]))
			free(imports->symbols[i]);
		else
			imports->symbols[kept++] = imports->symbols[i];
	}
	imports->count = kept;
	return 0;
}

static int read_imports(const struct command *command, const char *path, struct imports *imports,
			struct error **error)
{
	cleanup_close int module_fd = -1, symvers_fd = -1;
	cleanup_text struct text lines = { 0 };
	cleanup_free char *name = NULL;
	struct checker_verdict verdict;
	struct checker_facts facts;
	struct stat status;
	int r = module_file_open(path, &module_fd, &status, error);

	imports->path = path;
	if (r == 0 && module_file_name(path, &name) < 0)
		return error_set_errno(error, ENOMEM, "%s", path);
	/* Of what it is asked, nothing depends on the kernel. */
	if (r == 0)
		r = checker_facts_from_config("", 0, "0", command->architecture, name, &facts,
					      error);
	if (r == 0)
		r = memfd_from_bytes("symvers", "", 0, &symvers_fd, error);
	if (r < 0)
		return r;
	facts.purpose = CHECKER_DESCRIPTION;
	facts.flags |= CHECKER_MAY_BE_SIGNED;
	r = checker_run(command->checker_fd, module_fd, symvers_fd, &facts, CHECKER_MILLISECONDS,
			&verdict, &lines, error);
	if (r == 0 && verdict.outcome != CHECKER_WILL_LOAD) {
		int length;
		const char *reason = checker_verdict_reason(&verdict, name, &length);

		return error_refuse(error, EXIT_WILL_NOT_LOAD, ENOEXEC, "%s cannot be read: %.*s",
				    path, length, reason);
	}
	if (r == 0 && take_symbols(imports, lines.data ? lines.data : "") < 0)
		r = error_set_errno(error, ENOMEM, "%s", path);
	return r;
}

/* ---- What is told */

/* Which symbols: all, or those that other has not. */
struct selection {
	const struct imports *imports;
	const struct imports *without; /* path NULL: all */
};

static bool is_selected(const struct selection *selection, size_t i)
{
	return !selection->without->path ||
	       !has(selection->without, selection->imports->symbols[i]);
}

static size_t count_group(const struct command *command, const struct selection *selection,
			  size_t group)
{
	size_t count = 0;

	for (size_t i = 0; i < selection->imports->count; i++)
		count += is_selected(selection, i) &&
			 import_groups_find(&command->groups, selection->imports->symbols[i]) ==
				 group;
	return count;
}

/* "filp_open, filp_close and 3 more" */
static void list_group(const struct command *command, const struct selection *selection,
		       size_t group, struct text *line)
{
	const size_t all = count_group(command, selection, group);
	const size_t most = command->options->verbose ? all : SHOWN_MAXIMUM;
	size_t shown = 0;

	for (size_t i = 0; i < selection->imports->count && shown < most; i++) {
		const char *symbol = selection->imports->symbols[i];

		if (!is_selected(selection, i) ||
		    import_groups_find(&command->groups, symbol) != group)
			continue;
		ignore_result(text_append_format(line, "%s%.120s", shown ? ", " : "", symbol));
		shown++;
	}
	if (all > shown)
		ignore_result(text_append_format(line, " and %zu more", all - shown));
}

static void print_groups(const struct command *command, const struct selection *selection)
{
	const struct import_groups *groups = &command->groups;

	for (int attention = 1; attention >= 0; attention--) {
		for (size_t i = 0; i < groups->count; i++) {
			const struct import_group *group = &groups->groups[i];
			cleanup_text struct text line = { 0 };

			if (group->attention != attention || !count_group(command, selection, i))
				continue;
			list_group(command, selection, i, &line);
			log_info(command->log, "  %s%s: %s: %s", attention ? "! " : "  ",
				 group->name, group->title, line.data ? line.data : "");
		}
	}
	if (count_group(command, selection, groups->count)) {
		cleanup_text struct text line = { 0 };

		list_group(command, selection, groups->count, &line);
		log_info(command->log, "    in no group, or of other modules: %s",
			 line.data ? line.data : "");
	}
}

static size_t count_selected(const struct selection *selection)
{
	size_t count = 0;

	for (size_t i = 0; i < selection->imports->count; i++)
		count += is_selected(selection, i);
	return count;
}

static void print(const struct command *command, const struct imports *imports)
{
	const struct imports *against = &command->against;
	const struct imports none = { 0 };
	const struct selection all = { imports, &none }, added = { imports, against },
			       gone = { against, imports };

	if (!against->path) {
		log_info(command->log, "%s imports %zu symbols", imports->path, imports->count);
		print_groups(command, &all);
		return;
	}
	log_info(command->log, "%s imports %zu symbols that %s does not", imports->path,
		 count_selected(&added), against->path);
	print_groups(command, &added);
	if (count_selected(&gone)) {
		log_info(command->log, "and no more %zu that it does", count_selected(&gone));
		print_groups(command, &gone);
	}
}

static json_t *symbols_to_json(const struct command *command, const struct selection *selection,
			       size_t group, bool any)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < selection->imports->count; i++) {
		const char *symbol = selection->imports->symbols[i];

		if (is_selected(selection, i) &&
		    (any || import_groups_find(&command->groups, symbol) == group))
			(void)json_array_append_new(list, json_string(symbol));
	}
	return list;
}

static json_t *to_json(const struct command *command, const struct imports *imports)
{
	const struct imports *against = &command->against;
	const struct imports none = { 0 };
	const struct selection all = { imports, &none }, added = { imports, against },
			       gone = { against, imports };
	json_t *groups = json_array();
	const bool compared = against->path;

	for (size_t i = 0; groups && i < command->groups.count; i++) {
		const struct import_group *group = &command->groups.groups[i];

		if (count_group(command, &all, i))
			(void)json_array_append_new(
				groups,
				json_pack("{s:s, s:s, s:b, s:o}", "name", group->name, "title",
					  group->title, "attention", group->attention, "symbols",
					  symbols_to_json(command, &all, i, false)));
	}
	return json_pack("{s:s, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "schema",
			 "kmodbox-imports", "schema_version", SCHEMA_VERSION, "kmodbox",
			 KMODBOX_VERSION, "file", record_text(imports->path), "groups", groups,
			 "other", symbols_to_json(command, &all, command->groups.count, false),
			 "against", compared ? record_text(against->path) : json_null(), "added",
			 compared ? symbols_to_json(command, &added, 0, true) : json_null(),
			 "removed",
			 compared ? symbols_to_json(command, &gone, 0, true) : json_null());
}

/* ---- The whole */

static int tell(struct command *command, const char *path)
{
	cleanup(imports_clear) struct imports imports = { 0 };
	cleanup_error struct error *error = NULL;

	if (read_imports(command, path, &imports, &error) < 0) {
		log_error(command->log, error);
		return error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
	}
	if (command->list)
		return json_array_append_new(command->list, to_json(command, &imports)) == 0
			       ? 0
			       : EXIT_INFRASTRUCTURE;
	print(command, &imports);
	return 0;
}

static int print_json(const struct command *command, int code)
{
	const bool one = command->options->file_count == 1;
	cleanup_free char *text = NULL;

	/* Of one that could not be told, stderr has said why. */
	if (one && json_array_size(command->list) == 0)
		return code;
	text = json_to_text(one ? json_array_get(command->list, 0) : command->list);
	if (text && fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		return code;
	(void)fputs("kmodbox: the imports could not be printed as JSON\n", stderr);
	return EXIT_INFRASTRUCTURE;
}

static int prepare(struct command *command, struct error **error)
{
	cleanup_text struct text text = { 0 };
	cleanup_close int fd = -1;
	int r = helper_open_program("kmodbox-checker", &command->checker_fd, error);

	if (r == 0)
		r = helper_open_profile(GROUPS_FILE, &fd, error);
	if (r == 0)
		r = read_fd(fd, GROUPS_MAXIMUM, &text, error);
	if (r == 0)
		r = import_groups_read(GROUPS_FILE, text.data, text.length, &command->groups,
				       error);
	if (r == 0 && command->options->against)
		r = read_imports(command, command->options->against, &command->against, error);
	if (r == 0 && command->options->json) {
		command->list = json_array();
		r = command->list ? 0 : error_set_errno(error, ENOMEM, "imports");
	}
	return r;
}

static void clear(struct command *command)
{
	(void)close_fd(command->checker_fd);
	import_groups_clear(&command->groups);
	imports_clear(&command->against);
	json_decref(command->list);
}

int imports_command(const struct options *options, const struct log *log)
{
	cleanup(clear) struct command command = { .options = options,
						  .log = log,
						  .checker_fd = -1 };
	cleanup_error struct error *error = NULL;
	struct utsname running;
	int code = 0;
	int r = uname(&running) < 0 ? error_set_errno(&error, errno, "uname") : 0;

	command.architecture =
		options->architecture_count ? options->architectures[0] : running.machine;
	if (r == 0)
		r = prepare(&command, &error);
	if (r < 0) {
		log_error(log, error);
		return error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
	}
	for (size_t i = 0; i < options->file_count; i++) {
		const int one = tell(&command, options->files[i]);

		code = one ? one : code;
	}
	return options->json ? print_json(&command, code) : code;
}
