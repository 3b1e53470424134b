/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The redo journal of installer/transaction.h, on disk: lock, writing, carrying out, recovery.
 * DKMSTREE/.kmodbox holds "lock", "id" and, while a commit is being carried out, "journal":
 *
 *	kmodbox-journal-1 STAGE-NAME
 *	KIND TREE NUMBER PATH		(one line per operation, transaction.h)
 *	sha256 HEX			(of all before this line)
 */
#ifndef KMODBOX_INSTALLER_JOURNAL_H
#define KMODBOX_INSTALLER_JOURNAL_H

#include "installer/transaction.h"

/* Where the stages of a tree are, below it. */
const char *journal_stage_path(enum tree tree);
void trees_step(const struct trees *trees);
/* One operation more, to be written and carried out. */
int journal_add(struct transaction *transaction, enum operation_kind kind, enum tree tree,
		uint32_t number, const char *path, struct error **error) must_check;
/* The commit point. */
int journal_write(const struct transaction *transaction, struct error **error) must_check;
/* Carries the operations out and removes the journal. */
int journal_finish(struct transaction *transaction, struct error **error) must_check;
/* Removes this dkms tree's stages wherever they are; what fails is left for the next time. */
void journal_clean(const struct trees *trees);

#endif
