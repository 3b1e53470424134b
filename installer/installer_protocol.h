/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the orchestrator may ask the installer, over lib/base/message. Which of these are allowed in
 * a run is fixed by the launcher (--verb), so a build cannot ask for an installation. Trees, keys
 * and state are descriptors that the launcher opened: nothing here carries a path. The refusal of
 * any step of an add or a publish ends it: ADD or PUBLISH is next. What is not allowed in this run
 * or state ends the conversation. error_code(): 3 state, 5 already installed, 6 install aborted, 34
 * refused, 35 disk full or read-only.
 */
#ifndef KMODBOX_INSTALLER_INSTALLER_PROTOCOL_H
#define KMODBOX_INSTALLER_INSTALLER_PROTOCOL_H

#include <stdint.h>

#include "lib/artifacts/ticket.h"
#include "lib/base/message.h"

enum installer_request {
	/* struct installer_add, 1 fd: the snapshot; then count ADD_FILEs; then ADD_COMMIT
	   (nothing). */
	INSTALLER_ADD = MESSAGE_FIRST_REQUEST,
	INSTALLER_ADD_FILE, /* struct installer_file */
	INSTALLER_ADD_COMMIT,
	/*
	 * struct installer_target, 1 fd: the ticket; a PUBLISH_FILE per file of it, any number of
	 * PUBLISH_DATA; PUBLISH_COMMIT.
	 */
	INSTALLER_PUBLISH,
	INSTALLER_PUBLISH_FILE,	  /* struct installer_file, 1 fd */
	INSTALLER_PUBLISH_COMMIT, /* nothing, 2 fds: make.log, build.json */
	/* struct installer_target, 2 fds: to M/V/build/make.log and failure.json */
	INSTALLER_FAILED_LOG,
	INSTALLER_INSTALL,   /* struct installer_target; reply: struct installer_installed */
	INSTALLER_UNINSTALL, /* struct installer_target; reply: struct installer_installed */
	INSTALLER_UNBUILD,   /* struct installer_target */
	INSTALLER_REMOVE,    /* struct installer_target: module and version only */
	/*
	 * struct installer_file, 1 fd: beside the modules, data that came out of the build:
	 * "Module.symvers" goes to module/, ".dep_NAME" and all else beside build.json. At most 64
	 * of 64 MiB each, with safe names.
	 */
	INSTALLER_PUBLISH_DATA,
	INSTALLER_TARBALL, /* struct installer_tarball, 1 fd: to M/V/tarball/NAME */
};

struct installer_target {
	char module[TICKET_NAME];
	char version[TICKET_NAME];
	char kernel[TICKET_NAME]; /* empty where it does not apply */
	char architecture[TICKET_ARCHITECTURE];
	uint32_t force; /* 0 or 1. ADD, PUBLISH: replace what is there; INSTALL: install again */
	uint32_t skip_depmod;
};

struct installer_add {
	struct installer_target target; /* module and version only; force: approve anew as well */
	struct digest source;
	/*
	 * 1: write SOURCETREE/M-V from the snapshot (an archive was added); 0: SOURCETREE/M-V is
	 * there, the installer reads it itself and refuses if its digest is not source.
	 */
	uint32_t write_source;
	uint32_t count; /* module files that the approval names */
};

struct installer_file {
	char name[TICKET_NAME];
};

struct installer_tarball {
	struct installer_target target; /* module and version only */
	struct installer_file file;
};

struct installer_installed {
	uint32_t files;	    /* installed or removed */
	uint32_t originals; /* displaced modules kept, or put back */
	uint32_t depmod;    /* 1: the kernel's module index was made anew */
	uint32_t left; /* files in our places, or in those of originals, that are not touched */
};

#endif
