/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The append-only record of what was signed, a line per file:
 *
 *	time serial module version kernel file sha256-unsigned sha256-final certificate-serial
 *
 * The launcher makes the file and opens it O_RDWR|O_APPEND. It also is what makes serials grow.
 */
#ifndef KMODBOX_SIGNER_AUDIT_H
#define KMODBOX_SIGNER_AUDIT_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

/* Locks the log and gives the next serial: above the last one, and at least the time in seconds. */
int audit_begin(int fd, uint64_t now, uint64_t *ret_serial, struct error **error) must_check;
/* Appends whole lines and waits until they are on disk. */
int audit_append(int fd, const struct text *lines, struct error **error) must_check;
/* Unlocks. */
void audit_end(int fd);

#endif
