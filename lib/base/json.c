/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON by jansson, which parses what our own processes wrote; still bounded and strict. */
#include "lib/base/json.h"

#include <string.h>

#include "lib/base/files.h"

char *json_to_text(const json_t *json)
{
	cleanup_free char *dumped =
		json_dumps(json, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	return dumped ? format_string("%s\n", dumped) : NULL;
}

int json_from_fd(int fd, size_t maximum, json_t **ret_json, struct error **error)
{
	cleanup_text struct text text = { 0 };
	json_error_t reason;
	json_t *json;
	int r = read_fd(fd, maximum, &text, error);

	if (r < 0)
		return r;
	json = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY,
			  &reason);
	if (!json) {
		cleanup_free char *shown = sanitised(reason.text);

		return error_set(error, EBADMSG, "not valid JSON, line %d: %s", reason.line,
				 shown ? shown : "?");
	}
	*ret_json = json;
	return 0;
}
