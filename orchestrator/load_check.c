/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verdict on a build of an archive before anything here is changed for it, see load.h. It
 * decides nothing that counts: what is signed, the signer checks itself. No byte of a module is
 * read here, only by the jailed checker.
 */
#include <string.h>

#include "checker/checker.h"
#include "lib/artifacts/ticket.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "orchestrator/load.h"

struct checking {
	const struct loaded *loaded;
	int checker_fd;
	struct text symbols; /* that modules may import: the kernel's, then what else is known */
};

static int out_of_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "checking");
}

/* One file against symvers_fd; what it exports is known from now on. */
static int examine(struct checking *checking, const char *name, int module_fd, int symvers_fd,
		   enum checker_purpose purpose, struct checker_verdict *verdict,
		   struct error **error)
{
	const struct target *target = checking->loaded->target;
	const char *config = target->kernel->config;
	struct checker_facts facts;
	int r = checker_facts_with_reference(config, strlen(config), target->release,
					     target->architecture, name, reference_verdict(target),
					     &facts, error);

	if (r < 0)
		return r;
	facts.purpose = purpose;
	r = checker_run(checking->checker_fd, module_fd, symvers_fd, &facts, CHECKER_MILLISECONDS,
			verdict, &checking->symbols, error);
	if (r == 0 && checking->symbols.length > CHECKER_SYMVERS_MAXIMUM)
		r = error_set(error, E2BIG, "the modules export too many symbols");
	return r;
}

/* The first finding that is no warning, as one line; without the name that stands before it. */
static int refuse(const struct checking *checking, const char *name,
		  const struct checker_verdict *verdict, struct error **error)
{
	const bool policy = verdict->outcome == CHECKER_POLICY;
	int length;
	const char *line = checker_verdict_reason(verdict, name, &length);

	return error_refuse(error, policy ? EXIT_APPROVAL : EXIT_WILL_NOT_LOAD, verdict->errnum,
			    "%s.ko %s %s: %.*s (%s)", name,
			    policy ? "is not signed for" : "will not load on",
			    checking->loaded->target->release, length, line,
			    strerrorname_np(verdict->errnum) ?: "?");
}

static int check_dependencies(struct checking *checking, struct error **error)
{
	cleanup_close int symvers_fd = -1;
	size_t count = 0;
	cleanup_free struct signer_dependency *files =
		dependencies_files(&checking->loaded->dependencies, &count);
	int r = files ? memfd_from_bytes("symvers", checking->symbols.data,
					 checking->symbols.length, &symvers_fd, error)
		      : out_of_memory(error);

	for (size_t i = 0; r == 0 && i < count; i++) {
		cleanup_free char *stem = strndup(files[i].name, ticket_module_stem(files[i].name));
		struct checker_verdict verdict;

		r = stem ? examine(checking, stem, files[i].file_fd, symvers_fd, CHECKER_EXPORTS,
				   &verdict, error)
			 : out_of_memory(error);
		if (r == 0 && verdict.outcome != CHECKER_WILL_LOAD)
			r = refuse(checking, stem, &verdict, error);
	}
	return r;
}

/* One round: those that have not passed yet. ret_failed: the first of them that does not. */
static int check_round(struct checking *checking, bool *passed, const char **ret_failed,
		       struct checker_verdict *ret_verdict, struct error **error)
{
	const struct loaded *loaded = checking->loaded;
	cleanup_close int symvers_fd = -1;
	int r = memfd_from_bytes("symvers", checking->symbols.data, checking->symbols.length,
				 &symvers_fd, error);

	*ret_failed = NULL;
	for (size_t i = 0; r == 0 && i < loaded->recipe->module_count; i++) {
		const char *name = loaded->recipe->modules[i].built_name;
		struct checker_verdict verdict;

		if (passed[i] || loaded->recipe->modules[i].excluded)
			continue;
		r = examine(checking, name, loaded->artifacts[i].fd, symvers_fd, CHECKER_LOADING,
			    &verdict, error);
		passed[i] = r == 0 && verdict.outcome == CHECKER_WILL_LOAD;
		if (r == 0 && !passed[i] && !*ret_failed) {
			*ret_failed = name;
			*ret_verdict = verdict;
		}
	}
	return r;
}

int load_check(const struct loaded *loaded, int checker_fd, struct error **error)
{
	struct checking checking = { .loaded = loaded, .checker_fd = checker_fd };
	cleanup_free bool *passed = calloc(loaded->recipe->module_count, sizeof(*passed));
	struct checker_verdict verdict = { 0 };
	const char *failed = NULL;
	size_t known;
	int r = passed ? read_file(loaded->target->kernel->build_fd, "Module.symvers",
				   CHECKER_SYMVERS_MAXIMUM, &checking.symbols, error)
		       : out_of_memory(error);

	if (r == 0)
		r = check_dependencies(&checking, error);
	/* As the signer does: each behind what those export that will load. */
	do {
		known = checking.symbols.length;
		if (r == 0)
			r = check_round(&checking, passed, &failed, &verdict, error);
	} while (r == 0 && failed && checking.symbols.length > known);
	if (r == 0 && failed)
		r = refuse(&checking, failed, &verdict, error);
	text_clear(&checking.symbols);
	return r;
}
