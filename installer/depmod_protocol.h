/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the installer may ask kmodbox-depmod: one RUN, then a FETCH per file, then the next RUN. The
 * answers come from a program that parsed every module of the tree, so the installer believes only
 * the names below and sealed bytes, as the module loader's tools will.
 */
#ifndef KMODBOX_INSTALLER_DEPMOD_PROTOCOL_H
#define KMODBOX_INSTALLER_DEPMOD_PROTOCOL_H

#include <stdint.h>

#include "lib/artifacts/ticket.h"
#include "lib/base/message.h"

/* What depmod makes, of whatever kmod version; nothing else is taken. */
static const char *const depmod_files[] = {
	"modules.dep",	     "modules.dep.bin",		  "modules.alias",
	"modules.alias.bin", "modules.symbols",		  "modules.symbols.bin",
	"modules.softdep",   "modules.weakdep",		  "modules.builtin.bin",
	"modules.devname",   "modules.builtin.alias.bin",
};
#define DEPMOD_FILE_MAXIMUM (UINT64_C(64) << 20)

enum depmod_request_type {
	DEPMOD_RUN = MESSAGE_FIRST_REQUEST, /* struct depmod_run; reply: struct depmod_done */
	DEPMOD_FETCH, /* struct depmod_fetch; reply: struct depmod_file, 1 fd */
};

struct depmod_run {
	char kernel[TICKET_NAME];
	/*
	 * INSTALLTREE/.kmodbox-stage/STAGE/layer is laid over INSTALLTREE/KERNEL: a regular file of
	 * it comes in addition or instead, a symbolic link says that the file of this name is gone.
	 */
	char stage[TICKET_NAME];
};

struct depmod_done {
	uint32_t count; /* at most one per name */
};

struct depmod_fetch {
	uint32_t index;
};

struct depmod_file {
	char name[TICKET_NAME];
};

#endif
