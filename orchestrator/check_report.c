/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See check_report.h. */
#include "orchestrator/check_report.h"

#include <string.h>

#include "orchestrator/check_kernel.h"
#include "orchestrator/record_parts.h"

#define SCHEMA_VERSION 1

static json_t *reasons_to_json(const struct check_report *report)
{
	const char *const lists[] = { report->verdict->text, report->warnings };
	json_t *reasons = json_array();

	for (size_t i = 0; reasons && i < ARRAY_SIZE(lists); i++) {
		for (const char *line = lists[i]; *line;) {
			const size_t length = strcspn(line, "\n");
			const bool warning = string_starts_with(line, "warning: ");
			const bool policy = string_starts_with(line, "policy: ");
			const size_t skipped = warning	? strlen("warning: ")
					       : policy ? strlen("policy: ")
							: 0;

			if (!(length == strlen("will load") &&
			      string_starts_with(line, "will load")))
				(void)json_array_append_new(reasons,
							    json_pack("{s:s, s:s%}", "severity",
								      warning  ? "warning"
								      : policy ? "policy"
									       : "error",
								      "text", line + skipped,
								      length - skipped));
			line += length + (line[length] == '\n');
		}
	}
	return reasons;
}

/* separator: between values of one line; "": there is one. */
static json_t *values_to_json(const struct check_report *report, const char *key,
			      const char *separator)
{
	const char *line = report->description;
	json_t *list = json_array();
	char *value;

	while (list && (value = check_next_value(&line, key))) {
		for (char *rest = value, *one; (one = strsep(&rest, separator));) {
			if (*one)
				(void)json_array_append_new(list, json_string(one));
		}
		free(value);
	}
	return list;
}

static json_t *marks_to_json(uint64_t marks)
{
	json_t *list = json_array();

	for (unsigned bit = 0; list && bit < 64; bit++) {
		const uint64_t mark = UINT64_C(1) << bit;

		if (marks & mark && mark <= CHECKER_MARK_BUILD_ID)
			(void)json_array_append_new(
				list, json_string(checker_mark_name((enum checker_mark)mark)));
	}
	return list;
}

json_t *check_report_to_json(const struct check_report *report)
{
	const struct checker_verdict *verdict = report->verdict;
	cleanup_free char *problem = report->error ? error_describe(report->error) : NULL;
	const char *errnum = verdict->errnum > 0 ? strerrorname_np(verdict->errnum) : NULL;

	return json_pack(
		"{s:s, s:i, s:s, s:o, s:s?, s:s?, s:s, s:s?, s:o, s:o, s:s?, s:s?, s:s?, s:o, s:o,"
		" s:o, s:o, s:i}",
		"schema", "kmodbox-check", "schema_version", SCHEMA_VERSION, "kmodbox",
		KMODBOX_VERSION, "file", record_text(report->path), "module", report->module,
		"kernel", report->kernel, "verdict", report->outcome, "errno",
		verdict->outcome == CHECKER_WILL_NOT_LOAD ? errnum : NULL, "reasons",
		reasons_to_json(report), "message", problem ? record_text(problem) : json_null(),
		"vermagic", *verdict->vermagic ? verdict->vermagic : NULL, "license",
		*verdict->license ? verdict->license : NULL, "compiler",
		*verdict->compiler ? verdict->compiler : NULL, "marks",
		marks_to_json(verdict->marks), "imports", values_to_json(report, "import", ""),
		"depends", values_to_json(report, "depends", ","), "aliases",
		values_to_json(report, "alias", ""), "exit_code", report->exit_code);
}
