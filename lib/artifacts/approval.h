/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What root allowed to be signed: one small file per module version, approvals/MODULE/VERSION,
 * written by the installer and read by the signer. Lines of "key value":
 *
 *	kmodbox-approval-1
 *	module demo
 *	version 0.1
 *	source 64-hex-digits
 *	kernels *
 *	file demo
 */
#ifndef KMODBOX_ARTIFACTS_APPROVAL_H
#define KMODBOX_ARTIFACTS_APPROVAL_H

#include "lib/artifacts/ticket.h"
#include "lib/base/text.h"

#define APPROVAL_MAGIC "kmodbox-approval-"
#define APPROVAL_MAXIMUM (1024u + TICKET_FILES * (TICKET_NAME + 8u))

struct approval {
	char module[TICKET_NAME];
	char version[TICKET_NAME];
	struct digest source;
	char kernels[TICKET_NAME];  /* fnmatch(3) pattern */
	char (*files)[TICKET_NAME]; /* owned; names built and installed under */
	uint32_t file_count;
};

bool approval_is_valid(const struct approval *approval);
int approval_format(const struct approval *approval, struct text *ret_text) must_check;
/* Parses the whole text strictly; anything unknown, missing or twice is refused. */
int approval_parse(const char *text, size_t length, struct approval *ret_approval,
		   struct error **error) must_check;
/* The bytes of MODULE/VERSION below approvals_fd; else as approval_load(). */
int approval_read_text(int approvals_fd, const char *module, const char *version,
		       struct text *ret_text, struct error **error) must_check;
/* 0 where this source of the module is approved; else as approval_check_source(). */
int approval_require_source(int approvals_fd, const char *module, const char *version,
			    const struct digest *source, struct error **error) must_check;
/* Always -errnum: what is refused waits for root's word; error_code() 36, reason and remedy. */
int approval_refuse(struct error **error, int errnum, const char *module, const char *version,
		    const char *reason);
/* Reads MODULE/VERSION below approvals_fd. -ENOENT: nothing is approved. */
int approval_load(int approvals_fd, const char *module, const char *version,
		  struct approval *ret_approval, struct error **error) must_check;
/* 0, or -EPERM with error_code() 36 and what differs (source changed, kernel, file) and the remedy.
 */
int approval_check_source(const struct approval *approval, const struct digest *source,
			  const char *kernel, struct error **error) must_check;
int approval_check_file(const struct approval *approval, const char *file,
			struct error **error) must_check;
void approval_clear(struct approval *approval);
#define cleanup_approval cleanup(approval_clear)

#endif
