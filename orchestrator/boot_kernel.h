/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel as one that can be booted: its image, and its own modules, which others may need. Opened
 * by who started us, since an image may be root's to read alone. Trusted as the kernel is.
 */
#ifndef KMODBOX_ORCHESTRATOR_BOOT_KERNEL_H
#define KMODBOX_ORCHESTRATOR_BOOT_KERNEL_H

#include "orchestrator/places.h"

struct boot_kernel {
	int image_fd; /* vmlinuz; -1: not found */
	int tree_fd;  /* lib/modules/RELEASE; -1: not found */
};
#define BOOT_KERNEL_INITIAL ((struct boot_kernel){ .image_fd = -1, .tree_fd = -1 })

/* boot/vmlinuz-RELEASE or lib/modules/RELEASE/vmlinuz, below the kernel root. */
struct boot_kernel boot_kernel_open(const struct places *places, const char *release);
void boot_kernel_close(struct boot_kernel *kernel);
#define cleanup_boot_kernel cleanup(boot_kernel_close)

#endif
