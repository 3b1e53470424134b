/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing approvals, and all that the installer asks of one: the source it names. Reading them, as
 * the signer does, is in approval_read.c.
 */
#include "lib/artifacts/approval.h"

#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"

void approval_clear(struct approval *approval)
{
	free(approval->files);
	*approval = (struct approval){ 0 };
}

bool approval_is_valid(const struct approval *approval)
{
	if (!name_is_safe(approval->module) || !name_is_safe(approval->version) ||
	    !path_is_safe(approval->kernels, strlen(approval->kernels)) ||
	    approval->file_count == 0 || approval->file_count > TICKET_FILES)
		return false;
	for (uint32_t i = 0; i < approval->file_count; i++) {
		if (!name_is_safe(approval->files[i]))
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (string_equal(approval->files[i], approval->files[j]))
				return false;
	}
	return true;
}

/* The lines down to the source's digest, which say what is approved. */
static int append_head(struct text *text, const char *module, const char *version,
		       const struct digest *source)
{
	char hex[DIGEST_HEX_SIZE];

	digest_to_hex(source, hex);
	return text_append_format(text, APPROVAL_MAGIC "1\nmodule %s\nversion %s\nsource %s\n",
				  module, version, hex);
}

int approval_format(const struct approval *approval, struct text *ret_text)
{
	cleanup_text struct text text = { 0 };
	int r;

	if (!approval_is_valid(approval))
		return -EINVAL;
	r = append_head(&text, approval->module, approval->version, &approval->source);
	if (r == 0)
		r = text_append_format(&text, "kernels %s\n", approval->kernels);
	for (uint32_t i = 0; r == 0 && i < approval->file_count; i++)
		r = text_append_format(&text, "file %s\n", approval->files[i]);
	if (r < 0)
		return r;
	*ret_text = text;
	text = (struct text){ 0 };
	return 0;
}

int approval_refuse(struct error **error, int errnum, const char *module, const char *version,
		    const char *reason)
{
	return error_refuse(error, EXIT_APPROVAL, errnum,
			    "%s/%s: %s; review the source, then: kmodbox add --force -m %s -v %s",
			    module, version, reason, module, version);
}

int approval_read_text(int approvals_fd, const char *module, const char *version,
		       struct text *ret_text, struct error **error)
{
	char path[2 * TICKET_NAME];
	int r;

	if (!name_is_safe(module) || !name_is_safe(version))
		return error_set(error, EINVAL, "not the name and version of a module");
	(void)snprintf(path, sizeof(path), "%s/%s", module, version);
	r = read_file(approvals_fd, path, APPROVAL_MAXIMUM, ret_text, NULL);
	if (r < 0)
		return approval_refuse(error, -r, module, version,
				       r == -ENOENT ? "nothing of it is approved"
						    : "its approval is unusable");
	return 0;
}

int approval_require_source(int approvals_fd, const char *module, const char *version,
			    const struct digest *source, struct error **error)
{
	cleanup_text struct text text = { 0 }, head = { 0 };
	int r = approval_read_text(approvals_fd, module, version, &text, error);

	if (r < 0)
		return r;
	if (append_head(&head, module, version, source) < 0)
		return error_set(error, ENOMEM, "out of memory");
	if (text.length < head.length || memcmp(text.data, head.data, head.length) != 0)
		return approval_refuse(error, EPERM, module, version,
				       "it was built from another source than the one approved");
	return 0;
}
