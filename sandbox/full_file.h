/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Did a process run into the limit of one file's size? The kernel tells only that process. */
#ifndef KMODBOX_SANDBOX_FULL_FILE_H
#define KMODBOX_SANDBOX_FULL_FILE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Is there a regular file of exactly this size below a directory whose writers are all dead? What
 * went through write(2) until SIGXFSZ or EFBIG ends there. A bounded look: what is hidden deeper,
 * behind more entries, or from us by its mode, is not found.
 */
bool full_file_is_below(int directory_fd, uint64_t size);

#endif
