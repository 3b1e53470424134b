/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loading a kernel's facts. All of it is read by the trusted opener below the kernel's root, where
 * absolute links start again, so headers that were only unpacked are as good as installed ones.
 */
#include "lib/kernels/kernel.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/text.h"
#include "lib/kernels/trees.h"

#define CONFIG_MAXIMUM (UINT64_C(4) << 20)
#define SYMVERS_MAXIMUM (UINT64_C(64) << 20)
#define MODULE_ENTRIES_MAXIMUM 200000u
#define MODULE_DEPTH_MAXIMUM 16u

/* What is known while a kernel is being loaded. */
struct loading {
	struct kernel_root root;
	const char *module_tree;
	char *build; /* below the root, without links */
	char *source;
	struct kernel *kernel;
};

static void loading_clear(struct loading *loading)
{
	(void)close_fd(loading->root.fd);
	free(loading->root.path);
	free(loading->build);
	free(loading->source);
	kernel_free(loading->kernel);
}

struct kernel *kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return NULL;
	for (size_t i = 0; i < kernel->mount_count; i++) {
		free(kernel->mounts[i].source);
		free(kernel->mounts[i].target);
	}
	for (size_t i = 0; i < kernel->tree_count; i++) {
		free(kernel->trees[i].path);
		free(kernel->trees[i].name);
	}
	free(kernel->mounts);
	free(kernel->trees);
	free(kernel->release);
	free(kernel->architecture);
	free(kernel->root);
	free(kernel->build);
	free(kernel->source);
	free(kernel->config);
	free(kernel->compiler);
	free(kernel->signature_hash);
	(void)close_fd(kernel->build_fd);
	free(kernel);
	return NULL;
}

static int out_of_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "cannot load the kernel");
}

/* Whatever is wrong with a kernel's headers ends with DKMS's code for that. */
static int no_headers(struct error **error, int result)
{
	if (error)
		error_set_code(*error, EXIT_NO_HEADERS);
	return result;
}

static int root_open(const char *path, uid_t owner, struct kernel_root *root, struct error **error)
{
	cleanup_close int slash_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (slash_fd < 0)
		return error_set_errno(error, errno, "cannot open /");
	root->owner = owner;
	result = open_trusted(slash_fd, path, owner, O_PATH | O_DIRECTORY, &root->fd, &root->path,
			      error);
	if (result < 0)
		return no_headers(error, error_context(error, "the kernel root, which must be the "
							      "directory that headers were "
							      "unpacked to"));
	return 0;
}

/* On the host, for messages. */
static const char *root_prefix(const struct kernel_root *root)
{
	return string_equal(root->path, "/") ? "" : root->path;
}

/*
 * The directories that may hold the kernel, in turn: below /lib/modules, and below /usr/lib/modules
 * where /lib is no link to usr/lib, as in a root that packages were unpacked to. NULL and errno
 * ENOENT after the last one, ENOMEM when memory is out.
 */
static char *module_directory(const struct loading *loading, unsigned index)
{
	if (index > 1 || (index == 1 && !string_starts_with(loading->module_tree, "/lib/"))) {
		errno = ENOENT;
		return NULL;
	}
	return format_string("%s%s/%s", index == 1 ? "/usr" : "", loading->module_tree,
			     loading->kernel->release);
}

static int missing_build(const struct loading *loading, struct error **error)
{
	const char *release = loading->kernel->release;
	cleanup_free char *directory = module_directory(loading, 0), *shown = NULL;
	cleanup_close int fd = -1;
	char target[512] = "";

	if (!directory)
		return out_of_memory(error);
	if (open_trusted(loading->root.fd, directory, loading->root.owner, O_PATH | O_DIRECTORY,
			 &fd, NULL, NULL) == 0 &&
	    readlinkat(fd, "build", target, sizeof(target) - 1) > 0)
		shown = sanitised(target);
	return error_set(error, ENOENT,
			 "headers of kernel %s not found: %s%s/build %s%s%s; install "
			 "linux-headers-%s, or name the directory they were unpacked to with "
			 "--kernel-root",
			 release, root_prefix(&loading->root), directory,
			 shown ? "leads to " : "does not exist", shown ? shown : "",
			 shown ? ", which does not exist" : "", release);
}

/* -ENOENT, without an error: not here. */
static int find_build_in(struct loading *loading, const char *directory, struct error **error)
{
	cleanup_free char *build = format_string("%s/build", directory);
	cleanup_free char *source = format_string("%s/source", directory);
	const struct kernel_root *root = &loading->root;
	cleanup_error struct error *cause = NULL;
	cleanup_close int source_fd = -1;
	int result;

	if (!build || !source)
		return out_of_memory(error);
	result = open_trusted(root->fd, build, root->owner, O_PATH | O_DIRECTORY,
			      &loading->kernel->build_fd, &loading->build, &cause);
	if (result == -ENOENT)
		return result;
	if (result == 0)
		result = open_trusted(root->fd, source, root->owner, O_PATH | O_DIRECTORY,
				      &source_fd, &loading->source, &cause);
	if (result == 0 || result == -ENOENT)
		return 0;
	if (error)
		*error = TAKE_PTR(cause);
	return error_context(error, "headers of kernel %s cannot be used",
			     loading->kernel->release);
}

static int find_build(struct loading *loading, struct error **error)
{
	int result = -ENOENT;

	for (unsigned i = 0; result == -ENOENT; i++) {
		cleanup_free char *directory = module_directory(loading, i);

		if (!directory)
			return errno == ENOENT ? missing_build(loading, error)
					       : out_of_memory(error);
		result = find_build_in(loading, directory, error);
	}
	return result;
}

/* A header package that was unpacked in part is said to be so, not left to fail in the build. */
static int require_parts(const struct loading *loading, struct error **error)
{
	static const char *const parts[] = { "include", "Makefile", ".config", "Module.symvers" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		cleanup_free char *path = format_string("%s/%s", loading->build, parts[i]);
		cleanup_error struct error *cause = NULL;
		cleanup_close int fd = -1;
		int result;

		if (!path)
			return out_of_memory(error);
		result = open_trusted(loading->root.fd, path, loading->root.owner, O_PATH, &fd,
				      NULL, &cause);
		if (result == -ENOENT)
			return error_set(
				error, ENOENT,
				"headers of kernel %s are not complete: %s%s does not exist; "
				"install or unpack linux-headers-%s again",
				loading->kernel->release, root_prefix(&loading->root), path,
				loading->kernel->release);
		if (result < 0) {
			if (error)
				*error = TAKE_PTR(cause);
			return error_context(error, "headers of kernel %s cannot be used",
					     loading->kernel->release);
		}
	}
	return 0;
}

/* The value's text without its quotes and backslashes, in place. */
static void unquote(char *value)
{
	size_t length = strlen(value), out = 0;

	if (length < 2 || value[0] != '"' || value[length - 1] != '"')
		return;
	for (size_t i = 1; i < length - 1; i++) {
		if (value[i] == '\\' && i + 1 < length - 1)
			i++;
		value[out++] = value[i];
	}
	value[out] = '\0';
}

char *kernel_config(const struct kernel *kernel, const char *name)
{
	bool prefixed = string_starts_with(name, "CONFIG_");
	cleanup_free char *key = format_string("%s%s=", prefixed ? "" : "CONFIG_", name);
	const char *found = kernel->config;
	char *value;

	if (!key)
		return NULL;
	while ((found = strstr(found, key)) && found != kernel->config && found[-1] != '\n')
		found++;
	if (!found)
		return NULL;
	found += strlen(key);
	value = strndup(found, strcspn(found, "\r\n"));
	if (value)
		unquote(value);
	return value;
}

static bool config_is(const struct kernel *kernel, const char *name, const char *expected)
{
	cleanup_free char *value = kernel_config(kernel, name);

	return string_equal(value, expected);
}

static int set_compiler(struct kernel *kernel, struct error **error)
{
	cleanup_free char *text = kernel_config(kernel, "CC_VERSION_TEXT");

	kernel->clang = config_is(kernel, "CC_IS_CLANG", "y");
	kernel->linker_lld = config_is(kernel, "LD_IS_LLD", "y");
	/* Clang's text begins with its vendor ("Debian clang version 14"); before 4.18 there is
	 * none. */
	if (text && !kernel->clang)
		text[strcspn(text, " \t")] = '\0';
	kernel->compiler = strdup(kernel->clang ? "clang" : text && *text ? text : "gcc");
	if (!kernel->compiler)
		return out_of_memory(error);
	if (!name_is_safe(kernel->compiler))
		return error_set(
			error, EINVAL,
			"CONFIG_CC_VERSION_TEXT of kernel %s does not begin with the name of "
			"a compiler; repair its .config",
			kernel->release);
	kernel->signature_hash = kernel_config(kernel, "MODULE_SIG_HASH");
	if (!kernel->signature_hash || !*kernel->signature_hash) {
		free(kernel->signature_hash);
		kernel->signature_hash = strdup("sha256");
	}
	return kernel->signature_hash ? 0 : out_of_memory(error);
}

static enum kernel_compression configured_compression(const struct kernel *kernel)
{
	/* Since 6.12 the method alone only says how modules may be loaded (kernel/module/Kconfig).
	 */
	if (strstr(kernel->config, "CONFIG_MODULE_COMPRESS_ALL") &&
	    !config_is(kernel, "MODULE_COMPRESS_ALL", "y"))
		return KERNEL_COMPRESSION_NONE;
	if (config_is(kernel, "MODULE_COMPRESS_GZIP", "y"))
		return KERNEL_COMPRESSION_GZIP;
	if (config_is(kernel, "MODULE_COMPRESS_XZ", "y"))
		return KERNEL_COMPRESSION_XZ;
	if (config_is(kernel, "MODULE_COMPRESS_ZSTD", "y"))
		return KERNEL_COMPRESSION_ZSTD;
	return KERNEL_COMPRESSION_NONE;
}

struct module_scan {
	unsigned entries;
	bool any; /* modules at all */
	bool own; /* of the kernel: they are all alike, the first one tells */
	enum kernel_compression compression;
};

static bool scan_is_done(const struct module_scan *scan)
{
	return scan->compression != KERNEL_COMPRESSION_NONE || (scan->own && scan->any) ||
	       scan->entries >= MODULE_ENTRIES_MAXIMUM;
}

static void scan_name(const char *name, struct module_scan *scan)
{
	static const char *const suffixes[] = { ".ko", ".ko.gz", ".ko.xz", ".ko.zst" };

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (!string_ends_with(name, suffixes[i]))
			continue;
		scan->any = true;
		scan->compression = (enum kernel_compression)i;
	}
}

/* Until it is clear. Consumes fd. */
static void scan_modules(int fd, unsigned depth, struct module_scan *scan)
{
	DIR *stream = fdopendir(fd);

	if (!stream) {
		(void)close_fd(fd);
		return;
	}
	for (const struct dirent *entry; !scan_is_done(scan) && (entry = readdir(stream));) {
		const char *name = entry->d_name;
		int child = -1;

		scan->entries++;
		if (name[0] == '.')
			continue;
		if (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) {
			scan_name(name, scan);
			continue;
		}
		if (depth == MODULE_DEPTH_MAXIMUM ||
		    (depth == 0 && (string_equal(name, "build") || string_equal(name, "source"))))
			continue;
		if (open_beneath(dirfd(stream), name, O_RDONLY | O_DIRECTORY, 0, &child, NULL) == 0)
			scan_modules(child, depth + 1, scan);
		else
			scan_name(name, scan);
	}
	(void)closedir(stream);
}

static void scan_directories(const struct loading *loading, const char *part,
			     struct module_scan *scan)
{
	char *directory;

	for (unsigned i = 0; !scan_is_done(scan) && (directory = module_directory(loading, i));
	     i++) {
		cleanup_free char *path = format_string("%s%s", directory, part);
		int fd = -1;

		if (path && open_trusted(loading->root.fd, path, loading->root.owner,
					 O_RDONLY | O_DIRECTORY, &fd, NULL, NULL) == 0)
			scan_modules(fd, 0, scan);
		free(directory);
	}
}

/*
 * What lies there counts, as with DKMS: Fedora compresses its modules outside kbuild, so .config
 * does not tell. Only where nothing lies there, .config is asked. The kernel's own come first:
 * there are 4,000 of them, and one is enough.
 */
static void set_compression(struct loading *loading)
{
	struct module_scan scan = { .own = true };

	scan_directories(loading, "/kernel", &scan);
	if (!scan.any) {
		scan.own = false;
		scan_directories(loading, "", &scan);
	}
	loading->kernel->compression =
		scan.any ? scan.compression : configured_compression(loading->kernel);
}

static int load_files(struct loading *loading, struct error **error)
{
	struct kernel *kernel = loading->kernel;
	cleanup_free char *config_path = format_string("%s/.config", loading->build);
	cleanup_free char *symvers_path = format_string("%s/Module.symvers", loading->build);
	cleanup_text struct text config = { 0 }, symvers = { 0 };
	int result;

	if (!config_path || !symvers_path)
		return out_of_memory(error);
	result = trees_read_file(&loading->root, config_path, CONFIG_MAXIMUM, &config, error);
	if (result == 0)
		result = digest_bytes(config.data, config.length, &kernel->config_digest, error);
	if (result == 0)
		result = trees_read_file(&loading->root, symvers_path, SYMVERS_MAXIMUM, &symvers,
					 error);
	if (result == 0)
		result = digest_bytes(symvers.data, symvers.length, &kernel->symvers_digest, error);
	if (result < 0)
		return result;
	kernel->config = text_take(&config);
	return kernel->config ? set_compiler(kernel, error) : out_of_memory(error);
}

static int load(struct loading *loading, struct error **error)
{
	struct kernel *kernel = loading->kernel;
	int result = find_build(loading, error);

	if (result == 0)
		result = require_parts(loading, error);
	if (result == 0)
		result = load_files(loading, error);
	if (result == 0)
		result = trees_find(&loading->root, loading->build, loading->source, kernel, error);
	if (result < 0)
		return no_headers(error, result);
	set_compression(loading);
	kernel->build = trees_sandbox_path(loading->build);
	kernel->source = loading->source ? trees_sandbox_path(loading->source) : NULL;
	kernel->root = strdup(loading->root.path);
	if (!kernel->build || !kernel->root || (loading->source && !kernel->source))
		return out_of_memory(error);
	return 0;
}

int kernel_load(const char *root, const char *module_tree, const char *release,
		const char *architecture, uid_t owner, struct kernel **ret_kernel,
		struct error **error)
{
	cleanup(loading_clear) struct loading loading = {
		.root = { .fd = -1 },
		.module_tree = module_tree,
	};
	struct utsname host;
	int result;

	if (!architecture) {
		if (uname(&host) < 0)
			return error_set_errno(error, errno, "cannot tell the architecture");
		architecture = host.machine;
	}
	if (!name_is_safe(release) || !name_is_safe(architecture)) {
		cleanup_free char *shown =
			sanitised(name_is_safe(release) ? architecture : release);

		return error_set(error, EINVAL, "'%s' is no name of a kernel or an architecture",
				 shown ? shown : "?");
	}
	result = root_open(root, owner, &loading.root, error);
	if (result < 0)
		return result;
	loading.kernel = calloc(1, sizeof(*loading.kernel));
	if (!loading.kernel)
		return out_of_memory(error);
	loading.kernel->build_fd = -1;
	loading.kernel->release = strdup(release);
	loading.kernel->architecture = strdup(architecture);
	if (!loading.kernel->release || !loading.kernel->architecture)
		return out_of_memory(error);
	result = load(&loading, error);
	if (result == 0)
		*ret_kernel = TAKE_PTR(loading.kernel);
	return result;
}

int kernel_show_at(struct kernel *kernel, size_t index, const char *path, struct error **error)
{
	struct kernel_mount *mount = &kernel->mounts[index];

	for (size_t i = 0; i <= kernel->tree_count; i++) {
		bool found = i < kernel->tree_count &&
			     string_equal(kernel->trees[i].path, mount->source);
		char **place = i == kernel->tree_count ? &mount->source : &kernel->trees[i].path;
		char *copy;

		if (!found && i < kernel->tree_count)
			continue;
		copy = strdup(path);
		if (!copy)
			return error_set_errno(error, ENOMEM, "headers of %s", kernel->release);
		free(*place);
		*place = copy;
	}
	return 0;
}
