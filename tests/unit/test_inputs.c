/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Headers and tools of a build: remembered once at rest, and every change is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "lib/kernels/inputs.h"

#define CACHE "cache"

/* A directory with headers/ (two files), a tool and an empty cache/. */
struct place {
	char path[32];
	int fd;
	int cache_fd;
	struct kernel_tree tree;
	struct kernel kernel;
	struct toolchain toolchain;
};

static void put(const struct place *place, const char *name, const char *text)
{
	int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	assert_int_equal(close(fd), 0);
}

static char *word(const char *text)
{
	return (char *)(uintptr_t)text;
}

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	(void)snprintf(place->path, sizeof(place->path), "/tmp/kmodbox-inputs-XXXXXX");
	if (!mkdtemp(place->path))
		return -1;
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(place->fd, "headers", 0755) < 0 || mkdirat(place->fd, CACHE, 0755) < 0)
		return -1;
	put(place, "headers/.config", "CONFIG_X=y\n");
	put(place, "headers/deep.h", "#define X 1\n");
	put(place, "tool", "a compiler\n");
	place->cache_fd = openat(place->fd, CACHE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->tree = (struct kernel_tree){ .path = format_string("%s/headers", place->path),
					    .name = word("/usr/src/headers") };
	place->kernel = (struct kernel){
		.release = word("6.1.0-test"),
		.architecture = word("x86_64"),
		.root = word("/"),
		.build = word("/usr/src/headers"),
		.trees = &place->tree,
		.tree_count = 1,
		.build_fd = openat(place->fd, "headers", O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	place->toolchain = (struct toolchain){
		.tools = { { word("tool"), format_string("%s/tool", place->path) } }, .count = 1
	};
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	cleanup_close int top_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = remove_tree(top_fd, place->path + strlen("/tmp/"), NULL);

	(void)close_fd(place->fd);
	(void)close_fd(place->cache_fd);
	(void)close_fd(place->kernel.build_fd);
	free(place->tree.path);
	free(place->toolchain.tools[0].path);
	free(place);
	return r;
}

/* A build: begin, what happens meanwhile, end. Gives the digests that a record would name. */
static bool changed(const struct place *place, void (*meanwhile)(const struct place *place),
		    struct digest *ret_headers, struct digest *ret_tool)
{
	struct inputs *inputs = NULL;
	bool result = false;

	assert_int_equal(
		inputs_begin(&place->kernel, &place->toolchain, place->cache_fd, &inputs, NULL), 0);
	if (meanwhile)
		meanwhile(place);
	inputs_end(inputs);
	assert_int_equal(inputs_changed(inputs, &result, NULL), 0);
	*ret_headers = *inputs_headers(inputs);
	*ret_tool = *inputs_tool(inputs, 0);
	inputs_free(inputs);
	return result;
}

/* The one file in the cache, as text; NULL: there is none. */
static char *remembered(const struct place *place, char name[static 256])
{
	cleanup_text struct text text = { 0 };
	struct dirent **entries = NULL;
	int count = scandirat(place->cache_fd, ".", &entries, NULL, NULL);

	name[0] = '\0';
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			(void)snprintf(name, 256, "%s", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	if (!name[0])
		return NULL;
	assert_int_equal(read_file(place->cache_fd, name, 4096, &text, NULL), 0);
	return text_take(&text);
}

static void change_header(const struct place *place)
{
	put(place, "headers/deep.h", "#define X 2\n");
}

static void change_tool(const struct place *place)
{
	put(place, "tool", "another compiler\n");
}

static void remove_headers(const struct place *place)
{
	assert_int_equal(unlinkat(place->fd, "headers/deep.h", 0), 0);
}

static void test_changes_are_seen(void **state)
{
	const struct place *place = *state;
	struct digest headers, same, tool;

	assert_false(changed(place, NULL, &headers, &tool));
	assert_false(changed(place, NULL, &same, &tool));
	assert_true(digest_equal(&headers, &same));
	assert_true(changed(place, change_header, &same, &tool));
	assert_false(changed(place, NULL, &same, &tool));
	assert_false(digest_equal(&headers, &same));
	assert_true(changed(place, change_tool, &same, &tool));
	assert_true(changed(place, remove_headers, &same, &tool));
}

static void test_nothing_is_remembered_at_once(void **state)
{
	const struct place *place = *state;
	struct digest headers, tool;
	char name[256];

	assert_false(changed(place, NULL, &headers, &tool));
	assert_null(remembered(place, name));
}

static void test_memory(void **state)
{
	const struct place *place = *state;
	struct digest headers, tool, other;
	cleanup_free char *text = NULL, *path = NULL;
	char name[256], hex[DIGEST_HEX_SIZE];
	char *line;

	(void)sleep(3); /* until the files are at rest */
	assert_false(changed(place, NULL, &headers, &tool));
	text = remembered(place, name);
	assert_non_null(text);
	assert_true(string_starts_with(name, "headers-6.1.0-test-x86_64-"));
	digest_to_hex(&headers, hex);
	line = strstr(text, hex);
	assert_non_null(line);
	/* That it is believed shows where it is not true. */
	line[0] = line[0] == '0' ? '1' : '0';
	path = format_string(CACHE "/%s", name);
	put(place, path, text);
	assert_false(changed(place, NULL, &other, &tool));
	assert_false(digest_equal(&headers, &other));
	/* What the quick look misses is found at the end, and the next build begins anew. */
	assert_true(changed(place, change_header, &other, &tool));
	assert_null(remembered(place, name));
	assert_false(changed(place, NULL, &other, &tool));
	assert_false(digest_equal(&headers, &other));
}

static void test_garbage_is_forgotten(void **state)
{
	static const char *const garbage[] = { "", "kmodbox-inputs-1\n",
					       "kmodbox-inputs-2\nquick 0\n",
					       "kmodbox-inputs-1\nquick 0123\n" };
	const struct place *place = *state;
	cleanup_free char *text = NULL;
	struct digest headers, same, tool;
	char name[256], path[300];

	(void)sleep(3);
	assert_false(changed(place, NULL, &headers, &tool));
	text = remembered(place, name);
	assert_non_null(text);
	(void)snprintf(path, sizeof(path), CACHE "/%s", name);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		put(place, path, garbage[i]);
		assert_false(changed(place, NULL, &same, &tool));
		assert_true(digest_equal(&headers, &same));
	}
	/* One byte more, or one less. */
	text[strlen(text) - 1] = '\0';
	put(place, path, text);
	assert_false(changed(place, NULL, &same, &tool));
	assert_true(digest_equal(&headers, &same));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes_are_seen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_is_remembered_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_garbage_is_forgotten, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
