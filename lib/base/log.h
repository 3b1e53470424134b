/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a program tells a person while it works: one place that knows about quiet and verbose. Only
 * main() owns a log; library code is handed one or stays silent. Every line is sanitised here.
 */
#ifndef KMODBOX_BASE_LOG_H
#define KMODBOX_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/cleanup.h"
#include "lib/base/error.h"

struct log {
	FILE *out; /* progress and results; NULL: none */
	FILE *err; /* warnings and errors */
	const char *program;
	bool quiet; /* errors only */
};

/* Progress, a line, to out. */
void log_info(const struct log *log, const char *format, ...) printf_like(2, 3);
/* "kmodbox: warning: ..." to err. */
void log_warning(const struct log *log, const char *format, ...) printf_like(2, 3);
/* "kmodbox: the chain" to err. */
void log_error(const struct log *log, const struct error *error);

#endif
