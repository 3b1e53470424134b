/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What became of what a verb worked on, see results.h. */
#include "orchestrator/results.h"

#include <string.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "orchestrator/record_parts.h"

#define SCHEMA_VERSION 1
#define RECORD_MAXIMUM (UINT64_C(16) << 20)
#define RESULTS_MAXIMUM (UINT64_C(256) << 20)

int results_open(struct results *results, struct error **error)
{
	return memfd_new("results", &results->fd, error);
}

void results_close(struct results *results)
{
	results->fd = close_fd(results->fd);
	results->record_fd = close_fd(results->record_fd);
	free(results->log);
	results->log = NULL;
}

static void take_build(struct results *results, int record_fd, char *log)
{
	(void)close_fd(results->record_fd);
	results->record_fd = record_fd;
	free(results->log);
	results->log = log;
}

void results_take_build(const struct orchestrator *orchestrator, int record_fd, char *log)
{
	if (orchestrator->results)
		take_build(orchestrator->results, fcntl(record_fd, F_DUPFD_CLOEXEC, 3), log);
	else
		free(log);
}

/* Our own words, which were sealed before anybody else had them. NULL: there is none. */
static json_t *record_of(const struct results *results)
{
	const uint8_t *bytes;
	size_t size;
	json_t *record;

	if (results->record_fd < 0)
		return json_null();
	if (memfd_map(results->record_fd, RECORD_MAXIMUM, &bytes, &size, NULL) < 0)
		return NULL;
	record = json_loadb((const char *)bytes, size, 0, NULL);
	memfd_unmap(bytes, size);
	return record;
}

static const char *state_of(const struct orchestrator *orchestrator, const struct package *package,
			    const struct target *target)
{
	enum state state;

	return package->module && package->version &&
			       package_state(orchestrator, package, target, &state, NULL) == 0
		       ? state_name(state)
		       : NULL;
}

/* result: NULL: reason says it. */
static void add(const struct orchestrator *orchestrator, const struct package *package,
		const struct target *target, const char *result, const struct error *reason)
{
	struct results *results = orchestrator->results;
	cleanup_free char *message = reason ? error_describe(reason) : NULL;
	int code = error_code(reason);
	cleanup_json json_t *object = NULL;
	cleanup_free char *text = NULL;

	if (!results)
		return;
	if (reason && code == 0)
		code = EXIT_INFRASTRUCTURE;
	if (!result)
		result = code == 0 ? "done" : code == EXIT_SKIPPED ? "skipped" : "failed";
	object = json_pack("{s:s?, s:s?, s:s?, s:s?, s:s, s:i, s:o, s:s?, s:s?, s:o}", "module",
			   package->module, "version", package->version, "kernel",
			   target ? target->release : NULL, "architecture",
			   target ? target->architecture : NULL, "result", result, "exit_code",
			   code, "message", message ? record_text(message) : json_null(), "state",
			   state_of(orchestrator, package, target), "log", results->log, "record",
			   record_of(results));
	text = object ? json_to_text(object) : NULL;
	take_build(results, -1, NULL);
	results->failed = results->failed || reason;
	/* With its NUL: a process that is killed here leaves none, and half an object is none. */
	if (!text || write_all(results->fd, text, strlen(text) + 1) < 0)
		log_warning(orchestrator->log, "%s/%s is left out of the JSON: no memory is left",
			    package->module ? package->module : "?",
			    package->version ? package->version : "?");
}

void results_add(const struct orchestrator *orchestrator, const struct package *package,
		 const struct target *target, const struct error *reason)
{
	add(orchestrator, package, target, NULL, reason);
}

void results_add_deferred(const struct orchestrator *orchestrator, const struct package *package,
			  const struct target *target)
{
	add(orchestrator, package, target, "deferred", NULL);
}

static int print(const struct text *list, enum verb verb, int code)
{
	const char *separator = "";
	const char *end;

	(void)printf("{\n  \"exit_code\": %d,\n  \"kmodbox\": \"%s\",\n  \"results\": [", code,
		     KMODBOX_VERSION);
	for (const char *at = list->data;
	     (end = memchr(at, '\0', list->length - (size_t)(at - list->data))); at = end + 1) {
		(void)printf("%s\n%s", separator, at);
		separator = ",";
	}
	(void)printf("  ],\n  \"schema\": \"kmodbox-results\",\n  \"schema_version\": %d,\n"
		     "  \"verb\": \"%s\"\n}\n",
		     SCHEMA_VERSION, verb_name(verb));
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -EIO;
}

int results_print(const struct results *results, enum verb verb, int code, const struct log *log)
{
	cleanup_error struct error *error = NULL;
	cleanup_text struct text list = { 0 };
	int r = lseek(results->fd, 0, SEEK_SET) < 0 ? error_set_errno(&error, errno, "results") : 0;

	if (r == 0)
		r = read_fd(results->fd, RESULTS_MAXIMUM, &list, &error);
	if (r == 0 && print(&list, verb, code) < 0)
		r = error_set_errno(&error, EIO, "standard output");
	if (r == 0)
		return code;
	log_error(log, error);
	return EXIT_INFRASTRUCTURE;
}
