/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All or nothing over several directory trees. What a request changes is staged beside, on the
 * filesystem where it will live; then a redo journal is renamed to DKMSTREE/.kmodbox/journal, which
 * is the commit point; then its operations are carried out. Each of them may be repeated, so
 * whoever finds a journal carries it out to the end, and whoever finds none throws the stages away:
 * all old or all new, whatever instant the power went. Trusted: the trees and what lies in
 * .kmodbox, which only this code writes.
 */
#ifndef KMODBOX_INSTALLER_TRANSACTION_H
#define KMODBOX_INSTALLER_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"

enum tree {
	TREE_DKMS = 0, /* lock and journal are in it */
	TREE_SOURCE,
	TREE_INSTALL,
	TREE_APPROVALS,
	TREE_LEDGER,
	TREE_COUNT,
};

/* Where a transaction on the install tree keeps its stage, below the tree; depmod reads there. */
#define INSTALL_STAGE ".kmodbox-stage"

struct trees {
	int fds[TREE_COUNT];	       /* directories, borrowed */
	const char *paths[TREE_COUNT]; /* what the caller calls them */
	void (*step)(void);	       /* tests: called before each change of a disk; else NULL */
	int lock_fd;		       /* owned; -1 until trees_lock(); below: by trees_open() */
	char id[17];		       /* of this dkms tree, for ever: whose stages are whose */
	bool unfinished;	       /* a committed transaction waits for the next start */
};

/*
 * For what was written into a tree or a stage of it, with r: passes r on; an error gets the tree's
 * name, that of a full or read-only disk or of missing rights also its exit code and the remedy.
 */
int trees_result(const struct trees *trees, enum tree tree, int r, struct error **error) must_check;
/* Each of these trees, bits by number, can be changed; else as above. */
int trees_require_writable(const struct trees *trees, unsigned set,
			   struct error **error) must_check;
/* Waits for whoever else works on this dkms tree. */
int trees_lock(struct trees *trees, struct error **error) must_check;
/* Locks if that was not done, then recovers: carries out what was committed, drops the rest. */
int trees_open(struct trees *trees, struct error **error) must_check;
void trees_close(struct trees *trees);

/* In the order in which they are carried out. The letters are those of the journal. */
enum operation_kind {
	OPERATION_TREE = 'T',	/* this tree takes part; path is what the caller calls it */
	OPERATION_PUT = 'P',	/* what is staged as number becomes path, whose parents are made */
	OPERATION_REMOVE = 'R', /* path and all below it goes */
	OPERATION_PRUNE = 'E',	/* path and its parents below number components go, if empty */
};

struct operation {
	enum operation_kind kind;
	enum tree tree;
	uint32_t number;
	char *path; /* owned */
};

struct transaction {
	struct trees *trees;
	struct operation *operations; /* owned */
	size_t count;
	int stage_fds[TREE_COUNT]; /* -1: the tree does not take part */
	char name[34];		   /* of the stage directories: trees.id "-" 16 random digits */
	bool committed;
};

int transaction_begin(struct trees *trees, struct transaction **ret_transaction,
		      struct error **error) must_check;
/*
 * Staging; paths are relative to the tree and must be safe, files are 0644. A refusal changes
 * nothing; a full or read-only disk is error_code() 35 and names the tree. A file takes the place
 * of a file, a directory that of whatever is there. What is put is not removed, in whatever order
 * the two are asked for.
 */
int transaction_put_file(struct transaction *transaction, enum tree tree, const char *path, int fd,
			 struct error **error) must_check;
int transaction_put_bytes(struct transaction *transaction, enum tree tree, const char *path,
			  const void *bytes, size_t length, struct error **error) must_check;
int transaction_put_link(struct transaction *transaction, enum tree tree, const char *path,
			 const char *target, struct error **error) must_check;
/* An empty one, to be filled through ret_fd before the commit. */
int transaction_put_directory(struct transaction *transaction, enum tree tree, const char *path,
			      int *ret_fd, struct error **error) must_check;
int transaction_remove(struct transaction *transaction, enum tree tree, const char *path,
		       struct error **error) must_check;
/* Removes the directory and its parents as far as they are empty, but not the first keep
 * components. */
int transaction_prune(struct transaction *transaction, enum tree tree, const char *path,
		      unsigned keep, struct error **error) must_check;
bool transaction_has(const struct transaction *transaction, enum operation_kind kind,
		     enum tree tree, const char *path);
/* A new file in a staged directory, a copy of that one. */
int transaction_fill(struct transaction *transaction, enum tree tree, int directory_fd,
		     const char *name, int fd, struct error **error) must_check;
/* The file that was put last, for reading: what is looked at there is what will be in place. */
int transaction_open_staged(const struct transaction *transaction, int *ret_fd,
			    struct error **error) must_check;
int transaction_commit(struct transaction *transaction, struct error **error) must_check;
/* Drops the stages of what was not committed; accepts NULL; returns NULL. */
struct transaction *transaction_free(struct transaction *transaction);
static inline void cleanup_transaction_function(struct transaction **transaction)
{
	*transaction = transaction_free(*transaction);
}
#define cleanup_transaction cleanup(cleanup_transaction_function)

#endif
