/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Root's files in /etc/dkms that change what a dkms.conf says: DEMO.conf, DEMO-0.1.conf and so on.
 * They are shell, and evaluated with the dkms.conf in its sandbox; here they are only read.
 */
#ifndef KMODBOX_ORCHESTRATOR_OVERRIDES_H
#define KMODBOX_ORCHESTRATOR_OVERRIDES_H

#include "lib/recipes/recipe.h"
#include "orchestrator/orchestrator.h"

struct overrides {
	struct recipe_override *list; /* in the order in which they count */
	size_t count;
	char **names; /* owned, NULL behind the last; list borrows them */
};

/*
 * Those that exist for this package and kernel. One that others may write to, or that is no regular
 * file, or cannot be read, is refused: error_code() 8.
 */
int overrides_load(const struct places *places, const struct package *package,
		   const struct target *target, struct overrides *ret_overrides,
		   struct error **error) must_check;
void overrides_clear(struct overrides *overrides);
#define cleanup_overrides cleanup(overrides_clear)

#endif
