/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of framework.conf between their reader, framework.c, and who finds out what they set:
 * framework_plain.c or, by a shell, framework_evaluate.c. Both answer with strings that end with a
 * NUL: NAME and VALUE of what is set, and behind those of each kernel "@kernel" and its release;
 * "@end" is the last. Before it, of a shell: "@file" and the name of a file that it goes into,
 * "@syntax" and what bash says; "@denied" and what the files tried and were refused.
 */
#ifndef KMODBOX_ORCHESTRATOR_FRAMEWORK_INTERNAL_H
#define KMODBOX_ORCHESTRATOR_FRAMEWORK_INTERNAL_H

#include "lib/base/text.h"
#include "orchestrator/options.h"

#define FRAMEWORK_FILES 64
#define FRAMEWORK_ANSWER 65536u
#define FRAMEWORK_DENIED 16384u /* more than what is said of refused calls */
#define FRAMEWORK_NAMES 19

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
const char *framework_name(size_t index); /* of a setting; index < FRAMEWORK_NAMES */
/* 1: it is plain, and *ret_answer is what it sets for so many kernels; 0: it takes a shell. */
int framework_plain(const struct framework *framework, size_t kernels,
		    struct text *ret_answer) must_check;
/* Gives up root, in a process of its own, and has bash read the files in a sandbox. */
int framework_evaluate(const struct framework *framework, const struct options *options,
		       struct text *ret_answer, struct error **error) must_check;

#endif
