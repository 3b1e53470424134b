/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of recipes share: a kernel, records made by hand, a sandbox and snapshots. */
#ifndef KMODBOX_TESTS_RECIPE_SUPPORT_H
#define KMODBOX_TESTS_RECIPE_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/memfd.h"
#include "lib/recipes/recipe_internal.h"
#include "lib/recipes/snapshot.h"
#include "tests/unit/sandbox_fixture.h"

#define RELEASE "6.1.0-56-amd64"

static char config[] =
	"CONFIG_I2C=m\nCONFIG_DRM=y\n# CONFIG_PREEMPT_RT is not set\nCONFIG_HZ=250\n";

/* Enough of a kernel: headers are not looked at here. */
static const struct kernel kernel = {
	.release = (char *)(uintptr_t)RELEASE,
	.architecture = (char *)(uintptr_t) "x86_64",
	.build = (char *)(uintptr_t) "/usr/src/linux-headers-" RELEASE,
	.config = config,
	.build_fd = -1,
};

static const struct recipe_request demo = {
	.module = "demo",
	.version = "0.1",
	.kernel = &kernel,
	.kernel_release = RELEASE,
	.architecture = "x86_64",
};

static inline void cleanup_recipe_function(struct recipe **recipe)
{
	*recipe = recipe_free(*recipe);
}
#define cleanup_recipe cleanup(cleanup_recipe_function)

struct world {
	struct sandbox_fixture fixture;
	char *reason; /* why no sandbox can be made, or NULL */
};

static inline int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	cleanup_error struct error *error = NULL;

	assert_non_null(world);
	if (sandbox_fixture_open(&world->fixture, &error) < 0)
		world->reason = error_describe(error);
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;

	sandbox_fixture_close(&world->fixture);
	free(world->reason);
	free(world);
	return 0;
}

/* That an error says this, in one line fit for a terminal, with this exit code. */
static inline void assert_says(size_t number, const struct error *error, const char *words,
			       int code)
{
	cleanup_free char *text = error_describe(error);

	assert_non_null(text);
	if (!strstr(text, words) || error_code(error) != code || strpbrk(text, "\n\033"))
		fail_msg("case %zu: (%d) '%s' lacks (%d) '%s'", number, error_code(error), text,
			 code, words);
}

/* A snapshot of one or two files. */
static inline int make_snapshot(const char *conf, const char *extra)
{
	cleanup_text struct text text = { 0 };
	cleanup_close int fd = -1;
	const char *names[] = { "dkms.conf", "extra.sh" };
	const char *contents[] = { conf, extra };
	struct digest digest;

	assert_int_equal(text_append_string(&text, SNAPSHOT_MAGIC), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!contents[i])
			continue;
		assert_int_equal(text_append(&text, "f", 1), 0);
		assert_int_equal(text_append_u16(&text, (uint16_t)strlen(names[i])), 0);
		assert_int_equal(text_append_string(&text, names[i]), 0);
		assert_int_equal(text_append_u64(&text, strlen(contents[i])), 0);
		assert_int_equal(text_append_string(&text, contents[i]), 0);
	}
	assert_int_equal(text_append(&text, "", 1), 0);
	assert_int_equal(memfd_new("test", &fd, NULL), 0);
	assert_int_equal(write_all(fd, text.data, text.length), 0);
	assert_int_equal(snapshot_from_stream(fd, &digest, NULL), 0);
	return TAKE_FD(fd);
}

static inline void require_sandbox(const struct world *world)
{
	if (!world->reason)
		return;
	print_message("skipped: %s\n", world->reason);
	skip();
}

#endif
