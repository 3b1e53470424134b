/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The key holder's answers to signer_protocol.h. It trusts the launcher's descriptors and root's
 * approvals; the orchestrator's word only where an approval covers it, and the module never: it has
 * every file checked itself, by a process it starts.
 */
#ifndef KMODBOX_SIGNER_SIGNER_H
#define KMODBOX_SIGNER_SIGNER_H

#include <stddef.h>

#include "lib/artifacts/approval.h"
#include "signer/keys.h"
#include "signer/signer_protocol.h"

/* A kernel the launcher opened for us. */
struct signer_kernel {
	char *release;			  /* owned */
	struct text config;		  /* of .config */
	struct text symvers;		  /* of Module.symvers */
	struct checker_verdict reference; /* on its reference module; outcome 0: none came */
};

/* One file: as it came, and from FINISH on as it is signed and compressed. */
struct signer_result {
	char built_name[TICKET_NAME];
	struct ticket_file file;
	struct signer_verdict verdict;
	int fd; /* sealed memfd; -1 once fetched */
};

struct signer {
	struct keys keys;
	struct signer_kernel *kernels;
	size_t kernel_count;
	int approvals_fd;
	int audit_fd;
	int checker_fd;

	/* The signing under way. */
	uint32_t state;
	struct signer_begin begin;
	const struct signer_kernel *kernel;
	const char *hash; /* that this kernel can verify */
	struct approval approval;
	struct signer_result *results; /* begin.count of them */
	struct text imports;   /* what its dependencies export, as lines of Module.symvers */
	uint32_t dependencies; /* files of them */
	uint32_t received;     /* files */
	uint32_t fetched;
	uint64_t bytes; /* of finished files, held in results */
};

/* Reads .config and Module.symvers below headers_fd; release is copied. */
int signer_add_kernel(struct signer *signer, const char *release, int headers_fd,
		      struct error **error) must_check;
/* Until the other side hangs up. */
int signer_serve(struct signer *signer, int socket, struct error **error) must_check;
void signer_clear(struct signer *signer);

#endif
