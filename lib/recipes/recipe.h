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

#include "lib/base/error.h"
#include "lib/kernels/kernel.h"
#include "sandbox/sandbox.h"

struct recipe_module {
	char *built_name;     /* stem: "ddcci-backlight" */
	char *built_location; /* "" or "ddcci-backlight/": relative, safe, with its trailing '/' */
	char *dest_name;      /* stem; no two modules of a recipe have the same */
	char *dest_location;  /* "/updates", "/kernel/drivers/acpi", "/extra": no trailing '/' */
	bool strip;
};

struct recipe {
	char *package_name;
	char *package_version;
	struct recipe_module *modules;
	size_t module_count;
	char *make; /* MAKE[0] or the default, as a shell command: hostile, run in the sandbox only
		     */
	bool autoinstall;
	char *exclusive_kernel; /* ERE or NULL */
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
};

/*
 * What evaluation needs. base carries userns_fd, seccomp and cancel_fd; the rest is set here. The
 * file is evaluated as /var/lib/dkms/M/V/source/dkms.conf, the source being at /usr/src/M-V
 * ("unknown" and "0" where the names are not known).
 */
struct recipe_request {
	const struct sandbox_spec *base;
	int snapshot_fd;
	const char *module; /* expected PACKAGE_NAME, NULL to take what the file says (archives) */
	const char *version;
	const struct kernel *kernel; /* NULL: none is known yet (add); kernelver is then empty */
	const char *kernel_release;  /* for $kernelver, $arch also without headers */
	const char *architecture;
};

/*
 * error_code() 4: no dkms.conf; 8: bad (which directive, what is wrong, what would be right);
 * 31: a limit; 30: no sandbox. A directive of DKMS that is not supported is refused by name.
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

#endif
