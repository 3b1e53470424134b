/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What root puts over a module's source, in /etc/dkms/MODULE/: patches/ beside the source's own,
 * and scripts in the place of those that dkms.conf names. Read once, into memory; trusted as far as
 * root is, but run and applied where the source's are: in the sandbox.
 */
#ifndef KMODBOX_ORCHESTRATOR_OVERLAY_H
#define KMODBOX_ORCHESTRATOR_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/recipes/recipe.h"
#include "orchestrator/places.h"

#define OVERLAY_PATH "/run/kmodbox/overlay" /* in sandboxes, where the scripts are */

struct overlay_file {
	char *path; /* below patches/, or as dkms.conf names the script */
	struct text text;
	bool executable;
};

struct overlay {
	struct overlay_file *patches;
	size_t patch_count;
	struct overlay_file *scripts;
	size_t script_count;
	struct digest digest; /* of all of them; all zero where there is none */
};

/* What is there of the recipe's scripts, and all of patches/. error_code() 1. */
int overlay_load(const struct places *places, const struct recipe *recipe,
		 struct overlay *ret_overlay, struct error **error) must_check;
/* Into DIRECTORY/patches, over what is there; executed by sandboxes' trusted set-up. */
int overlay_write_patches(const struct overlay *overlay, int directory_fd,
			  struct error **error) must_check;
int overlay_write_scripts(const struct overlay *overlay, int directory_fd,
			  struct error **error) must_check;
void overlay_clear(struct overlay *overlay);
#define cleanup_overlay cleanup(overlay_clear)

#endif
