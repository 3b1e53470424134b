/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the verb ldtarball is made of. Nothing in an archive is believed: of its builds the bare
 * modules are taken, which go the way of modules built here; the record says where they are from.
 */
#ifndef KMODBOX_ORCHESTRATOR_LOAD_H
#define KMODBOX_ORCHESTRATOR_LOAD_H

#include "lib/artifacts/collect.h"
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
	bool replaces;		/* another source of that name was added before */
	struct digest replaced; /* what that was; all zero: it could not be read */
};

/* What comes along beside the modules. */
struct loaded_data {
	char *name;    /* "Module.symvers", ".dep_base"; a safe name behind ".dep_" */
	char *version; /* of the latter what it says, a safe name; else NULL */
	int fd;	       /* sealed memfd */
};

/* One build of the archive, as far as it could be taken without touching anything. */
struct loaded {
	const struct loading *loading;
	const struct tarball_build *build;
	const struct target *target;
	struct recipe *recipe;
	struct dependencies dependencies;
	struct artifact *artifacts; /* per module of the recipe; fd -1 for excluded ones */
	struct loaded_data *data;
	size_t data_count;
};

/*
 * error_code(): 7 the archive lacks a module that dkms.conf declares, 9 it holds what cannot be
 * taken, 13 as for a build, 77 not for this kernel.
 */
int loaded_take(const struct loading *loading, const struct tarball_build *build,
		const struct target *target, struct loaded *ret_loaded,
		struct error **error) must_check;
void loaded_clear(struct loaded *loaded);
#define cleanup_loaded cleanup(loaded_clear)

/*
 * Would its modules load? The same checker that the signer has, asked before an approved source is
 * given up for them; the signer asks it again. error_code(): 32, 36.
 */
int load_check(const struct loaded *loaded, int checker_fd, struct error **error) must_check;
/* Checked, signed, published. error_code(): 32, 33, 34, 36 as for a build. */
int load_deliver(const struct loaded *loaded, struct error **error) must_check;
/* Its build.json, as a sealed memfd. */
int load_record(const struct loaded *loaded, const struct signed_set *set, int *ret_fd,
		struct error **error) must_check;

#endif
