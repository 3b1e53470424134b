/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a framework.conf that needs no shell: lines of NAME=VALUE, of which bash would make just
 * that. So nearly all of them cost no sandbox, and can be read where none can be made. Whatever
 * else stands in one, an expansion, a command, a quote within a word, is for framework_evaluate.c.
 */
#include <string.h>

#include "orchestrator/framework_internal.h"

#define LOWER_CASE "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Not shown as a table with theirs: what a setting does here is framework.c's. */
static const char *const names[] = {
	"source_tree",
	"dkms_tree",
	"install_tree",
	"tmp_location",
	"verbose",
	"symlink_modules",
	"autoinstall_all_kernels",
	"modprobe_on_install",
	"parallel_jobs",
	"build_environment",
	"post_transaction",
	"continue_on_error",
	"sign_file",
	"mok_signing_key",
	"mok_certificate",
	"try_sign_modules",
	"compress_gzip_opts",
	"compress_xz_opts",
	"compress_zstd_opts",
};
_Static_assert(ARRAY_SIZE(names) == FRAMEWORK_NAMES, "framework_name() has them all");

const char *framework_name(size_t index)
{
	return names[index];
}

struct value {
	const char *text; /* borrowed from the file; NULL: not set */
	size_t length;
};

static const char *skip(const char *at, const char *bytes)
{
	return at + strspn(at, bytes);
}

/* What stands in quotes as it is. "\" and "!" would be as they are in most places; not here. */
static const char *read_quoted(const char *at, struct value *ret_value)
{
	const char *end = at + 1;

	while (*end && *end != *at) {
		if (((unsigned char)*end < ' ' && *end != '\t') ||
		    (*at == '"' && strchr("$`\\!", *end)))
			return NULL;
		end++;
	}
	*ret_value = (struct value){ at + 1, (size_t)(end - at - 1) };
	return *end ? end + 1 : NULL;
}

/* Behind the value; NULL where bash would see more than that. */
static const char *read_value(const char *at, struct value *ret_value)
{
	static const char bare[] = LOWER_CASE "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "_./:,+@%=-";
	const char *end;

	if (*at == '"' || *at == '\'') {
		end = read_quoted(at, ret_value);
	} else {
		end = skip(at, bare);
		*ret_value = (struct value){ at, (size_t)(end - at) };
	}
	return end && (!*end || strchr(" \t\n", *end)) ? end : NULL;
}

/* Names in capitals may mean something to bash itself. Those that are no setting mean nothing. */
static const char *read_assignment(const char *at, struct value values[FRAMEWORK_NAMES])
{
	const char *end = skip(at, LOWER_CASE DIGITS "_");
	size_t length = (size_t)(end - at);
	struct value value = { 0 };

	if (length == 0 || !strchr(LOWER_CASE, *at) || *end != '=')
		return NULL;
	end = read_value(end + 1, &value);
	for (size_t i = 0; end && i < FRAMEWORK_NAMES; i++) {
		if (strlen(names[i]) == length && memcmp(names[i], at, length) == 0)
			values[i] = value;
	}
	return end;
}

static bool read_file_plainly(const struct text *text, struct value values[FRAMEWORK_NAMES])
{
	const char *at = text->length > 0 ? text->data : "";

	/* A NUL would end it before its end. */
	if (strlen(at) != text->length)
		return false;
	while (at && *at) {
		at = skip(at, " \t\n");
		if (*at == '#')
			at += strcspn(at, "\n");
		else if (*at)
			at = read_assignment(at, values);
	}
	return at;
}

int framework_plain(const struct framework *framework, size_t kernels, struct text *ret_answer)
{
	struct value values[FRAMEWORK_NAMES] = { 0 };
	cleanup_text struct text answer = { 0 };
	int r = 0;

	for (size_t i = 0; i < framework->count; i++) {
		if (!read_file_plainly(&framework->files[i].text, values))
			return 0;
	}
	for (size_t i = 0; r == 0 && i < FRAMEWORK_NAMES; i++) {
		if (values[i].text)
			r = text_append_format(&answer, "%s%c%.*s%c", names[i], '\0',
					       (int)values[i].length, values[i].text, '\0');
	}
	for (size_t i = 0; r == 0 && i < kernels; i++)
		r = text_append(&answer, "@kernel\0", sizeof("@kernel\0"));
	r = r ? r : text_append(&answer, "@end", sizeof("@end"));
	if (r < 0)
		return r;
	*ret_answer = answer;
	answer = (struct text){ 0 };
	return 1;
}
