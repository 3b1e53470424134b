/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON by jansson: records and --json output. Written with sorted keys and two blanks, so the same
 * facts give the same bytes. Never linked into signer or installer.
 */
#ifndef KMODBOX_BASE_JSON_H
#define KMODBOX_BASE_JSON_H

#include <jansson.h>

#include "lib/base/cleanup.h"
#include "lib/base/digest.h"
#include "lib/base/error.h"

static inline void cleanup_json_function(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}
#define cleanup_json cleanup(cleanup_json_function)

/* Sorted, indented, with a newline at its end; NULL if memory is out. */
char *json_to_text(const json_t *json) must_check;
/* Parses exactly one value of at most maximum bytes from a descriptor. New reference. */
int json_from_fd(int fd, size_t maximum, json_t **ret_json, struct error **error) must_check;

#endif
