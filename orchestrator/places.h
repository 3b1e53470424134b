/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where everything is: the trees that the command line, or the defaults of root and of an ordinary
 * user, name, opened once. Nobody after the launcher resolves a path of the host again.
 */
#ifndef KMODBOX_ORCHESTRATOR_PLACES_H
#define KMODBOX_ORCHESTRATOR_PLACES_H

#include "lib/base/error.h"
#include "orchestrator/options.h"

struct places {
	/* Absolute paths; owned. */
	char *dkms_tree;
	char *source_tree;
	char *install_tree;
	char *kernel_root;
	char *state;
	char *module_tree; /* below kernel_root: what holds RELEASE/build there */
	char *config;	   /* /etc/kmodbox; of an ordinary user first $XDG_CONFIG_HOME/kmodbox */
	char *dkms_config; /* /etc/dkms */
	/* Directories, open; -1 where there is none yet and none was asked to be made. */
	int dkms_tree_fd;
	int source_tree_fd;
	int install_tree_fd;
	int state_fd;
	int config_fd; /* these two: -1 where there is none, or nothing is changed */
	int dkms_config_fd;
};

#define PLACES_INITIAL                                                                             \
	((struct places){ .dkms_tree_fd = -1,                                                      \
			  .source_tree_fd = -1,                                                    \
			  .install_tree_fd = -1,                                                   \
			  .state_fd = -1,                                                          \
			  .config_fd = -1,                                                         \
			  .dkms_config_fd = -1 })

/* Resolves and opens. make: create what is missing (verbs that change something). */
int places_open(const struct options *options, bool make, struct places *ret_places,
		struct error **error) must_check;
/* kernel_root and module_tree alone: nothing of kmodbox's own is needed for them. */
int places_choose_kernels(const struct options *options, struct places *ret_places,
			  struct error **error) must_check;
/* The configuration alone: config and config_fd. */
int places_open_config(const struct options *options, struct places *ret_places,
		       struct error **error) must_check;
void places_close(struct places *places);
#define cleanup_places cleanup(places_close)

#endif
