/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What came of a command in a sandbox, see sandbox_report.h. What it was called by may be anything.
 */
#include "orchestrator/sandbox_report.h"

#include <stdio.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/text.h"
#include "orchestrator/profiles.h"
#include "orchestrator/record_parts.h"

#define SCHEMA_VERSION 1

static json_t *command(const struct options *options)
{
	json_t *list = json_array();

	for (size_t i = 0; list && options->command[i]; i++)
		(void)json_array_append_new(list, record_text(options->command[i]));
	return list;
}

static const char *end_name(enum sandbox_end end)
{
	switch (end) {
	case SANDBOX_EXITED:
		return "exited";
	case SANDBOX_SIGNALLED:
		return "signalled";
	case SANDBOX_LIMIT:
		return "limit";
	case SANDBOX_CANCELLED:
	default:
		return "cancelled";
	}
}

/* What only one that was run has. */
static json_t *result_to_json(const struct sandbox_result *result)
{
	bool by_itself = result->end == SANDBOX_EXITED || result->end == SANDBOX_SIGNALLED;
	json_t *calls = json_array();
	uint64_t others = record_append_denied(calls, "command", result->denied);
	json_t *usage = json_pack("{s:I, s:I}", "largest_resident_bytes",
				  (json_int_t)result->usage.ru_maxrss * 1024, "output_bytes",
				  (json_int_t)result->output_bytes);

	if (record_add_usage(usage, result) < 0) {
		json_decref(usage);
		usage = NULL;
	}
	return json_pack("{s:s, s:o, s:s?, s:o, s:o, s:{s:o, s:I}}", "end", end_name(result->end),
			 "status", by_itself ? json_integer(result->status) : json_null(), "limit",
			 result->limit[0] ? result->limit : NULL, "usage", usage, "layers",
			 record_layers(result), "denied", "calls", calls, "others",
			 (json_int_t)others);
}

static json_t *outcome_to_json(const struct sandbox_outcome *outcome)
{
	const struct profile *settings = outcome->settings;
	const char *profile = outcome->options->profile;
	cleanup_free char *message = outcome->error ? error_describe(outcome->error) : NULL;

	return json_pack("{s:s, s:i, s:s, s:o, s:s, s:o, s:i, s:o, s:o, s:o}", "schema",
			 "kmodbox-sandbox", "schema_version", SCHEMA_VERSION, "kmodbox",
			 KMODBOX_VERSION, "command", command(outcome->options), "profile",
			 profile ? profile : PROFILE_DEFAULT, "hermetic",
			 settings ? json_boolean(settings->network != PROFILE_YES) : json_null(),
			 "exit_code", outcome->exit_code, "message",
			 message ? record_text(message) : json_null(), "limits",
			 settings ? record_limits(&settings->limits) : json_null(), "result",
			 outcome->result ? result_to_json(outcome->result) : json_null());
}

int sandbox_report(const struct sandbox_outcome *outcome)
{
	cleanup_json json_t *whole = outcome_to_json(outcome);
	cleanup_free char *text = whole ? json_to_text(whole) : NULL;

	if (text && fputs(text, stdout) >= 0 && fflush(stdout) == 0)
		return outcome->exit_code;
	(void)fputs("kmodbox: the outcome could not be printed as JSON\n", stderr);
	return EXIT_INFRASTRUCTURE;
}
