/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a fuzz target holds its code to: a promise that is not kept is a crash. */
#ifndef KMODBOX_TESTS_PROMISE_H
#define KMODBOX_TESTS_PROMISE_H

#include <stdbool.h>
#include <stdlib.h>

static inline void promise(bool kept)
{
	if (!kept)
		abort();
}

#endif
