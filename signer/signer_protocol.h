/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the orchestrator may ask the signer, over lib/base/message. In order: one BEGIN, any number
 * of DEPENDENCYs, count FILEs, one FINISH, count FETCHes; then the next BEGIN. Before a BEGIN there
 * may be REFERENCEs. Nothing is checked
 * before all are there, so files may use each other's exports whatever their order. A refusal ends
 * that signing: BEGIN is next. error_code(): 32 will not load, 33 signing failed, 36 no approval
 * covers it or policy objects.
 */
#ifndef KMODBOX_SIGNER_SIGNER_PROTOCOL_H
#define KMODBOX_SIGNER_SIGNER_PROTOCOL_H

#include <stdint.h>

#include "checker/checker.h"
#include "lib/artifacts/ticket.h"
#include "lib/base/message.h"

enum signer_request {
	SIGNER_BEGIN = MESSAGE_FIRST_REQUEST, /* struct signer_begin; reply: nothing */
	SIGNER_FILE,   /* struct signer_file, 1 fd: unsigned, stripped .ko; reply: nothing */
	SIGNER_FINISH, /* nothing; reply: struct signer_ticket, 1 fd: the ticket */
	SIGNER_FETCH,  /* struct signer_fetch; reply: struct signer_signed, 1 fd: signed, compressed
			*/
	/*
	 * struct signer_file (name and built_name empty but for name: "compat_xtables.ko.xz"), 2
	 * fds: the ticket of a build for the same kernel, and a file of it. Both were signed here:
	 * only then may the files of this signing import what that module exports. Reply: nothing.
	 */
	SIGNER_DEPENDENCY,
	/*
	 * struct signer_reference, 1 fd: a module made of nothing with the headers of that kernel.
	 * What it says of the kernel, if it does not contradict .config, is expected of all that is
	 * signed for it from then on. It makes nothing pass that is refused without it; kernels
	 * with CONFIG_RANDSTRUCT need one. Reply: nothing.
	 */
	SIGNER_REFERENCE,
};

struct signer_reference {
	char kernel[TICKET_NAME]; /* as of signer_begin */
	char architecture[TICKET_ARCHITECTURE];
};

struct signer_begin {
	char module[TICKET_NAME];
	char version[TICKET_NAME];
	char kernel[TICKET_NAME]; /* one of those the launcher opened for the signer */
	char architecture[TICKET_ARCHITECTURE];
	struct digest source;
	uint32_t compression; /* enum kernel_compression */
	uint32_t count;	      /* 1 to TICKET_FILES */
};

struct signer_file {
	char built_name[TICKET_NAME]; /* the module's own name, as approved: "ddcci-backlight" */
	char name[TICKET_NAME];	      /* destination name, stem; approved as well */
	char directory[TICKET_DIRECTORY];
};

/* The checker's word on one file that passed. One that failed is a MESSAGE_ERROR. */
struct signer_verdict {
	struct digest unsigned_digest;
	struct checker_verdict checker; /* text: "will load", or the warnings, a line each */
};

struct signer_ticket {
	uint64_t serial;
	char certificate_subject[256];
	char hash[32]; /* "sha256" */
};

struct signer_fetch {
	uint32_t index; /* in the order of the FILEs */
};

struct signer_signed {
	char name[TICKET_NAME]; /* with suffix: "demo.ko.xz" */
	uint64_t size;
	struct digest digest;
	struct signer_verdict verdict;
};

#endif
