/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a build depends on: what counts as there, what is shown of it, and what the signer gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/artifacts/ticket.h"
#include "orchestrator/dependencies.h"
#include "tests/unit/orchestrator_support.h"

#define TICKET_SIZE 1024
#define SOURCE_AT (16 + 8 + 8 + 3 * TICKET_NAME + TICKET_ARCHITECTURE)

/* A DKMS tree and a source tree, and what is asked of them. */
struct world {
	struct orchestrator orchestrator;
	struct log log;
	struct target target;
	struct recipe recipe;
	struct module_settings settings;
	char *source_tree;
	FILE *warnings;
	char *warned;
	size_t warned_length;
};

static void make_directory(const struct place *place, const char *path)
{
	assert_int_equal(make_directories(place->fd, path, 0755, NULL), 0);
}

static void put(const struct place *place, const char *path, const void *bytes, size_t length)
{
	int fd = openat(place->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, bytes, length), 0);
	(void)close_fd(fd);
}

static void world_open(const struct place *place, struct world *world)
{
	*world = (struct world){ .orchestrator = { .places = PLACES_INITIAL } };
	make_directory(place, "dkms");
	make_directory(place, "src");
	world->source_tree = format_string("%s/src", place->path);
	world->warnings = open_memstream(&world->warned, &world->warned_length);
	assert_true(world->source_tree && world->warnings);
	world->log = (struct log){ .err = world->warnings, .program = "kmodbox" };
	world->orchestrator.log = &world->log;
	world->orchestrator.places.source_tree = world->source_tree;
	world->orchestrator.places.dkms_tree_fd =
		openat(place->fd, "dkms", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	world->orchestrator.places.source_tree_fd =
		openat(place->fd, "src", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	world->orchestrator.shown_dkms_tree = (char *)(uintptr_t) "/shown/dkms";
	world->orchestrator.shown_source_tree = (char *)(uintptr_t) "/shown/src";
	world->target = (struct target){ .release = (char *)(uintptr_t) "6.1",
					 .architecture = (char *)(uintptr_t) "x86_64" };
	world->recipe.package_name = (char *)(uintptr_t) "demo";
}

static void world_close(struct world *world)
{
	(void)close_fd(world->orchestrator.places.dkms_tree_fd);
	(void)close_fd(world->orchestrator.places.source_tree_fd);
	(void)fclose(world->warnings);
	free(world->warned);
	free(world->source_tree);
}

/* helper/VERSION, added: its source is where `source` says, which need not be helper-VERSION. */
static void add(const struct place *place, const char *version)
{
	cleanup_free char *folder = format_string("dkms/helper/%s", version);
	cleanup_free char *link = format_string("dkms/helper/%s/source", version);
	cleanup_free char *source = format_string("src/sources/helper/%s", version);
	cleanup_free char *target = format_string("%s/src/sources/helper/%s", place->path, version);

	make_directory(place, folder);
	make_directory(place, source);
	assert_int_equal(symlinkat(target, place->fd, link), 0);
}

static void build(const struct place *place, const char *version, bool with_ticket)
{
	cleanup_free char *folder = format_string("dkms/helper/%s/6.1/x86_64", version);
	cleanup_free char *module = format_string("%s/module", folder);
	cleanup_free char *ko = format_string("%s/helper.ko.xz", module);
	cleanup_free char *symvers = format_string("%s/Module.symvers", module);
	cleanup_free char *ticket = format_string("%s/ticket", folder);
	char bytes[TICKET_SIZE] = "kmodbox-ticket-1";

	add(place, version);
	make_directory(place, module);
	put(place, ko, "module", 6);
	put(place, symvers, "symvers", 7);
	memset(bytes + SOURCE_AT, 0x5a, DIGEST_SIZE);
	if (with_ticket)
		put(place, ticket, bytes, sizeof(bytes));
}

static void install(const struct place *place, const char *version)
{
	cleanup_free char *target = format_string("%s/6.1/x86_64", version);

	assert_int_equal(symlinkat(target, place->fd, "dkms/helper/kernel-6.1-x86_64"), 0);
}

static int require_it(struct world *world, struct dependencies *found, struct error **error)
{
	return dependencies_require(&world->orchestrator, &world->target, &world->settings,
				    &world->recipe, found, error);
}

static void expect_missing(struct world *world, const char *expected)
{
	cleanup_error struct error *error = NULL;
	struct dependencies found;

	assert_true(require_it(world, &found, &error) < 0);
	assert_true(says(&error, 13, expected));
}

static char *helper_name = (char *)(uintptr_t) "helper";

static void test_required(void **state)
{
	struct place *place = *state;
	struct world world;

	world_open(place, &world);
	world.recipe.depends = &helper_name;
	world.recipe.depend_count = 1;
	expect_missing(&world, "it needs helper, which is not added");
	add(place, "1.0");
	expect_missing(&world, "not installed for 6.1: kmodbox install helper/1.0 -k 6.1");
	world_close(&world);
}

static void test_built_is_not_installed(void **state)
{
	struct place *place = *state;
	struct dependencies found;
	struct world world;

	world_open(place, &world);
	build(place, "1.0", true);
	world.recipe.depends = &helper_name;
	world.recipe.depend_count = 1;
	expect_missing(&world, "not installed for 6.1");
	/* For settings it is enough; and the other way round. */
	world.recipe.depend_count = 0;
	world.settings = (struct module_settings){ .depends = &helper_name, .depend_count = 1 };
	assert_int_equal(require_it(&world, &found, NULL), 0);
	assert_int_equal(found.count, 1);
	dependencies_clear(&found);
	world.target.release = (char *)(uintptr_t) "6.12";
	expect_missing(&world, "not built for 6.12: kmodbox build helper/1.0 -k 6.12");
	world_close(&world);
}

static void test_itself(void **state)
{
	static char *demo = (char *)(uintptr_t) "demo";
	struct world world;

	world_open(*state, &world);
	world.recipe.depends = &demo;
	world.recipe.depend_count = 1;
	expect_missing(&world, "BUILD_DEPENDS names demo itself");
	world_close(&world);
}

static void test_found(void **state)
{
	struct place *place = *state;
	struct dependencies found;
	struct signer_dependency *files;
	struct world world;
	size_t count;

	world_open(place, &world);
	build(place, "1.0", true);
	build(place, "2.0", true);
	add(place, "3.0");
	install(place, "1.0");
	world.recipe.depends = &helper_name;
	world.recipe.depend_count = 1;
	world.settings = (struct module_settings){ .depends = &helper_name, .depend_count = 1 };
	assert_int_equal(require_it(&world, &found, NULL), 0);
	/* Installed beats built beats added, whatever the version; named twice is once. */
	assert_int_equal(found.count, 1);
	assert_string_equal(found.list[0].version, "1.0");
	assert_int_equal(found.list[0].source.bytes[0], 0x5a);
	assert_int_equal(found.list[0].source.bytes[DIGEST_SIZE - 1], 0x5a);
	assert_int_equal(found.mount_count, 2);
	assert_string_equal(found.mounts[0].source, "/shown/dkms/helper");
	assert_string_equal(found.mounts[0].target, "/var/lib/dkms/helper");
	assert_string_equal(found.mounts[1].source, "/shown/src/sources/helper/1.0");
	assert_string_equal(found.mounts[1].target, "/usr/src/helper-1.0");
	for (size_t i = 0; i < found.mount_count; i++)
		assert_true(found.mounts[i].vouched && !found.mounts[i].writable);
	files = dependencies_files(&found, &count);
	assert_int_equal(count, 1);
	assert_string_equal(files[0].name, "helper.ko.xz");
	assert_true(files[0].file_fd >= 0 && files[0].ticket_fd >= 0);
	free(files);
	dependencies_clear(&found);
	world_close(&world);
}

static void test_not_ours(void **state)
{
	struct place *place = *state;
	struct dependencies found;
	struct signer_dependency *files;
	struct world world;
	size_t count;

	world_open(place, &world);
	build(place, "1.0", false);
	install(place, "1.0");
	world.recipe.depends = &helper_name;
	world.recipe.depend_count = 1;
	assert_int_equal(require_it(&world, &found, NULL), 0);
	assert_int_equal(found.list[0].ticket_fd, -1);
	files = dependencies_files(&found, &count);
	assert_int_equal(count, 0);
	free(files);
	dependencies_clear(&found);
	(void)fflush(world.warnings);
	assert_non_null(strstr(world.warned, "helper/1.0 was not built by kmodbox"));
	world_close(&world);
}

/* Before a build whatever is there is shown, and nothing is missed. */
static void test_glance(void **state)
{
	struct place *place = *state;
	struct dependencies found;
	struct world world;

	world_open(place, &world);
	world.settings = (struct module_settings){ .depends = &helper_name, .depend_count = 1 };
	assert_int_equal(dependencies_glance(&world.orchestrator, &world.target, &world.settings,
					     &found, NULL),
			 0);
	assert_int_equal(found.mount_count, 0);
	dependencies_clear(&found);
	add(place, "1.0");
	assert_int_equal(dependencies_glance(&world.orchestrator, &world.target, &world.settings,
					     &found, NULL),
			 0);
	assert_int_equal(found.mount_count, 2);
	dependencies_clear(&found);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_required), TEST(test_built_is_not_installed),
		TEST(test_itself),   TEST(test_found),
		TEST(test_not_ours), TEST(test_glance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
