/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See boot_kernel.h. */
#include "orchestrator/boot_kernel.h"

#include <fcntl.h>

#include "lib/base/files.h"
#include "lib/base/text.h"

static int open_below(int root_fd, char *path, int flags)
{
	cleanup_free char *owned = path;
	int fd;

	if (!owned || open_trusted(root_fd, owned, geteuid(), flags, &fd, NULL, NULL) < 0)
		return -1;
	return fd;
}

struct boot_kernel boot_kernel_open(const struct places *places, const char *release)
{
	struct boot_kernel kernel = BOOT_KERNEL_INITIAL;
	cleanup_close int root_fd = open(places->kernel_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* As kernel_load(): of a root that packages were unpacked to either may be the one. */
	char *const images[] = { format_string("/boot/vmlinuz-%s", release),
				 format_string("%s/%s/vmlinuz", places->module_tree, release),
				 format_string("/usr/lib/modules/%s/vmlinuz", release) };
	char *const trees[] = { format_string("%s/%s", places->module_tree, release),
				format_string("/usr/lib/modules/%s", release) };

	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		int fd = open_below(root_fd, images[i], O_RDONLY | O_NONBLOCK);

		if (kernel.image_fd < 0)
			kernel.image_fd = fd;
		else
			(void)close_fd(fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		int fd = open_below(root_fd, trees[i], O_RDONLY | O_DIRECTORY);

		/* Headers alone make a directory too. */
		if (kernel.tree_fd >= 0 && fd >= 0 &&
		    faccessat(kernel.tree_fd, "modules.order", F_OK, 0) < 0)
			kernel.tree_fd = close_fd(kernel.tree_fd);
		if (kernel.tree_fd < 0)
			kernel.tree_fd = fd;
		else
			(void)close_fd(fd);
	}
	return kernel;
}

void boot_kernel_close(struct boot_kernel *kernel)
{
	kernel->image_fd = close_fd(kernel->image_fd);
	kernel->tree_fd = close_fd(kernel->tree_fd);
}
