/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Modules whose dependencies changed, see rebuild.h. */
#include "orchestrator/rebuild.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/ticket.h"
#include "lib/base/files.h"
#include "lib/base/json.h"
#include "orchestrator/packages.h"
#include "orchestrator/plan.h"
#include "orchestrator/results.h"

#define RECORD_MAXIMUM (64u << 20)
#define TICKET_PATH "%s/%s/%s/%s/ticket"

static bool is_listed(const char *list, const char *module, const char *version)
{
	cleanup_free char *entry = format_string(" %s/%s ", module, version);

	return entry && strstr(list, entry);
}

/* Has it the mark of the module that was named, NULL for any, or of one that is listed? */
static int is_dependent(int dkms_fd, const struct state_entry *entry, const char *named,
			const char *list, bool *ret_is, struct error **error)
{
	cleanup_free char *path = format_string("%s/%s/%s/%s", entry->module, entry->version,
						entry->kernel, entry->architecture);
	cleanup_list DIR *directory = NULL;
	const char *name;
	int r = path ? list_open(dkms_fd, path, &directory, error)
		     : error_set_errno(error, ENOMEM, "dependencies");

	*ret_is = false;
	while (r == 0 && !*ret_is && (name = list_next(directory))) {
		cleanup_free char *any_version = NULL;

		if (!string_starts_with(name, BUILD_DEPENDENCY_MARK))
			continue;
		name += strlen(BUILD_DEPENDENCY_MARK);
		any_version = format_string(" %s/", name);
		if (!any_version)
			return error_set_errno(error, ENOMEM, "dependencies");
		*ret_is = !named || string_equal(name, named) || strstr(list, any_version);
	}
	return r;
}

/* Until a pass finds no more: what depends on one that is listed may have come before it. */
static int list_dependents(int dkms_fd, const struct state_list *installed, const char *named,
			   struct text *list, struct error **error)
{
	bool found = true;
	int r = 0;

	while (r == 0 && found) {
		found = false;
		for (size_t i = 0; r == 0 && i < installed->count; i++) {
			const struct state_entry *entry = &installed->entries[i];
			bool is = false;

			if (entry->state != STATE_INSTALLED ||
			    is_listed(list->data, entry->module, entry->version))
				continue;
			r = is_dependent(dkms_fd, entry, named, list->data, &is, error);
			if (r < 0 || !is)
				continue;
			found = true;
			if (text_append_format(list, "%s/%s ", entry->module, entry->version) < 0)
				r = error_set_errno(error, ENOMEM, "dependencies");
		}
	}
	return r;
}

static int list_for_kernel(int dkms_fd, const char *kernel, const char *named, struct text *list,
			   struct error **error)
{
	const struct state_trees trees = { .dkms_fd = dkms_fd, .source_fd = -1, .install_fd = -1 };
	struct state_list installed = { 0 };
	int r = state_list_load(&trees, NULL, NULL, kernel, NULL, &installed, error);

	if (r == 0)
		r = list_dependents(dkms_fd, &installed, named, list, error);
	state_list_clear(&installed);
	return r;
}

int rebuild_list(const struct options *options, char **ret_list, struct error **error)
{
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_text struct text list = { 0 };
	struct utsname running;
	int r = places_open(options, false, &places, error);

	if (r == 0 && (uname(&running) < 0 || text_append_string(&list, " ") < 0))
		r = error_set_errno(error, errno, "dependencies");
	for (size_t i = 0; r == 0 && i < options->kernel_count; i++)
		r = list_for_kernel(places.dkms_tree_fd, options->kernels[i], options->module,
				    &list, error);
	if (r == 0 && options->kernel_count == 0)
		r = list_for_kernel(places.dkms_tree_fd, running.release, options->module, &list,
				    error);
	if (r == 0)
		*ret_list = list.length > 1 ? text_take(&list) : NULL;
	return r;
}

/* What the record of a build says it depended on: a new reference, or NULL where it says nothing.
 */
static json_t *recorded(const struct plan *plan, const struct package *package)
{
	cleanup_free char *path =
		format_string("%s/%s/%s/%s/build.json", package->module, package->version,
			      plan->target->release, plan->target->architecture);
	cleanup_json json_t *record = NULL;
	cleanup_close int fd = -1;
	json_t *list;
	uint64_t size;

	/* A build of dkms has none; who wrote it otherwise is root, or was root's installer. */
	if (!path ||
	    open_regular_beneath(plan->orchestrator->places.dkms_tree_fd, path, RECORD_MAXIMUM, &fd,
				 &size, NULL) < 0 ||
	    json_from_fd(fd, RECORD_MAXIMUM, &record, NULL) < 0)
		return NULL;
	list = json_object_get(json_object_get(record, "inputs"), "dependencies");
	/* Of a build that ldtarball took, what its archive said. */
	if (!list)
		list = json_object_get(json_object_get(record, "origin"), "dependencies");
	return json_incref(list);
}

/* The package of this name that is installed; NULL: none. */
static const struct package *find_installed(const struct plan *plan, const char *module)
{
	const struct orchestrator *orchestrator = plan->orchestrator;

	for (size_t i = 0; i < orchestrator->package_count; i++) {
		const struct package *package = &orchestrator->packages[i];
		enum state state;

		if (string_equal(package->module, module) &&
		    package_state(orchestrator, package, plan->target, &state, NULL) == 0 &&
		    state == STATE_INSTALLED)
			return package;
	}
	return NULL;
}

/* By version and ticket: the same version may have been built again, and export something else. */
static bool has_changed(const struct plan *plan, const json_t *dependency)
{
	const char *module = json_string_value(json_object_get(dependency, "module"));
	const char *version = json_string_value(json_object_get(dependency, "version"));
	const char *hex = json_string_value(json_object_get(dependency, "ticket_sha256"));
	const struct package *now = module ? find_installed(plan, module) : NULL;
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;
	struct digest recorded_ticket;
	struct digest ticket;
	uint64_t size;

	if (!now)
		return false; /* as DKMS: nothing to build against */
	if (!string_equal(now->version, version))
		return true;
	path = format_string(TICKET_PATH, now->module, now->version, plan->target->release,
			     plan->target->architecture);
	if (!path || !hex || digest_from_hex(hex, &recorded_ticket) < 0 ||
	    open_regular_beneath(plan->orchestrator->places.dkms_tree_fd, path, TICKET_MAXIMUM, &fd,
				 &size, NULL) < 0 ||
	    digest_file(fd, &ticket, NULL) < 0)
		return false; /* not built by kmodbox: the version is all there is */
	return !digest_equal(&ticket, &recorded_ticket);
}

/* The first of the recorded dependencies that is in BUILD_DEPENDS and another now; NULL: none. */
static char *find_changed(const struct plan *plan, const struct plan_item *item)
{
	cleanup_json json_t *list = recorded(plan, item->package);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *dependency = json_array_get(list, i);
		const char *module = json_string_value(json_object_get(dependency, "module"));

		for (size_t k = 0; module && k < item->recipe->depend_count; k++)
			if (string_equal(item->recipe->depends[k], module) &&
			    has_changed(plan, dependency))
				return sanitised(module);
	}
	return NULL;
}

/* Those that are installed and depended on something; only who asks for it keeps its recipe. */
static int choose(struct plan *plan, struct error **error)
{
	const struct orchestrator *orchestrator = plan->orchestrator;

	for (size_t i = 0; i < orchestrator->package_count; i++) {
		const struct package *package = &orchestrator->packages[i];
		struct plan_item *item = &plan->items[plan->count];
		cleanup_json json_t *list = NULL;
		enum state state;
		int r = package_state(orchestrator, package, plan->target, &state, error);

		if (r < 0)
			return r;
		if (state != STATE_INSTALLED ||
		    !is_listed(orchestrator->only, package->module, package->version))
			continue;
		list = recorded(plan, package);
		if (json_array_size(list) == 0)
			continue;
		item->package = package;
		plan->count++;
		plan_evaluate(plan, item);
		if (item->recipe && !item->recipe->depends_rebuild)
			item->recipe = recipe_free(item->recipe);
	}
	return 0;
}

/* Looked at when its turn comes: what was rebuilt before it may be what it depends on. */
static int rebuild(struct plan *plan, struct plan_item *item, struct error **error)
{
	cleanup_free char *changed = item->recipe ? find_changed(plan, item) : NULL;
	struct orchestrator *orchestrator = plan->orchestrator;
	int r;

	if (!changed)
		return 0;
	log_info(orchestrator->log, "%s/%s was built against another build of %s: made again",
		 item->package->module, item->package->version, changed);
	r = build_target(orchestrator, item->package, plan->target, error);
	if (r == 0)
		r = install_target(orchestrator, item->package, plan->target, error);
	results_add(orchestrator, item->package, plan->target, r < 0 && error ? *error : NULL);
	return r;
}

static int rebuild_target(struct orchestrator *orchestrator, const struct package *package,
			  const struct target *target, struct error **error)
{
	cleanup_plan struct plan plan = { 0 };
	struct error *failure = NULL;
	int result = 0;
	int r;

	(void)package; /* all of them */
	r = plan_init(&plan, orchestrator, target, orchestrator->package_count, error);
	if (r == 0)
		r = choose(&plan, error);
	if (r < 0)
		return r;
	plan_sort(&plan);
	for (size_t i = 0; i < plan.ordered && error_code(failure) != EXIT_INTERRUPTED; i++) {
		struct plan_item *item = &plan.items[plan.order[i]];
		struct error *next = NULL;

		r = rebuild(&plan, item, &next);
		if (r == 0)
			continue;
		if (failure)
			log_error(orchestrator->log, failure);
		(void)error_free(failure);
		failure = next;
		result = r;
	}
	if (result < 0 && error)
		*error = TAKE_PTR(failure);
	(void)error_free(failure);
	return result;
}

int verb_rebuild(struct orchestrator *orchestrator, struct error **error)
{
	return for_each_target(orchestrator, rebuild_target, error);
}
