/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading approvals, for the signer. The files are root's own, yet read strictly: the one accepted
 * form is what approval_format() writes, in that order.
 */
#include <fnmatch.h>
#include <string.h>

#include "lib/artifacts/approval.h"
#include "lib/base/files.h"

/* Takes "KEY VALUE\n" (key with its blank); false where the text goes on with anything else. */
static bool take_line(const char **text, size_t *length, const char *key, char *value, size_t size)
{
	const char *end = memchr(*text, '\n', *length);
	size_t line = end ? (size_t)(end - *text) : 0, skip = strlen(key);

	if (line <= skip || line - skip >= size || memcmp(*text, key, skip) != 0 ||
	    memchr(*text, '\0', line))
		return false;
	memcpy(value, *text + skip, line - skip);
	value[line - skip] = '\0';
	*text += line + 1;
	*length -= line + 1;
	return true;
}

int approval_parse(const char *text, size_t length, struct approval *ret_approval,
		   struct error **error)
{
	cleanup_approval struct approval approval = { 0 };
	char format[2], hex[DIGEST_HEX_SIZE];
	bool good;

	approval.files = calloc(TICKET_FILES, sizeof(*approval.files));
	if (!approval.files)
		return error_set_errno(error, ENOMEM, "cannot read the approval");
	good = take_line(&text, &length, APPROVAL_MAGIC, format, sizeof(format)) &&
	       string_equal(format, "1") &&
	       take_line(&text, &length, "module ", approval.module, TICKET_NAME) &&
	       take_line(&text, &length, "version ", approval.version, TICKET_NAME) &&
	       take_line(&text, &length, "source ", hex, sizeof(hex)) &&
	       digest_from_hex(hex, &approval.source) == 0 &&
	       take_line(&text, &length, "kernels ", approval.kernels, TICKET_NAME);
	for (; good && length > 0; approval.file_count++)
		good = approval.file_count < TICKET_FILES &&
		       take_line(&text, &length, "file ", approval.files[approval.file_count],
				 TICKET_NAME);
	if (!good || !approval_is_valid(&approval))
		return error_set(error, EBADMSG, "the approval is malformed");
	*ret_approval = approval;
	approval = (struct approval){ 0 };
	return 0;
}

int approval_load(int approvals_fd, const char *module, const char *version,
		  struct approval *ret_approval, struct error **error)
{
	cleanup_approval struct approval approval = { 0 };
	cleanup_text struct text text = { 0 };
	int r = approval_read_text(approvals_fd, module, version, &text, error);

	if (r < 0)
		return r;
	r = approval_parse(text.data, text.length, &approval, NULL);
	if (r == 0 &&
	    (!string_equal(approval.module, module) || !string_equal(approval.version, version)))
		r = -EBADMSG;
	if (r < 0)
		return approval_refuse(error, -r, module, version, "its approval is unusable");
	*ret_approval = approval;
	approval = (struct approval){ 0 };
	return 0;
}

int approval_check_source(const struct approval *approval, const struct digest *source,
			  const char *kernel, struct error **error)
{
	char approved[DIGEST_HEX_SIZE], found[DIGEST_HEX_SIZE], reason[256];

	digest_to_hex(&approval->source, approved);
	digest_to_hex(source, found);
	if (!digest_equal(&approval->source, source))
		(void)snprintf(reason, sizeof(reason),
			       "its source changed since it was approved (%.12s, now %.12s)",
			       approved, found);
	else if (!name_is_safe(kernel) || fnmatch(approval->kernels, kernel, 0) != 0)
		(void)snprintf(reason, sizeof(reason), "it is approved for kernels '%s' only",
			       approval->kernels);
	else
		return 0;
	return approval_refuse(error, EPERM, approval->module, approval->version, reason);
}

int approval_check_file(const struct approval *approval, const char *file, struct error **error)
{
	char reason[256];

	for (uint32_t i = 0; i < approval->file_count; i++)
		if (string_equal(approval->files[i], file))
			return 0;
	(void)snprintf(reason, sizeof(reason), "module file '%s' is not in its approval",
		       name_is_safe(file) ? file : "?");
	return approval_refuse(error, EPERM, approval->module, approval->version, reason);
}
