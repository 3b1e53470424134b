/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a run that makes dependents anew may touch: by the marks in a DKMS tree, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "orchestrator/rebuild.h"

#define OTHER_KERNEL "6.12.1"
#define KERNEL "6.1.0-1-amd64"
#define MODULE_TREE "/modules"
#define DKMS_TREE "/dkms"

struct fixture {
	char path[64];
	int fd;
	char *kernels[2];
	struct options options;
};

static void make_directory(const struct fixture *fixture, const char *path)
{
	assert_int_equal(make_directories(fixture->fd, path, 0755, NULL), 0);
}

/* A build with marks for what it depends on ("a b"), installed or not. */
static void make_build(const struct fixture *fixture, const char *module, const char *version,
		       const char *kernel, const char *marks, bool installed)
{
	cleanup_free char *build = format_string("dkms/%s/%s/%s/x86_64", module, version, kernel);
	cleanup_free char *source = format_string("dkms/%s/%s/source", module, version);
	cleanup_free char *link = format_string("dkms/%s/kernel-%s-x86_64", module, kernel);
	cleanup_free char *target = format_string("%s/%s/x86_64", version, kernel);
	cleanup_free char *folder = format_string("%s/module", build);
	cleanup_free char *names = strdup(marks);
	char *rest = names;

	make_directory(fixture, folder);
	assert_true(symlinkat("..", fixture->fd, source) == 0 || errno == EEXIST);
	if (installed)
		assert_int_equal(symlinkat(target, fixture->fd, link), 0);
	for (char *name = strsep(&rest, " "); name && *name; name = strsep(&rest, " ")) {
		cleanup_free char *mark = format_string("%s/.dep_%s", build, name);

		assert_int_equal(write_file_atomically(fixture->fd, mark, "1\n", 2, 0644, NULL), 0);
	}
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct options *options;

	assert_non_null(fixture);
	(void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/kmodbox-rebuild-XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	fixture->fd = open(fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->fd >= 0);
	make_directory(fixture, "modules");
	make_directory(fixture, "dkms");
	fixture->kernels[0] = (char *)(uintptr_t)KERNEL;
	fixture->kernels[1] = (char *)(uintptr_t)OTHER_KERNEL;
	options = &fixture->options;
	options->dkms_tree = format_string("%s" DKMS_TREE, fixture->path);
	options->install_tree = format_string("%s" MODULE_TREE, fixture->path);
	options->source_tree = options->state_directory = options->dkms_tree;
	options->kernels = fixture->kernels;
	options->kernel_count = 1;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	cleanup_close int tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(remove_tree(tmp_fd, strrchr(fixture->path, '/') + 1, NULL), 0);
	(void)close_fd(fixture->fd);
	free(fixture->options.dkms_tree);
	free(fixture->options.install_tree);
	free(fixture);
	return 0;
}

static void expect(const struct fixture *fixture, const char *expected)
{
	cleanup_free char *list = NULL;

	assert_int_equal(rebuild_list(&fixture->options, &list, NULL), 0);
	if (expected)
		assert_string_equal(list, expected);
	else
		assert_null(list);
}

static void test_none(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, NULL);
	make_build(fixture, "bus", "1", KERNEL, "", true);
	make_build(fixture, "plain", "1", KERNEL, "", true);
	make_build(fixture, "built", "1", KERNEL, "bus", false);
	expect(fixture, NULL);
	fixture->options.module = (char *)(uintptr_t) "bus";
	expect(fixture, NULL);
}

static void test_dependents(void **state)
{
	struct fixture *fixture = *state;

	make_build(fixture, "bus", "1", KERNEL, "", true);
	make_build(fixture, "zdirect", "2", KERNEL, "bus", true);
	make_build(fixture, "zdirect", "1", KERNEL, "bus", false);
	/* Through zdirect, before which it stands. */
	make_build(fixture, "above", "1", KERNEL, "other zdirect", true);
	make_build(fixture, "namesake", "1", KERNEL, "bu bus1 zdirect2", true);
	make_build(fixture, "elsewhere", "1", OTHER_KERNEL, "bus", true);
	fixture->options.module = (char *)(uintptr_t) "bus";
	expect(fixture, " zdirect/2 above/1 ");
	fixture->options.module = (char *)(uintptr_t) "zdirect";
	expect(fixture, " above/1 ");
	/* Any may have changed. */
	fixture->options.module = NULL;
	expect(fixture, " above/1 namesake/1 zdirect/2 ");
	fixture->options.module = (char *)(uintptr_t) "bus";
	fixture->options.kernel_count = 2;
	expect(fixture, " zdirect/2 above/1 elsewhere/1 ");
}

/* Each once, also where each depends on the other. */
static void test_circle(void **state)
{
	struct fixture *fixture = *state;

	make_build(fixture, "egg", "1", KERNEL, "hen", true);
	make_build(fixture, "hen", "1", KERNEL, "egg", true);
	fixture->options.module = (char *)(uintptr_t) "egg";
	expect(fixture, " hen/1 egg/1 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dependents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_circle, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
