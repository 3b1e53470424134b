/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module's file that a person names: opened, copied and sealed, not read. */
#ifndef KMODBOX_ORCHESTRATOR_MODULE_FILE_H
#define KMODBOX_ORCHESTRATOR_MODULE_FILE_H

#include <sys/stat.h>

#include "lib/base/error.h"

/*
 * The name of the module that a file is called by, "snd-hda" of "/x/snd-hda.ko.xz"; NULL where it
 * is called like none. To be freed. -ENOMEM.
 */
int module_file_name(const char *path, char **ret_name) must_check;
/*
 * A sealed memfd with the file's bytes. error_code(): EXIT_NO_SOURCE where it cannot be opened or
 * is no regular file, EXIT_WILL_NOT_LOAD where it is larger than a module may be, EXIT_USAGE where
 * it is called like none.
 */
int module_file_open(const char *path, int *ret_fd, struct stat *ret_status,
		     struct error **error) must_check;

#endif
