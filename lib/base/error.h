/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors with a cause chain. A fallible function returns 0 or a negative errno and, for the person
 * who reads it, leaves a struct error in its last parameter, which may be NULL. The error is
 * untouched on success. Idea: libcrun_error_t of crun, GError of GLib.
 */
#ifndef KMODBOX_BASE_ERROR_H
#define KMODBOX_BASE_ERROR_H

#include "lib/base/cleanup.h"

struct error;

/*
 * Leaves an error with this text, which must be whole (name, reason, remedy). Returns -errnum.
 * *error, if not NULL already, becomes the new one's cause. Out of memory still gives an error:
 * a static one that says so.
 */
#define error_set(error, errnum, ...) error_refuse((error), 0, (errnum), __VA_ARGS__)
/* As error_set(), with ": " and the text of errnum appended. */
int error_set_errno(struct error **error, int errnum, const char *format, ...) printf_like(3, 4);
/* As error_set(), with an exit code for main(). */
int error_refuse(struct error **error, int code, int errnum, const char *format, ...)
	printf_like(4, 5);
/*
 * Puts what was being done before what went wrong: "build of evdi failed: make exited with 2".
 * Returns -errno of what *error holds (of -EIO if it holds nothing).
 */
int error_context(struct error **error, const char *format, ...) printf_like(2, 3);
/* Gives the error an exit code for main(); the outermost non-zero code of a chain counts. */
void error_set_code(struct error *error, int code);

int error_number(const struct error *error); /* positive errno of the innermost; 0 for NULL */
int error_code(const struct error *error);   /* 0 where none was set */
/* "outermost: ...: innermost", allocated; NULL if memory is out. */
char *error_describe(const struct error *error);

/* Frees the whole chain; accepts NULL; returns NULL. */
struct error *error_free(struct error *error);
static inline void cleanup_error_function(struct error **error)
{
	*error = error_free(*error);
}
#define cleanup_error cleanup(cleanup_error_function)

#endif
