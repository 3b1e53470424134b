/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between evaluation (bash in a sandbox, evaluate.c) and validation (its answer as data,
 * validate.c). The answer is a sequence of NAME NUL INDEX NUL VALUE NUL.
 */
#ifndef KMODBOX_RECIPES_RECIPE_INTERNAL_H
#define KMODBOX_RECIPES_RECIPE_INTERNAL_H

#include "lib/recipes/recipe.h"

/* Records that are no directives. */
#define RECIPE_KERNEL_VERDICT "@kernel" /* value "0" matches, "1" does not, else: bad pattern */
#define RECIPE_ARCH_VERDICT "@arch"
#define RECIPE_END "@end" /* the last one: the file was read to its end */

#define RECIPE_DIRECTIVES 27u
#define RECIPE_RECORDS 8192u
#define RECIPE_MODULES 1024u
#define RECIPE_PATTERN 1024u

/* The names of the directives that evaluation asks for; NULL behind the last. */
const char *recipe_directive(size_t index);
/* Is there an end record? If not, the file ended the shell early. */
bool recipe_report_is_whole(const char *report, size_t length) must_check;
/* The report (hostile) as a recipe, or what is wrong with it. */
int recipe_validate(const struct recipe_request *request, const char *report, size_t length,
		    struct recipe **ret_recipe, struct error **error) must_check;

/* "dkms.conf of M V: TEXT" with this exit code; returns -errnum. */
int recipe_refuse(const struct recipe_request *request, struct error **error, int errnum, int code,
		  const char *format, ...) printf_like(5, 6);

#endif
