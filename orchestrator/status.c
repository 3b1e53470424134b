/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb status, see status.h. */
#include "orchestrator/status.h"

#include <fcntl.h>
#include <stdio.h>

#include "lib/base/json.h"
#include "orchestrator/places.h"
#include "orchestrator/state.h"

#define STATUS_SCHEMA 1

static int print_lines(const struct options *options, const struct log *log,
		       const struct state_list *list, struct error **error)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct state_entry *entry = &list->entries[i];
		cleanup_text struct text line = { 0 };

		if (state_entry_format(entry, &line) < 0)
			return error_set_errno(error, ENOMEM, "status");
		if (!options->quiet && printf("%s\n", line.data) < 0)
			return error_set_errno(error, errno, "standard output");
		if (entry->state == STATE_BROKEN)
			log_warning(log,
				    "%s/%s is broken: its source is gone; remove it, or put the "
				    "source back",
				    entry->module, entry->version);
	}
	return 0;
}

static int append_entries(json_t *modules, const struct state_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct state_entry *entry = &list->entries[i];

		if (json_array_append_new(
			    modules,
			    json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:b, s:b, s:b}", "module",
				      entry->module, "version", entry->version, "kernel",
				      entry->kernel, "architecture", entry->architecture, "state",
				      state_name(entry->state), "originals", entry->originals,
				      "missing", entry->missing, "differs", entry->differs)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int print_json(json_t *modules, struct error **error)
{
	cleanup_json json_t *whole = json_pack("{s:s, s:i, s:O}", "schema", "kmodbox-status",
					       "schema_version", STATUS_SCHEMA, "modules", modules);
	cleanup_free char *text = whole ? json_to_text(whole) : NULL;

	if (!text)
		return error_set_errno(error, ENOMEM, "status");
	return fputs(text, stdout) < 0 ? error_set_errno(error, errno, "standard output") : 0;
}

int status_print(const struct options *options, const struct log *log, struct error **error)
{
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_json json_t *modules = json_array();
	cleanup_close int source_fd = -1;
	struct state_trees trees;
	size_t rounds = options->kernel_count ? options->kernel_count : 1;
	int r = places_open(options, false, &places, error);

	if (r < 0)
		return r;
	if (!modules)
		return error_set_errno(error, ENOMEM, "status");
	source_fd = open(places.source_tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	trees = (struct state_trees){ .dkms_fd = places.dkms_tree_fd,
				      .source_fd = source_fd,
				      .install_fd = places.install_tree_fd };
	/* No tree at all: nothing was ever added. */
	for (size_t i = 0; r == 0 && places.dkms_tree_fd >= 0 && i < rounds; i++) {
		struct state_list list = { 0 };
		const char *architecture =
			options->architecture_count == 0
				? NULL
				: options->architectures[options->architecture_count == 1 ? 0 : i];

		r = state_list_load(&trees, options->module, options->version,
				    options->kernel_count ? options->kernels[i] : NULL,
				    architecture, &list, error);
		if (r == 0 && options->json)
			r = append_entries(modules, &list) < 0
				    ? error_set_errno(error, ENOMEM, "status")
				    : 0;
		else if (r == 0)
			r = print_lines(options, log, &list, error);
		state_list_clear(&list);
	}
	return r == 0 && options->json ? print_json(modules, error) : r;
}
