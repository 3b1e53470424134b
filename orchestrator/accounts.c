/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which uid each part of a run works as, see launcher.h; of all sources of accounts. */
#include <pwd.h>

#include "orchestrator/accounts_internal.h"

/*
 * The whole range in the host's own files. Other sources of accounts may be a network away: they
 * are asked for the uids alone that are about to be used.
 */
static int check_reserved(const struct accounts *accounts, struct error **error)
{
	const uid_t used[] = { accounts->orchestrator, accounts->signer,      accounts->depmod,
			       accounts->build_slot,   accounts->depmod_slot, accounts->own,
			       accounts->own_slot };
	int r = accounts_check_files(error);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(used); i++) {
		const struct passwd *entry = used[i] >= RESERVED_FIRST ? getpwuid(used[i]) : NULL;

		if (entry)
			r = accounts_refuse(entry->pw_name, entry->pw_uid, error);
	}
	return r;
}

int accounts_choose(struct accounts *ret_accounts, struct error **error)
{
	struct accounts accounts = { .separate = false };
	const struct passwd *entry;
	int r;

	if (geteuid() != 0) {
		*ret_accounts = accounts;
		return 0;
	}
	entry = getpwnam("kmodbox");
	accounts = (struct accounts){
		.separate = true,
		.orchestrator = entry && entry->pw_uid != 0 ? entry->pw_uid : RESERVED_FIRST,
		.signer = RESERVED_FIRST + 1,
		.depmod = RESERVED_FIRST + 2,
		.build_slot = RESERVED_FIRST + 16,
		.depmod_slot = RESERVED_FIRST + 17,
		.own = RESERVED_FIRST + OWN,
		.own_slot = RESERVED_FIRST + OWN_SLOT,
	};
	r = check_reserved(&accounts, error);
	if (r == 0)
		*ret_accounts = accounts;
	return accounts_coded(r, error);
}
