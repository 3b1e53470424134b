/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What writing and reading a ticket have in common; for the files ticket*.c alone. */
#ifndef KMODBOX_ARTIFACTS_TICKET_INTERNAL_H
#define KMODBOX_ARTIFACTS_TICKET_INTERNAL_H

#include "lib/artifacts/ticket.h"

#define TICKET_MAGIC "kmodbox-ticket-1"
#define TICKET_MAGIC_SIZE 16
#define TICKET_SIGNATURE_SIZE 64

/* -EBADMSG and the field that breaks the rules of ticket.h. */
int ticket_check(const struct ticket *ticket, struct error **error) must_check;

#endif
