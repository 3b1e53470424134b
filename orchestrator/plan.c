/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several packages for one kernel, see plan.h. */
#include "orchestrator/plan.h"

#include <string.h>

#include "orchestrator/results.h"
#include "orchestrator/source.h"

int plan_init(struct plan *plan, struct orchestrator *orchestrator, const struct target *target,
	      size_t capacity, struct error **error)
{
	*plan = (struct plan){ .orchestrator = orchestrator, .target = target };
	plan->items = calloc(capacity + 1, sizeof(*plan->items));
	plan->nodes = calloc(capacity + 1, sizeof(*plan->nodes));
	plan->order = calloc(capacity + 1, sizeof(*plan->order));
	return plan->items && plan->nodes && plan->order ? 0
							 : error_set_errno(error, ENOMEM, "plan");
}

void plan_clear(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		plan->items[i].recipe = recipe_free(plan->items[i].recipe);
		free(plan->items[i].failure);
	}
	free(plan->items);
	free(plan->nodes);
	free(plan->order);
}

/*
 * What is no matter of the package (the kernel's headers are missing, or nothing can be built with
 * them) is the same for all, word for word.
 */
static bool was_told(const struct plan *plan, const char *failure)
{
	bool told = false;

	for (size_t i = 0; i < plan->count; i++)
		told = told ||
		       (plan->items[i].failure && string_equal(plan->items[i].failure, failure));
	return told;
}

/* Takes the error: it is told now, and counts at the end. */
static void fail(const struct plan *plan, struct plan_item *item, struct error *error)
{
	char *failure = error_describe(error);

	results_add(plan->orchestrator, item->package, plan->target, error);
	if (!failure || !was_told(plan, failure))
		log_error(plan->orchestrator->log, error);
	free(item->failure);
	item->failure = failure;
	item->outcome = PLAN_FAILED;
	item->code = error_code(error) ? error_code(error) : EXIT_INFRASTRUCTURE;
	(void)error_free(error);
}

void plan_evaluate(struct plan *plan, struct plan_item *item)
{
	cleanup_source struct source source = SOURCE_INITIAL;
	struct error *error = NULL;
	int r = source_read_added(plan->orchestrator, item->package, &source, &error);

	if (r == 0)
		r = source_evaluate(plan->orchestrator, item->package, &source, plan->target, NULL,
				    &item->recipe, &error);
	if (r == 0)
		return;
	(void)error_context(&error, "%s/%s", item->package->module, item->package->version);
	fail(plan, item, error);
}

/*
 * A dependency that nobody has heard of may come with the next package of the same upgrade: who
 * needs it waits, and so does who needs that one.
 */
static bool is_unknown(const struct plan *plan, const char *need)
{
	size_t index = depend_find(plan->nodes, plan->count, need);

	return index == plan->count || plan->items[index].outcome == PLAN_DEFERRED;
}

/* Some version of it, perhaps not the one that is an item. */
static bool is_installed(const struct plan *plan, const char *module)
{
	const struct orchestrator *orchestrator = plan->orchestrator;

	for (size_t i = 0; i < orchestrator->package_count; i++) {
		const struct package *package = &orchestrator->packages[i];
		enum state state;

		if (string_equal(package->module, module) &&
		    package_state(orchestrator, package, plan->target, &state, NULL) == 0 &&
		    state == STATE_INSTALLED)
			return true;
	}
	return false;
}

static bool is_met(const struct plan *plan, const char *need)
{
	size_t index = depend_find(plan->nodes, plan->count, need);
	enum plan_outcome outcome = index < plan->count ? plan->items[index].outcome : PLAN_NONE;

	return outcome == PLAN_PRESENT || outcome == PLAN_INSTALLED || outcome == PLAN_SKIPPED ||
	       is_installed(plan, need);
}

/* True: all that it needs is there. Else what becomes of it is settled. */
static bool check_needs(const struct plan *plan, size_t index, bool wait)
{
	struct plan_item *item = &plan->items[index];
	const struct depend_node *node = &plan->nodes[index];
	struct error *error = NULL;
	const char *missing = NULL;

	for (size_t i = 0; i < node->need_count; i++) {
		const char *need = node->needs[i];

		if (is_met(plan, need))
			continue;
		if (wait && is_unknown(plan, need)) {
			log_info(plan->orchestrator->log,
				 "Deferred %s/%s: it needs %s, which is not added, or waits too",
				 item->package->module, item->package->version, need);
			results_add_deferred(plan->orchestrator, item->package, plan->target);
			item->outcome = PLAN_DEFERRED;
			return false;
		}
		if (depend_find(plan->nodes, plan->count, need) < plan->count)
			missing = need;
	}
	if (!missing)
		return true;
	(void)error_refuse(&error, EXIT_MISSING_DEPENDS, ENOENT,
			   "%s/%s needs %s, which is not installed on kernel %s: see why, or "
			   "install it",
			   item->package->module, item->package->version, missing,
			   plan->target->release);
	fail(plan, item, error);
	return false;
}

/* Anything but 0: interrupted. */
static int install(struct plan *plan, size_t index, bool wait, struct error **error)
{
	struct plan_item *item = &plan->items[index];
	struct error *failure = NULL;
	int r;

	if (!item->recipe || !check_needs(plan, index, wait))
		return 0;
	r = install_target(plan->orchestrator, item->package, plan->target, &failure);
	if (r == 0 || error_code(failure) == EXIT_INTERRUPTED ||
	    error_code(failure) == EXIT_SKIPPED)
		results_add(plan->orchestrator, item->package, plan->target, failure);
	if (r == 0) {
		item->outcome = PLAN_INSTALLED;
	} else if (error_code(failure) == EXIT_INTERRUPTED) {
		if (error)
			*error = TAKE_PTR(failure);
		(void)error_free(failure);
		return r;
	} else if (error_code(failure) == EXIT_SKIPPED) {
		log_error(plan->orchestrator->log, failure);
		(void)error_free(failure);
		item->outcome = PLAN_SKIPPED;
	} else {
		fail(plan, item, failure);
	}
	return 0;
}

/* Those that wait for each other in a circle, or for one that does. */
static int refuse_circles(struct plan *plan, struct error **error)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_item *item = &plan->items[i];
		struct error *failure = NULL;
		cleanup_free char *circle = NULL;
		bool came = false;

		for (size_t k = 0; k < plan->ordered; k++)
			came = came || plan->order[k] == i;
		if (came)
			continue;
		circle = depend_circle(plan->nodes, plan->count, plan->order, plan->ordered, i);
		if (!circle)
			return error_set_errno(error, ENOMEM, "plan");
		(void)error_refuse(&failure, EXIT_MISSING_DEPENDS, ELOOP,
				   "%s/%s cannot be built before itself (%s): mend BUILD_DEPENDS "
				   "in one of them",
				   item->package->module, item->package->version, circle);
		fail(plan, item, failure);
	}
	return 0;
}

void plan_sort(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_item *item = &plan->items[i];

		plan->nodes[i] = (struct depend_node){ .name = item->package->module };
		if (!item->recipe)
			continue;
		plan->nodes[i].needs = item->recipe->depends;
		plan->nodes[i].need_count = item->recipe->depend_count;
	}
	plan->ordered = depend_order(plan->nodes, plan->count, plan->order);
}

int plan_run(struct plan *plan, bool wait, struct error **error)
{
	int r;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].outcome == PLAN_PRESENT)
			results_add(plan->orchestrator, plan->items[i].package, plan->target, NULL);
	plan_sort(plan);
	r = refuse_circles(plan, error);
	for (size_t i = 0; r == 0 && i < plan->ordered; i++)
		r = install(plan, plan->order[i], wait, error);
	return r;
}

int plan_summarise(const struct plan *plan, enum plan_outcome outcome, struct text *text)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		const struct plan_item *item = &plan->items[i];

		if (item->outcome != outcome)
			continue;
		r = text_append_format(text, " %s/%s", item->package->module,
				       item->package->version);
		if (r == 0 && outcome == PLAN_FAILED)
			r = text_append_format(text, "(%d)", item->code);
	}
	return r;
}
