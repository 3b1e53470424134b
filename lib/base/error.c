/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors with a cause chain. Trusts its callers' formats; texts are sanitised where they are shown.
 */
#include "lib/base/error.h"

#include <stdarg.h>
#include <string.h>

#include "lib/base/text.h"

struct error {
	int number;
	int code;
	char *text;
	struct error *cause;
};

/* Never freed and never written: several chains may end in it. */
static const struct error out_of_memory = { .number = ENOMEM, .text = (char *)"out of memory" };

static bool is_static(const struct error *error)
{
	return error == &out_of_memory;
}

/* Consumes text, which is NULL when there was no memory for it. */
static void push(struct error **error, int number, char *text)
{
	struct error *outer = text ? calloc(1, sizeof(*outer)) : NULL;

	if (!outer) {
		free(text);
		/* A chain that is there already says more than this. */
		if (!*error)
			*error = (struct error *)&out_of_memory;
		return;
	}
	*outer = (struct error){ .number = number, .text = text, .cause = *error };
	*error = outer;
}

static int positive(int errnum)
{
	return errnum == 0 ? EIO : abs(errnum);
}

int error_set(struct error **error, int errnum, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	errnum = positive(errnum);
	if (!error)
		return -errnum;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	push(error, errnum, text);
	return -errnum;
}

int error_set_errno(struct error **error, int errnum, const char *format, ...)
{
	cleanup_free char *text = NULL;
	char buffer[128];
	va_list arguments;

	errnum = positive(errnum);
	if (!error)
		return -errnum;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	push(error, errnum,
	     text ? format_string("%s: %s", text, strerror_r(errnum, buffer, sizeof(buffer)))
		  : NULL);
	return -errnum;
}

int error_context(struct error **error, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	int errnum;

	if (!error)
		return -EIO;
	errnum = *error ? error_number(*error) : EIO;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	push(error, errnum, text);
	return -errnum;
}

void error_set_code(struct error *error, int code)
{
	if (error && !is_static(error))
		error->code = code;
}

int error_number(const struct error *error)
{
	if (!error)
		return 0;
	while (error->cause)
		error = error->cause;
	return error->number;
}

int error_code(const struct error *error)
{
	for (; error; error = error->cause)
		if (error->code)
			return error->code;
	return 0;
}

char *error_describe(const struct error *error)
{
	cleanup_text struct text text = { 0 };

	for (; error; error = error->cause)
		if (text_append_string(&text, error->text) < 0 ||
		    (error->cause && text_append_string(&text, ": ") < 0))
			return NULL;
	return text_take(&text);
}

struct error *error_free(struct error *error)
{
	while (error && !is_static(error)) {
		struct error *cause = error->cause;

		free(error->text);
		free(error);
		error = cause;
	}
	return NULL;
}
