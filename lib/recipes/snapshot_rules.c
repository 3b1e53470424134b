/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of snapshot.h, checked on the writing and on the reading side. The bytes judged here
 * are hostile; nothing is opened.
 */
#include <errno.h>
#include <string.h>

#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_rules.h"

int snapshot_refuse(struct error **error, int errnum, const char *path, const char *reason)
{
	cleanup_free char *shown = sanitised(path);

	return error_set(error, errnum, "'%s' %s", shown ? shown : "(out of memory)", reason);
}

/* '/' sorts below every other byte, so a directory's content follows it before its next sibling. */
static int rank(char byte)
{
	return byte == '\0' ? 0 : byte == '/' ? 1 : (unsigned char)byte + 1;
}

static int compare_paths(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return rank(*a) - rank(*b);
}

/* Is path's directory the last entry, or one that holds the last entry? Then it is a directory. */
static bool parent_is_known(const struct snapshot_rules *rules, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	if (!slash)
		return true;
	if (strncmp(rules->path, path, length) != 0)
		return false;
	return rules->path[length] == '/' || (rules->path[length] == '\0' && rules->type == 'd');
}

int snapshot_rules_entry(struct snapshot_rules *rules, char type, const char *path, size_t length,
			 struct error **error)
{
	char copy[SNAPSHOT_PATH] = "";
	size_t slashes = 0;

	memcpy(copy, path, length < sizeof(copy) ? length : sizeof(copy) - 1);
	if (type != 'd' && type != 'f' && type != 'x' && type != 'l' && type != 'o')
		return snapshot_refuse(error, EBADMSG, copy, "has an unknown type in the snapshot");
	if (!path_is_safe(path, length))
		return snapshot_refuse(error, EINVAL, copy,
				       "is not a name for a source file: control characters, '..' "
				       "and more than 1023 bytes are refused; rename it");
	for (size_t i = 0; i < length; i++)
		slashes += copy[i] == '/';
	if (slashes >= SNAPSHOT_DEPTH)
		return snapshot_refuse(error, E2BIG, copy,
				       "is nested more than 64 directories deep");
	if (rules->entries >= SNAPSHOT_ENTRIES)
		return error_set(error, E2BIG, "the source has more than %u files and directories",
				 SNAPSHOT_ENTRIES);
	if (compare_paths(rules->path, copy) >= 0 || !parent_is_known(rules, copy))
		return snapshot_refuse(error, EBADMSG, copy, "is out of order in the snapshot");
	memcpy(rules->path, copy, sizeof(copy));
	rules->type = type;
	rules->entries++;
	return 0;
}

/*
 * ".." only in front, and no more of them than there are directories above the link: these are real
 * directories of the tree. So whoever follows the link, and links behind it, stays inside; after a
 * name, ".." could step out of wherever another link leads.
 */
bool snapshot_link_leads_out(const char *path, const char *target, size_t length)
{
	size_t depth = 0;
	bool named = false;

	for (const char *p = path; *p; p++)
		depth += *p == '/';
	if (length > 0 && target[0] == '/')
		return true;
	for (size_t i = 0, end = 0; i < length; i = end + 1) {
		for (end = i; end < length && target[end] != '/'; end++)
			;
		if (end - i == 2 && target[i] == '.' && target[i + 1] == '.') {
			if (named || depth-- == 0)
				return true;
		} else if (end > i && !(end - i == 1 && target[i] == '.')) {
			named = true;
		}
	}
	return false;
}

int snapshot_rules_link(const struct snapshot_rules *rules, const char *target, size_t length,
			struct error **error)
{
	if (length == 0 || length >= SNAPSHOT_PATH)
		return snapshot_refuse(error, ELOOP, rules->path,
				       "is a symbolic link with an empty or overlong target");
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)target[i] < 0x20 || target[i] == 0x7f)
			return snapshot_refuse(error, EINVAL, rules->path,
					       "is a symbolic link whose target has control "
					       "characters");
	}
	if (snapshot_link_leads_out(rules->path, target, length) != (rules->type == 'o'))
		return snapshot_refuse(error, EBADMSG, rules->path,
				       "is a symbolic link of the wrong kind in the snapshot");
	return 0;
}
