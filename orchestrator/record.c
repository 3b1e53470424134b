/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build.json, see record.h. */
#include "orchestrator/record.h"

#include <string.h>
#include <time.h>

#include "lib/base/json.h"
#include "lib/base/memfd.h"
#include "lib/base/text.h"

#define RECORD_VERSION 1

static json_t *digest_value(const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	return json_string(hex);
}

/* JSON is UTF-8; MAKE may be anything. */
static json_t *text_value(const char *text)
{
	json_t *value = json_string(text);
	cleanup_free char *shown = value ? NULL : sanitised(text);

	return value ? value : json_string(shown);
}

static json_t *time_value(uint64_t seconds)
{
	time_t moment = (time_t)seconds;
	struct tm utc;
	char text[32];

	(void)gmtime_r(&moment, &utc);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_string(text);
}

static json_t *toolchain(const struct toolchain *tools)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < tools->count; i++) {
		const struct tool *tool = &tools->tools[i];
		struct digest digest;

		/* NULL makes the record incomplete, which record_make() refuses. */
		if (toolchain_digest(tool, &digest, NULL) < 0) {
			json_decref(list);
			return NULL;
		}
		(void)json_array_append_new(list,
					    json_pack("{s:s, s:s, s:o}", "name", tool->name, "path",
						      tool->path, "sha256", digest_value(&digest)));
	}
	return list;
}

static json_t *inputs(const struct build *build, const struct digest *headers)
{
	const struct kernel *kernel = build->target->kernel;

	return json_pack(
		"{s:{s:o}, s:{s:o, s:o, s:o}, s:o, s:{s:s, s:o}, s:{s:o, s:i}}", "source", "sha256",
		digest_value(&build->source), "headers", "sha256", digest_value(headers),
		"config_sha256", digest_value(&kernel->config_digest), "symvers_sha256",
		digest_value(&kernel->symvers_digest), "toolchain", toolchain(build->toolchain),
		"profile", "name", build->orchestrator->profile, "sha256",
		digest_value(&build->orchestrator->profile_digest), "make", "command",
		text_value(build->command), "jobs", (int)build->jobs);
}

static json_t *layers(const struct sandbox_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < result->layer_count; i++) {
		const struct sandbox_layer *layer = &result->layers[i];
		json_t *entry = json_pack("{s:s, s:s, s:b}", "name", layer->name, "reason",
					  layer->reason, "active", layer->active);

		if (entry && !layer->active)
			(void)json_object_set_new(entry, "absent_because",
						  json_string(layer->absent_because));
		(void)json_array_append_new(list, entry);
	}
	return list;
}

static json_t *limits(void)
{
	const struct sandbox_limits limits = sandbox_limits_default();

	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "wall_seconds",
		(json_int_t)limits.wall_milliseconds / 1000, "silence_seconds",
		(json_int_t)limits.silence_milliseconds / 1000, "cpu_seconds",
		(json_int_t)limits.cpu_seconds, "processes", (json_int_t)limits.processes,
		"open_files", (json_int_t)limits.open_files, "file_bytes",
		(json_int_t)limits.file_bytes, "memory_bytes", (json_int_t)limits.memory_bytes,
		"scratch_bytes", (json_int_t)limits.scratch_bytes, "scratch_inodes",
		(json_int_t)limits.scratch_inodes, "log_bytes", (json_int_t)limits.log_bytes);
}

static json_t *times(const struct build *build)
{
	const struct sandbox_result *result = &build->result;

	return json_pack("{s:o, s:o, s:I, s:I, s:I}", "started", time_value(build->started),
			 "finished", time_value(build->finished), "wall_milliseconds",
			 (json_int_t)result->wall_milliseconds, "user_milliseconds",
			 (json_int_t)(result->usage.ru_utime.tv_sec * 1000 +
				      result->usage.ru_utime.tv_usec / 1000),
			 "system_milliseconds",
			 (json_int_t)(result->usage.ru_stime.tv_sec * 1000 +
				      result->usage.ru_stime.tv_usec / 1000));
}

static json_t *artifacts(const struct signed_set *set)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < set->count; i++) {
		const struct signed_file *file = &set->files[i];
		const struct signer_verdict *verdict = &file->result.verdict;

		(void)json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o, s:o, s:I, s:{s:s, s:i, s:s, s:s, s:s}}", "name",
				  file->result.name, "directory", file->request.directory,
				  "unsigned_sha256", digest_value(&verdict->unsigned_digest),
				  "sha256", digest_value(&file->result.digest), "size",
				  (json_int_t)file->result.size, "verdict", "outcome", "will load",
				  "imports", (int)verdict->checker.imports, "vermagic",
				  verdict->checker.vermagic, "license", verdict->checker.license,
				  "text", verdict->checker.text));
	}
	return list;
}

int record_make(const struct build *build, const struct digest *headers,
		const struct signed_set *set, int *ret_fd, struct error **error)
{
	cleanup_json json_t *record = NULL;
	cleanup_free char *text = NULL;

	record = json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:s, s:s}}",
		"schema", "kmodbox-build", "schema_version", RECORD_VERSION, "kmodbox",
		KMODBOX_VERSION, "module", build->recipe->package_name, "version",
		build->recipe->package_version, "kernel", build->target->release, "architecture",
		build->target->architecture, "inputs", inputs(build, headers), "layers",
		layers(&build->result), "limits", limits(), "times", times(build), "artifacts",
		artifacts(set), "ticket", "serial", (json_int_t)set->ticket.serial, "certificate",
		set->ticket.certificate_subject, "hash", set->ticket.hash);
	text = record ? json_to_text(record) : NULL;
	if (!text)
		return error_set_errno(error, ENOMEM, "build record");
	return memfd_from_bytes("build.json", text, strlen(text), ret_fd, error);
}
