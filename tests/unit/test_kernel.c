/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels as data: split headers as distributions lay them out, in roots made here; and real ones.
 */
#include "lib/kernels/kernel.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/text.h"

#define RELEASE "6.1.0-9-test"
#define BUILD "usr/src/linux-headers-" RELEASE
#define COMMON "usr/src/linux-headers-6.1.0-9-common"
#define KBUILD "usr/lib/linux-kbuild-6.1"
#define CONFIG                                                                                     \
	"# a comment CONFIG_MODVERSIONS=n\n"                                                       \
	"CONFIG_CC_VERSION_TEXT=\"gcc-12 (Debian 12.2.0) 12.2.0\"\n"                               \
	"CONFIG_CC_IS_GCC=y\n"                                                                     \
	"CONFIG_LOCALVERSION=\"\"\n"                                                               \
	"XCONFIG_MODVERSIONS=n\n"                                                                  \
	"CONFIG_MODVERSIONS_MORE=n\n"                                                              \
	"CONFIG_MODVERSIONS=y\n"                                                                   \
	"CONFIG_QUOTED=\"a \\\"b\\\" \\\\c\"\n"                                                    \
	"# CONFIG_UNSET is not set\n"                                                              \
	"CONFIG_MODULE_SIG_HASH=\"sha512\"\n"

struct root {
	char path[64];
	int fd;
};

static void put(const struct root *root, const char *path, const char *content)
{
	cleanup_free char *parent = strdup(path);

	*strrchr(parent, '/') = '\0';
	assert_int_equal(make_directories(root->fd, parent, 0755, NULL), 0);
	assert_int_equal(
		write_file_atomically(root->fd, path, content, strlen(content), 0644, NULL), 0);
}

static void put_directory(const struct root *root, const char *path)
{
	assert_int_equal(make_directories(root->fd, path, 0755, NULL), 0);
}

static void put_link(const struct root *root, const char *path, const char *target)
{
	assert_int_equal(symlinkat(target, root->fd, path), 0);
}

static void root_make(struct root *root)
{
	*root = (struct root){ .path = "/tmp/kmodbox-kernel-XXXXXX" };
	assert_non_null(mkdtemp(root->path));
	assert_int_equal(chmod(root->path, 0755), 0);
	root->fd = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root->fd >= 0);
}

static void root_remove(struct root *root)
{
	static const char *const tops[] = { "lib", "usr", "home", "etc" };

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		assert_int_equal(remove_tree(root->fd, tops[i], NULL), 0);
	root->fd = close_fd(root->fd);
	assert_int_equal(rmdir(root->path), 0);
}

/* As dpkg -x leaves Debian's three packages: /lib is a directory beside /usr/lib. */
static void fill_debian(const struct root *root)
{
	put_directory(root, "lib/modules/" RELEASE);
	put_link(root, "lib/modules/" RELEASE "/build", "/" BUILD);
	put_link(root, "lib/modules/" RELEASE "/source", "/" COMMON);
	put_directory(root, BUILD "/include");
	put(root, BUILD "/Makefile", "include /" COMMON "/Makefile\n");
	put(root, BUILD "/.config", CONFIG);
	put(root, BUILD "/Module.symvers", "0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n");
	put_link(root, BUILD "/scripts", "../../lib/linux-kbuild-6.1/scripts");
	put_link(root, BUILD "/rust", "../none/rust");
	put_link(root, BUILD "/vmlinux", "/etc/vmlinux");
	put(root, COMMON "/Makefile", "include $(srctree)/scripts/Kbuild.include\n");
	put(root, COMMON "/include/linux/module.h", "#define A 1\n");
	put_link(root, COMMON "/tools", "/" KBUILD "/tools");
	put(root, KBUILD "/scripts/Makefile.build", "all:\n");
	put_directory(root, KBUILD "/tools");
	put(root, "etc/vmlinux", "not headers");
}

static int set_up(void **state)
{
	static struct root root;

	root_make(&root);
	fill_debian(&root);
	*state = &root;
	return 0;
}

static int set_up_empty(void **state)
{
	static struct root root;

	root_make(&root);
	*state = &root;
	return 0;
}

static int tear_down(void **state)
{
	root_remove(*state);
	return 0;
}

static struct kernel *load(const struct root *root)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct kernel *kernel = NULL;

	if (kernel_load(root->path, "/lib/modules", RELEASE, "x86_64", geteuid(), &kernel, &error) <
	    0) {
		text = error_describe(error);
		fail_msg("%s", text);
	}
	return kernel;
}

static void assert_refused(const struct root *root, int result, const char *words)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct kernel *kernel = NULL;

	assert_int_equal(kernel_load(root->path, "/lib/modules", RELEASE, "x86_64", geteuid(),
				     &kernel, &error),
			 result);
	assert_null(kernel);
	assert_int_equal(error_code(error), EXIT_NO_HEADERS);
	text = error_describe(error);
	assert_non_null(text);
	if (!strstr(text, words))
		fail_msg("'%s' is not in '%s'", words, text);
}

static void assert_mount(const struct root *root, const struct kernel *kernel, size_t index,
			 const char *source, const char *target)
{
	cleanup_free char *whole = format_string("%s/%s", root->path, source);

	assert_true(index < kernel->mount_count);
	assert_string_equal(kernel->mounts[index].source, whole);
	assert_string_equal(kernel->mounts[index].target, target);
}

static void test_debian(void **state)
{
	const struct root *root = *state;
	struct kernel *kernel = load(root);
	struct stat from_fd, from_path;
	cleanup_free char *build = format_string("%s/" BUILD, root->path);

	assert_string_equal(kernel->release, RELEASE);
	assert_string_equal(kernel->architecture, "x86_64");
	assert_string_equal(kernel->root, root->path);
	assert_string_equal(kernel->build, "/" BUILD);
	assert_string_equal(kernel->source, "/" COMMON);
	assert_int_equal(kernel->mount_count, 3);
	assert_int_equal(kernel->tree_count, 3);
	assert_mount(root, kernel, 0, KBUILD, "/" KBUILD);
	assert_mount(root, kernel, 1, COMMON, "/" COMMON);
	assert_mount(root, kernel, 2, BUILD, "/" BUILD);
	assert_string_equal(kernel->config, CONFIG);
	assert_string_equal(kernel->compiler, "gcc-12");
	assert_false(kernel->clang);
	assert_false(kernel->linker_lld);
	assert_string_equal(kernel->signature_hash, "sha512");
	assert_int_equal(fstat(kernel->build_fd, &from_fd), 0);
	assert_int_equal(stat(build, &from_path), 0);
	assert_int_equal(from_fd.st_ino, from_path.st_ino);
	kernel_free(kernel);
}

static void assert_config(const struct kernel *kernel, const char *name, const char *expected)
{
	cleanup_free char *value = kernel_config(kernel, name);

	if (!string_equal(value, expected))
		fail_msg("%s is %s, not %s", name, value ? value : "unset",
			 expected ? expected : "unset");
}

static void test_config(void **state)
{
	struct kernel *kernel = load(*state);
	struct digest digest;

	assert_config(kernel, "MODVERSIONS", "y");
	assert_config(kernel, "CONFIG_MODVERSIONS", "y");
	assert_config(kernel, "MODVERSIONS_MORE", "n");
	assert_config(kernel, "MODVERSION", NULL);
	assert_config(kernel, "UNSET", NULL);
	assert_config(kernel, "LOCALVERSION", "");
	assert_config(kernel, "QUOTED", "a \"b\" \\c");
	assert_int_equal(digest_bytes(CONFIG, strlen(CONFIG), &digest, NULL), 0);
	assert_true(digest_equal(&digest, &kernel->config_digest));
	kernel_free(kernel);
}

static void test_compilers(void **state)
{
	static const struct {
		const char *config, *compiler;
		bool clang;
	} cases[] = {
		{ "CONFIG_CC_VERSION_TEXT=\"x86_64-linux-gnu-gcc-12 (Debian) 12\"\n",
		  "x86_64-linux-gnu-gcc-12", false },
		{ "CONFIG_CC_VERSION_TEXT=\"Debian clang version 14\"\nCONFIG_CC_IS_CLANG=y\n",
		  "clang", true },
		{ "# nothing\n", "gcc", false },
	};
	const struct root *root = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kernel *kernel;

		put(root, BUILD "/.config", cases[i].config);
		kernel = load(root);
		assert_string_equal(kernel->compiler, cases[i].compiler);
		assert_int_equal(kernel->clang, cases[i].clang);
		assert_string_equal(kernel->signature_hash, "sha256");
		kernel_free(kernel);
	}
	put(root, BUILD "/.config", "CONFIG_CC_VERSION_TEXT=\"$(reboot) 12\"\n");
	assert_refused(root, -EINVAL, "CONFIG_CC_VERSION_TEXT");
}

static void assert_compression(const struct root *root, const char *config,
			       enum kernel_compression expected)
{
	struct kernel *kernel;

	put(root, BUILD "/.config", config);
	kernel = load(root);
	assert_int_equal(kernel->compression, expected);
	kernel_free(kernel);
}

static void test_compression(void **state)
{
	static const char xz[] = "CONFIG_MODULE_COMPRESS_XZ=y\n";
	const struct root *root = *state;

	assert_compression(root, "CONFIG_MODULE_COMPRESS_NONE=y\n", KERNEL_COMPRESSION_NONE);
	assert_compression(root, xz, KERNEL_COMPRESSION_XZ);
	assert_compression(root, "CONFIG_MODULE_COMPRESS_GZIP=y\n", KERNEL_COMPRESSION_GZIP);
	assert_compression(root, "CONFIG_MODULE_COMPRESS_ZSTD=y\nCONFIG_MODULE_COMPRESS_ALL=y\n",
			   KERNEL_COMPRESSION_ZSTD);
	assert_compression(root,
			   "CONFIG_MODULE_COMPRESS_XZ=y\n# CONFIG_MODULE_COMPRESS_ALL is not set\n",
			   KERNEL_COMPRESSION_NONE);
	/* What is installed counts more, and the kernel's own most. */
	put(root, "lib/modules/" RELEASE "/updates/a.ko", "");
	assert_compression(root, xz, KERNEL_COMPRESSION_NONE);
	put(root, "lib/modules/" RELEASE "/updates/net/wireless/b.ko.zst", "");
	assert_compression(root, xz, KERNEL_COMPRESSION_ZSTD);
	put(root, "lib/modules/" RELEASE "/kernel/drivers/net/c.ko.gz", "");
	assert_compression(root, xz, KERNEL_COMPRESSION_GZIP);
}

/* Image and headers unpacked to one root, one with /lib, the other with /usr/lib. */
static void test_modules_below_usr(void **state)
{
	const struct root *root = *state;
	struct kernel *kernel;

	put(root, "usr/lib/modules/" RELEASE "/kernel/a.ko.gz", "");
	kernel = load(root);
	assert_int_equal(kernel->compression, KERNEL_COMPRESSION_GZIP);
	kernel_free(kernel);
	assert_int_equal(renameat(root->fd, "lib/modules/" RELEASE "/build", root->fd,
				  "usr/lib/modules/" RELEASE "/build"),
			 0);
	kernel = load(root);
	assert_string_equal(kernel->build, "/" BUILD);
	kernel_free(kernel);
	assert_int_equal(remove_tree(root->fd, "lib", NULL), 0);
	put_link(root, "lib", "usr/lib");
	kernel = load(root);
	assert_string_equal(kernel->build, "/" BUILD);
	assert_int_equal(kernel->compression, KERNEL_COMPRESSION_GZIP);
	kernel_free(kernel);
}

static void fill_build(const struct root *root, const char *build, const char *makefile)
{
	static const struct {
		const char *name, *content;
	} files[] = { { "include/x.h", "" }, { ".config", CONFIG }, { "Module.symvers", "" } };
	cleanup_free char *makefile_path = format_string("%s/Makefile", build);

	put(root, makefile_path, makefile);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *path = format_string("%s/%s", build, files[i].name);

		put(root, path, files[i].content);
	}
}

/* Arch: headers are in the module directory. */
static void test_build_is_a_directory(void **state)
{
	const struct root *root = *state;
	struct kernel *kernel;

	fill_build(root, "lib/modules/" RELEASE "/build", "all:\n");
	put_link(root, "lib/modules/" RELEASE "/source", "build");
	kernel = load(root);
	assert_string_equal(kernel->build, "/usr/lib/modules/" RELEASE "/build");
	assert_string_equal(kernel->source, "/usr/lib/modules/" RELEASE "/build");
	assert_int_equal(kernel->mount_count, 1);
	assert_mount(root, kernel, 0, "lib/modules/" RELEASE "/build",
		     "/usr/lib/modules/" RELEASE "/build");
	kernel_free(kernel);
}

/* openSUSE: the build directory lies deep in a tree of its own. Fedora: below /usr/src/kernels. */
static void test_deep_build(void **state)
{
	const struct root *root = *state;
	struct kernel *kernel;

	fill_build(root, "usr/src/linux-6.4-obj/x86_64/default",
		   "# made by kbuild\ninclude /usr/src/linux-6.4/Makefile\n");
	put(root, "usr/src/linux-6.4/Makefile", "all:\n");
	fill_build(root, "usr/src/kernels/one", "all:\n");
	put_directory(root, "usr/src/kernels/other");
	put_directory(root, "lib/modules/" RELEASE);
	put_link(root, "lib/modules/" RELEASE "/build", "/usr/src/linux-6.4-obj/x86_64/default");
	kernel = load(root);
	assert_null(kernel->source);
	assert_string_equal(kernel->build, "/usr/src/linux-6.4-obj/x86_64/default");
	assert_int_equal(kernel->mount_count, 2);
	assert_mount(root, kernel, 0, "usr/src/linux-6.4", "/usr/src/linux-6.4");
	assert_mount(root, kernel, 1, "usr/src/linux-6.4-obj", "/usr/src/linux-6.4-obj");
	kernel_free(kernel);
	assert_int_equal(remove_tree(root->fd, "lib/modules/" RELEASE "/build", NULL), 0);
	put_link(root, "lib/modules/" RELEASE "/build", "/usr/src/kernels/one");
	kernel = load(root);
	assert_int_equal(kernel->mount_count, 1);
	assert_mount(root, kernel, 0, "usr/src/kernels/one", "/usr/src/kernels/one");
	kernel_free(kernel);
}

static void test_whole_directories_are_no_headers(void **state)
{
	static const char *const targets[] = { "/usr/src", "/usr/lib", "/home", "/usr/local" };
	const struct root *root = *state;

	put_directory(root, "lib/modules/" RELEASE);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		fill_build(root, targets[i] + 1, "all:\n");
		put_link(root, "lib/modules/" RELEASE "/build", targets[i]);
		assert_refused(root, -EINVAL, "cannot be a tree of kernel headers");
		assert_int_equal(remove_tree(root->fd, "lib/modules/" RELEASE "/build", NULL), 0);
	}
	fill_build(root, "home/linux", "all:\n");
	put_link(root, "lib/modules/" RELEASE "/build", "/home/linux");
	kernel_free(load(root));
}

static void test_missing(void **state)
{
	const struct root *root = *state;
	cleanup_error struct error *error = NULL;
	struct kernel *kernel = NULL;

	kernel_free(load(root));
	assert_int_equal(remove_tree(root->fd, BUILD "/scripts", NULL), 0);
	put_link(root, BUILD "/scripts", "../../lib/linux-kbuild-9/scripts");
	assert_refused(root, -ENOENT, "/scripts leads to something that does not exist");
	assert_int_equal(remove_tree(root->fd, BUILD "/scripts", NULL), 0);
	put(root, BUILD "/Makefile", "include /usr/src/none/Makefile\n");
	assert_refused(root, -ENOENT, "/usr/src/none/Makefile leads to something");
	assert_int_equal(remove_tree(root->fd, BUILD "/Module.symvers", NULL), 0);
	assert_refused(root, -ENOENT, "/Module.symvers does not exist");
	assert_int_equal(remove_tree(root->fd, BUILD "/include", NULL), 0);
	assert_refused(root, -ENOENT, "/include does not exist");
	assert_int_equal(remove_tree(root->fd, BUILD, NULL), 0);
	assert_refused(root, -ENOENT, "/build leads to /" BUILD ", which does not exist");
	assert_int_equal(remove_tree(root->fd, "lib/modules/" RELEASE, NULL), 0);
	assert_refused(root, -ENOENT,
		       "/lib/modules/" RELEASE
		       "/build does not exist; install linux-headers-" RELEASE
		       ", or name the directory they were unpacked to with --kernel-root");
	assert_int_equal(
		kernel_load("/nonexistent/root", "/lib/modules", RELEASE, NULL, 0, &kernel, &error),
		-ENOENT);
	assert_int_equal(error_code(error), EXIT_NO_HEADERS);
}

/* Links of an unpacked root stay in it, however many ".." they have. */
static void test_links_stay_in_the_root(void **state)
{
	const struct root *root = *state;

	put_directory(root, "lib/modules/" RELEASE);
	put_link(root, "lib/modules/" RELEASE "/build", "../../../../../../../usr/bin");
	assert_refused(root, -ENOENT, "which does not exist");
	fill_build(root, "usr/src/linux", "all:\n");
	assert_int_equal(remove_tree(root->fd, "lib/modules/" RELEASE "/build", NULL), 0);
	put_link(root, "lib/modules/" RELEASE "/build", "../../../../../../../usr/src/linux");
	kernel_free(load(root));
}

static void test_untrusted(void **state)
{
	const struct root *root = *state;

	assert_int_equal(fchmodat(root->fd, "usr/src", 0777, 0), 0);
	assert_refused(root, -EPERM, "is not trusted");
	assert_int_equal(fchmodat(root->fd, "usr/src", 0755, 0), 0);
	assert_int_equal(fchmodat(root->fd, BUILD "/.config", 0666, 0), 0);
	assert_refused(root, -EPERM, "is not trusted");
	assert_int_equal(fchmodat(root->fd, BUILD "/.config", 0644, 0), 0);
	kernel_free(load(root));
}

static void test_other_owners(void **state)
{
	const struct root *root = *state;
	struct kernel *kernel = NULL;

	if (geteuid() != 0) {
		print_message("skipped: files can be given to another user by root only\n");
		skip();
	}
	assert_int_equal(fchownat(root->fd, COMMON "/tools", 12345, 12345, AT_SYMLINK_NOFOLLOW), 0);
	assert_refused(root, -EPERM, "is not trusted");
	assert_int_equal(
		kernel_load(root->path, "/lib/modules", RELEASE, NULL, 12345, &kernel, NULL), 0);
	kernel_free(kernel);
}

static void test_hostile_names(void **state)
{
	static const char *const names[] = { "", "..", "a/b", "-k", "6.1\n", "6.1\033[2J" };
	const struct root *root = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_error struct error *error = NULL;
		struct kernel *kernel = NULL;

		assert_int_equal(kernel_load(root->path, "/lib/modules", names[i], NULL, geteuid(),
					     &kernel, &error),
				 -EINVAL);
		assert_non_null(error);
		assert_int_equal(kernel_load(root->path, "/lib/modules", RELEASE, names[i],
					     geteuid(), &kernel, NULL),
				 -EINVAL);
	}
}

typedef int digest_function(const struct kernel *, struct digest *, struct error **);

static int stamp_of(const struct kernel *kernel, struct digest *ret_digest, struct error **error)
{
	return kernel_stamp(kernel, ret_digest, NULL, error);
}

static bool differs(digest_function *function, const struct kernel *kernel, struct digest *digest)
{
	struct digest before = *digest;

	assert_int_equal(function(kernel, digest, NULL), 0);
	return !digest_equal(&before, digest);
}

static void test_fingerprint(void **state)
{
	const struct root *root = *state;
	struct kernel *kernel = load(root), *other_kernel;
	struct root other;
	struct digest digest = { 0 }, copy;

	assert_true(differs(kernel_fingerprint, kernel, &digest));
	assert_false(differs(kernel_fingerprint, kernel, &digest));
	root_make(&other);
	fill_debian(&other);
	other_kernel = load(&other);
	assert_int_equal(kernel_fingerprint(other_kernel, &copy, NULL), 0);
	assert_true(digest_equal(&digest, &copy));
	kernel_free(other_kernel);
	root_remove(&other);

	put(root, KBUILD "/scripts/Makefile.build", "all: \n");
	assert_true(differs(kernel_fingerprint, kernel, &digest));
	assert_int_equal(fchmodat(root->fd, KBUILD "/scripts/Makefile.build", 0755, 0), 0);
	assert_true(differs(kernel_fingerprint, kernel, &digest));
	put(root, COMMON "/include/linux/new.h", "");
	assert_true(differs(kernel_fingerprint, kernel, &digest));
	assert_int_equal(remove_tree(root->fd, BUILD "/rust", NULL), 0);
	put_link(root, BUILD "/rust", "../none/rusty");
	assert_true(differs(kernel_fingerprint, kernel, &digest));
	assert_int_equal(utimensat(root->fd, KBUILD "/scripts/Makefile.build", NULL, 0), 0);
	assert_false(differs(kernel_fingerprint, kernel, &digest));
	assert_int_equal(remove_tree(root->fd, KBUILD, NULL), 0);
	assert_true(kernel_fingerprint(kernel, &digest, NULL) < 0);
	kernel_free(kernel);
}

/* Sees what a fingerprint cannot: a change that was undone, its times set back. */
static void test_stamp(void **state)
{
	const struct root *root = *state;
	struct kernel *kernel = load(root);
	cleanup_close int fd =
		openat(root->fd, COMMON "/include/linux/module.h", O_RDWR | O_CLOEXEC);
	struct digest fingerprint = { 0 }, stamp = { 0 };
	struct timespec times[2];
	struct stat status;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_true(differs(kernel_fingerprint, kernel, &fingerprint));
	assert_true(differs(stamp_of, kernel, &stamp));
	assert_false(differs(stamp_of, kernel, &stamp));
	/* Kernels before 6.13 stamp files with the time of the last tick. */
	(void)usleep(20000);
	assert_int_equal(pwrite(fd, "#define B 2\n", 12, 0), 12);
	assert_int_equal(pwrite(fd, "#define A 1\n", 12, 0), 12);
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	assert_int_equal(futimens(fd, times), 0);
	assert_false(differs(kernel_fingerprint, kernel, &fingerprint));
	assert_true(differs(stamp_of, kernel, &stamp));
	kernel_free(kernel);
}

/* In a child that sees the root as "/". Exit status: which check failed, 0 for none. */
static int child_checks_host_root(const struct root *root)
{
	struct kernel *kernel = NULL;
	uid_t owner = geteuid();

	if (owner != 0) {
		/* Without a map every uid is the overflow uid, the owner's too. */
		if (unshare(CLONE_NEWUSER) < 0)
			return 77;
		owner = geteuid();
	}
	if (fchdir(root->fd) < 0 || chroot(".") < 0)
		return 77;
	if (kernel_load("/", "/lib/modules", RELEASE, "x86_64", owner, &kernel, NULL) < 0)
		return 1;
	if (!string_equal(kernel->root, "/") || kernel->mount_count != 2 || kernel->tree_count != 3)
		return 2;
	if (!string_equal(kernel->mounts[0].source, "/" COMMON) ||
	    !string_equal(kernel->mounts[0].target, "/" COMMON) ||
	    !string_equal(kernel->mounts[1].source, "/" BUILD))
		return 3;
	if (!string_equal(kernel->trees[0].path, "/" KBUILD))
		return 4;
	return 0;
}

/* What the sandbox shows of the host's /usr/lib is no mount, but is part of the fingerprint. */
static void test_host_root(void **state)
{
	const struct root *root = *state;
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(child_checks_host_root(root));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: no chroot without root or a user namespace\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The release of the unpacked headers below KERNELS_DIR/NAME; NULL: they are not there. */
static char *find_release(const char *root)
{
	cleanup_free char *path = format_string("%s/lib/modules", root);
	struct dirent **entries = NULL;
	int count = path ? scandir(path, &entries, NULL, NULL) : 0;
	char *release = NULL;

	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.' && !release)
			release = strdup(entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return release;
}

static void check_real(const char *name, const char *compiler, enum kernel_compression compression)
{
	const char *kernels = secure_getenv("KERNELS_DIR");
	cleanup_free char *path =
		format_string("%s/%s", kernels && *kernels ? kernels : "build/kernels", name);
	cleanup_free char *root = realpath(path, NULL);
	cleanup_free char *release = root ? find_release(root) : NULL;
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct kernel *kernel = NULL;
	struct digest first, second;
	struct stat status;

	if (!release || stat(root, &status) < 0) {
		print_message("skipped: %s is not there (make kernels)\n", path);
		/* skip() jumps past the cleanups. */
		path = (free(path), NULL);
		root = (free(root), NULL);
		release = (free(release), NULL);
		skip();
	}
	if (kernel_load(root, "/lib/modules", release, "x86_64", status.st_uid, &kernel, &error) <
	    0) {
		text = error_describe(error);
		fail_msg("%s", text);
	}
	assert_string_equal(kernel->compiler, compiler);
	assert_int_equal(kernel->compression, compression);
	assert_string_equal(kernel->signature_hash, "sha256");
	assert_config(kernel, "MODVERSIONS", "y");
	assert_int_equal(kernel->mount_count, 3);
	for (size_t i = 0; i < kernel->mount_count; i++) {
		assert_int_equal(stat(kernel->mounts[i].source, &status), 0);
		assert_string_equal(kernel->mounts[i].source + strlen(root),
				    kernel->mounts[i].target);
	}
	assert_int_equal(kernel_fingerprint(kernel, &first, NULL), 0);
	assert_int_equal(kernel_fingerprint(kernel, &second, NULL), 0);
	assert_true(digest_equal(&first, &second));
	assert_int_equal(kernel_stamp(kernel, &first, NULL, NULL), 0);
	kernel_free(kernel);
}

static void test_real_6_1(void **state)
{
	(void)state;
	check_real("6.1", "gcc-12", KERNEL_COMPRESSION_NONE);
}

static void test_real_6_12(void **state)
{
	(void)state;
	check_real("6.12", "x86_64-linux-gnu-gcc-12", KERNEL_COMPRESSION_XZ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_debian, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_config, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compilers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compression, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_modules_below_usr, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_build_is_a_directory, set_up_empty, tear_down),
		cmocka_unit_test_setup_teardown(test_deep_build, set_up_empty, tear_down),
		cmocka_unit_test_setup_teardown(test_whole_directories_are_no_headers, set_up_empty,
						tear_down),
		cmocka_unit_test_setup_teardown(test_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_links_stay_in_the_root, set_up_empty,
						tear_down),
		cmocka_unit_test_setup_teardown(test_untrusted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_owners, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fingerprint, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stamp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_host_root, set_up, tear_down),
		cmocka_unit_test(test_real_6_1),
		cmocka_unit_test(test_real_6_12),
	};

	(void)umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
