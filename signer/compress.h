/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compression as kernels read it: no times, no names, one thread, so the same module gives the same
 * bytes. Only compresses; what it is given is hostile but not interpreted.
 */
#ifndef KMODBOX_SIGNER_COMPRESS_H
#define KMODBOX_SIGNER_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "lib/kernels/kernel.h" /* enum kernel_compression alone */

/* "", ".gz", ".xz", ".zst"; NULL for what is no enum kernel_compression. */
const char *compress_suffix(uint32_t compression);
/* Replaces the content by its compressed form. */
int compress_text(uint32_t compression, struct text *content, struct error **error) must_check;

#endif
