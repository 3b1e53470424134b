/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel as one that modules are held against: what it exports, and what its own tree of modules
 * says, as far as there is one: their names and aliases, the size of struct module. All of it is
 * trusted as the kernel is; modules in it are nevertheless read in the checker's jail.
 */
#ifndef KMODBOX_ORCHESTRATOR_CHECK_KERNEL_H
#define KMODBOX_ORCHESTRATOR_CHECK_KERNEL_H

#include <stdbool.h>

#include "checker/checker.h"
#include "lib/kernels/kernel.h"
#include "orchestrator/module_list.h"
#include "orchestrator/places.h"

struct check_kernel {
	struct kernel *kernel;
	char *release;
	int root_fd;		  /* the kernel root */
	int tree_fd;		  /* lib/modules/RELEASE; -1: none */
	struct text symvers;	  /* and behind it what other modules export that were asked for */
	struct module_list order; /* modules.order */
	struct module_list builtin;	  /* modules.builtin */
	struct text aliases;		  /* modules.alias, of depmod */
	struct checker_facts facts;	  /* of whatever name */
	struct checker_verdict reference; /* of one of its own modules; size 0: none was found */
	char reference_name[128];
};
#define CHECK_KERNEL_INITIAL ((struct check_kernel){ .root_fd = -1, .tree_fd = -1 })

/* release NULL: the running one. error_code() 21: without its headers nothing can be told. */
int check_kernel_open(const struct places *places, const char *release, const char *architecture,
		      int checker_fd, struct check_kernel *ret_kernel,
		      struct error **error) must_check;
void check_kernel_close(struct check_kernel *kernel);
#define cleanup_check_kernel cleanup(check_kernel_close)

/* What a module of this name ("snd-hda") must agree with. */
int check_kernel_facts(const struct check_kernel *kernel, const char *name,
		       struct checker_facts *ret_facts, struct error **error) must_check;
/*
 * The path of the kernel's own module of that name, below lib/modules/RELEASE, borrowed and not
 * terminated: its length; 0: it has none. ret_builtin: it is a part of the kernel itself.
 */
size_t check_kernel_own(const struct check_kernel *kernel, const char *name, const char **ret_path,
			bool *ret_builtin);
/* Which of the kernel's own modules has just this alias: its name's length, or 0. */
size_t check_kernel_alias(const struct check_kernel *kernel, const char *alias,
			  const char **ret_module);
/* order and builtin, of tree_fd. */
void check_kernel_read_lists(struct check_kernel *kernel);
/* Of that name in a directory, in a sealed copy; -1: there is none. */
int check_kernel_open_in(int tree_fd, const char *directory, const char *name);
/* A module that others added, "updates/dkms/x.ko.xz", for who depends on it; -1: none. */
int check_kernel_open_added(const struct check_kernel *kernel, const char *name);
/* The kernel's own one in a sealed copy; -1: it has none, or built in. */
int check_kernel_open_own(const struct check_kernel *kernel, const char *name);
/* What a module says of itself (CHECKER_DESCRIPTION), read in the checker's jail. */
int check_kernel_describe(const struct check_kernel *kernel, int checker_fd, int module_fd,
			  const char *name, struct text *ret_lines,
			  struct error **error) must_check;
/* The next value of key in such lines, to be freed; NULL: no more. */
char *check_next_value(const char **line, const char *key);
bool check_kernel_has_firmware(const struct check_kernel *kernel, const char *name);

/* name up to its .ko, .ko.xz, .ko.zst or .ko.gz: the length; 0: it is called otherwise. */
size_t check_module_stem(const char *name);

#endif
