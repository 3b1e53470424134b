/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of framework.conf between their reader, framework.c, and who has them evaluated. */
#ifndef KMODBOX_ORCHESTRATOR_FRAMEWORK_INTERNAL_H
#define KMODBOX_ORCHESTRATOR_FRAMEWORK_INTERNAL_H

#include "lib/base/text.h"
#include "orchestrator/options.h"

#define FRAMEWORK_FILES 64
#define FRAMEWORK_ANSWER 65536u

struct framework_file {
	char *name; /* "framework.conf.d/local.conf" */
	struct text text;
};

struct framework {
	struct framework_file files[FRAMEWORK_FILES];
	size_t count;
	bool speaks; /* one of them says something */
};

void framework_clear(struct framework *framework);
/* Gives up root, in a process of its own, and has bash read the files in a sandbox. */
int framework_evaluate(const struct framework *framework, const struct options *options,
		       struct text *ret_answer, struct error **error) must_check;

#endif
