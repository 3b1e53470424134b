/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build.json, see record.h. */
#include "orchestrator/record.h"

#include <string.h>
#include <time.h>

#include "lib/base/json.h"
#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "orchestrator/record_parts.h"
#include "orchestrator/script.h"
#include "sandbox/limit_text.h"

static json_t *digest_value(const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	return json_string(hex);
}

json_t *record_text(const char *text)
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

static json_t *toolchain(const struct build *build)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < build->toolchain->count; i++) {
		const struct tool *tool = &build->toolchain->tools[i];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:o}", "name", tool->name, "path", tool->path,
					"sha256", digest_value(inputs_tool(build->inputs, i))));
	}
	return list;
}

static json_t *text_digest(const struct text *text)
{
	struct digest digest;

	return digest_bytes(text->data, text->length, &digest, NULL) < 0 ? NULL
									 : digest_value(&digest);
}

/* null where there is nothing that it would be the digest of */
static json_t *digest_or_null(const struct digest *digest)
{
	static const struct digest none;

	return digest_equal(digest, &none) ? json_null() : digest_value(digest);
}

static json_t *texts(char *const *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < count; i++)
		(void)json_array_append_new(array, record_text(list[i]));
	return array;
}

static json_t *scripts(const struct recipe *recipe)
{
	json_t *object = json_object();

	for (enum recipe_script i = 0; object && i < RECIPE_SCRIPTS; i++) {
		if (recipe->scripts[i])
			(void)json_object_set_new(object, script_name(i),
						  record_text(recipe->scripts[i]));
	}
	return object;
}

static json_t *excluded(const struct recipe *recipe)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < recipe->module_count; i++) {
		const struct recipe_module *module = &recipe->modules[i];

		if (module->excluded)
			(void)json_array_append_new(
				array, json_pack("{s:s, s:o}", "name", module->dest_name, "reason",
						 record_text(module->excluded)));
	}
	return array;
}

static json_t *recipe(const struct build *build)
{
	const struct recipe *recipe = build->recipe;
	const struct options *options = build->orchestrator->options;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "overrides_sha256",
			 digest_or_null(&recipe->overrides), "overlay_sha256",
			 digest_or_null(&build->overlay->digest), "directives",
			 texts(options->directives, options->directive_count), "patches",
			 texts(recipe->patches, recipe->patch_count), "scripts", scripts(recipe),
			 "excluded", excluded(recipe), "unknown",
			 texts(recipe->unknown, recipe->unknown_count), "deprecated",
			 texts(recipe->deprecated, recipe->deprecated_count));
}

static void append_setting(json_t *array, const char *key, const char *value)
{
	cleanup_free char *shown = sanitised(value);

	if (array && shown)
		(void)json_array_append_new(array, json_sprintf("%s = %s", key, shown));
}

/* What root allowed this module beyond what builds may, in words. */
static json_t *exceptions(const struct module_settings *settings)
{
	json_t *array = json_array();

	if (settings->profile)
		append_setting(array, "profile", settings->profile);
	if (settings->writable_source)
		append_setting(array, "source",
			       settings->writable_source == PROFILE_YES ? "writable" : "read-only");
	for (size_t i = 0; limit_text_name(i); i++) {
		cleanup_free char *value = limit_text_is_set(&settings->limits, i)
						   ? limit_text_format(&settings->limits, i)
						   : NULL;

		if (value)
			append_setting(array, limit_text_name(i), value);
	}
	for (size_t i = 0; i < settings->depend_count; i++)
		append_setting(array, "depends", settings->depends[i]);
	for (size_t i = 0; i < settings->environment_count; i++)
		append_setting(array, "environment", settings->environment[i]);
	for (size_t i = 0; i < settings->left_out_count; i++)
		append_setting(array, "leave_out", settings->left_out[i]);
	for (size_t i = 0; i < settings->extra_output_count; i++)
		append_setting(array, "extra_outputs", settings->extra_outputs[i]);
	return array;
}

static json_t *dependencies(const struct dependencies *found)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < found->count; i++) {
		const struct dependency *dependency = &found->list[i];

		(void)json_array_append_new(
			array, json_pack("{s:s, s:s, s:o, s:o}", "module", dependency->module,
					 "version", dependency->version, "source_sha256",
					 digest_or_null(&dependency->source), "ticket_sha256",
					 digest_or_null(&dependency->ticket)));
	}
	return array;
}

/* Of framework.conf's build_environment. */
static json_t *build_environment(const struct orchestrator *orchestrator)
{
	const char *text = orchestrator->build_environment;
	struct digest digest;

	if (!text)
		return json_null();
	return digest_bytes(text, strlen(text), &digest, NULL) < 0 ? NULL : digest_value(&digest);
}

json_t *record_reference(const struct target *target)
{
	const struct reference *found = target->reference;
	json_t *marks = json_array();

	for (uint64_t mark = 1; marks && mark <= CHECKER_MARK_BUILD_ID; mark <<= 1)
		if (found->verdict.marks & mark)
			(void)json_array_append_new(
				marks, json_string(checker_mark_name((enum checker_mark)mark)));
	return json_pack("{s:o, s:s, s:i, s:s, s:o}", "sha256", digest_value(&found->digest),
			 "vermagic", found->verdict.vermagic, "struct_module_size",
			 (int)found->verdict.struct_module_size, "compiler",
			 found->verdict.compiler, "marks", marks);
}

static json_t *inputs(const struct build *build)
{
	const struct kernel *kernel = build->target->kernel;

	return json_pack(
		"{s:{s:o}, s:{s:o, s:o, s:o}, s:o, s:{s:s, s:o, s:o}, s:{s:o, s:i}, s:o, s:{s:o, "
		"s:o}, "
		"s:o, s:o, s:o}",
		"source", "sha256", digest_value(&build->source), "headers", "sha256",
		digest_value(inputs_headers(build->inputs)), "config_sha256",
		digest_value(&kernel->config_digest), "symvers_sha256",
		digest_value(&kernel->symvers_digest), "toolchain", toolchain(build), "profile",
		"name", build->profile->name, "sha256", text_digest(&build->profile->text),
		"policy_sha256", text_digest(&build->profile->policy), "make", "command",
		record_text(build->command), "jobs", (int)build->jobs, "recipe", recipe(build),
		"settings", "sha256", digest_or_null(&build->settings->digest), "exceptions",
		exceptions(build->settings), "dependencies", dependencies(build->dependencies),
		"build_environment_sha256", build_environment(build->orchestrator), "reference",
		record_reference(build->target));
}

json_t *record_layers(const struct sandbox_result *result)
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

uint64_t record_append_denied(json_t *list, const char *step, const struct denied_calls *calls)
{
	uint64_t others = calls ? calls->total : 0;

	for (size_t i = 0; list && calls && i < calls->count; i++) {
		const struct denied_call *call = &calls->list[i];
		cleanup_free char *program = sanitised(call->program);

		others -= call->count;
		(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "step", step,
							    "call", call->what, "program",
							    program ? program : "?", "count",
							    (json_int_t)call->count));
	}
	return others;
}

/* What was tried and refused; "others" counts those for which the lists had no place. */
static json_t *denied(const struct build *build)
{
	json_t *list = json_array();
	uint64_t others = record_append_denied(list, "dkms.conf", build->recipe->denied);

	others += record_append_denied(list, "build", build->result.denied);
	others += record_append_denied(list, "strip", build->strip_denied);
	return json_pack("{s:o, s:I}", "calls", list, "others", (json_int_t)others);
}

json_t *record_limits(const struct sandbox_limits *limits)
{
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"wall_seconds", (json_int_t)limits->wall_milliseconds / 1000, "silence_seconds",
		(json_int_t)limits->silence_milliseconds / 1000, "cpu_seconds",
		(json_int_t)limits->cpu_seconds, "processes", (json_int_t)limits->processes,
		"processors",
		limits->processors ? json_integer((json_int_t)limits->processors) : json_null(),
		"open_files", (json_int_t)limits->open_files, "file_bytes",
		(json_int_t)limits->file_bytes, "memory_bytes", (json_int_t)limits->memory_bytes,
		"total_memory_bytes", (json_int_t)limits->total_memory_bytes, "scratch_bytes",
		(json_int_t)limits->scratch_bytes, "scratch_inodes",
		(json_int_t)limits->scratch_inodes, "log_bytes", (json_int_t)limits->log_bytes,
		"artifacts", (json_int_t)limits->artifacts, "artifact_bytes",
		(json_int_t)limits->artifact_bytes);
}

static json_t *limits(const struct build *build)
{
	json_t *object = record_limits(&build->limits);

	if (object)
		(void)json_object_set_new(object, "scratch_place",
					  json_string(build->on_disk ? "disk" : "memory"));
	/* Only a cgroup knows it. */
	if (object)
		(void)json_object_set_new(
			object, "memory_peak_bytes",
			build->result.memory_peak_bytes
				? json_integer((json_int_t)build->result.memory_peak_bytes)
				: json_null());
	return object;
}

static json_t *milliseconds(struct timeval time)
{
	return json_integer((json_int_t)time.tv_sec * 1000 + time.tv_usec / 1000);
}

int record_add_usage(json_t *object, const struct sandbox_result *result)
{
	return json_object_update_new(
		object, json_pack("{s:I, s:o, s:o}", "wall_milliseconds",
				  (json_int_t)result->wall_milliseconds, "user_milliseconds",
				  milliseconds(result->usage.ru_utime), "system_milliseconds",
				  milliseconds(result->usage.ru_stime)));
}

static json_t *times(const struct build *build)
{
	json_t *object = json_pack("{s:o, s:o}", "started", time_value(build->started), "finished",
				   time_value(build->finished));

	if (record_add_usage(object, &build->result) == 0)
		return object;
	json_decref(object);
	return NULL;
}

/* What kmodbox itself took, part by part; publishing is yet to come. */
static json_t *parts(const struct build *build)
{
	json_t *object = json_object();

	for (enum build_part i = 0; object && i < PART_PUBLISH; i++)
		(void)json_object_set_new(
			object, build_part_name(i),
			json_integer(
				(json_int_t)((build->parts.nanoseconds[i] + 500000) / 1000000)));
	return object;
}

static json_t *data(const struct build *build)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < build->data_count; i++) {
		const struct artifact *artifact = &build->data[i];

		(void)json_array_append_new(array,
					    json_pack("{s:s, s:o, s:I}", "name", artifact->name,
						      "sha256", digest_value(&artifact->digest),
						      "size", (json_int_t)artifact->size));
	}
	return array;
}

json_t *record_artifacts(const struct signed_set *set)
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

/* What is known of every build, however far it came; more is added to it. */
static json_t *begin(const struct build *build)
{
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "schema",
			 "kmodbox-build", "schema_version", RECORD_VERSION, "kmodbox",
			 KMODBOX_VERSION, "module", build->recipe->package_name, "version",
			 build->recipe->package_version, "kernel", build->target->release,
			 "architecture", build->target->architecture, "hermetic",
			 build->profile->settings.network != PROFILE_YES, "layers",
			 record_layers(&build->result), "denied", denied(build), "limits",
			 limits(build), "parts", parts(build));
}

static int finish(const json_t *record, const char *name, int *ret_fd, struct error **error)
{
	cleanup_free char *text = record ? json_to_text(record) : NULL;

	if (!text)
		return error_set_errno(error, ENOMEM, "build record");
	return memfd_from_bytes(name, text, strlen(text), ret_fd, error);
}

/* Takes value. Returns 0, or -1 where memory is out. */
static int add(json_t *record, const char *key, json_t *value)
{
	return record ? json_object_set_new(record, key, value) : (json_decref(value), -1);
}

int record_make(const struct build *build, const struct signed_set *set, int *ret_fd,
		struct error **error)
{
	cleanup_json json_t *record = begin(build);

	if (add(record, "inputs", inputs(build)) < 0 || add(record, "times", times(build)) < 0 ||
	    add(record, "data", data(build)) < 0 ||
	    add(record, "artifacts", record_artifacts(set)) < 0 ||
	    add(record, "ticket",
		json_pack("{s:I, s:s, s:s}", "serial", (json_int_t)set->ticket.serial,
			  "certificate", set->ticket.certificate_subject, "hash",
			  set->ticket.hash)) < 0)
		return error_set_errno(error, ENOMEM, "build record");
	return finish(record, "build.json", ret_fd, error);
}

static json_t *failure(const struct build *build, const struct error *error)
{
	cleanup_free char *message = error_describe(error);
	bool ran = build->result.end && string_equal(build->step, "build");
	int code = error_code(error);

	return json_pack("{s:s, s:o, s:i, s:o}", "step",
			 ran ? build_stage_name(build->progress.last) : build->step, "message",
			 record_text(message ? message : "no memory"), "exit_code",
			 code ? code : EXIT_INFRASTRUCTURE, "limit",
			 build->limit[0] ? json_string(build->limit) : json_null());
}

int record_make_failed(const struct build *build, const struct error *reason, int *ret_fd,
		       struct error **error)
{
	cleanup_json json_t *record = begin(build);
	int r = add(record, "failure", failure(build, reason));

	if (r == 0 && build->inputs && build->command)
		r = add(record, "inputs", inputs(build));
	if (r == 0 && build->result.end)
		r = add(record, "times", times(build));
	return r < 0 ? error_set_errno(error, ENOMEM, "build record")
		     : finish(record, "failure.json", ret_fd, error);
}
