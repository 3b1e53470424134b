/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * DKMS's own settings: /etc/dkms/framework.conf and framework.conf.d, shell files of root's. They
 * are evaluated in a sandbox all the same, by a process that has given root up; what comes back is
 * a handful of named values. What is honoured fills in what the command line leaves open.
 */
#ifndef KMODBOX_ORCHESTRATOR_FRAMEWORK_H
#define KMODBOX_ORCHESTRATOR_FRAMEWORK_H

#include "lib/base/log.h"
#include "orchestrator/options.h"

/*
 * Warns of each setting that has no effect here. Files in which nothing but comments stands cost
 * nothing. The trees that they name are root's: an ordinary user's stay his own, unless he gave
 * --dkmsconfig. error_code() 1: a file is not valid shell, or a value cannot be.
 */
int framework_apply(struct options *options, const struct log *log,
		    struct error **error) must_check;

/* Parts of it, for tests. Is there a line that is neither blank nor comment? */
bool framework_says_something(const char *text, size_t length);
/* The sandbox's answer: NAME NUL VALUE NUL, "@kernel" before each kernel's, "@end" at the end. */
int framework_take_answer(struct options *options, bool trees, const struct log *log,
			  const char *answer, size_t length, struct error **error) must_check;

#endif
