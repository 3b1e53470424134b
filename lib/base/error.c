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

static int positive(int errnum)
{
	return errnum == 0 ? EIO : abs(errnum);
}

/* Puts a new outermost error before the chain. */
static printf_like(5, 0) int push(struct error **error, int code, int errnum, const char *suffix,
				  const char *format, va_list arguments)
{
	struct error *outer = error ? calloc(1, sizeof(*outer)) : NULL;
	cleanup_free char *text = NULL;

	if (!error)
		return -errnum;
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	if (outer && text)
		outer->text = format_string("%s%s%s", text, *suffix ? ": " : "", suffix);
	if (!outer || !outer->text) {
		free(outer);
		/* A chain that is there already says more than this. */
		if (!*error)
			*error = (struct error *)&out_of_memory;
		return -errnum;
	}
	outer->number = errnum;
	outer->code = code;
	outer->cause = *error;
	*error = outer;
	return -errnum;
}

int error_set_errno(struct error **error, int errnum, const char *format, ...)
{
	char buffer[128];
	va_list arguments;
	int r;

	errnum = positive(errnum);
	va_start(arguments, format);
	r = push(error, 0, errnum, strerror_r(errnum, buffer, sizeof(buffer)), format, arguments);
	va_end(arguments);
	return r;
}

int error_refuse(struct error **error, int code, int errnum, const char *format, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = push(error, code, positive(errnum), "", format, arguments);
	va_end(arguments);
	return r;
}

int error_context(struct error **error, const char *format, ...)
{
	va_list arguments;
	int r;

	va_start(arguments, format);
	r = push(error, 0, error && *error ? error_number(*error) : EIO, "", format, arguments);
	va_end(arguments);
	return r;
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
