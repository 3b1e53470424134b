/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last words of a sandboxed program, for the one error message that is made of them. */
#ifndef KMODBOX_RECIPES_OUTPUT_TAIL_H
#define KMODBOX_RECIPES_OUTPUT_TAIL_H

#include "lib/base/text.h"

/* As sandbox_spec's output, with a struct text as context: keeps the first 64 KiB. */
void output_keep(void *text, const void *bytes, size_t length);
/* The last line that is not empty, sanitised, at most 300 bytes of it; NULL if there is none. */
char *output_last_line(const struct text *text) must_check;

#endif
