/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees made by hand, and the status lines they must give. That real dkms gives the same lines on
 * such trees is shown by tests/parity/status.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "orchestrator/installed.h"
#include "orchestrator/state.h"
#include "orchestrator/weak.h"

/* Below a temporary directory of its own: dkms/, src/, modules/. */
struct fixture {
	char directory[32];
	int fd;
	struct state_trees trees;
};

static int open_tree_directory(struct fixture *fixture, const char *name)
{
	assert_int_equal(mkdirat(fixture->fd, name, 0755), 0);
	return openat(fixture->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	memcpy(fixture->directory, "/tmp/test_state.XXXXXX", sizeof("/tmp/test_state.XXXXXX"));
	assert_non_null(mkdtemp(fixture->directory));
	fixture->fd = open(fixture->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fixture->trees.dkms_fd = open_tree_directory(fixture, "dkms");
	fixture->trees.source_fd = open_tree_directory(fixture, "src");
	fixture->trees.install_fd = open_tree_directory(fixture, "modules");
	*state = fixture;
	return fixture->trees.install_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	cleanup_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = remove_tree(tmp, fixture->directory + strlen("/tmp/"), NULL);

	(void)close_fd(fixture->trees.dkms_fd);
	(void)close_fd(fixture->trees.source_fd);
	(void)close_fd(fixture->trees.install_fd);
	(void)close_fd(fixture->fd);
	free(fixture);
	return result;
}

static void make_directory(struct fixture *fixture, const char *path)
{
	assert_int_equal(make_directories(fixture->fd, path, 0755, NULL), 0);
}

static void make_file(struct fixture *fixture, const char *path, const char *content)
{
	cleanup_free char *parent = strdup(path);

	assert_non_null(parent);
	*strrchr(parent, '/') = '\0';
	make_directory(fixture, parent);
	assert_int_equal(
		write_file_atomically(fixture->fd, path, content, strlen(content), 0644, NULL), 0);
}

static void make_link(struct fixture *fixture, const char *target, const char *path)
{
	cleanup_free char *parent = strdup(path);

	assert_non_null(parent);
	*strrchr(parent, '/') = '\0';
	make_directory(fixture, parent);
	assert_int_equal(symlinkat(target, fixture->fd, path), 0);
}

/* pair is "demo/0.1": source in place, registered. */
static void add(struct fixture *fixture, const char *pair)
{
	cleanup_free char *flat = strdup(pair);
	cleanup_free char *conf = NULL, *target = NULL, *source = NULL, *build = NULL;

	assert_non_null(flat);
	*strchr(flat, '/') = '-';
	conf = format_string("src/%s/dkms.conf", flat);
	target = format_string("%s/src/%s", fixture->directory, flat);
	source = format_string("dkms/%s/source", pair);
	build = format_string("dkms/%s/build", pair);
	make_file(fixture, conf, "");
	make_link(fixture, target, source);
	make_directory(fixture, build);
}

/* triple is "demo/0.1/6.1.0/x86_64". */
static void build(struct fixture *fixture, const char *triple, const char *file)
{
	cleanup_free char *path = format_string("dkms/%s/module/%s", triple, file);
	cleanup_free char *log = format_string("dkms/%s/log/make.log", triple);

	make_file(fixture, path, "module");
	make_file(fixture, log, "");
}

static char *format_list(struct state_list *list)
{
	struct text text = { 0 };

	assert_int_equal(text_append_string(&text, ""), 0);
	for (size_t i = 0; i < list->count; i++) {
		assert_int_equal(state_entry_format(&list->entries[i], &text), 0);
		assert_int_equal(text_append_string(&text, "\n"), 0);
	}
	state_list_clear(list);
	return text_take(&text);
}

static char *lines(struct fixture *fixture, const char *module, const char *version,
		   const char *kernel, const char *architecture)
{
	struct state_list list = { 0 };
	cleanup_error struct error *error = NULL;

	if (state_list_load(&fixture->trees, module, version, kernel, architecture, &list, &error) <
	    0) {
		cleanup_free char *message = error_describe(error);

		fail_msg("%s", message);
	}
	return format_list(&list);
}

#define assert_status(fixture, module, version, kernel, architecture, wanted)                      \
	do {                                                                                       \
		cleanup_free char *got_ = lines(fixture, module, version, kernel, architecture);   \
		assert_string_equal(got_, wanted);                                                 \
	} while (0)

static enum state get(struct fixture *fixture, const char *module, const char *version,
		      const char *kernel, const char *architecture)
{
	enum state state = STATE_ABSENT;

	assert_int_equal(state_get(fixture->trees.dkms_fd, module, version, kernel, architecture,
				   &state, NULL),
			 0);
	return state;
}

static void test_empty(void **state)
{
	struct fixture *fixture = *state;

	assert_status(fixture, NULL, NULL, NULL, NULL, "");
	assert_status(fixture, "demo", NULL, NULL, NULL, "");
	assert_status(fixture, "demo", "0.1", "6.1.0", "x86_64", "");
	assert_int_equal(get(fixture, "demo", "0.1", NULL, NULL), STATE_ABSENT);
	assert_int_equal(get(fixture, "demo", "0.1", "6.1.0", "x86_64"), STATE_ABSENT);
}

static void test_added_built_installed(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "demo/0.1");
	assert_status(fixture, NULL, NULL, NULL, NULL, "demo/0.1: added\n");
	assert_int_equal(get(fixture, "demo", "0.1", NULL, NULL), STATE_ADDED);
	assert_int_equal(get(fixture, "demo", "0.1", "6.1.0", "x86_64"), STATE_ADDED);

	build(fixture, "demo/0.1/6.1.0/x86_64", "demo.ko");
	assert_status(fixture, NULL, NULL, NULL, NULL, "demo/0.1, 6.1.0, x86_64: built\n");
	assert_int_equal(get(fixture, "demo", "0.1", NULL, NULL), STATE_ADDED);
	assert_int_equal(get(fixture, "demo", "0.1", "6.1.0", "x86_64"), STATE_BUILT);
	assert_int_equal(get(fixture, "demo", "0.1", "6.1.1", "x86_64"), STATE_ADDED);

	make_file(fixture, "modules/6.1.0/updates/dkms/demo.ko", "module");
	make_link(fixture, "0.1/6.1.0/x86_64", "dkms/demo/kernel-6.1.0-x86_64");
	assert_status(fixture, NULL, NULL, NULL, NULL, "demo/0.1, 6.1.0, x86_64: installed\n");
	assert_int_equal(get(fixture, "demo", "0.1", "6.1.0", "x86_64"), STATE_INSTALLED);
}

static void test_filters(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "demo/0.1");
	add(fixture, "demo/0.2");
	add(fixture, "evdi/1.14");
	build(fixture, "demo/0.1/6.1.0/x86_64", "demo.ko");
	build(fixture, "demo/0.1/6.12.1/aarch64", "demo.ko");
	build(fixture, "demo/0.1/6.12.1/x86_64", "demo.ko");
	build(fixture, "demo/0.1/odd-kernel/x86_64", "demo.ko");
	assert_status(fixture, NULL, NULL, NULL, NULL,
		      "demo/0.1, 6.1.0, x86_64: built\n"
		      "demo/0.1, 6.12.1, aarch64: built\n"
		      "demo/0.1, 6.12.1, x86_64: built\n"
		      "demo/0.2: added\n"
		      "evdi/1.14: added\n");
	assert_status(fixture, "demo", NULL, "6.12.1", "x86_64",
		      "demo/0.1, 6.12.1, x86_64: built\ndemo/0.2: added\n");
	/* A kernel for which nothing is built leaves the version added, as in DKMS. */
	assert_status(fixture, NULL, "0.1", "6.99", NULL, "demo/0.1: added\n");
	assert_status(fixture, "demo", "0.1", NULL, "aarch64",
		      "demo/0.1, 6.12.1, aarch64: built\n");
	/* DKMS's list of kernels holds what starts like a release; a kernel that is named, all. */
	assert_status(fixture, "demo", "0.1", "odd-kernel", NULL,
		      "demo/0.1, odd-kernel, x86_64: built\n");
	assert_status(fixture, "nosuch", NULL, NULL, NULL, "");
}

static void test_order(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "foo/1");
	add(fixture, "foo-bar/1");
	add(fixture, "foo.baz/1");
	add(fixture, "Foo/1");
	add(fixture, "foo/1.10");
	add(fixture, "foo/1.9");
	build(fixture, "foo/1/6.1.0/x86_64", "foo.ko");
	build(fixture, "foo/1/6.1.0-9-amd64/x86_64", "foo.ko");
	assert_status(fixture, NULL, NULL, NULL, NULL,
		      "Foo/1: added\n"
		      "foo-bar/1: added\n"
		      "foo.baz/1: added\n"
		      "foo/1, 6.1.0-9-amd64, x86_64: built\n"
		      "foo/1, 6.1.0, x86_64: built\n"
		      "foo/1.10: added\n"
		      "foo/1.9: added\n");
}

static void test_broken(void **state)
{
	struct fixture *fixture = *state;

	/* A link that leads nowhere, even with a build; then no link, but a source; then neither.
	 */
	make_link(fixture, "/nonexistent/demo-0.1", "dkms/demo/0.1/source");
	build(fixture, "demo/0.1/6.1.0/x86_64", "demo.ko");
	make_directory(fixture, "dkms/demo/0.2");
	make_directory(fixture, "src/demo-0.2");
	make_directory(fixture, "dkms/demo/0.3");
	/* To a file, and to itself. */
	make_file(fixture, "src/file", "");
	make_link(fixture, "../../../src/file", "dkms/demo/0.4/source");
	make_link(fixture, "source", "dkms/demo/0.5/source");
	assert_status(fixture, NULL, NULL, NULL, NULL,
		      "demo/0.1: broken\n"
		      "demo/0.2: broken\n"
		      "demo/0.4: broken\n"
		      "demo/0.5: broken\n");
	assert_int_equal(get(fixture, "demo", "0.1", NULL, NULL), STATE_BROKEN);
	assert_int_equal(get(fixture, "demo", "0.1", "6.1.0", "x86_64"), STATE_BROKEN);
	assert_int_equal(get(fixture, "demo", "0.2", NULL, NULL), STATE_ABSENT);
}

static void test_originals(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "demo/0.1");
	build(fixture, "demo/0.1/6.1.0/x86_64", "demo.ko");
	build(fixture, "demo/0.1/6.2.0/x86_64", "demo.ko");
	make_file(fixture, "dkms/demo/original_module/6.1.0/x86_64/demo.ko", "original");
	make_file(fixture, "dkms/demo/original_module/6.1.0/x86_64/demo.ko.origin", "/x\n");
	assert_status(fixture, NULL, NULL, NULL, NULL,
		      "demo/0.1, 6.1.0, x86_64: built (Original modules exist)\n"
		      "demo/0.1, 6.2.0, x86_64: built\n");
}

static void test_missing(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "demo/0.1");
	make_file(fixture, "dkms/demo/0.1/6.1.0/x86_64/module/Module.symvers", "");
	make_link(fixture, "0.1/6.1.0/x86_64", "dkms/demo/kernel-6.1.0-x86_64");
	assert_status(fixture, NULL, NULL, NULL, NULL,
		      "demo/0.1, 6.1.0, x86_64: installed "
		      "(Built modules are missing in the kernel modules folder)\n");
}

#define DIFFERS                                                                                    \
	"demo/0.1, 6.1.0, x86_64: installed (Differences between built and installed modules)\n"
#define SAME "demo/0.1, 6.1.0, x86_64: installed\n"

static void install_demo(struct fixture *fixture, const char *file)
{
	add(fixture, "demo/0.1");
	build(fixture, "demo/0.1/6.1.0/x86_64", file);
	make_link(fixture, "0.1/6.1.0/x86_64", "dkms/demo/kernel-6.1.0-x86_64");
}

static void test_differs(void **state)
{
	struct fixture *fixture = *state;

	install_demo(fixture, "demo.ko");
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS); /* no such kernel */
	make_file(fixture, "modules/6.1.0/extra/demo.ko", "moduLe");
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS); /* same size */
	make_file(fixture, "modules/6.1.0/updates/dkms/demo.ko", "module");
	assert_status(fixture, NULL, NULL, NULL, NULL, SAME); /* the preferred place */
	build(fixture, "demo/0.1/6.1.0/x86_64", "demo-extra.ko");
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS); /* one of two */
	make_file(fixture, "modules/6.1.0/updates/dkms/demo-extra.ko", "module");
	assert_status(fixture, NULL, NULL, NULL, NULL, SAME);
	/* Without an install tree nothing is said of it. */
	assert_int_equal(remove_tree(fixture->fd, "modules/6.1.0/updates", NULL), 0);
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS);
	fixture->trees.install_fd = close_fd(fixture->trees.install_fd);
	assert_status(fixture, NULL, NULL, NULL, NULL, SAME);
}

static void test_large_module_differs_at_its_end(void **state)
{
	static char content[200001];
	struct fixture *fixture = *state;

	install_demo(fixture, "demo.ko");
	memset(content, 'x', sizeof(content) - 1);
	make_file(fixture, "modules/6.1.0/updates/dkms/demo.ko", content);
	make_file(fixture, "dkms/demo/0.1/6.1.0/x86_64/module/demo.ko", content);
	assert_status(fixture, NULL, NULL, NULL, NULL, SAME);
	content[sizeof(content) - 2] = 'y';
	make_file(fixture, "modules/6.1.0/updates/dkms/demo.ko", content);
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS);
}

static void test_installed_places(void **state)
{
	static const char *const places[] = {
		"updates/dkms", "updates", "extra", "kernel/drivers/net/demo", "misc", ".",
	};
	struct fixture *fixture = *state;

	install_demo(fixture, "demo.ko.xz");
	/* Not followed: the headers' tree must not be searched. */
	make_file(fixture, "src/headers/demo.ko.xz", "module");
	make_link(fixture, "../../src/headers", "modules/6.1.0/build");
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup_free char *path =
			format_string("modules/6.1.0/%s%sdemo.ko.xz",
				      strcmp(places[i], ".") == 0 ? "" : places[i],
				      strcmp(places[i], ".") == 0 ? "" : "/");

		make_file(fixture, path, "module");
		assert_status(fixture, NULL, NULL, NULL, NULL, SAME);
		assert_int_equal(unlinkat(fixture->fd, path, 0), 0);
	}
	make_file(fixture, "modules/6.1.0/updates/dkms/demo.ko", "unpacked");
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS); /* bytes count, as in DKMS */
}

static void test_symlinked_modules(void **state)
{
	struct fixture *fixture = *state;

	install_demo(fixture, "demo.ko");
	make_link(fixture, "../../../../dkms/demo/0.1/6.1.0/x86_64/module/demo.ko",
		  "modules/6.1.0/updates/dkms/demo.ko");
	assert_status(fixture, NULL, NULL, NULL, NULL, SAME);
	/* A link to another file is not what was installed, whatever it holds. */
	assert_int_equal(unlinkat(fixture->fd, "modules/6.1.0/updates/dkms/demo.ko", 0), 0);
	make_file(fixture, "src/other.ko", "module");
	make_link(fixture, "../../../../src/other.ko", "modules/6.1.0/updates/dkms/demo.ko");
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS);
}

static void test_installed_link_targets(void **state)
{
	struct fixture *fixture = *state;
	cleanup_free char *absolute =
		format_string("%s/dkms/demo/0.1/6.1.0/x86_64", fixture->directory);
	const struct {
		const char *target;
		enum state state;
	} links[] = {
		{ "0.1/6.1.0/x86_64", STATE_INSTALLED },
		{ absolute, STATE_INSTALLED },
		{ "./0.1//6.1.0/x86_64/", STATE_INSTALLED },
		{ "0.2/6.1.0/x86_64", STATE_BUILT },
		{ "0.1/6.1.0", STATE_BUILT },
		{ "/nonexistent", STATE_BUILT },
		{ "kernel-6.1.0-x86_64", STATE_BUILT },
	};

	add(fixture, "demo/0.1");
	add(fixture, "demo/0.2");
	build(fixture, "demo/0.1/6.1.0/x86_64", "demo.ko");
	build(fixture, "demo/0.2/6.1.0/x86_64", "demo.ko");
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		make_link(fixture, links[i].target, "dkms/demo/kernel-6.1.0-x86_64");
		assert_int_equal(get(fixture, "demo", "0.1", "6.1.0", "x86_64"), links[i].state);
		assert_int_equal(unlinkat(fixture->fd, "dkms/demo/kernel-6.1.0-x86_64", 0), 0);
	}
	/* A directory of that name is no link. */
	make_directory(fixture, "dkms/demo/kernel-6.1.0-x86_64");
	assert_int_equal(get(fixture, "demo", "0.1", "6.1.0", "x86_64"), STATE_BUILT);
	assert_status(fixture, NULL, "0.1", NULL, NULL, "demo/0.1, 6.1.0, x86_64: built\n");
}

/* What years of DKMS, or somebody else, may have left there: passed over, never followed. */
static void test_strange_trees(void **state)
{
	struct fixture *fixture = *state;

	add(fixture, "demo/0.1");
	build(fixture, "demo/0.1/6.1.0/x86_64", "demo.ko");
	make_file(fixture, "dkms/mok.key", "");
	make_file(fixture, "dkms/demo/0.1/tarball/demo.tar.gz", "");
	make_link(fixture, "/", "dkms/root");
	make_link(fixture, ".", "dkms/loop");
	make_link(fixture, "0.1", "dkms/demo/latest");
	make_link(fixture, "../../../..", "dkms/demo/0.1/6.9.9");
	make_link(fixture, "6.1.0/x86_64", "dkms/demo/0.1/6.8.0/x86_64");
	make_file(fixture, "dkms/demo/0.1/6.7.0/x86_64/module", "a file");
	make_directory(fixture, "dkms/demo/0.1/6.6.0/.tmp_x86_64_abc/module");
	make_directory(fixture, "dkms/.kmodbox/1/source");
	make_directory(fixture, "dkms/evil");
	assert_int_equal(mkdirat(fixture->fd, "dkms/evil\033[2J", 0755), 0);
	assert_int_equal(mkdirat(fixture->fd, "dkms/evil\033[2J/1", 0755), 0);
	assert_int_equal(mkdirat(fixture->fd, "dkms/evil\033[2J/1/source", 0755), 0);
	assert_int_equal(mkdirat(fixture->fd, "dkms/evil/new\nline", 0755), 0);
	assert_int_equal(mkdirat(fixture->fd, "dkms/evil/new\nline/source", 0755), 0);
	make_directory(fixture, "dkms/-rf/1/source");
	make_directory(fixture, "dkms/demo/original_module/source");
	make_directory(fixture, "dkms/demo/kernel-6-x/source");
	assert_int_equal(mkfifoat(fixture->fd, "dkms/demo/pipe", 0644), 0);
	assert_int_equal(mkfifoat(fixture->fd, "dkms/pipe", 0644), 0);
	assert_status(fixture, NULL, NULL, NULL, NULL, "demo/0.1, 6.1.0, x86_64: built\n");
	assert_int_equal(get(fixture, "demo", "latest", NULL, NULL), STATE_ABSENT);
	assert_int_equal(get(fixture, "demo", "original_module", NULL, NULL), STATE_ABSENT);
	assert_int_equal(get(fixture, "pipe", "1", NULL, NULL), STATE_ABSENT);
}

/* A FIFO, a directory or a link loop where the module should be: "differs", and no waiting. */
static void test_strange_modules(void **state)
{
	struct fixture *fixture = *state;
	const char *path = "modules/6.1.0/updates/dkms/demo.ko";

	install_demo(fixture, "demo.ko");
	make_directory(fixture, "modules/6.1.0/updates/dkms");
	assert_int_equal(mkfifoat(fixture->fd, path, 0644), 0);
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS);
	assert_int_equal(unlinkat(fixture->fd, path, 0), 0);
	make_link(fixture, "demo.ko", path);
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS);
	assert_int_equal(unlinkat(fixture->fd, path, 0), 0);
	make_directory(fixture, path);
	assert_status(fixture, NULL, NULL, NULL, NULL, DIFFERS);
	assert_int_equal(unlinkat(fixture->fd, path, AT_REMOVEDIR), 0);
	make_file(fixture, path, "module");
	assert_status(fixture, NULL, NULL, NULL, NULL, SAME);
}

static void test_names_that_cannot_be(void **state)
{
	struct fixture *fixture = *state;
	struct state_list list;
	enum state got;

	assert_int_equal(state_list_load(&fixture->trees, "../x", NULL, NULL, NULL, &list, NULL),
			 -EINVAL);
	assert_int_equal(state_list_load(&fixture->trees, NULL, NULL, NULL, "a/b", &list, NULL),
			 -EINVAL);
	assert_int_equal(state_get(fixture->trees.dkms_fd, "demo", "..", NULL, NULL, &got, NULL),
			 -EINVAL);
	assert_int_equal(state_get(fixture->trees.dkms_fd, "demo", "1", "6.1", NULL, &got, NULL),
			 -EINVAL);
}

static void test_unreadable_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct state_list list = { 0 };
	uid_t user = geteuid();
	int result;

	add(fixture, "demo/0.1");
	assert_int_equal(fchmodat(fixture->fd, "dkms/demo", 0, 0), 0);
	/* Root would read it all the same. */
	assert_int_equal(user == 0 ? seteuid(65534) : 0, 0);
	result = state_list_load(&fixture->trees, NULL, NULL, NULL, NULL, &list, &error);
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(fchmodat(fixture->fd, "dkms/demo", 0755, 0), 0);
	assert_int_equal(result, -EACCES);
	text = error_describe(error);
	assert_non_null(strstr(text, "'demo'"));
}

/* More than one block of a directory listing, and of the list. */
static void test_many(void **state)
{
	struct fixture *fixture = *state;
	struct state_list list = { 0 };

	add(fixture, "demo/0.1");
	for (int i = 0; i < 1500; i++) {
		cleanup_free char *path =
			format_string("dkms/demo/0.1/6.1.%d-some-long-flavour/x86_64/module", i);

		make_directory(fixture, path);
	}
	assert_int_equal(state_list_load(&fixture->trees, NULL, NULL, NULL, NULL, &list, NULL), 0);
	assert_int_equal(list.count, 1500);
	for (size_t i = 1; i < list.count; i++)
		assert_true(strcmp(list.entries[i - 1].kernel, list.entries[i].kernel) < 0);
	state_list_clear(&list);
}

static void test_stems(void **state)
{
	(void)state;
	assert_int_equal(installed_stem_length("demo.ko"), 4);
	assert_int_equal(installed_stem_length("a.ko.zst"), 1);
	assert_int_equal(installed_stem_length("a.ko.ko"), 4);
	assert_int_equal(installed_stem_length(".ko"), 0);
	assert_int_equal(installed_stem_length("demo.ko.origin"), 0);
	assert_int_equal(installed_stem_length("Module.symvers"), 0);
}

static void assert_weak(struct fixture *fixture, const char *module, const char *kernel,
			const char *architecture, const char *wanted)
{
	struct state_list list = { 0 };
	cleanup_free char *got = NULL;

	assert_int_equal(weak_list_load(fixture->trees.dkms_fd, fixture->trees.install_fd, module,
					NULL, kernel, architecture, &list, NULL),
			 0);
	got = format_list(&list);
	assert_string_equal(got, wanted);
}

static void test_weak(void **state)
{
	static const char *const line = "pair, 1, 6.1.1, x86_64: installed-weak from 6.1.0\n";
	struct fixture *fixture = *state;
	bool installed = true;

	assert_weak(fixture, NULL, NULL, NULL, "");
	add(fixture, "pair/1");
	build(fixture, "pair/1/6.1.0/x86_64", "a.ko.xz");
	build(fixture, "pair/1/6.1.0/x86_64", "b.ko.xz");
	make_file(fixture, "dkms/pair/1/6.1.0/x86_64/module/Module.symvers", "data");
	make_file(fixture, "modules/6.1.0/extra/a.ko.xz", "module");
	make_file(fixture, "modules/6.1.0/extra/b.ko.xz", "module");
	make_link(fixture, "../../6.1.0/extra/a.ko.xz", "modules/6.1.1/weak-updates/a.ko.xz");
	make_link(fixture, "../../6.1.0/extra/b.ko.xz", "modules/6.1.1/weak-updates/b.ko.xz");
	/* Built, but not what is installed. */
	assert_weak(fixture, NULL, NULL, NULL, "");
	make_link(fixture, "1/6.1.0/x86_64", "dkms/pair/kernel-6.1.0-x86_64");
	assert_weak(fixture, NULL, NULL, NULL, line);
	assert_weak(fixture, "pair", "6.1.1", "x86_64", line);
	assert_weak(fixture, "other", NULL, NULL, "");
	assert_weak(fixture, NULL, "6.1.0", NULL, "");
	assert_weak(fixture, NULL, NULL, "aarch64", "");
	assert_int_equal(weak_is_installed(fixture->trees.dkms_fd, fixture->trees.install_fd,
					   "pair", "1", "6.1.1", "x86_64", &installed, NULL),
			 0);
	assert_true(installed);
	/* Half of it, other bytes, a copy, nothing at the link's end. */
	assert_int_equal(unlinkat(fixture->fd, "modules/6.1.1/weak-updates/b.ko.xz", 0), 0);
	assert_weak(fixture, NULL, NULL, NULL, "");
	make_file(fixture, "modules/6.1.0/extra/other.ko.xz", "another");
	make_link(fixture, "../../6.1.0/extra/other.ko.xz", "modules/6.1.1/weak-updates/b.ko.xz");
	assert_weak(fixture, NULL, NULL, NULL, "");
	make_file(fixture, "modules/6.1.1/weak-updates/b.ko.xz", "module");
	assert_weak(fixture, NULL, NULL, NULL, "");
	assert_int_equal(unlinkat(fixture->fd, "modules/6.1.1/weak-updates/b.ko.xz", 0), 0);
	make_link(fixture, "/nonexistent", "modules/6.1.1/weak-updates/b.ko.xz");
	assert_weak(fixture, NULL, NULL, NULL, "");
	assert_int_equal(weak_is_installed(fixture->trees.dkms_fd, -1, "pair", "1", "6.1.1",
					   "x86_64", &installed, NULL),
			 0);
	assert_false(installed);
}

#define unit(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		unit(test_empty),
		unit(test_added_built_installed),
		unit(test_filters),
		unit(test_order),
		unit(test_broken),
		unit(test_originals),
		unit(test_missing),
		unit(test_differs),
		unit(test_large_module_differs_at_its_end),
		unit(test_installed_places),
		unit(test_symlinked_modules),
		unit(test_installed_link_targets),
		unit(test_strange_trees),
		unit(test_strange_modules),
		unit(test_names_that_cannot_be),
		unit(test_unreadable_is_an_error),
		unit(test_many),
		unit(test_weak),
		cmocka_unit_test(test_stems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
