/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dkms.conf as data. The file is shell and hostile: bash evaluates it in a sandbox of its own
 * (nothing writable, one second of CPU) and only the directives come back, as records, which are
 * then checked as data. Semantics: dkms(8), section dkms.conf.
 */
#ifndef KMODBOX_RECIPES_RECIPE_H
#define KMODBOX_RECIPES_RECIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/kernels/kernel.h"
#include "sandbox/sandbox.h"

struct recipe_module {
	char *built_name;     /* stem: "ddcci-backlight" */
	char *built_location; /* "" or "ddcci-backlight/": relative, safe, with its trailing '/' */
	char *dest_name;      /* stem; no two modules of a recipe have the same */
	char *dest_location;  /* "/updates", "/kernel/drivers/acpi", "/extra": no trailing '/' */
	bool strip;
	/* BUILD_EXCLUSIVE_*[#] of this module says no: it is neither expected nor collected. */
	char *excluded; /* which directive, and why; NULL: it is built */
};

/* The scripts of dkms.conf. */
enum recipe_script {
	RECIPE_PRE_BUILD,
	RECIPE_POST_BUILD,
	RECIPE_PRE_INSTALL,
	RECIPE_POST_INSTALL,
	RECIPE_POST_ADD,
	RECIPE_POST_REMOVE,
	RECIPE_SCRIPTS
};

struct recipe {
	char *package_name;
	char *package_version;
	struct recipe_module *modules;
	size_t module_count;
	/* The last MAKE whose MAKE_MATCH matches, MAKE[0] or the default: hostile shell text. */
	char *make;
	char **patches; /* those whose PATCH_MATCH matches, in order: paths below patches/ */
	size_t patch_count;
	char *scripts[RECIPE_SCRIPTS]; /* "script arguments": hostile; NULL where not set */
	char **depends;		       /* BUILD_DEPENDS: names of packages */
	size_t depend_count;
	bool depends_rebuild; /* BUILD_DEPENDS_REBUILD */
	bool autoinstall;
	bool no_weak_modules;
	char *obsolete_by; /* a kernel release from which on the kernel has the module itself; NULL
			    */
	/*
	 * Every module name that the file mentions, for this kernel or another: what `add` has
	 * approved, so that a kernel installed later finds its modules approved too.
	 */
	char **names;
	size_t name_count;
	char **deprecated; /* directives it sets that have no effect any more */
	size_t deprecated_count;
	char **unknown; /* variables it sets that are no directives: "LOAD"; at most 64 */
	size_t unknown_count;
	struct digest overrides; /* of the override files that were read; zero: none */
	char *exclusive_kernel;	 /* ERE or NULL */
	char *exclusive_kernel_min;
	char *exclusive_kernel_max;
	char *exclusive_arch;	/* ERE or NULL */
	char *exclusive_config; /* "CONFIG_A !CONFIG_B" or NULL */
	/*
	 * The two patterns come from the file, so they were matched by bash inside the sandbox,
	 * against this release: a regcomp() of theirs in our process could run for minutes.
	 */
	char *release; /* "" where none was known */
	bool kernel_matches;
	bool arch_matches;
	struct denied_calls *denied; /* what its evaluation tried and was refused; NULL: nothing */
};

#define RECIPE_OVERRIDES 6 /* names of them that there can be */

/* A file of root's that is evaluated behind dkms.conf, in the order given. */
struct recipe_override {
	const char *name; /* "demo-0.1.conf", as in /etc/dkms */
	struct text text;
};

/*
 * What evaluation needs. base carries slot, seccomp and cancel_fd; the rest is set here. The
 * file is evaluated as /var/lib/dkms/M/V/source/dkms.conf, the source being at /usr/src/M-V
 * ("unknown" and "0" where the names are not known).
 */
struct recipe_request {
	const struct sandbox_spec *base;
	int snapshot_fd;
	const char *place;  /* of its tree, as sandbox_tree.place; NULL: memory */
	const char *module; /* expected PACKAGE_NAME, NULL to take what the file says (archives) */
	const char *version;
	const struct kernel *kernel; /* NULL: none is known yet (add); kernelver is then empty */
	const char *kernel_release;  /* for $kernelver, $arch also without headers */
	const char *architecture;
	unsigned jobs; /* $parallel_jobs */
	/* Those of these that exist, in DKMS's order: M, M-V, M-V-K, M-V-K-A, M--K, M--K-A. */
	const struct recipe_override *overrides;
	size_t override_count;
	const char *overrides_directory; /* where they are, for messages; NULL: /etc/dkms */
	const char *const *directives;	 /* --directive NAME=VALUE, behind all else */
	size_t directive_count;
	const char *const *environment; /* NAME=VALUE of root's settings, beside DKMS's variables */
	size_t environment_count;
	const struct sandbox_mount *mounts; /* trees of other packages that it may look at */
	size_t mount_count;
};

/*
 * error_code() 4: no dkms.conf; 8: bad (which directive, what is wrong, what would be right); 5: a
 * patch outside patches/; 31: a limit; 30: no sandbox.
 */
int recipe_evaluate(const struct recipe_request *request, struct recipe **ret_recipe,
		    struct error **error) must_check;
struct recipe *recipe_free(struct recipe *recipe);
/*
 * 0: may be built for this kernel, which must be the one it was evaluated for; -ENOTSUP with
 * error_code() 77 and the directive that says no.
 */
int recipe_check_exclusive(const struct recipe *recipe, const struct kernel *kernel,
			   struct error **error) must_check;
/* The names of the override files, in order, NULL behind the last; to be freed with the list. */
char **recipe_override_names(const char *module, const char *version, const char *kernel,
			     const char *architecture) must_check;

#endif
