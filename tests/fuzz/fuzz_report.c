/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any bytes as what a taken-over checker says of a module, its verdict and its
 * description, through the client's sanitising into the JSON of `kmodbox check`. That must be JSON
 * that can be read back, without a byte that steers a terminal. The first byte tells the outcome,
 * the second where the verdict's strings end and the description begins; the corpus is
 * tests/fuzz/corpus/report.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/json.h"
#include "orchestrator/check_report.h"
#include "tests/fuzz/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(char *field, size_t room, const uint8_t **data, size_t *size)
{
	const size_t length = *size < room ? *size : room;

	if (length > 0)
		memcpy(field, *data, length);
	*data += length;
	*size -= length;
}

/* As checker_answer() gives them. */
static char *describe(const uint8_t *data, size_t size)
{
	char *lines = malloc(size + 1);

	promise(lines);
	if (size > 0)
		memcpy(lines, data, size);
	lines[size] = '\0';
	checker_lines_sanitise(lines, size);
	return lines;
}

static void check(const json_t *whole)
{
	char *text = json_to_text(whole);
	json_t *again;

	promise(text);
	for (const char *at = text; *at; at++)
		promise(*at == '\n' || (*at >= ' ' && *at <= '~'));
	again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	promise(again && json_equal(again, whole));
	promise(json_is_string(json_object_get(again, "verdict")));
	promise(json_is_array(json_object_get(again, "reasons")));
	json_decref(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const outcomes[] = { "will-load", "will-not-load", "policy" };
	const unsigned outcome = size > 0 ? data[0] % 3 : 0;
	size_t strings = size > 1 ? data[1] * 8u : 0;
	struct checker_verdict verdict = { .outcome = 1 + outcome,
					   .errnum = outcome > 0 ? 1 + (int)(size % 133) : 0,
					   .marks = size * 0x9e3779b97f4a7c15u };
	struct check_report report = { .path = "/x/a.ko",
				       .module = "a",
				       .kernel = "6.1.0",
				       .outcome = outcomes[outcome],
				       .verdict = &verdict,
				       .warnings = "warning: a: b\n" };
	char *description;
	json_t *whole;

	data += size > 1 ? 2 : size;
	size -= size > 1 ? 2 : size;
	strings = strings < size ? strings : size;
	size -= strings;
	fill(verdict.license, sizeof(verdict.license), &data, &strings);
	fill(verdict.vermagic, sizeof(verdict.vermagic), &data, &strings);
	fill(verdict.compiler, sizeof(verdict.compiler), &data, &strings);
	fill(verdict.text, sizeof(verdict.text), &data, &strings);
	data += strings;
	checker_verdict_sanitise(&verdict);
	description = describe(data, size);
	report.description = description;
	whole = check_report_to_json(&report);
	promise(whole);
	check(whole);
	json_decref(whole);
	free(description);
	return 0;
}
