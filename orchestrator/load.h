/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verb ldtarball is made of. Nothing in an archive is believed: of its builds the bare
 * modules are taken, which go the way of modules built here; the record says where they are from.
 */
#ifndef KMODBOX_ORCHESTRATOR_LOAD_H
#define KMODBOX_ORCHESTRATOR_LOAD_H

#include "orchestrator/dependencies.h"
#include "orchestrator/module_settings.h"
#include "orchestrator/source.h"
#include "orchestrator/tarball.h"

struct loading {
	struct orchestrator *orchestrator;
	const char *name;      /* of the archive's file; foreign */
	struct digest archive; /* of its bytes */
	int snapshot_fd;       /* of what is in it */
	struct tarball tarball;
	struct package package; /* whose names dkms.conf gave; source_fd is borrowed */
	struct source source;	/* that approvals name */
};

/*
 * One build of the archive: checked, signed, published. error_code(): 7 the archive lacks a module
 * that dkms.conf declares, 13, 32, 33, 36 as for a build, 77 not for this kernel.
 */
int load_build(const struct loading *loading, const struct tarball_build *build,
	       const struct target *target, struct error **error) must_check;
/* Its build.json, as a sealed memfd. */
int load_record(const struct loading *loading, const struct target *target,
		const struct recipe *recipe, const struct signed_set *set, int *ret_fd,
		struct error **error) must_check;

#endif
