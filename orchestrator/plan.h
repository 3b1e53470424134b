/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several packages for one kernel, installed one after another, each behind those it depends on.
 * One that fails is told and does not stop the others. What verbs without a module share.
 */
#ifndef KMODBOX_ORCHESTRATOR_PLAN_H
#define KMODBOX_ORCHESTRATOR_PLAN_H

#include "lib/recipes/recipe.h"
#include "orchestrator/depend.h"
#include "orchestrator/orchestrator.h"

enum plan_outcome {
	PLAN_NONE,    /* not to be installed, or not tried yet */
	PLAN_PRESENT, /* installed before */
	PLAN_INSTALLED,
	PLAN_SKIPPED,  /* not meant for this kernel */
	PLAN_DEFERRED, /* needs one that nobody has heard of, or one that is deferred */
	PLAN_FAILED,
	PLAN_OUTCOMES
};

struct plan_item {
	const struct package *package; /* borrowed */
	struct recipe *recipe;	       /* of those to be installed; owned */
	enum plan_outcome outcome;
	int code;      /* of PLAN_FAILED: the exit code */
	char *failure; /* and what was told of it; owned */
};

struct plan {
	struct orchestrator *orchestrator;
	const struct target *target;
	struct plan_item *items; /* of one name at most one */
	size_t count;
	struct depend_node *nodes; /* of the items, in their order */
	size_t *order;
	size_t ordered;
};

/* Of at most capacity items. */
int plan_init(struct plan *plan, struct orchestrator *orchestrator, const struct target *target,
	      size_t capacity, struct error **error) must_check;
void plan_clear(struct plan *plan);
#define cleanup_plan cleanup(plan_clear)
/* The recipe of an item; where there is none to be had the item has failed. */
void plan_evaluate(struct plan *plan, struct plan_item *item);
/* Fills order: indexes of the items, each behind those it depends on, without those in circles. */
void plan_sort(struct plan *plan);
/*
 * Installs the items that have a recipe. wait: one that needs a package which is no item is
 * deferred; else its build says what is missing. An error: interrupted, or out of memory.
 */
int plan_run(struct plan *plan, bool wait, struct error **error) must_check;
/* " demo/0.1 other/2(10)": those with this outcome; empty where there are none. */
int plan_summarise(const struct plan *plan, enum plan_outcome outcome,
		   struct text *text) must_check;

#endif
