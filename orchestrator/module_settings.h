/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What root (or the user whose trees they are) says about the builds of one module, in
 * CONFIGDIR/modules.d/MODULE.conf: exceptions for drivers that need more than a build usually may,
 * each of them named. INI, read by libinih; kmodbox-modules.d(5). A wrong key, value or path is
 * refused with file and line. Trusted, and part of what a record calls the inputs.
 *
 *	[build]
 *	profile = network             ; kmodbox-profile(5); strict where there is none
 *	source = writable             ; /usr/src/M-V is a private copy to write to
 *	depends = xtables-addons      ; packages shown as BUILD_DEPENDS are
 *	environment = NAME=VALUE      ; for evaluation and build; one a line
 *	leave_out = demo_extra		; modules of the package to do without; blank-separated
 *	extra_outputs = zfs_config.h  ; files to keep beside build.json
 *	[install]
 *	boot_test = yes               ; a virtual machine loads it first, kmodbox(8)
 *	[limits]
 *	wall = 2h                     ; and all others of a profile, whose place they take
 *	[scratch]
 *	size = 8G                     ; another name of the limit scratch
 *	place = disk                  ; memory, disk or auto (default)
 */
#ifndef KMODBOX_ORCHESTRATOR_MODULE_SETTINGS_H
#define KMODBOX_ORCHESTRATOR_MODULE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"
#include "orchestrator/places.h"
#include "sandbox/profile.h"

enum scratch_place { SCRATCH_AUTO, SCRATCH_MEMORY, SCRATCH_DISK };

struct module_settings {
	char *profile; /* a safe name; NULL: PROFILE_DEFAULT */
	unsigned profile_line;
	enum profile_choice writable_source; /* unsaid: as the profile says */
	char **depends;
	size_t depend_count;
	char **environment; /* "NAME=VALUE" */
	size_t environment_count;
	char **left_out; /* names of modules */
	size_t left_out_count;
	char **extra_outputs; /* safe relative paths */
	size_t extra_output_count;
	bool boot_test;
	struct sandbox_limits limits; /* 0: as the profile says */
	enum scratch_place place;
	struct digest digest; /* of the file; all zero where there is none */
};

/* Without a file all is default. error_code() 1: what is wrong, as "FILE:LINE: reason". */
int module_settings_load(const struct places *places, const char *module,
			 struct module_settings *ret_settings, struct error **error) must_check;
/* A text, as if it were that file. */
int module_settings_parse(const char *path, const char *module, const char *bytes, size_t length,
			  struct module_settings *ret_settings, struct error **error) must_check;
/* "/etc/kmodbox/modules.d/MODULE.conf", whether it is there or not; NULL if memory is out. */
char *module_settings_path(const struct places *places, const char *module) must_check;
void module_settings_clear(struct module_settings *settings);
#define cleanup_module_settings cleanup(module_settings_clear)

#endif
