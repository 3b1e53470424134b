/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `kmodbox imports FILE...`: what a module can do, by the symbols that it imports, in the groups of
 * profiles/imports. Its bytes are read in kmodbox-checker's jail alone. Changes nothing. Its
 * --json is documented in kmodbox(8).
 */
#ifndef KMODBOX_ORCHESTRATOR_IMPORTS_COMMAND_H
#define KMODBOX_ORCHESTRATOR_IMPORTS_COMMAND_H

#include "lib/base/log.h"
#include "orchestrator/options.h"

/* 0, or the last file's reason why it could not be told. */
int imports_command(const struct options *options, const struct log *log);

#endif
