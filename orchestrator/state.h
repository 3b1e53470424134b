/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the DKMS tree on disk says: which module versions are added, built and installed. State is
 * those paths and nothing else, derived as DKMS derives it. Reads only; never runs or evaluates
 * anything, follows no link but `source` and the kernel-* ones (to look where they lead, with
 * stat(2) alone). Builds that kmodbox did not make are shown as they are; names that DKMS would
 * never make are passed over.
 */
#ifndef KMODBOX_ORCHESTRATOR_STATE_H
#define KMODBOX_ORCHESTRATOR_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/text.h"

enum state {
	STATE_ABSENT = 0,
	STATE_BROKEN,
	STATE_ADDED,
	STATE_BUILT,
	STATE_INSTALLED,
};

/* One module version, or one build of it (kernel and architecture then not NULL). */
struct state_entry {
	char *module;
	char *version;
	char *kernel;
	char *architecture;
	enum state state;
	bool originals;	 /* "(Original modules exist)" */
	bool missing;	 /* "(Built modules are missing in the kernel modules folder)" */
	bool differs;	 /* "(Differences between built and installed modules)" */
	char *weak_from; /* "installed-weak": the kernel it was built for, see weak.h; NULL */
};

struct state_list {
	struct state_entry *entries;
	size_t count;
};

/* The trees as directory descriptors, borrowed; -1: that tree is not looked at. */
struct state_trees {
	int dkms_fd;	/* required */
	int source_fd;	/* tells "broken" from "never added" where `source` is missing */
	int install_fd; /* for differs */
};

/*
 * Any of module, version, kernel, architecture may be NULL: all. As in DKMS a version without a
 * build that matches kernel and architecture is listed as added. Sorted bytewise by "m/v", then
 * "k/a": the order of DKMS in the C locale, the same in every locale here.
 */
int state_list_load(const struct state_trees *trees, const char *module, const char *version,
		    const char *kernel, const char *architecture, struct state_list *ret_list,
		    struct error **error) must_check;
void state_list_clear(struct state_list *list);
void state_entry_clear(struct state_entry *entry);
/*
 * The state of one build (both kernel and architecture), or of the module version where kernel is
 * NULL: absent, broken or added. Without the source tree's word a missing `source` is absent, so
 * that `add` may mend it.
 */
int state_get(int dkms_tree_fd, const char *module, const char *version, const char *kernel,
	      const char *architecture, enum state *ret_state, struct error **error) must_check;
const char *state_name(enum state state);		       /* "built" */
const char *state_entry_name(const struct state_entry *entry); /* also "installed-weak" */
/* The line of `status`, byte for byte as DKMS prints it, without the newline. */
int state_entry_format(const struct state_entry *entry, struct text *text) must_check;

#endif
