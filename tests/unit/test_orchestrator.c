/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the launcher decides before anything is built: trees, a module's source, and how it starts
 * our other programs. This program is such another one as well: it reports what it got.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>

#include "lib/artifacts/exit_code.h"
#include "lib/recipes/snapshot.h"
#include "orchestrator/helpers.h"
#include "orchestrator/places.h"
#include "orchestrator/source.h"
#include "tests/unit/orchestrator_support.h"

/* PLACE followed by this. */
static bool is_path(const char *path, const struct place *place, const char *below)
{
	char expected[256];

	(void)snprintf(expected, sizeof(expected), "%s%s", place->path, below);
	if (!string_equal(path, expected))
		(void)fprintf(stderr, "%s is not %s\n", path, expected);
	return string_equal(path, expected);
}

static int user_with_state_home(const struct place *place)
{
	const struct options options = { 0 };
	cleanup_places struct places places = PLACES_INITIAL;
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/xdg", place->path);
	expect(be_ordinary());
	expect(setenv("XDG_STATE_HOME", path, 1) == 0 && setenv("HOME", "/nowhere", 1) == 0);
	expect(places_open(&options, false, &places, NULL) == 0);
	expect(is_path(places.dkms_tree, place, "/xdg/kmodbox/dkms"));
	expect(is_path(places.source_tree, place, "/xdg/kmodbox/src"));
	expect(is_path(places.install_tree, place, "/xdg/kmodbox/modules"));
	expect(is_path(places.state, place, "/xdg/kmodbox/state"));
	expect(string_equal(places.kernel_root, "/"));
	expect(string_equal(places.module_tree, "/lib/modules"));
	/* To look at what is not there makes nothing. */
	expect(places.dkms_tree_fd == -1 && places.install_tree_fd == -1);
	expect(access(path, F_OK) < 0 && errno == ENOENT);
	places_close(&places);
	expect(!places.dkms_tree && places.dkms_tree_fd == -1);
	expect(places_open(&options, true, &places, NULL) == 0);
	expect(places.dkms_tree_fd >= 0 && places.source_tree_fd >= 0);
	expect(places.install_tree_fd >= 0 && places.state_fd >= 0);
	expect(faccessat(place->fd, "xdg/kmodbox/modules", W_OK, 0) == 0);
	return 0;
}

static void test_user_with_state_home(void **state)
{
	in_child(user_with_state_home, *state);
}

static int user_with_home(const struct place *place)
{
	const struct options options = { 0 };
	cleanup_places struct places places = PLACES_INITIAL;

	expect(be_ordinary());
	/* A relative one is to be ignored: XDG Base Directory. */
	expect(setenv("XDG_STATE_HOME", "relative", 1) == 0);
	expect(setenv("HOME", place->path, 1) == 0);
	expect(places_open(&options, false, &places, NULL) == 0);
	expect(is_path(places.dkms_tree, place, "/.local/state/kmodbox/dkms"));
	expect(is_path(places.state, place, "/.local/state/kmodbox/state"));
	return 0;
}

static void test_user_with_home(void **state)
{
	in_child(user_with_home, *state);
}

static int user_without_home(const struct place *place)
{
	struct options options = { 0 };
	cleanup_places struct places places = PLACES_INITIAL;
	struct error *error = NULL;
	char path[64];

	memcpy(path, place->path, sizeof(path));
	expect(be_ordinary());
	expect(unsetenv("XDG_STATE_HOME") == 0 && unsetenv("HOME") == 0);
	expect(places_open(&options, false, &places, &error) == -ENOENT);
	expect(says(&error, EXIT_USAGE,
		    "neither XDG_STATE_HOME nor HOME is set: name the trees with --dkmstree, "
		    "--sourcetree, --installtree and --statedir"));
	options.dkms_tree = options.source_tree = options.install_tree = path;
	expect(places_open(&options, false, &places, NULL) == -ENOENT);
	options.state_directory = path;
	expect(places_open(&options, false, &places, NULL) == 0);
	expect(is_path(places.state, place, ""));
	return 0;
}

static void test_user_without_home(void **state)
{
	in_child(user_without_home, *state);
}

static int root_defaults(const struct place *place)
{
	char root[] = "/usr/", top[] = "/";
	struct options options = { 0 };
	cleanup_places struct places places = PLACES_INITIAL;
	char tree[64];

	if (!be_root_apart())
		return CANNOT;
	memcpy(tree, place->path, sizeof(tree));
	/* Root's do not come from the environment. */
	expect(setenv("XDG_STATE_HOME", place->path, 1) == 0);
	expect(setenv("HOME", place->path, 1) == 0);
	expect(places_open(&options, false, &places, NULL) == 0);
	expect(string_equal(places.dkms_tree, "/var/lib/dkms"));
	expect(string_equal(places.source_tree, "/usr/src"));
	expect(string_equal(places.install_tree, "/lib/modules"));
	expect(string_equal(places.state, "/var/lib/kmodbox"));
	expect(string_equal(places.kernel_root, "/"));
	expect(string_equal(places.module_tree, "/lib/modules"));
	places_close(&places);
	options.kernel_root = root;
	expect(places_open(&options, false, &places, NULL) == 0);
	expect(string_equal(places.kernel_root, "/usr"));
	expect(string_equal(places.install_tree, "/usr/lib/modules"));
	expect(string_equal(places.module_tree, "/lib/modules"));
	expect(string_equal(places.dkms_tree, "/var/lib/dkms"));
	places_close(&places);
	options.kernel_root = top;
	expect(places_open(&options, false, &places, NULL) == 0);
	expect(string_equal(places.install_tree, "/lib/modules"));
	places_close(&places);
	/* What is named counts: headers come from the root, and modules go to the tree. */
	options.install_tree = tree;
	expect(places_open(&options, false, &places, NULL) == 0);
	expect(is_path(places.install_tree, place, ""));
	expect(string_equal(places.module_tree, "/lib/modules"));
	places_close(&places);
	options.kernel_root = NULL;
	expect(places_open(&options, false, &places, NULL) == 0);
	expect(is_path(places.module_tree, place, ""));
	return 0;
}

static void test_root_defaults(void **state)
{
	in_child(root_defaults, *state);
}

static int relative_paths(const struct place *place)
{
	char dkms[] = "a/dkms//", source[] = "b", install[] = "./c", state[] = "a/state",
	     root[] = "root";
	const struct options options = { .dkms_tree = dkms,
					 .source_tree = source,
					 .install_tree = install,
					 .state_directory = state,
					 .kernel_root = root };
	cleanup_places struct places places = PLACES_INITIAL;
	struct stat named, opened;

	expect(chdir(place->path) == 0);
	expect(places_open(&options, true, &places, NULL) == 0);
	expect(is_path(places.dkms_tree, place, "/a/dkms"));
	expect(is_path(places.source_tree, place, "/b"));
	expect(is_path(places.install_tree, place, "/./c"));
	expect(is_path(places.state, place, "/a/state"));
	expect(is_path(places.kernel_root, place, "/root"));
	expect(fstatat(place->fd, "a/dkms", &named, 0) == 0);
	expect(fstat(places.dkms_tree_fd, &opened) == 0);
	expect(named.st_ino == opened.st_ino && named.st_dev == opened.st_dev);
	/* A kernel root is only ever read. */
	expect(faccessat(place->fd, "root", F_OK, 0) < 0);
	places_close(&places);
	/* Made already, it is just opened. */
	expect(places_open(&options, true, &places, NULL) == 0);
	return 0;
}

static void test_relative_paths(void **state)
{
	in_child(relative_paths, *state);
}

static void test_tree_in_the_way(void **state)
{
	const struct place *place = *state;
	cleanup_places struct places places = PLACES_INITIAL;
	struct error *error = NULL;
	char file[80], below[80], good[80];
	struct options options = { .dkms_tree = file,
				   .source_tree = good,
				   .install_tree = good,
				   .state_directory = good };

	(void)snprintf(file, sizeof(file), "%s/file", place->path);
	(void)snprintf(below, sizeof(below), "%s/file/dkms", place->path);
	(void)snprintf(good, sizeof(good), "%s/good", place->path);
	assert_true(write_path(file, ""));
	for (int make = 0; make <= 1; make++) {
		assert_int_equal(places_open(&options, make, &places, &error), -ENOTDIR);
		assert_true(says(&error, EXIT_USAGE, file));
		assert_int_equal(places.dkms_tree_fd, -1);
		assert_null(places.dkms_tree);
	}
	options.dkms_tree = below;
	assert_int_equal(places_open(&options, true, &places, &error), -ENOTDIR);
	assert_true(says(&error, EXIT_USAGE, below));
	options.dkms_tree = good;
	assert_int_equal(places_open(&options, true, &places, NULL), 0);
}

/*
 * What the program that is started finds: its arguments, environment, descriptors but this one and
 * that of the list itself, and whether it leads a session and blocks no signal.
 */
static int report(int output_fd, char **argv)
{
	DIR *list = opendir("/proc/self/fd");
	const struct dirent *entry;
	sigset_t blocked;

	expect(list);
	for (size_t i = 0; argv[i]; i++)
		(void)dprintf(output_fd, "argument %s\n", argv[i]);
	for (size_t i = 0; environ[i]; i++)
		(void)dprintf(output_fd, "environment %s\n", environ[i]);
	while ((entry = readdir(list))) {
		uint64_t number;

		if (parse_u64(entry->d_name, INT32_MAX, &number) == 0 && number > 2 &&
		    number != (uint64_t)output_fd && number != (uint64_t)dirfd(list))
			(void)dprintf(output_fd, "descriptor %s\n", entry->d_name);
	}
	(void)closedir(list);
	if (getsid(0) == getpid())
		(void)dprintf(output_fd, "leader\n");
	expect(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0);
	if (sigismember(&blocked, SIGINT))
		(void)dprintf(output_fd, "blocked\n");
	return 0;
}

/* What a started program reported until its end. */
static void collect(pid_t pid, int write_fd, int read_fd_, struct text *ret_text)
{
	int status = 0;

	(void)close_fd(write_fd);
	assert_int_equal(read_fd(read_fd_, 1 << 16, ret_text, NULL), 0);
	(void)close_fd(read_fd_);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* As any program starts another. */
static pid_t start_plainly(int output_fd)
{
	char number[16];
	pid_t pid;

	(void)snprintf(number, sizeof(number), "%d", output_fd);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)fcntl(output_fd, F_SETFD, 0);
		(void)execl("/proc/self/exe", "plain", "--report", number, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static void test_helper(void **state)
{
	const struct place *place = *state;
	cleanup_helper struct helper helper = { .name = "test_orchestrator" };
	cleanup_text struct text plain = { 0 }, text = { 0 };
	cleanup_free char *expected = NULL, *stray_line = NULL;
	cleanup_close int given_fd = dup(place->fd), stray_fd = dup(place->fd),
			  named_fd = fcntl(place->fd, F_DUPFD_CLOEXEC, 100);
	sigset_t interrupt, before;
	pid_t pid = 0;
	int pipes[2];

	assert_true(given_fd >= 0 && stray_fd >= 0 && named_fd >= 100);
	assert_int_equal(setenv("KMODBOX_TEST_SECRET", "1", 1), 0);
	(void)sigemptyset(&interrupt);
	(void)sigaddset(&interrupt, SIGINT);
	assert_int_equal(sigprocmask(SIG_BLOCK, &interrupt, &before), 0);
	/* The control: plainly started it would get all of it. */
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	collect(start_plainly(pipes[1]), pipes[1], pipes[0], &plain);
	stray_line = format_string("descriptor %d\n", stray_fd);
	assert_non_null(strstr(plain.data, stray_line));
	assert_non_null(strstr(plain.data, "environment KMODBOX_TEST_SECRET=1\n"));
	assert_non_null(strstr(plain.data, "blocked\n"));
	assert_null(strstr(plain.data, "leader\n"));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	helper_fd(&helper, "--report", pipes[1]);
	helper_text(&helper, "--text", "a text; $(with) 'all'");
	helper_number(&helper, "--number", 4294967295ul);
	helper_fd(&helper, "--given", given_fd);
	helper_fd(&helper, "--none", -1);
	helper_named_fd(&helper, "--kernel", "6.1", named_fd);
	assert_int_equal(helper_start(&helper, &pid, NULL), 0);
	collect(pid, pipes[1], pipes[0], &text);
	expected = format_string("argument test_orchestrator\n"
				 "argument --report\nargument %d\n"
				 "argument --text\nargument a text; $(with) 'all'\n"
				 "argument --number\nargument 4294967295\n"
				 "argument --given\nargument %d\n"
				 "argument --kernel\nargument 6.1=%d\n"
				 "environment LC_ALL=C\n"
				 "descriptor %d\ndescriptor %d\nleader\n",
				 pipes[1], given_fd, named_fd, given_fd, named_fd);
	assert_string_equal(text.data, expected);
	/* Ours are as they were. */
	assert_true(fcntl(named_fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
	assert_int_equal(unsetenv("KMODBOX_TEST_SECRET"), 0);
}

static void test_helper_refusals(void **state)
{
	cleanup_helper struct helper absent = { .name = "kmodbox-absent" };
	cleanup_helper struct helper long_one = { .name = "test_orchestrator" };
	struct error *error = NULL;
	pid_t pid = 42;
	int fd = -2;

	(void)state;
	assert_int_equal(helper_start(&absent, &pid, &error), -ENOENT);
	assert_true(says(&error, EXIT_INFRASTRUCTURE, "kmodbox-absent is neither /"));
	assert_int_equal(helper_open_profile("absent.seccomp", &fd, &error), -ENOENT);
	assert_true(says(&error, EXIT_INFRASTRUCTURE,
			 "/profiles/absent.seccomp: is kmodbox installed whole?"));
	for (unsigned long i = 0; i <= HELPER_ARGUMENTS / 2; i++)
		helper_number(&long_one, "--number", i);
	assert_int_equal(helper_start(&long_one, &pid, &error), -ENOMEM);
	assert_true(says(&error, 0, "command line of test_orchestrator"));
	assert_int_equal(pid, 42);
}

/* An orchestrator whose source tree is the place. */
static struct orchestrator with_sources(const struct place *place, const struct options *options)
{
	return (struct orchestrator){ .options = options,
				      .places = { .source_tree = (char *)(uintptr_t)place->path,
						  .source_tree_fd = place->fd },
				      .package = { .module = options->module,
						   .version = options->version,
						   .source_fd = -1 },
				      .given_source_fd = -1,
				      .archive_fd = -1 };
}

static void make_source(const struct place *place, const char *name, const char *text)
{
	char path[256];

	assert_int_equal(mkdirat(place->fd, name, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/%s/dkms.conf", place->path, name);
	assert_true(write_path(path, text));
}

static struct digest digest_of(int directory_fd)
{
	cleanup_close int fd = -1;
	struct digest digest;

	assert_int_equal(snapshot_from_directory(directory_fd, -1, &fd, &digest, NULL), 0);
	return digest;
}

static int open_place(const struct place *place, const char *name)
{
	int fd = openat(place->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_sources(void **state)
{
	const struct place *place = *state;
	char module[] = "demo", version[] = "1", named[] = "/elsewhere";
	struct options options = { .module = module, .version = version };
	struct orchestrator part = with_sources(place, &options);
	cleanup_source struct source source = SOURCE_INITIAL;
	cleanup_close int own_fd = -1, other_fd = -1;
	struct digest own, other;

	make_source(place, "demo-1", "PACKAGE_NAME=demo\n");
	make_source(place, "other", "PACKAGE_NAME=other\n");
	own_fd = open_place(place, "demo-1");
	other_fd = open_place(place, "other");
	own = digest_of(own_fd);
	other = digest_of(other_fd);
	assert_false(digest_equal(&own, &other));
	assert_int_equal(source_read_named(&part, &source, NULL), 0);
	assert_true(digest_equal(&source.digest, &own) && !source.foreign);
	source_clear(&source);
	assert_int_equal(source_read_added(&part, &part.package, &source, NULL), 0);
	assert_true(digest_equal(&source.digest, &own));
	source_clear(&source);
	assert_int_equal(source.snapshot_fd, -1);
	/* What an added module's link led to goes before the source tree. */
	part.package.source_fd = other_fd;
	assert_int_equal(source_read_added(&part, &part.package, &source, NULL), 0);
	assert_true(digest_equal(&source.digest, &other) && !source.foreign);
	source_clear(&source);
	/* A directory that `add` named is to be added; an added module's it is not. */
	options.source = named;
	part.package.source_fd = -1;
	part.given_source_fd = other_fd;
	assert_int_equal(source_read_named(&part, &source, NULL), 0);
	assert_true(digest_equal(&source.digest, &other) && source.foreign);
	source_clear(&source);
	assert_int_equal(source_read_added(&part, &part.package, &source, NULL), 0);
	assert_true(digest_equal(&source.digest, &own));
}

static void test_bad_sources(void **state)
{
	const struct place *place = *state;
	char module[] = "demo", version[] = "1";
	const struct options options = { .module = module, .version = version };
	const struct orchestrator part = with_sources(place, &options);
	struct source source = SOURCE_INITIAL;
	struct error *error = NULL;
	char missing[256];

	(void)snprintf(missing, sizeof(missing),
		       "source of demo/1 not found: %s/demo-1 is not a directory that can be read; "
		       "put the source there, or add its directory or archive",
		       place->path);
	assert_int_equal(source_read_named(&part, &source, &error), -ENOENT);
	assert_true(says(&error, EXIT_NO_SOURCE, missing));
	assert_int_equal(source_read_added(&part, &part.package, &source, &error), -ENOENT);
	assert_true(says(&error, EXIT_NO_SOURCE, missing));
	make_source(place, "real", "PACKAGE_NAME=demo\n");
	assert_int_equal(symlinkat("real", place->fd, "demo-1"), 0);
	assert_int_equal(source_read_named(&part, &source, &error), -ELOOP);
	assert_true(says(&error, EXIT_NO_SOURCE, missing));
	assert_int_equal(unlinkat(place->fd, "demo-1", 0), 0);
	assert_int_equal(renameat(place->fd, "real", place->fd, "demo-1"), 0);
	assert_int_equal(mkfifoat(place->fd, "demo-1/fifo", 0644), 0);
	assert_true(source_read_named(&part, &source, &error) < 0);
	assert_true(says(&error, EXIT_BAD_CONF, "source: "));
	assert_int_equal(source.snapshot_fd, -1);
	assert_int_equal(unlinkat(place->fd, "demo-1/fifo", 0), 0);
	assert_int_equal(source_read_named(&part, &source, NULL), 0);
	source_clear(&source);
}

/* Some daemons ignore SIGCHLD, and what they start inherits that: nobody could be waited for. */
static int ignored_children(const struct place *place)
{
	static void (*const handlers[])(int) = { SIG_DFL, SIG_IGN };
	char *const argv[] = { (char *)"kmodbox",
			       (char *)"add",
			       (char *)"--dkmstree",
			       (char *)"dkms",
			       (char *)"--sourcetree",
			       (char *)"src",
			       (char *)"--installtree",
			       (char *)"modules",
			       (char *)"--statedir",
			       (char *)"state",
			       (char *)"-m",
			       (char *)"absent",
			       (char *)"-v",
			       (char *)"1",
			       NULL };
	cleanup_close int program_fd = -1;

	/* Where root's launcher shows directories to the others. */
	if (geteuid() == 0 && (!be_root_apart() || mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0))
		return CANNOT;
	expect(helper_open_program("../bin/kmodbox", &program_fd, NULL) == 0);
	expect(chdir(place->path) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		const struct sigaction action = { .sa_handler = handlers[i] };
		int status = 0;
		pid_t pid = fork();

		expect(pid >= 0);
		if (pid == 0) {
			(void)sigaction(SIGCHLD, &action, NULL);
			(void)alarm(60); /* it would wait for ever */
			(void)fexecve(program_fd, argv, environ);
			_exit(127);
		}
		expect(waitpid(pid, &status, 0) == pid);
		expect(WIFEXITED(status));
		if (handlers[i] == SIG_DFL && WEXITSTATUS(status) == EXIT_SANDBOX)
			return CANNOT;
		expect(WEXITSTATUS(status) == EXIT_NO_SOURCE);
	}
	return 0;
}

static void test_ignored_children(void **state)
{
	in_child(ignored_children, *state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_user_with_state_home),
		TEST(test_user_with_home),
		TEST(test_user_without_home),
		TEST(test_root_defaults),
		TEST(test_relative_paths),
		TEST(test_tree_in_the_way),
		TEST(test_helper),
		TEST(test_helper_refusals),
		TEST(test_ignored_children),
		TEST(test_sources),
		TEST(test_bad_sources),
	};
	uint64_t fd;

	if (argc > 2 && string_equal(argv[1], "--report"))
		return parse_u64(argv[2], INT32_MAX, &fd) < 0 ? 2 : report((int)fd, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
