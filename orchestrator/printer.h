/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What runs in a sandbox prints on standard output, or another descriptor of ours: as it is into a
 * file or a pipe, and to a person's terminal only through the filter of terminal_filter.h. Hostile
 * bytes in.
 */
#ifndef KMODBOX_ORCHESTRATOR_PRINTER_H
#define KMODBOX_ORCHESTRATOR_PRINTER_H

#include "orchestrator/terminal_filter.h"

struct printer {
	int fd;
	bool filtered; /* it is a terminal */
	struct terminal_filter filter;
};

/* Borrows fd. */
struct printer printer_begin(int fd);
/* An output function of struct sandbox_spec; context is a struct printer. */
void printer_output(void *context, const void *bytes, size_t length);
/* Gives a terminal its usual looks back. */
void printer_end(const struct printer *printer);
/* Does the environment (LC_ALL, LC_CTYPE, LANG) say that the terminal takes UTF-8? */
bool printer_takes_utf8(void);

#endif
