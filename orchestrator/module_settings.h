/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What root (or the user whose trees they are) says about the builds of one module, in
 * CONFIGDIR/modules.d/MODULE.conf: exceptions for drivers that need more than a build usually may,
 * each of them named. INI, read by libinih; kmodbox-modules.d(5). A wrong key, value or path is
 * refused with file and line. Trusted, and part of what a record calls the inputs.
 *
 *	[build]
 *	profile = network             ; build (default) or network: not hermetic then
 *	source = writable             ; /usr/src/M-V is a private copy to write to
 *	depends = xtables-addons      ; packages shown as BUILD_DEPENDS are
 *	environment = NAME=VALUE      ; for evaluation and build; one a line
 *	leave_out = demo_extra		; modules of the package to do without; blank-separated
 *	extra_outputs = zfs_config.h  ; files to keep beside build.json
 *	[scratch]
 *	size = 8G                     ; of the build directory; bytes, or K, M or G
 *	place = disk                  ; memory, disk or auto (default)
 */
#ifndef KMODBOX_ORCHESTRATOR_MODULE_SETTINGS_H
#define KMODBOX_ORCHESTRATOR_MODULE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "orchestrator/orchestrator.h"

enum scratch_place { SCRATCH_AUTO, SCRATCH_MEMORY, SCRATCH_DISK };

struct module_settings {
	enum profile profile;
	bool writable_source;
	char **depends;
	size_t depend_count;
	char **environment; /* "NAME=VALUE" */
	size_t environment_count;
	char **left_out; /* names of modules */
	size_t left_out_count;
	char **extra_outputs; /* safe relative paths */
	size_t extra_output_count;
	uint64_t scratch_bytes; /* 0: the default */
	enum scratch_place place;
	struct digest digest; /* of the file; all zero where there is none */
};

/* Without a file all is default. error_code() 1: what is wrong, with file and line. */
int module_settings_load(const struct places *places, const char *module,
			 struct module_settings *ret_settings, struct error **error) must_check;
/* "/etc/kmodbox/modules.d/MODULE.conf", whether it is there or not; NULL if memory is out. */
char *module_settings_path(const struct places *places, const char *module) must_check;
void module_settings_clear(struct module_settings *settings);
#define cleanup_module_settings cleanup(module_settings_clear)

#endif
