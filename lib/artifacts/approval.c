/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading and writing approvals. Linked into the signer and the installer. The files are root's
 * own, yet read strictly: the one accepted form is what approval_format() writes, in that order.
 */
#include "lib/artifacts/approval.h"

#include <fnmatch.h>
#include <stdarg.h>
#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"

#define MAGIC "kmodbox-approval-"
#define APPROVAL_MAXIMUM (1024u + TICKET_FILES * (TICKET_NAME + 8u))

void approval_clear(struct approval *approval)
{
	free(approval->files);
	*approval = (struct approval){ 0 };
}

static bool approval_is_valid(const struct approval *approval)
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

int approval_format(const struct approval *approval, struct text *ret_text)
{
	cleanup_text struct text text = { 0 };
	char hex[DIGEST_HEX_SIZE];
	int result;

	if (!approval_is_valid(approval))
		return -EINVAL;
	digest_to_hex(&approval->source, hex);
	result =
		text_append_format(&text, MAGIC "1\nmodule %s\nversion %s\nsource %s\nkernels %s\n",
				   approval->module, approval->version, hex, approval->kernels);
	for (uint32_t i = 0; result == 0 && i < approval->file_count; i++)
		result = text_append_format(&text, "file %s\n", approval->files[i]);
	if (result < 0)
		return result;
	*ret_text = text;
	text = (struct text){ 0 };
	return 0;
}

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
	good = take_line(&text, &length, MAGIC, format, sizeof(format)) &&
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

/* Whatever is refused waits for root's word. */
static printf_like(5, 6) int refuse(struct error **error, int errnum, const char *module,
				    const char *version, const char *format, ...)
{
	char reason[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	(void)error_set(error, errnum,
			"%s %s: %s; review the source, then: kmodbox add --force -m %s -v %s",
			module, version, reason, module, version);
	if (error)
		error_set_code(*error, EXIT_APPROVAL);
	return -errnum;
}

int approval_load(int approvals_fd, const char *module, const char *version,
		  struct approval *ret_approval, struct error **error)
{
	cleanup_approval struct approval approval = { 0 };
	cleanup_text struct text text = { 0 };
	char path[2 * TICKET_NAME];
	int result;

	if (!name_is_safe(module) || !name_is_safe(version))
		return error_set(error, EINVAL, "not the name and version of a module");
	(void)snprintf(path, sizeof(path), "%s/%s", module, version);
	result = read_file(approvals_fd, path, APPROVAL_MAXIMUM, &text, NULL);
	if (result == -ENOENT)
		return refuse(error, ENOENT, module, version, "nothing of it is approved");
	if (result == 0)
		result = approval_parse(text.data, text.length, &approval, NULL);
	if (result == 0 &&
	    (!string_equal(approval.module, module) || !string_equal(approval.version, version)))
		result = -EBADMSG;
	if (result < 0)
		return refuse(error, -result, module, version, "its approval is unusable");
	*ret_approval = approval;
	approval = (struct approval){ 0 };
	return 0;
}

int approval_check_source(const struct approval *approval, const struct digest *source,
			  const char *kernel, struct error **error)
{
	char approved[DIGEST_HEX_SIZE], found[DIGEST_HEX_SIZE];

	digest_to_hex(&approval->source, approved);
	digest_to_hex(source, found);
	if (!digest_equal(&approval->source, source))
		return refuse(error, EPERM, approval->module, approval->version,
			      "its source changed since it was approved (%.12s, now %.12s)",
			      approved, found);
	if (!name_is_safe(kernel) || fnmatch(approval->kernels, kernel, 0) != 0)
		return refuse(error, EPERM, approval->module, approval->version,
			      "it is approved for kernels '%s' only", approval->kernels);
	return 0;
}

int approval_check_file(const struct approval *approval, const char *file, struct error **error)
{
	for (uint32_t i = 0; i < approval->file_count; i++)
		if (string_equal(approval->files[i], file))
			return 0;
	return refuse(error, EPERM, approval->module, approval->version,
		      "module file '%s' is not in its approval", name_is_safe(file) ? file : "?");
}
