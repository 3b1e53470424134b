/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why a host refuses to make a sandbox, and which flag, sysctl or profile gives it: in words, for
 * the one line of the error. Asked only after a failure, so a success pays nothing. There is no
 * other way round: what is refused stays refused until somebody changes the host.
 */
#ifndef KMODBOX_SANDBOX_REMEDY_H
#define KMODBOX_SANDBOX_REMEDY_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "sandbox/host.h"
#include "sandbox/optional.h"

/*
 * What was refused. It travels from the child to its parent as error_code(), so it is apart from
 * exit codes.
 */
enum remedy_part {
	REMEDY_USER_NAMESPACE = 200, /* one of the caller's own */
	REMEDY_SLOT,		     /* one that root makes for another uid */
	REMEDY_NAMESPACES,	     /* all the others */
	REMEDY_STEP,		     /* what is done inside of them: mounts, a filter */
	REMEDY_HOST_NAME,	     /* the one step that units forbid by a setting of its own */
	REMEDY_WALL,		     /* made, and yet not there when it was looked at */
	REMEDY_LAYER = 1 << 10, /* and a bit of enum sandbox_optional: a layer that is absent */
};

/* Appends a clause; nothing where the host has no known reason to refuse it. */
int remedy_find(const struct host *host, enum remedy_part part, int errnum, bool root,
		struct text *text) must_check;
/* The same for a layer that is absent, by its name in sandbox_result. */
int remedy_find_layer(const struct host *host, const char *layer, struct text *text) must_check;
/*
 * Looks at the host and puts the remedy behind what *error says. part: other numbers than those of
 * the enumeration leave it as it is. root: it is root who started this, whoever it runs as by now.
 */
void remedy_explain(struct error **error, int part, bool root);

#endif
