/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many modules a build may have, and how large they may be together: its limits, not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/exit_code.h"
#include "orchestrator/build_step.h"
#include "tests/unit/orchestrator_support.h"

static char excluded[] = "not for this kernel";
static char name[] = "demo", version[] = "1";
static struct recipe_module modules[] = { { .excluded = NULL },
					  { .excluded = excluded },
					  { .excluded = NULL } };
static const struct recipe recipe = {
	.package_name = name, .package_version = version, .modules = modules, .module_count = 3
};

/* What the profile says, and the module's settings: 0 where they say nothing. */
static int choose(uint64_t profile, uint64_t setting, struct error **error)
{
	const struct orchestrator orchestrator = {
		.places = PLACES_INITIAL, .profile.settings.limits = { .artifacts = profile }
	};
	const struct module_settings settings = { .limits = { .artifacts = setting } };
	struct build build = { .orchestrator = &orchestrator,
			       .settings = &settings,
			       .recipe = &recipe };
	struct loaded_profile loaded = { 0 };

	return build_choose_profile(&build, &loaded, error);
}

static void test_count(void **state)
{
	struct error *error = NULL;

	(void)state;
	assert_int_equal(choose(2, 0, NULL), 0);
	assert_int_equal(choose(1, 2, NULL), 0);
	assert_int_equal(choose(1, 0, &error), -E2BIG);
	assert_true(says(&error, EXIT_LIMIT,
			 "the build of demo 1 hit a limit: number of modules (1), of which "
			 "dkms.conf declares 2; 'artifacts' in [limits] of modules.d/demo.conf"));
	assert_int_equal(choose(1024, 1, &error), -E2BIG);
	assert_true(says(&error, EXIT_LIMIT, "number of modules (1)"));
}

static void test_bytes(void **state)
{
	struct artifact artifacts[] = { { .size = 100 }, { .size = 0 }, { .size = 700 } };
	struct build build = { .recipe = &recipe, .artifacts = artifacts };

	(void)state;
	build.limits.artifact_bytes = 1000;
	assert_int_equal(build_module_maximum(&build, 0), 300);
	assert_int_equal(build_module_maximum(&build, 1), 200);
	assert_int_equal(build_module_maximum(&build, 2), 900);
	build.limits.artifact_bytes = BUILD_MODULES_MAXIMUM;
	assert_int_equal(build_module_maximum(&build, 2), BUILD_MODULE_MAXIMUM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
