/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * build.json of a build that came in an archive: what it is was checked here, how it was made is
 * not known, and is not said.
 */
#include <string.h>

#include "lib/base/memfd.h"
#include "orchestrator/load.h"
#include "orchestrator/record_parts.h"

static json_t *digest_value(const struct digest *digest)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(digest, hex);
	return json_string(hex);
}

int load_record(const struct loading *loading, const struct target *target,
		const struct recipe *recipe, const struct signed_set *set, int *ret_fd,
		struct error **error)
{
	cleanup_free char *name = sanitised(loading->name);
	cleanup_json json_t *record = NULL;
	cleanup_free char *text = NULL;

	if (name)
		record = json_pack(
			"{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:o}, s:{s:{s:o}}, "
			"s:o, s:{s:I, s:s, s:s}}",
			"schema", "kmodbox-build", "schema_version", RECORD_VERSION, "kmodbox",
			KMODBOX_VERSION, "module", recipe->package_name, "version",
			recipe->package_version, "kernel", target->release, "architecture",
			target->architecture, "origin", "kind", "loaded from a tarball", "name",
			name, "sha256", digest_value(&loading->archive), "inputs", "source",
			"sha256", digest_value(&loading->source.digest), "artifacts",
			record_artifacts(set), "ticket", "serial", (json_int_t)set->ticket.serial,
			"certificate", set->ticket.certificate_subject, "hash", set->ticket.hash);
	text = record ? json_to_text(record) : NULL;
	if (!text)
		return error_set_errno(error, ENOMEM, "build record");
	return memfd_from_bytes("build.json", text, strlen(text), ret_fd, error);
}
