/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks the signer: hands it unsigned modules, gets signed ones and a ticket, or its refusal. */
#ifndef KMODBOX_ORCHESTRATOR_SIGNER_CLIENT_H
#define KMODBOX_ORCHESTRATOR_SIGNER_CLIENT_H

#include "lib/artifacts/collect.h"
#include "lib/recipes/recipe.h"
#include "orchestrator/orchestrator.h"
#include "signer/signer_protocol.h"

struct signed_file {
	struct signer_file request;
	struct signer_signed result;
	int fd; /* sealed memfd; owned */
};

struct signed_set {
	struct signed_file *files; /* owned */
	size_t count;
	int ticket_fd; /* owned */
	struct signer_ticket ticket;
};

#define SIGNED_SET_INITIAL ((struct signed_set){ .ticket_fd = -1 })

/* A file of another module's build, whose exports the modules to be signed may import. */
struct signer_dependency {
	const char *name; /* as installed, with suffixes: "compat_xtables.ko.xz"; borrowed */
	int ticket_fd;	  /* sealed memfd: the ticket of that build; borrowed */
	int file_fd;	  /* sealed memfd; borrowed */
};

/*
 * The reference module of a kernel, a sealed memfd: what is signed for it from now on is held
 * against what the signer's own checker reads in it.
 */
int signer_client_reference(const struct orchestrator *orchestrator, const struct target *target,
			    int module_fd, struct error **error) must_check;
/*
 * artifacts are the recipe's modules in order. Those that are excluded are left out, whatever
 * stands in their place; ret_set holds the others, in order.
 */
int signer_client_sign(const struct orchestrator *orchestrator, const struct target *target,
		       const struct recipe *recipe, const struct digest *source,
		       const struct artifact *artifacts,
		       const struct signer_dependency *dependencies, size_t dependency_count,
		       struct signed_set *ret_set, struct error **error) must_check;
void signed_set_clear(struct signed_set *set);
#define cleanup_signed_set cleanup(signed_set_clear)

#endif
