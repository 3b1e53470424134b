/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that plans and builds, without any privilege: it holds two sockets (to the signer and
 * the installer), one slot for sandboxes, and directories to read from. Each verb is one function,
 * a file of its own, and a line in the table of kmodbox_main.c.
 */
#ifndef KMODBOX_ORCHESTRATOR_ORCHESTRATOR_H
#define KMODBOX_ORCHESTRATOR_ORCHESTRATOR_H

#include "lib/artifacts/exit_code.h"
#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/kernels/kernel.h"
#include "orchestrator/boot_kernel.h"
#include "orchestrator/options.h"
#include "orchestrator/places.h"
#include "orchestrator/profiles.h"
#include "orchestrator/reference.h"
#include "orchestrator/state.h"
#include "sandbox/sandbox.h"

/* One kernel of the command line. */
struct target {
	char *release;
	char *architecture;
	struct kernel *kernel; /* NULL where its headers are missing: then failure says why */
	struct error *failure;
	struct boot_kernel boot;     /* of verbs that install: for who demands a boot test */
	struct reference *reference; /* reference.h; of an orchestrator that builds never NULL */
};

/* One module version: of the command line, or one of those that are added. */
struct package {
	char *module;
	char *version;
	int source_fd; /* what its `source` in the DKMS tree leads to; -1: nothing that is there */
};

struct results;

struct orchestrator {
	const struct options *options;
	const struct log *log;
	const char *only;	 /* verb_rebuild: what may be touched; NULL */
	struct results *results; /* --json: what is done is told to; NULL */
	struct places places;
	struct target *targets; /* at least one */
	size_t target_count;
	struct package package;	  /* of the command line; names are NULL where it gives none */
	struct package *packages; /* all that are added, for verbs that build; by name, bytewise */
	size_t package_count;
	int given_source_fd; /* the directory that `add DIR` named; -1 */
	char *shown_source;  /* where sandboxes find it; NULL where it is no git checkout */
	int archive_fd;	     /* the file that `add FILE` named; -1 */
	int signer;	     /* socket; -1 where the verb needs none */
	int installer;	     /* socket */
	int unpack_fd;	     /* the program kmodbox-unpack */
	int cache_fd;	     /* STATE/cache, which it may write to; -1: there is none */
	struct loaded_profile profile; /* PROFILE_DEFAULT: of what has no other */
	struct sandbox_spec sandbox;   /* what all sandboxes share: slot, filter, cancellation */
	char *shown_dkms_tree;	       /* where sandboxes find the DKMS tree of the host */
	char *shown_source_tree;       /* the same of the source tree */
	char *build_environment; /* of framework.conf: shell text, sourced before a build; NULL */
	int terminal_fd;	 /* verb_shell: the pty of its sandbox; -1: without one */
	int terminal_socket;	 /* and to its relay: terminal_begin() */
	int exit_status;     /* of kmodbox where the verb went well; verb_shell's is the shell's */
	char *scratch_place; /* a directory on disk that the slot may write to; NULL: there is none
			      */
};

/* What starts the parts that a verb needs, and how it runs. */
struct verb_row {
	enum verb verb;
	bool needs_module; /* -m and -v */
	bool signs;
	bool installs; /* may run depmod */
	int (*run)(struct orchestrator *orchestrator, struct error **error);
};

int verb_add(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_build(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_install(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_uninstall(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_unbuild(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_remove(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_match(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_autoinstall(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_mktarball(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_ldtarball(struct orchestrator *orchestrator, struct error **error) must_check;
int verb_shell(struct orchestrator *orchestrator, struct error **error) must_check;

/* Needs what a build sees: headers, trees, packages. */
static inline bool verb_builds(const struct verb_row *row)
{
	return row->signs || row->verb == VERB_SHELL;
}

/* Parts that verbs share. */
typedef int target_function(struct orchestrator *orchestrator, const struct package *package,
			    const struct target *target, struct error **error);
/*
 * The package of the command line on each of its kernels: also when it failed on one before, as
 * DKMS does. Each failure is told; the last is the outcome.
 */
int for_each_target(struct orchestrator *orchestrator, target_function *function,
		    struct error **error) must_check;
/* error_code() 21 and the reason, where the headers of this kernel could not be had. */
int target_require_headers(const struct target *target, struct error **error) must_check;
int package_state(const struct orchestrator *orchestrator, const struct package *package,
		  const struct target *target, enum state *ret_state,
		  struct error **error) must_check;
/* Adds -m/-v from the source tree if it is not added yet, as DKMS does for build and install. */
int add_if_absent(struct orchestrator *orchestrator, struct error **error) must_check;
/* Builds for one kernel unless it is built already. With --force what is there is replaced. */
int build_target(struct orchestrator *orchestrator, const struct package *package,
		 const struct target *target, struct error **error) must_check;
/* Installs for one kernel what is built, unless it is installed; builds it first where needed. */
int install_target(struct orchestrator *orchestrator, const struct package *package,
		   const struct target *target, struct error **error) must_check;

#endif
