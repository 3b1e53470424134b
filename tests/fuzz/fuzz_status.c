/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any DKMS tree, source tree and install tree. Each line makes one entry, as long as
 * none is there: "d PATH", a directory, "f PATH", a file, "p PATH", a FIFO, "l PATH TARGET", a link
 * to anywhere; PATH is below dkms/, src/ or modules/. What status then says must be in order, made
 * of safe names, printable, and the same as what the other verbs are told. Anything else is a
 * crash.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "orchestrator/state.h"
#include "tests/fuzz/promise.h"

#define LINES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Below the directory alone: open_beneath() follows none of the links that were made before. */
static void make_entry(int top_fd, char type, const char *path, const char *target)
{
	cleanup_close int parent_fd = -1;
	cleanup_free char *parent = strdup(path);
	char *slash = parent ? strrchr(parent, '/') : NULL;
	const char *name;

	if (!slash || !path_is_safe(path, strlen(path)))
		return;
	*slash = '\0';
	if (make_directories(top_fd, parent, 0700, NULL) < 0 ||
	    open_parent_beneath(top_fd, path, &parent_fd, &name, NULL) < 0)
		return;
	if (type == 'd')
		(void)mkdirat(parent_fd, name, 0700);
	else if (type == 'f')
		(void)mknodat(parent_fd, name, S_IFREG | 0600, 0);
	else if (type == 'p')
		(void)mknodat(parent_fd, name, S_IFIFO | 0600, 0);
	else if (type == 'l' && target && *target && symlinkat(target, parent_fd, name) < 0)
		return;
}

static void make_trees(int top_fd, char *text)
{
	static const char *const tops[] = { "dkms/", "src/", "modules/" };
	char *line;

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		cleanup_free char *top = strndup(tops[i], strlen(tops[i]) - 1);

		promise(top && mkdirat(top_fd, top, 0700) == 0);
	}
	for (size_t count = 0; count < LINES && (line = strsep(&text, "\n")); count++) {
		char *path = line[0] && line[1] == ' ' ? line + 2 : NULL;
		char *target = path ? strchr(path, ' ') : NULL;

		if (target)
			*target++ = '\0';
		for (size_t i = 0; path && i < ARRAY_SIZE(tops); i++)
			if (string_starts_with(path, tops[i]))
				make_entry(top_fd, line[0], path, target);
	}
}

/* "m/v k/a": how they are sorted. */
static char *key_of(const struct state_entry *entry)
{
	return format_string("%s/%s %s/%s", entry->module, entry->version,
			     entry->kernel ? entry->kernel : "",
			     entry->architecture ? entry->architecture : "");
}

static void check_entry(const struct state_trees *trees, const struct state_entry *entry)
{
	cleanup_text struct text line = { 0 };
	cleanup_free char *shown = NULL;
	enum state state;

	promise(name_is_safe(entry->module) && name_is_safe(entry->version));
	promise(!entry->kernel == !entry->architecture && !entry->weak_from);
	promise(!entry->kernel ||
		(name_is_safe(entry->kernel) && name_is_safe(entry->architecture)));
	promise(entry->kernel ? entry->state >= STATE_BUILT : entry->state <= STATE_ADDED);
	promise(state_entry_format(entry, &line) == 0);
	shown = sanitised(line.data);
	promise(shown && strcmp(shown, line.data) == 0);
	promise(state_get(trees->dkms_fd, entry->module, entry->version, entry->kernel,
			  entry->architecture, &state, NULL) == 0);
	/* Of a missing source only the source tree tells broken from never added. */
	promise(state == entry->state || (entry->state == STATE_BROKEN && state == STATE_ABSENT));
}

static void check(const struct state_trees *trees)
{
	cleanup_free char *last = NULL;
	struct state_list list;

	promise(state_list_load(trees, NULL, NULL, NULL, NULL, &list, NULL) == 0);
	for (size_t i = 0; i < list.count; i++) {
		const struct state_entry *entry = &list.entries[i];
		struct state_list one;
		char *key = key_of(entry);

		promise(key && (!last || strcmp(last, key) < 0));
		free(last);
		last = key;
		check_entry(trees, entry);
		promise(state_list_load(trees, entry->module, entry->version, entry->kernel,
					entry->architecture, &one, NULL) == 0);
		promise(one.count == 1 || (!entry->kernel && one.count >= 1));
		promise(one.entries[0].state == entry->state);
		state_list_clear(&one);
	}
	state_list_clear(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *temporary = secure_getenv("TMPDIR");
	cleanup_free char *top =
		format_string("%s/fuzz-status-XXXXXX", temporary ? temporary : "/tmp");
	cleanup_free char *text = strndup((const char *)data, size);
	cleanup_close int top_fd = -1, dkms_fd = -1, source_fd = -1, install_fd = -1;

	if (!text || !top)
		return 0;
	promise(mkdtemp(top) != NULL);
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	promise(top_fd >= 0);
	make_trees(top_fd, text);
	promise(open_beneath(top_fd, "dkms", O_RDONLY | O_DIRECTORY, 0, &dkms_fd, NULL) == 0 &&
		open_beneath(top_fd, "src", O_RDONLY | O_DIRECTORY, 0, &source_fd, NULL) == 0 &&
		open_beneath(top_fd, "modules", O_RDONLY | O_DIRECTORY, 0, &install_fd, NULL) == 0);
	check(&(struct state_trees){
		.dkms_fd = dkms_fd, .source_fd = source_fd, .install_fd = install_fd });
	promise(remove_tree(top_fd, "dkms", NULL) == 0 && remove_tree(top_fd, "src", NULL) == 0 &&
		remove_tree(top_fd, "modules", NULL) == 0 && rmdir(top) == 0);
	return 0;
}
