/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The programs of a build, see toolchain.h. */
#include "lib/kernels/toolchain.h"

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/text.h"

/* Where a build's PATH leads, in its order. */
static const char *const directories[] = { "/usr/local/bin", "/usr/bin", "/bin" };

static int add(struct toolchain *toolchain, const char *name, char *path)
{
	struct tool *tool = &toolchain->tools[toolchain->count];

	if (toolchain->count == TOOLCHAIN_TOOLS) {
		free(path);
		return -E2BIG;
	}
	tool->path = path;
	tool->name = strdup(name);
	if (!tool->name) {
		free(path);
		return -ENOMEM;
	}
	toolchain->count++;
	return 0;
}

/* 1: found and added; 0: not there. */
static int find(struct toolchain *toolchain, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		cleanup_free char *path = format_string("%s/%s", directories[i], name);
		char *resolved;
		int r;

		if (!path)
			return -ENOMEM;
		resolved = access(path, X_OK) == 0 ? realpath(path, NULL) : NULL;
		if (!resolved)
			continue;
		r = add(toolchain, name, resolved);
		return r < 0 ? r : 1;
	}
	return 0;
}

/* The compiler proper of "gcc-12" or "x86_64-linux-gnu-gcc-12" lies behind the driver. */
static int find_cc1(struct toolchain *toolchain, const char *compiler)
{
	const char *version = strrchr(compiler, '-');
	cleanup_free char *pattern = NULL;
	glob_t found = { 0 };
	int r = 0;

	if (!version || version[1] < '0' || version[1] > '9')
		return 0;
	pattern = format_string("/usr/lib/gcc/*/%s/cc1", version + 1);
	if (!pattern)
		return -ENOMEM;
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
			char *path = strdup(found.gl_pathv[i]);

			r = path ? add(toolchain, "cc1", path) : -ENOMEM;
		}
	}
	globfree(&found);
	return r;
}

int toolchain_find(const struct kernel *kernel, struct toolchain *ret_toolchain,
		   struct error **error)
{
	static const char *const others[] = { "make", "bash", "as", "ld", "nm", "strip", "pahole" };
	const char *compiler = kernel->clang ? "clang" : kernel->compiler;
	cleanup_toolchain struct toolchain toolchain = { 0 };
	int r = find(&toolchain, compiler);

	if (r == 0)
		return error_set(
			error, ENOENT,
			"compiler %s, which kernel %s was built with, is not installed: install "
			"the package that brings it (on Debian: apt-get install %s)",
			compiler, kernel->release, compiler);
	if (r > 0)
		r = find_cc1(&toolchain, compiler);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(others); i++)
		r = find(&toolchain, others[i]);
	if (r >= 0 && kernel->clang)
		r = find(&toolchain, "llvm-strip");
	if (r >= 0 && kernel->linker_lld)
		r = find(&toolchain, "ld.lld");
	if (r < 0)
		return error_set_errno(error, -r, "toolchain of kernel %s", kernel->release);
	*ret_toolchain = toolchain;
	toolchain = (struct toolchain){ 0 };
	return 0;
}

int toolchain_digest(const struct tool *tool, struct digest *ret_digest, struct error **error)
{
	cleanup_close int fd = open(tool->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(error, errno, "%s", tool->path);
	return digest_file(fd, ret_digest, error);
}

int toolchain_stamp(const struct toolchain *toolchain, struct digest *ret_digest,
		    time_t *ret_newest, struct error **error)
{
	cleanup_text struct text stamp = { 0 };
	time_t newest = 0;
	int r;

	for (size_t i = 0; i < toolchain->count; i++) {
		struct stat status;

		if (stat(toolchain->tools[i].path, &status) < 0)
			return error_set_errno(error, errno, "%s", toolchain->tools[i].path);
		if (text_append_format(
			    &stamp, "%s %llu %llu %lld.%ld %lld.%ld\n", toolchain->tools[i].path,
			    (unsigned long long)status.st_ino, (unsigned long long)status.st_size,
			    (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
			    (long long)status.st_ctim.tv_sec, status.st_ctim.tv_nsec) < 0)
			return error_set_errno(error, ENOMEM, "toolchain");
		if (status.st_ctim.tv_sec > newest)
			newest = status.st_ctim.tv_sec;
	}
	r = digest_bytes(stamp.data, stamp.length, ret_digest, error);
	if (r == 0 && ret_newest)
		*ret_newest = newest;
	return r;
}

void toolchain_clear(struct toolchain *toolchain)
{
	for (size_t i = 0; i < toolchain->count; i++) {
		free(toolchain->tools[i].name);
		free(toolchain->tools[i].path);
	}
	toolchain->count = 0;
}
