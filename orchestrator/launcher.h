/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one part that is root when root starts kmodbox: reads the command line, opens every directory
 * that the others need, makes the slots, starts signer, installer and orchestrator with just what
 * each may have, and waits. It never touches module content. Started by an ordinary user it does
 * the same, and everything runs as that user.
 */
#ifndef KMODBOX_ORCHESTRATOR_LAUNCHER_H
#define KMODBOX_ORCHESTRATOR_LAUNCHER_H

#include "orchestrator/orchestrator.h"

/*
 * Runs a verb to its end. Returns the exit code. What went wrong has been printed. only: the
 * packages that the run may touch, as rebuild_list() gives them; NULL: those of -m and -v. results:
 * what is done is told to them, too; NULL.
 */
int launch(const struct verb_row *row, const struct options *options, const char *only,
	   struct results *results, const struct log *log);

/* Uids of the parts where root starts kmodbox; all the caller's own otherwise. */
struct accounts {
	bool separate; /* root started it */
	uid_t orchestrator;
	uid_t signer;
	uid_t depmod;
	uid_t build_slot;
	uid_t depmod_slot;
	/* For what root says and runs: no orchestrator, of no run, reaches into it. */
	uid_t own;
	uid_t own_slot;
};

/*
 * The account `kmodbox` where there is one, else a reserved number; the others from the same
 * reserved range. error_code() 30 where the range overlaps passwd or subuid.
 */
int accounts_choose(struct accounts *ret_accounts, struct error **error) must_check;
/*
 * Only own and own_slot, for one sandbox, whose time asking other sources of accounts than the
 * host's own files (a library for each, a network perhaps) would double.
 */
int accounts_choose_own(struct accounts *ret_accounts, struct error **error) must_check;
/* Gives up root for good: groups, gid, uid, every capability. Nothing to do where !separate. */
int accounts_become(const struct accounts *accounts, uid_t uid, struct error **error) must_check;

#endif
