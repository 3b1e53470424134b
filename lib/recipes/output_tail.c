/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the output of a sandboxed program within bounds. The bytes are hostile. */
#include "lib/recipes/output_tail.h"

#define KEPT 65536u
#define SHOWN 300u

void output_keep(void *context, const void *bytes, size_t length)
{
	struct text *text = context;
	size_t room = KEPT - text->length;

	/* Without memory the message is shorter, no more. */
	ignore_result(text_append(text, bytes, length < room ? length : room));
}

char *output_last_line(const struct text *text)
{
	cleanup_text struct text line = { 0 };
	size_t end = text->length;
	size_t start;

	while (end > 0 && (text->data[end - 1] == '\n' || text->data[end - 1] == '\r'))
		end--;
	for (start = end; start > 0 && text->data[start - 1] != '\n'; start--)
		;
	if (start == end)
		return NULL;
	if (end - start > SHOWN)
		end = start + SHOWN;
	if (text_append_sanitised(&line, text->data + start, end - start, false) < 0)
		return NULL;
	return text_take(&line);
}
