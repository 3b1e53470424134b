/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which uid each part runs as, see launcher.h. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "orchestrator/launcher.h"

/*
 * Above every range that systemd's "Users, Groups, UIDs and GIDs" gives to people, services,
 * containers or DynamicUser, and below 2^31.
 */
#define RESERVED_FIRST 2000000000u
#define RESERVED_COUNT 64u

static int check_subordinate(const char *path, struct error **error)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	char line[512];

	if (!file)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		char *first = strchr(line, ':');
		char *count = first ? strchr(first + 1, ':') : NULL;
		uint64_t start;
		uint64_t length;

		if (!count)
			continue;
		*count++ = '\0';
		count[strcspn(count, "\n")] = '\0';
		/* A range may be written longer than there are uids. */
		if (parse_u64(first + 1, UINT32_MAX, &start) < 0 ||
		    parse_u64(count, INT64_MAX, &length) < 0)
			continue;
		if (start < RESERVED_FIRST + RESERVED_COUNT && start + length > RESERVED_FIRST)
			return error_set(error, EEXIST,
					 "%s gives away ids %u to %u, which kmodbox keeps for its "
					 "sandboxes",
					 path, RESERVED_FIRST, RESERVED_FIRST + RESERVED_COUNT - 1);
	}
	return 0;
}

static int refuse_account(const struct passwd *entry, struct error **error)
{
	return error_set(error, EEXIST,
			 "uid %u belongs to account %s, but kmodbox keeps %u to %u for its "
			 "sandboxes",
			 (unsigned)entry->pw_uid, entry->pw_name, RESERVED_FIRST,
			 RESERVED_FIRST + RESERVED_COUNT - 1);
}

static int check_passwd(struct error **error)
{
	cleanup_fclose FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;

	if (!file)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "/etc/passwd");
	while ((entry = fgetpwent(file))) {
		if (entry->pw_uid >= RESERVED_FIRST &&
		    entry->pw_uid < RESERVED_FIRST + RESERVED_COUNT)
			return refuse_account(entry, error);
	}
	return 0;
}

/*
 * The whole range in the host's own files. Other sources of accounts may be a network away: they
 * are asked for the uids alone that are about to be used.
 */
static int check_reserved(const struct accounts *accounts, struct error **error)
{
	const uid_t used[] = { accounts->orchestrator, accounts->signer,      accounts->depmod,
			       accounts->build_slot,   accounts->depmod_slot, accounts->own,
			       accounts->own_slot };
	int r = check_passwd(error);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(used); i++) {
		const struct passwd *entry = used[i] >= RESERVED_FIRST ? getpwuid(used[i]) : NULL;

		if (entry)
			r = refuse_account(entry, error);
	}
	if (r == 0)
		r = check_subordinate("/etc/subuid", error);
	return r < 0 ? r : check_subordinate("/etc/subgid", error);
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
		.own = RESERVED_FIRST + 3,
		.own_slot = RESERVED_FIRST + 18,
	};
	r = check_reserved(&accounts, error);
	if (r < 0) {
		if (error)
			error_set_code(*error, EXIT_SANDBOX);
		return r;
	}
	*ret_accounts = accounts;
	return 0;
}

int accounts_become(const struct accounts *accounts, uid_t uid, struct error **error)
{
	if (accounts->separate && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
				   setresuid(uid, uid, uid) < 0))
		return error_set_errno(error, errno, "cannot become uid %u", (unsigned)uid);
	/* Without root this has no capability left to drop; the promise still closes setuid
	 * programs. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return error_set_errno(error, errno, "prctl");
	return 0;
}
