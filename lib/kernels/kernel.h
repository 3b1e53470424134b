/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A kernel to build for, as data: where its headers are, what .config says, which compiler built
 * it, how its modules are compressed. Everything read here belongs to root (or the caller) and is
 * reached by the trusted opener; nothing is executed.
 */
#ifndef KMODBOX_KERNELS_KERNEL_H
#define KMODBOX_KERNELS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"

enum kernel_compression {
	KERNEL_COMPRESSION_NONE = 0,
	KERNEL_COMPRESSION_GZIP,
	KERNEL_COMPRESSION_XZ,
	KERNEL_COMPRESSION_ZSTD,
};

/* A directory the headers need, shown in the sandbox at the path they expect. */
struct kernel_mount {
	char *source; /* absolute on the host */
	char *target; /* absolute in the sandbox: "/usr/src/linux-headers-6.1.0-56-common" */
};

/* Everything that belongs to the headers, for fingerprints. */
struct kernel_tree {
	char *path; /* absolute on the host, as it can be reached now */
	char *name; /* below the root it came from */
};

struct kernel {
	char *release;	    /* "6.1.0-56-amd64" */
	char *architecture; /* "x86_64" */
	char *root;	    /* host path of the root it came from: "/", "/srv/kernels/6.1" */
	char *build;	    /* in the sandbox: "/usr/src/linux-headers-6.1.0-56-amd64" */
	char *source;	    /* in the sandbox; NULL where lib/modules/K/source does not exist */
	struct kernel_mount *mounts;
	size_t mount_count;
	struct kernel_tree *trees; /* the mounts, and what /usr/lib shows anyway */
	size_t tree_count;
	int build_fd;	      /* O_PATH directory of the headers */
	char *config;	      /* text of .config, NUL-terminated */
	char *compiler;	      /* of CONFIG_CC_VERSION_TEXT: "gcc-12", "x86_64-linux-gnu-gcc-12" */
	bool clang;	      /* CONFIG_CC_IS_CLANG */
	bool linker_lld;      /* CONFIG_LD_IS_LLD */
	char *signature_hash; /* CONFIG_MODULE_SIG_HASH, "sha256" where it has none */
	enum kernel_compression compression; /* as installed modules are; else by .config */
	struct digest config_digest;
	struct digest symvers_digest;
};

/*
 * root is an absolute host path ("/"); module_tree the directory that holds RELEASE/ below it
 * ("/lib/modules"). owner: a uid whose files are trusted beside root's.
 * error_code() 21 where headers are missing: says which package or option would bring them.
 */
int kernel_load(const char *root, const char *module_tree, const char *release,
		const char *architecture, uid_t owner, struct kernel **ret_kernel,
		struct error **error) must_check;
struct kernel *kernel_free(struct kernel *kernel);
/*
 * From now on mounts[index] is reached at another host path, where the same directory is mounted:
 * for processes that may not walk the first one.
 */
int kernel_show_at(struct kernel *kernel, size_t index, const char *path,
		   struct error **error) must_check;
/*
 * Value of CONFIG_NAME in .config: "y", "m", text without quotes; NULL when unset (or out of
 * memory). Allocated. name may have its CONFIG_ or not.
 */
char *kernel_config(const struct kernel *kernel, const char *name);
/*
 * What the headers are: a digest over all trees below their root, of names, modes, link targets and
 * contents. The same package gives the same digest on every host. 0.1 s, once cached.
 */
int kernel_fingerprint(const struct kernel *kernel, struct digest *ret_digest,
		       struct error **error) must_check;
/*
 * Did they change meanwhile: of names, modes, link targets, sizes, inodes, and times of
 * modification and change. Also sees what was changed and changed back, since ctime cannot be set;
 * does not see writes to the block device below the file system. For this host only. 0.03 s.
 * ret_newest (may be NULL): the latest ctime, in seconds.
 */
int kernel_stamp(const struct kernel *kernel, struct digest *ret_digest, time_t *ret_newest,
		 struct error **error) must_check;

#endif
