/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between evaluation (bash in a sandbox: evaluate.c, with the program of script.c), its answer as a
 * table (answer.c) and validation (validate.c, exclusive.c). The answer is a sequence of
 * NAME NUL INDEX NUL VALUE NUL.
 */
#ifndef KMODBOX_RECIPES_RECIPE_INTERNAL_H
#define KMODBOX_RECIPES_RECIPE_INTERNAL_H

#include "lib/artifacts/exit_code.h"
#include "lib/artifacts/ticket.h"
#include "lib/recipes/recipe.h"

#define RECIPE_MODULES 1024    /* values of one directive; a ticket has room for as many files */
#define RECIPE_VALUE 65536     /* bytes of one value; execve(2) takes 131071 in one argument */
#define RECIPE_PATTERN 1024u   /* bytes of a pattern or a version */
#define RECIPE_UNKNOWN 64      /* variables that are no directives: as many are told */
#define RECIPE_REPORT 2097152u /* bytes of the whole answer */
_Static_assert(RECIPE_MODULES == TICKET_FILES, "what is built must fit into a ticket");

enum directive {
	DIRECTIVE_PACKAGE_NAME,
	DIRECTIVE_PACKAGE_VERSION,
	DIRECTIVE_BUILT_MODULE_NAME,
	DIRECTIVE_BUILT_MODULE_LOCATION,
	DIRECTIVE_DEST_MODULE_NAME,
	DIRECTIVE_DEST_MODULE_LOCATION,
	DIRECTIVE_STRIP,
	DIRECTIVE_MAKE,
	DIRECTIVE_MAKE_MATCH,
	DIRECTIVE_PATCH,
	DIRECTIVE_PATCH_MATCH,
	DIRECTIVE_BUILD_DEPENDS,
	DIRECTIVE_BUILD_EXCLUSIVE_KERNEL,
	DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MIN,
	DIRECTIVE_BUILD_EXCLUSIVE_KERNEL_MAX,
	DIRECTIVE_BUILD_EXCLUSIVE_ARCH,
	DIRECTIVE_BUILD_EXCLUSIVE_CONFIG,
	DIRECTIVE_LAST_ARRAY = DIRECTIVE_BUILD_EXCLUSIVE_CONFIG,
	DIRECTIVE_BUILD_DEPENDS_REBUILD,
	DIRECTIVE_AUTOINSTALL,
	DIRECTIVE_NO_WEAK_MODULES,
	DIRECTIVE_PRE_BUILD, /* the scripts, as enum recipe_script has them */
	DIRECTIVE_POST_BUILD,
	DIRECTIVE_PRE_INSTALL,
	DIRECTIVE_POST_INSTALL,
	DIRECTIVE_POST_ADD,
	DIRECTIVE_POST_REMOVE,
	DIRECTIVE_OBSOLETE_BY,
	DIRECTIVE_CLEAN, /* from here on without effect */
	DIRECTIVE_REMAKE_INITRD,
	DIRECTIVE_MODULES_CONF,
	DIRECTIVE_MODULES_CONF_OBSOLETES,
	DIRECTIVE_MODULES_CONF_ALIAS_TYPE,
	DIRECTIVE_MODULES_CONF_OBSOLETE_ONLY,
	DIRECTIVES,
	/* What bash tells beside: of each pattern "0" matches, "1" does not, else it is none. */
	ANSWER_MAKE_MATCH = DIRECTIVES,
	ANSWER_PATCH_MATCH,
	ANSWER_BUILD_EXCLUSIVE_KERNEL,
	ANSWER_BUILD_EXCLUSIVE_ARCH,
	ANSWER_NAME,	/* a module's name that stands in the text of a file */
	ANSWER_UNKNOWN, /* a variable that is set and is no directive */
	ANSWER_FILE,	/* a file begins: 0 is dkms.conf, 1 the first override */
	ANSWERS
};

/* Records that end the reading. */
#define RECIPE_LONG "@long" /* the value of directive VALUE at INDEX is too long to be told */
#define RECIPE_MANY "@many" /* directive VALUE has too many values */
#define RECIPE_END "@end"   /* the last one: all files were read to their end */

/* The report as a table. Its strings are in the report. */
struct recipe_answer {
	const char *values[ANSWERS][RECIPE_MODULES]; /* NULL: not set */
	size_t counts[ANSWERS];			     /* the highest index that is set, and one */
};

/* One validation: what there is to look at, and what comes of it. */
struct validation {
	const struct recipe_request *request;
	struct recipe_answer *answer; /* owned */
	struct recipe *recipe;	      /* owned until it is complete */
};

/* The program that bash runs, see script.c. */
extern const char recipe_script[];
/* Name of a directive, or of another answer; NULL from ANSWERS on. */
const char *recipe_answer_name(size_t index);

/*
 * The report of bash, hostile: whole, but with any records. ret_report must be cleared, ret_denied
 * freed: as in struct recipe.
 */
int recipe_report(const struct recipe_request *request, struct text *ret_report,
		  struct denied_calls **ret_denied, struct error **error) must_check;
/* Which file had begun when the report ended, as ANSWER_FILE: bash's word, for a message. */
size_t recipe_report_file(const char *report, size_t length) must_check;
/* Is there an end record? If not, a file ended the shell early. */
bool recipe_report_is_whole(const char *report, size_t length) must_check;
/* Splits a report; its strings must outlive the answer. Names and indices are checked. */
int recipe_answer_read(const struct recipe_request *request, const char *report, size_t length,
		       struct recipe_answer *answer, struct error **error) must_check;
/* The report (hostile) as a recipe, or what is wrong with it. */
int recipe_validate(const struct recipe_request *request, const char *report, size_t length,
		    struct recipe **ret_recipe, struct error **error) must_check;

/* The value, "" where it is not set. */
const char *validation_get(const struct validation *validation, enum directive directive,
			   size_t index);
/* -EINVAL, "DIRECTIVE[INDEX] is 'VALUE': REASON", code 8. */
int validation_refuse(const struct validation *validation, enum directive directive, size_t index,
		      const char *value, const char *reason, struct error **error);
/* What bash said of a pattern; that of an empty one is "matches". */
int validation_match(const struct validation *validation, enum directive directive, size_t index,
		     bool *ret_matches, struct error **error) must_check;
/* BUILD_EXCLUSIVE_* and OBSOLETE_BY, of all and of each module; the modules are known by then. */
int validation_take_exclusives(struct validation *validation, struct error **error) must_check;

/* SHA-256 over names and contents; zero for none. */
int recipe_overrides_digest(const struct recipe_request *request, struct digest *ret_digest,
			    struct error **error) must_check;
/* "dkms.conf of M V: TEXT" with this exit code; returns -errnum. */
int recipe_refuse(const struct recipe_request *request, struct error **error, int errnum, int code,
		  const char *format, ...) printf_like(5, 6);
/* At most 100 bytes of a foreign value, for a message; NULL if memory is out. */
char *recipe_shown(const char *value) must_check;
#define RECIPE_OVERRIDES_SHOWN "/etc/dkms" /* where the sandbox has the override files */
/* Where the host has them. */
static inline const char *recipe_overrides_directory(const struct recipe_request *request)
{
	return request->overrides_directory ? request->overrides_directory : RECIPE_OVERRIDES_SHOWN;
}
int recipe_out_of_memory(const struct recipe_request *request, struct error **error);

#endif
