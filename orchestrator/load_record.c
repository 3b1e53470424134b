/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * build.json of a build that came in an archive: what it is was checked here, how it was made is
 * not known, and is not said.
 */
#include <string.h>

#include "lib/artifacts/build_files.h"
#include "lib/base/memfd.h"
#include "orchestrator/load.h"
#include "orchestrator/record_parts.h"

static json_t *digest_value(const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	return json_string(hex);
}

/* What the archive says that they were built with. */
static json_t *dependencies(const struct loaded *loaded)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < loaded->data_count; i++) {
		const struct loaded_data *data = &loaded->data[i];

		if (data->version)
			(void)json_array_append_new(
				array, json_pack("{s:s, s:s}", "module",
						 data->name + strlen(BUILD_DEPENDENCY_MARK),
						 "version", data->version));
	}
	return array;
}

static json_t *origin(const struct loaded *loaded)
{
	const struct loading *loading = loaded->loading;
	cleanup_free char *name = sanitised(loading->name);

	return name ? json_pack("{s:s, s:s, s:o, s:o}", "kind", "loaded from a tarball", "name",
				name, "sha256", digest_value(&loading->archive), "dependencies",
				dependencies(loaded))
		    : NULL;
}

int load_record(const struct loaded *loaded, const struct signed_set *set, int *ret_fd,
		struct error **error)
{
	const struct recipe *recipe = loaded->recipe;
	cleanup_json json_t *record = NULL;
	cleanup_free char *text = NULL;

	record = json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:o, s:{s:{s:o}}, s:o, "
		"s:{s:I, s:s, s:s}}",
		"schema", "kmodbox-build", "schema_version", RECORD_VERSION, "kmodbox",
		KMODBOX_VERSION, "module", recipe->package_name, "version", recipe->package_version,
		"kernel", loaded->target->release, "architecture", loaded->target->architecture,
		"origin", origin(loaded), "inputs", "source", "sha256",
		digest_value(&loaded->loading->source.digest), "artifacts", record_artifacts(set),
		"ticket", "serial", (json_int_t)set->ticket.serial, "certificate",
		set->ticket.certificate_subject, "hash", set->ticket.hash);
	text = record ? json_to_text(record) : NULL;
	if (!text)
		return error_set_errno(error, ENOMEM, "build record");
	return memfd_from_bytes("build.json", text, strlen(text), ret_fd, error);
}
