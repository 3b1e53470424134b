/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb status, see status.h. */
#include "orchestrator/status.h"

#include <fcntl.h>
#include <stdio.h>

#include "lib/base/json.h"
#include "orchestrator/places.h"
#include "orchestrator/state.h"
#include "orchestrator/weak.h"

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
			    json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:b, s:b, s:b, s:s*}", "module",
				      entry->module, "version", entry->version, "kernel",
				      entry->kernel, "architecture", entry->architecture, "state",
				      state_entry_name(entry), "originals", entry->originals,
				      "missing", entry->missing, "differs", entry->differs, "from",
				      entry->weak_from)) < 0)
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

struct view {
	const struct options *options;
	const struct log *log;
	struct state_trees trees;
	json_t *modules;
};

static int show(const struct view *view, const struct state_list *list, struct error **error)
{
	if (!view->options->json)
		return print_lines(view->options, view->log, list, error);
	return append_entries(view->modules, list) < 0 ? error_set_errno(error, ENOMEM, "status")
						       : 0;
}

/* kernel and architecture: NULL for all. */
static int show_kernel(const struct view *view, const char *kernel, const char *architecture,
		       struct error **error)
{
	const struct options *options = view->options;
	struct state_list list = { 0 };
	struct state_list weak = { 0 };
	int r = state_list_load(&view->trees, options->module, options->version, kernel,
				architecture, &list, error);

	if (r == 0)
		r = show(view, &list, error);
	if (r == 0)
		r = weak_list_load(view->trees.dkms_fd, view->trees.install_fd, options->module,
				   options->version, kernel, architecture, &weak, error);
	if (r == 0)
		r = show(view, &weak, error);
	state_list_clear(&list);
	state_list_clear(&weak);
	return r;
}

int status_print(const struct options *options, const struct log *log, struct error **error)
{
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_json json_t *modules = json_array();
	cleanup_close int source_fd = -1;
	struct view view = { .options = options, .log = log, .modules = modules };
	size_t rounds = options->kernel_count ? options->kernel_count : 1;
	int r = places_open(options, false, &places, error);

	if (r < 0)
		return r;
	if (!modules)
		return error_set_errno(error, ENOMEM, "status");
	source_fd = open(places.source_tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	view.trees = (struct state_trees){ .dkms_fd = places.dkms_tree_fd,
					   .source_fd = source_fd,
					   .install_fd = places.install_tree_fd };
	/* No tree at all: nothing was ever added. */
	for (size_t i = 0; r == 0 && places.dkms_tree_fd >= 0 && i < rounds; i++)
		r = show_kernel(&view, options->kernel_count ? options->kernels[i] : NULL,
				options->architecture_count == 0   ? NULL
				: options->architecture_count == 1 ? options->architectures[0]
								   : options->architectures[i],
				error);
	return r == 0 && options->json ? print_json(modules, error) : r;
}
