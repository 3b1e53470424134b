/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verb match: what is installed on one kernel is built for and installed on another. */
#include "orchestrator/packages.h"
#include "orchestrator/plan.h"

static int add_item(struct plan *plan, const struct state_entry *entry, struct error **error)
{
	struct orchestrator *orchestrator = plan->orchestrator;
	struct plan_item *item = &plan->items[plan->count];
	enum state state;
	int r;

	item->package = packages_find(orchestrator, entry->module, entry->version);
	if (!item->package)
		return error_refuse(error, EXIT_STATE, ENOENT,
				    "%s/%s has left the DKMS tree meanwhile: see kmodbox status",
				    entry->module, entry->version);
	plan->count++;
	r = package_state(orchestrator, item->package, plan->target, &state, error);
	if (r < 0)
		return r;
	if (state == STATE_INSTALLED)
		item->outcome = PLAN_PRESENT;
	else
		plan_evaluate(plan, item);
	return 0;
}

static int find_installed(struct plan *plan, const struct state_list *list, struct error **error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++)
		if (list->entries[i].state == STATE_INSTALLED)
			r = add_item(plan, &list->entries[i], error);
	return r;
}

/* As with several kernels of one module: all are tried, the last failure is the outcome. */
static int conclude(const struct plan *plan, struct error **error)
{
	cleanup_text struct text failed = { 0 };
	cleanup_text struct text present = { 0 };
	int code = 0;

	if (plan_summarise(plan, PLAN_FAILED, &failed) < 0 ||
	    plan_summarise(plan, PLAN_PRESENT, &present) < 0)
		return error_set_errno(error, ENOMEM, "match");
	if (present.length > 0)
		log_info(plan->orchestrator->log, "Installed on kernel %s before:%s",
			 plan->target->release, present.data);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].outcome == PLAN_FAILED)
			code = plan->items[i].code;
	return failed.length == 0
		       ? 0
		       : error_refuse(error, code, EIO,
				      "match on kernel %s failed for:%s; each reason is told above",
				      plan->target->release, failed.data);
}

static int match_all(struct orchestrator *orchestrator, const struct state_list *list,
		     struct error **error)
{
	const struct target *target = &orchestrator->targets[0];
	cleanup_plan struct plan plan = { 0 };
	int r = plan_init(&plan, orchestrator, target, list->count, error);

	if (r == 0)
		r = find_installed(&plan, list, error);
	if (r == 0 && plan.count == 0)
		log_info(orchestrator->log, "Nothing to do: no %smodule is installed on kernel %s",
			 orchestrator->options->module ? "such " : "",
			 orchestrator->options->template_kernel);
	if (r == 0)
		r = plan_run(&plan, false, error);
	return r < 0 ? r : conclude(&plan, error);
}

int verb_match(struct orchestrator *orchestrator, struct error **error)
{
	const struct options *options = orchestrator->options;
	const struct state_trees trees = { .dkms_fd = orchestrator->places.dkms_tree_fd,
					   .source_fd = -1,
					   .install_fd = -1 };
	struct state_list list = { 0 };
	int r;

	if (options->module && !packages_find(orchestrator, options->module, options->version))
		return error_refuse(error, EXIT_STATE, ENOENT,
				    "%s%s%s is not in the DKMS tree: see kmodbox status",
				    options->module, options->version ? "/" : "",
				    options->version ? options->version : "");
	r = state_list_load(&trees, options->module, options->version, options->template_kernel,
			    orchestrator->targets[0].architecture, &list, error);
	if (r == 0)
		r = match_all(orchestrator, &list, error);
	state_list_clear(&list);
	return r;
}
