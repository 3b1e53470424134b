/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DKMS's own settings: /etc/dkms/framework.conf and framework.conf.d, shell files of root's. Lines
 * of NAME=VALUE are read as they stand; a file that holds more is evaluated in a sandbox all the
 * same, by a process that has given root up; what comes back is a handful of named values. What is
 * honoured fills in what the command line leaves open.
 */
#ifndef KMODBOX_ORCHESTRATOR_FRAMEWORK_H
#define KMODBOX_ORCHESTRATOR_FRAMEWORK_H

#include "lib/base/log.h"
#include "orchestrator/options.h"

/*
 * Warns of each setting that has no effect here. Files in which nothing but comments stands cost
 * nothing. The trees that they name are root's: an ordinary user's stay his own, unless he gave
 * --dkmsconfig. status takes the trees, and nothing where it has them already. error_code() 1: a
 * file is not valid shell or not to be trusted, or a value cannot be; 30: there is no sandbox for
 * it.
 */
int framework_apply(struct options *options, const struct log *log,
		    struct error **error) must_check;

/* Parts of it, for tests. Is there a line that is neither blank nor comment? */
bool framework_says_something(const char *text, size_t length);
/* The answer, as framework_internal.h has it, for as many kernels as options name, or for one. */
int framework_take_answer(struct options *options, bool trees, const struct log *log,
			  const char *answer, size_t length, struct error **error) must_check;

#endif
