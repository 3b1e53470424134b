/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every test that runs a sandbox needs: the policy, a slot where root runs it, its output. */
#ifndef KMODBOX_TESTS_SANDBOX_FIXTURE_H
#define KMODBOX_TESTS_SANDBOX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>

#include "lib/base/files.h"
#include "sandbox/sandbox.h"
#include "sandbox/slot.h"

#define FIXTURE_SLOT_UID 2000000099u

struct sandbox_fixture {
	struct seccomp_program program;
	struct slot slot;
	struct text output;
	struct sandbox_spec spec; /* seccomp, slot, output, environment are filled in */
};

static inline void fixture_collect(void *context, const void *bytes, size_t length)
{
	ignore_result(text_append(context, bytes, length));
}

/* Must run from the top of the checkout. Returns -errno and the reason. */
static inline int sandbox_fixture_open(struct sandbox_fixture *fixture, struct error **error)
{
	static const char *const environment[] = { "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C",
						   "HOME=/tmp", NULL };
	cleanup_text struct text policy = { 0 };
	int r;

	*fixture = (struct sandbox_fixture){ .slot = SLOT_NONE, .spec = SANDBOX_SPEC_INITIAL };
	r = read_file(AT_FDCWD, "profiles/build.seccomp", 1 << 20, &policy, error);
	if (r == 0)
		r = seccomp_compile("build.seccomp", policy.data, policy.length, &fixture->program,
				    error);
	if (r == 0 && geteuid() == 0)
		r = slot_new(0, FIXTURE_SLOT_UID, &fixture->slot, error);
	fixture->spec.seccomp = &fixture->program;
	fixture->spec.slot = fixture->slot;
	fixture->spec.optional = SANDBOX_OPTIONAL_ALL;
	fixture->spec.output = fixture_collect;
	fixture->spec.output_context = &fixture->output;
	fixture->spec.environment = environment;
	return r;
}

/* Runs a shell script in the sandbox as spec says; ends the test where it could not be run. */
static inline struct sandbox_result fixture_run(struct sandbox_fixture *fixture, const char *script,
						const struct sandbox_spec *spec)
{
	const char *const argv[] = { "/bin/bash", "-c", script, NULL };
	cleanup_error struct error *error = NULL;
	struct sandbox_spec filled = *spec;
	struct sandbox_result result = { 0 };

	text_clear(&fixture->output);
	filled.argv = argv;
	if (sandbox_run(&filled, &result, &error) < 0) {
		cleanup_free char *text = error_describe(error);

		fail_msg("%s", text);
	}
	return result;
}

static inline const char *fixture_output(const struct sandbox_fixture *fixture)
{
	return fixture->output.data ? fixture->output.data : "";
}

/* Opens the fixture for a group of tests, saying why it could not. */
static inline int fixture_set_up(struct sandbox_fixture *fixture)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	if (sandbox_fixture_open(fixture, &error) == 0)
		return 0;
	text = error_describe(error);
	print_error("%s\n", text);
	return -1;
}

static inline void sandbox_fixture_close(struct sandbox_fixture *fixture)
{
	seccomp_program_clear(&fixture->program);
	text_clear(&fixture->output);
	slot_clear(&fixture->slot);
}

#endif
