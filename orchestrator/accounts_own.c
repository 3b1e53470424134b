/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reserved ids and the host's own files, see launcher.h. */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "lib/artifacts/exit_code.h"
#include "orchestrator/accounts_internal.h"

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

int accounts_refuse(const char *account, uid_t uid, struct error **error)
{
	return error_set(error, EEXIST,
			 "uid %u belongs to account %s, but kmodbox keeps %u to %u for its "
			 "sandboxes",
			 (unsigned)uid, account, RESERVED_FIRST,
			 RESERVED_FIRST + RESERVED_COUNT - 1);
}

/* Not by fgetpwent(3): it seeks at every line, which takes longer than all the rest of a start. */
static int check_passwd(struct error **error)
{
	cleanup_fclose FILE *file = fopen("/etc/passwd", "re");
	cleanup_free char *line = NULL;
	size_t size = 0;

	if (!file)
		return errno == ENOENT ? 0 : error_set_errno(error, errno, "/etc/passwd");
	while (getline(&line, &size, file) >= 0) {
		char *rest = line;
		const char *name = strsep(&rest, ":");
		const char *number = strsep(&rest, ":") ? strsep(&rest, ":") : NULL;
		uint64_t uid;

		if (number && parse_u64(number, UINT32_MAX, &uid) == 0 && uid >= RESERVED_FIRST &&
		    uid < RESERVED_FIRST + RESERVED_COUNT)
			return accounts_refuse(name, (uid_t)uid, error);
	}
	return 0;
}

int accounts_check_files(struct error **error)
{
	int r = check_passwd(error);

	if (r == 0)
		r = check_subordinate("/etc/subuid", error);
	return r < 0 ? r : check_subordinate("/etc/subgid", error);
}

int accounts_coded(int r, struct error **error)
{
	if (r < 0 && error)
		error_set_code(*error, EXIT_SANDBOX);
	return r;
}

int accounts_choose_own(struct accounts *ret_accounts, struct error **error)
{
	const struct accounts accounts = {
		.separate = geteuid() == 0,
		.own = RESERVED_FIRST + OWN,
		.own_slot = RESERVED_FIRST + OWN_SLOT,
	};
	int r = accounts.separate ? accounts_check_files(error) : 0;

	if (r == 0)
		*ret_accounts = accounts.separate ? accounts : (struct accounts){ 0 };
	return accounts_coded(r, error);
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
