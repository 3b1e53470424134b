/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One run of a verb, as launcher.c and launcher_helpers.c share it. */
#ifndef KMODBOX_ORCHESTRATOR_LAUNCHER_INTERNAL_H
#define KMODBOX_ORCHESTRATOR_LAUNCHER_INTERNAL_H

#include <signal.h>
#include <sys/types.h>

#include "orchestrator/cgroup_delegation.h"
#include "orchestrator/launcher.h"
#include "orchestrator/terminal.h"

struct launch {
	const struct verb_row *row;
	struct accounts accounts;
	struct orchestrator part; /* what the orchestrator will hold */
	int signer_side;	  /* the other ends of the sockets */
	int installer_side;
	pid_t signer;
	pid_t installer;
	pid_t depmod;
	pid_t orchestrator;
	struct terminal terminal; /* VERB_SHELL */
	struct cgroup_delegation cgroup;
	char *depmod_tree; /* where kmodbox-depmod finds the install tree */
	bool told;	   /* a helper has said itself what is wrong */
};

/* What a person or a service manager ends us with. */
void launch_interruptions(sigset_t *ret_signals);
/* STATE/NAME, made where it is missing. */
int launch_open_state(const struct launch *launch, const char *name, mode_t mode, int *ret_fd,
		      struct error **error) must_check;
/* Starts signer and installer, those that the verb needs, and waits until they are ready. */
int launch_helpers(struct launch *launch, struct error **error) must_check;

#endif
