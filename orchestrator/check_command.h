/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `kmodbox check FILE...`: will these modules load on a kernel? For files that nobody built here,
 * of whoever asks. Their bytes are read in kmodbox-checker's jail alone. Changes nothing. Its
 * --json is documented in kmodbox(8).
 */
#ifndef KMODBOX_ORCHESTRATOR_CHECK_COMMAND_H
#define KMODBOX_ORCHESTRATOR_CHECK_COMMAND_H

#include "lib/base/log.h"
#include "orchestrator/options.h"

/* 0: all of them will; 32: one will not; 36: one ought not to; else why it could not be told. */
int check_command(const struct options *options, const struct log *log);

#endif
