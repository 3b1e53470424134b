/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line: what DKMS's users type gives what they mean; each mistake its code and message.
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
#include "orchestrator/options.h"

#define WORDS 16

/* Splits at blanks into argv, with "kmodbox" first. */
struct command {
	char *text;
	char *argv[WORDS + 2];
	int argc;
};

static struct command command_new(const char *line)
{
	struct command command = { .text = strdup(line), .argv = { (char *)"kmodbox" }, .argc = 1 };
	char *rest = command.text, *word;

	assert_non_null(command.text);
	while ((word = strsep(&rest, " ")) && command.argc <= WORDS)
		if (*word)
			command.argv[command.argc++] = word;
	return command;
}

static void refused(const char *line, int code, const char *message)
{
	struct command command = command_new(line);
	struct options options = { .jobs = 77 };
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	int result = options_parse(command.argc, command.argv, &options, &error);

	text = error_describe(error);
	if (result >= 0 || error_code(error) != code || !strstr(text, message))
		fail_msg("'%s': result %d, code %d, not %d, message \"%s\", not \"%s\"", line,
			 result, error_code(error), code, text ? text : "", message);
	assert_int_equal(options.jobs, 77); /* untouched */
	/* Nobody has to ask for the message. */
	assert_int_equal(options_parse(command.argc, command.argv, &options, NULL), result);
	free(command.text);
}

/* The caller frees nothing: the strings are checked before the next call. */
static struct options options;
static struct command command;

static const struct options *accepted(const char *line)
{
	cleanup_error struct error *error = NULL;

	options_clear(&options);
	free(command.text);
	command = command_new(line);
	if (options_parse(command.argc, command.argv, &options, &error) < 0) {
		cleanup_free char *text = error_describe(error);

		fail_msg("'%s': %s", line, text);
	}
	return &options;
}

static void test_dkms_forms(void **state)
{
	static const char *const forms[] = {
		"build -m demo -v 0.1 -k 6.1.0-9-amd64",
		"-m demo -v 0.1 -k 6.1.0-9-amd64 build",
		"build demo/0.1 -k 6.1.0-9-amd64",
		"build -m demo/0.1 --kernelver=6.1.0-9-amd64",
		"build --module=demo/0.1 --kernelver 6.1.0-9-amd64",
		"--module-name demo -v 0.1 --kernelversion=6.1.0-9-amd64 build",
		"-k 6.1.0-9-amd64 demo/0.1 build",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct options *got = accepted(forms[i]);

		assert_int_equal(got->verb, VERB_BUILD);
		assert_string_equal(got->module, "demo");
		assert_string_equal(got->version, "0.1");
		assert_int_equal(got->kernel_count, 1);
		assert_string_equal(got->kernels[0], "6.1.0-9-amd64");
		assert_int_equal(got->architecture_count, 0);
		assert_null(got->source);
		assert_null(got->archive);
		assert_false(got->force);
		assert_false(got->jobs_given);
	}
}

static void test_kernels_and_architectures(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("install m/1 -k 6.1/x86_64 -k 6.12/aarch64");
	assert_int_equal(got->kernel_count, 2);
	assert_string_equal(got->kernels[1], "6.12");
	assert_int_equal(got->architecture_count, 2);
	assert_string_equal(got->architectures[0], "x86_64");
	assert_string_equal(got->architectures[1], "aarch64");
	got = accepted("install m/1 -k 6.1 -k 6.12 --architecture=x86_64");
	assert_int_equal(got->architecture_count, 1);
	got = accepted("status -k 6.1 -a x86_64");
	assert_null(got->module);
	assert_string_equal(got->architectures[0], "x86_64");
	refused("install m/1 -k 6.1 -a x86_64 -a i686", 1, "one for each -k");
	refused("install m/1 -k 6.1 -k 6.12 -k 6.13 -a a -a b", 1, "2 architectures for 3 kernels");
}

static void test_flags_and_trees(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("--rpm_safe_upgrade remove -m m -v 1 --all -q --verbose --force "
		       "--no-depmod --no-initrd");
	assert_true(got->all && got->quiet && got->verbose && got->force && got->no_depmod);
	assert_int_equal(got->ignored_count, 2);
	assert_string_equal(got->ignored[0], "--rpm_safe_upgrade");
	assert_string_equal(got->ignored[1], "--no-initrd");
	got = accepted("status --dkmstree /d --sourcetree=/s --installtree /i --kernel-root /r "
		       "--statedir /x --dkmstree=/last");
	assert_string_equal(got->dkms_tree, "/last");
	assert_string_equal(got->source_tree, "/s");
	assert_string_equal(got->install_tree, "/i");
	assert_string_equal(got->kernel_root, "/r");
	assert_string_equal(got->state_directory, "/x");
	got = accepted("status --no-initrd --no-initrd --no-initrd --no-initrd --no-initrd "
		       "--no-initrd --no-initrd --no-initrd --no-initrd --no-initrd");
	assert_int_equal(got->ignored_count, OPTIONS_IGNORED);
}

static void test_jobs(void **state)
{
	(void)state;
	assert_int_equal(accepted("build m/1 -j 4")->jobs, 4);
	assert_int_equal(accepted("build m/1 -j16")->jobs, 16);
	assert_int_equal(accepted("-j 0 build m/1")->jobs, 0);
	assert_true(options.jobs_given);
	refused("build m/1 -j", 1, "-j' needs a value");
	refused("build m/1 -j x", 1, "-j 'x'");
	refused("build m/1 -j-1", 1, "-j '-1'");
	refused("build m/1 -j 99999999999999999999", 1, "from 0");
}

static void test_exit_codes(void **state)
{
	(void)state;
	refused("", 1, "no verb");
	refused("mkdeb", 1, "unknown verb 'mkdeb'");
	refused("frobnicate demo/0.1", 1, "unknown verb 'frobnicate'");
	refused("add build", 4, "verbs 'add' and 'build'");
	refused("add autoinstall", 4, "verbs 'add' and 'autoinstall'");
	refused("generate_mok", 1, "verb 'generate_mok' is not supported by this version");
	refused("kernel_prerm -k 6.1", 1, "verb 'kernel_prerm' is not supported");
	refused("build m/1 --frob", 2, "unknown option '--frob'");
	refused("build m/1 --force=yes", 2, "unknown option '--force=yes'");
	refused("build m/1 --forcefully", 2, "unknown option");
	refused("build m/1 -k=6.1", 2, "unknown option '-k=6.1'");
	refused("build m/1 -- --force", 1, "--force");
	refused("build m/1 -c x", 2, "'-c' is not supported: overrides");
	refused("build m/1 --config x", 2, "'--config' is not supported: ");
	refused("build m/1 --kernelsourcedir=/x", 2, "--kernel-root DIR");
	refused("install m/1 --symlink-modules", 2, "'--symlink-modules' is not supported");
	refused("remove m/1 --all -k 6.1", 2, "-k and --all");
	refused("remove m/1 --all -a x86_64", 3, "-a and --all");
	refused("add m/1 --all", 5, "'add' does not take --all");
	refused("install m/1 --all", 5, "'install' does not take --all");
	refused("build m/1 -k", 1, "'-k' needs a value");
	refused("build m/1 --kernelver=", 1, "'--kernelver' needs a value");
	refused("status --ro /x", 2, "options of the verb 'sandbox'");
	refused("status --templatekernel 6.1", 2, "options of the verb 'match'");
	refused("build m/1 --source-only", 2, "options of the verb 'mktarball'");
}

static void test_directives(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("build m/1 --directive=A=B=C --directive AUTOINSTALL= --directive _x1=$(y)");
	assert_int_equal(got->directive_count, 3);
	assert_string_equal(got->directives[0], "A=B=C");
	assert_string_equal(got->directives[1], "AUTOINSTALL=");
	assert_string_equal(got->directives[2], "_x1=$(y)");
	refused("build m/1 --directive", 1, "'--directive' needs a value");
	refused("build m/1 --directive MAKE", 1, "give NAME=VALUE");
	refused("build m/1 --directive =x", 1, "give NAME=VALUE");
	refused("build m/1 --directive 1A=x", 1, "give NAME=VALUE");
	refused("build m/1 --directive MAKE[0]=x", 1, "an element of an array cannot be set so");
	refused("build m/1 --directive A-B=x", 1, "give NAME=VALUE");
}

static void test_match_and_autoinstall(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("match --templatekernel 6.1 -k 6.12");
	assert_int_equal(got->verb, VERB_MATCH);
	assert_string_equal(got->template_kernel, "6.1");
	assert_null(got->module);
	got = accepted("match --templatekernel=6.1 demo -k 6.12/x86_64");
	assert_string_equal(got->module, "demo");
	assert_null(got->version);
	assert_null(accepted("match --templatekernel=0.0-not-running")->kernels);
	refused("match -k 6.12", 1, "Give --templatekernel");
	refused("match --templatekernel 6.1 -k 6.1", 2, "is the kernel 6.1 itself");
	refused("match --templatekernel ../x -k 6.1", 1, "kernel '../x'");
	refused("match --templatekernel 6.1 -k 6.12 -k 6.13", 4, "match works on one kernel");
	refused("match --templatekernel 6.1 --all", 4, "match works on one kernel");
	assert_int_equal(accepted("autoinstall")->verb, VERB_AUTOINSTALL);
	assert_string_equal(accepted("autoinstall --kernelver 6.1")->kernels[0], "6.1");
	refused("autoinstall -k 6.1 -k 6.12", 4, "autoinstall works on one kernel");
	refused("autoinstall --all", 5, "does not take --all");
	refused("autoinstall --all -k 6.1", 2, "-k and --all");
	refused("autoinstall demo/1", 1, "takes no module");
	refused("autoinstall -v 1", 1, "takes no module");
}

static void test_tarballs(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("mktarball demo/0.1 -k 6.1 --archive=demo.tar.gz --binaries-only");
	assert_int_equal(got->verb, VERB_MKTARBALL);
	assert_string_equal(got->archive, "demo.tar.gz");
	assert_true(got->binaries_only);
	assert_true(accepted("mktarball demo/0.1 --source-only")->source_only);
	assert_true(accepted("mktarball demo/0.1 --all")->all);
	refused("mktarball demo/0.1 --source-only --binaries-only", 8, "give one of them");
	refused("mktarball demo/0.1 --archive ../x.tar.gz", 2, "is the name of a file");
	refused("mktarball demo", 1, "needs a version");
	refused("mktarball", 1, "which module?");
	got = accepted("ldtarball --archive /x/demo.dkms.tar.gz");
	assert_string_equal(got->archive, "/x/demo.dkms.tar.gz");
	refused("ldtarball", 2, "which archive?");
	refused("ldtarball nosuch.tar.gz", 2, "'nosuch.tar.gz': No such file");
	refused("ldtarball dir/*x*", 2, "'dir/*x*': No such file");
	refused("add src/foo/bar", 2, "'src/foo/bar': No such file");
	assert_true(accepted("build m/1 --json")->json);
	assert_true(accepted("sandbox --json -- true")->json);
	assert_true(accepted("boot-test m/1 -k 6.1 --secure-boot")->secure_boot);
	refused("build m/1 --secure-boot", 2, "options of the verb 'boot-test'");
	refused("remove m/1 --json", 2, "remove has no --json");
	refused("ldtarball ./nosuch.tar.gz", 2, "No such file");
	assert_string_equal(accepted("ldtarball demo/0.1 --force --archive /x")->version, "0.1");
	refused("ldtarball demo --archive /x", 1, "both -m and -v");
}

static void test_subjects(void **state)
{
	(void)state;
	refused("remove", 1, "remove: which module?");
	refused("remove demo --all", 1, "'demo' needs a version");
	refused("build demo", 1, "demo/VERSION");
	refused("build -v 1", 1, "which module?");
	refused("remove demo/1 2", 1, "what is '2' for?");
	refused("install nosuch.tar.gz", 1, "is no file");
	refused("install ./nosuch.tar.gz", 2, "No such file");
	refused("uninstall m/1 --archive /x", 1, "takes no archive");
	refused("add -m m --archive /x", 1, "both -m and -v");
	assert_string_equal(accepted("add m/1 --archive /x")->archive, "/x");
	assert_null(accepted("status")->module);
	assert_null(accepted("status demo")->version);
	assert_string_equal(accepted("status -v 2")->version, "2");
}

static void test_hostile_names(void **state)
{
	(void)state;
	refused("remove ../../etc/1 --all", 1, "module '..'");
	refused("remove demo/../.. --all", 1, "version '../..'");
	refused("remove demo/1/2 --all", 1, "version '1/2'");
	refused("remove demo/ --all", 1, "version ''");
	refused("remove -m /etc -v 1 --all", 1, "module ''");
	refused("remove -m demo -v --all", 1, "version '--all'");
	refused("build demo/1 -k ../6.1", 1, "kernel '..'");
	refused("build demo/1 -k 6.1/../x", 1, "architecture '../x'");
	refused("build demo/1 -a x;y", 1, "architecture 'x;y'");
	refused("add demo/original_module", 1, "DKMS keeps other things");
	refused("add demo/kernel-6.1-x86_64", 1, "DKMS keeps other things");
	assert_string_equal(accepted("add demo/kernel-6.1")->version, "kernel-6.1");
}

static void test_help_and_version(void **state)
{
	const char *line = options_help();
	size_t lines = 0;

	(void)state;
	assert_int_equal(accepted("--help")->verb, VERB_HELP);
	assert_int_equal(accepted("build -h --frob")->verb, VERB_HELP);
	assert_int_equal(accepted("help")->verb, VERB_HELP);
	assert_int_equal(accepted("-V")->verb, VERB_VERSION);
	assert_int_equal(accepted("remove --version")->verb, VERB_VERSION);
	for (; *line; lines++) {
		size_t length = strcspn(line, "\n");

		assert_in_range(length, 0, 82);
		line += length + 1;
	}
	assert_in_range(lines, 30, 85);
	for (int verb = VERB_ADD; verb <= VERB_BOOT_TEST; verb++)
		assert_non_null(strstr(options_help(), verb_name((enum verb)verb)));
	assert_string_equal(verb_name(VERB_UNINSTALL), "uninstall");
}

static void test_check(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("check build ./b.ko.xz -k 6.1 --kernel-root /k --json");
	assert_int_equal(got->verb, VERB_CHECK);
	assert_int_equal(got->file_count, 2);
	assert_string_equal(got->files[0], "build");
	assert_string_equal(got->files[1], "./b.ko.xz");
	assert_string_equal(got->kernels[0], "6.1");
	assert_true(got->json);
	got = accepted("check -k 6.1 -- -k.ko --json --");
	assert_int_equal(got->file_count, 3);
	assert_string_equal(got->files[0], "-k.ko");
	assert_string_equal(got->files[2], "--");
	assert_false(got->json);
	refused("check", 1, "check: which module? Give its file");
	refused("check a.ko -m demo", 1, "check is about files, and one kernel");
	refused("check a.ko -k 6.1 -k 6.2", 1, "check is about files, and one kernel");
}

static void test_imports(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("imports a.ko ./b.ko.xz --against old/a.ko -a aarch64 --json");
	assert_int_equal(got->verb, VERB_IMPORTS);
	assert_int_equal(got->file_count, 2);
	assert_string_equal(got->files[1], "./b.ko.xz");
	assert_string_equal(got->against, "old/a.ko");
	assert_null(accepted("imports a.ko")->against);
	refused("imports", 1, "imports: which module? Give its file");
	refused("imports a.ko -m demo", 1, "imports is about files");
	refused("imports a.ko -k 6.1", 1, "imports is about files");
	refused("check a.ko --against b.ko", 2, "options of the verb 'imports'");
	refused("imports a.ko --against", 1, "option '--against' needs a value");
}

static void test_sandbox(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("-q sandbox --ro /a --ro=/b --rw /c --chdir /c -- ls --frob -k add build");
	assert_int_equal(got->verb, VERB_SANDBOX);
	assert_true(got->quiet);
	assert_int_equal(got->read_only_count, 2);
	assert_string_equal(got->read_only[1], "/b");
	assert_int_equal(got->read_write_count, 1);
	assert_string_equal(got->directory, "/c");
	assert_string_equal(got->command[0], "ls");
	assert_string_equal(got->command[1], "--frob");
	assert_string_equal(got->command[4], "build");
	assert_null(got->command[5]);
	refused("sandbox", 1, "no command");
	refused("sandbox --", 1, "no command");
	refused("sandbox ls --frob", 1, "behind '--'");
}

static void test_shell(void **state)
{
	const struct options *got;

	(void)state;
	got = accepted("shell demo/0.1 -k 6.1.0-9-amd64 --force");
	assert_int_equal(got->verb, VERB_SHELL);
	assert_string_equal(got->module, "demo");
	assert_string_equal(got->version, "0.1");
	assert_string_equal(got->kernels[0], "6.1.0-9-amd64");
	assert_null(got->command);
	/* Behind it nothing is ours. */
	got = accepted("-k 6.1 shell -m demo -v 0.1 -- make -k --all build shell --");
	assert_string_equal(got->command[0], "make");
	assert_string_equal(got->command[1], "-k");
	assert_string_equal(got->command[5], "--");
	assert_null(got->command[6]);
	assert_int_equal(got->kernel_count, 1);
	assert_false(got->all);
	refused("shell demo/0.1 --", 1, "shell: no command behind '--'; without '--' it is bash");
	refused("shell", 1, "shell: which module?");
	refused("shell demo", 1, "'demo' needs a version");
	refused("shell demo/0.1 make", 1, "what is 'make' for?");
	refused("shell demo/0.1 -k 6.1 -k 6.12", 4, "shell works on one kernel");
	refused("shell demo/0.1 --all", 5, "verb 'shell' does not take --all");
	refused("shell demo/0.1 --json", 2, "shell has no --json");
	refused("shell demo/0.1 --ro /x", 2, "options of the verb 'sandbox', not of 'shell'");
}

static void test_profile(void **state)
{
	(void)state;
	assert_int_equal(accepted("profile list --json")->action, PROFILE_LIST);
	assert_true(options.json);
	assert_string_equal(accepted("profile --json show strict")->profile, "strict");
	assert_int_equal(options.action, PROFILE_SHOW);
	assert_string_equal(accepted("profile check own.conf --json")->checked, "own.conf");
	assert_true(options.json && options.action == PROFILE_CHECK);
	refused("profile", 1, "give 'profile list'");
	refused("profile list strict", 1, "give 'profile list'");
	refused("profile show", 1, "give 'profile list'");
	refused("profile show ../x", 1, "'../x'");
	refused("profile list -k 6.1", 1, "it takes no module and no kernel");
}

static int make_sources(void **state)
{
	static char directory[] = "/tmp/test_options.XXXXXX";
	int fd;

	if (!mkdtemp(directory) || chdir(directory) < 0 || mkdir("src", 0755) < 0 ||
	    mkdir("empty", 0755) < 0 || mkfifo("fifo", 0644) < 0)
		return -1;
	fd = open("src/dkms.conf", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	(void)close_fd(fd);
	fd = fd < 0 ? fd : open("demo-v0.1.tar.gz", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	(void)close_fd(fd);
	*state = directory;
	return fd < 0 ? -1 : 0;
}

static int remove_sources(void **state)
{
	cleanup_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	options_clear(&options);
	free(command.text);
	command.text = NULL;
	return chdir("/") < 0 || remove_tree(tmp, (const char *)*state + strlen("/tmp/"), NULL) < 0
		       ? -1
		       : 0;
}

static void assert_below(const char *path, const void *directory, const char *rest)
{
	cleanup_free char *wanted = format_string("%s/%s", (const char *)directory, rest);

	assert_non_null(path);
	assert_string_equal(path, wanted);
}

static void test_sources(void **state)
{
	(void)state;
	assert_below(accepted("add src")->source, *state, "src");
	assert_null(options.module);
	assert_below(accepted("src install")->source, *state, "src");
	assert_below(accepted("add src/dkms.conf")->source, *state, "src/");
	assert_below(accepted("add demo-v0.1.tar.gz")->archive, *state, "demo-v0.1.tar.gz");
	assert_below(accepted("add --archive demo-v0.1.tar.gz")->archive, *state,
		     "demo-v0.1.tar.gz");
	assert_below(accepted("status --dkmstree tree")->dkms_tree, *state, "tree");
	/* A file that happens to be called like a module is no archive of it for other verbs. */
	assert_null(accepted("status demo-v0.1.tar.gz")->archive);
	assert_string_equal(options.module, "demo-v0.1.tar.gz");
	assert_below(accepted("ldtarball demo-v0.1.tar.gz")->archive, *state, "demo-v0.1.tar.gz");
	assert_below(accepted("ldtarball src/dkms.conf")->archive, *state, "src/dkms.conf");
	refused("ldtarball ./src", 2, "'./src' is no regular file");
	refused("add ./empty", 4, "'./empty' has no dkms.conf");
	refused("add ./fifo", 2, "neither a directory nor a regular file");
	refused("add src demo-v0.1.tar.gz", 1, "module");
	refused("add src src", 1, "");
	assert_below(accepted("add demo/0.1 src")->source, *state, "src");
	assert_string_equal(options.module, "demo");
	refused("add demo src", 1, "both -m and -v");
	refused("add src --archive demo-v0.1.tar.gz", 1, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dkms_forms),
		cmocka_unit_test(test_kernels_and_architectures),
		cmocka_unit_test(test_flags_and_trees),
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_directives),
		cmocka_unit_test(test_match_and_autoinstall),
		cmocka_unit_test(test_tarballs),
		cmocka_unit_test(test_subjects),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_imports),
		cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_shell),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_sources),
	};

	return cmocka_run_group_tests(tests, make_sources, remove_sources);
}
