/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compiles the shipped policies while kmodbox is built, so that no run has to: prints what
 * seccomp_stored_make() makes of POLICY, with the text of the policy that it extends behind it.
 *
 *	store-policy POLICY >POLICY.bpf
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/files.h"
#include "sandbox/seccomp.h"

#define POLICY_MAXIMUM (UINT64_C(1) << 20)

static int read_policy(const char *path, struct text *text, struct error **error)
{
	const char *slash = strrchr(path, '/');
	cleanup_text struct text base = { 0 };
	cleanup_free char *extended = NULL;
	cleanup_free char *base_path = NULL;
	int r = read_file(AT_FDCWD, path, POLICY_MAXIMUM, text, error);

	if (r == 0)
		r = seccomp_extended(text->data, text->length, &extended, error);
	if (r < 0 || !extended)
		return r;
	base_path = format_string("%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, extended);
	if (!base_path)
		return error_set_errno(error, ENOMEM, "%s", path);
	r = read_file(AT_FDCWD, base_path, POLICY_MAXIMUM, &base, error);
	if (r == 0 && text_append(text, base.data, base.length) < 0)
		r = error_set_errno(error, ENOMEM, "%s", path);
	return r;
}

int main(int argc, char **argv)
{
	struct seccomp_program program = { 0 };
	cleanup_error struct error *error = NULL;
	cleanup_free char *reason = NULL;
	cleanup_text struct text text = { 0 }, stored = { 0 };
	int r = argc == 2 ? read_policy(argv[1], &text, &error) : -EINVAL;

	if (r == 0)
		r = seccomp_compile(argv[1], text.data, text.length, &program, &error);
	if (r == 0)
		r = seccomp_stored_make(&program, text.data, text.length, &stored);
	if (r == 0)
		r = write_all(STDOUT_FILENO, stored.data, stored.length);
	seccomp_program_clear(&program);
	if (r == 0)
		return 0;
	reason = error ? error_describe(error) : NULL;
	(void)fprintf(stderr, "store-policy: %s\n", reason ? reason : strerror(-r));
	return 1;
}
