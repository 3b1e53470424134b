/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `kmodbox profile list`, `show NAME` and `check FILE`: what builds may do, in the words of
 * kmodbox-profile(5) and kmodbox-modules.d(5). Changes nothing.
 */
#ifndef KMODBOX_ORCHESTRATOR_PROFILE_COMMAND_H
#define KMODBOX_ORCHESTRATOR_PROFILE_COMMAND_H

#include "lib/base/log.h"
#include "orchestrator/options.h"

/*
 * 0, or 1 where a profile or FILE is wrong: "FILE:LINE: reason", as compilers say it, of the file
 * that is checked.
 */
int profile_command(const struct options *options, const struct log *log);

#endif
