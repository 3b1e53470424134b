/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layout of an archive of builds, as DKMS makes them: mktarball writes it, ldtarball reads it.
 *
 *	dkms_source_tree/...			the source, with its dkms.conf
 *	dkms_binaries_only/dkms.conf		or only that, where the source was left out
 *	dkms_main_tree/K/A/module/NAME.ko[...]	builds for kernel K and architecture A
 *	dkms_main_tree/K/A/log/make.log		their logs
 *	dkms_main_tree/K/A/.dep_NAME		which version of package NAME they were built with
 *
 * An archive of a source alone is one as well. All that is read is a list of hostile names.
 */
#ifndef KMODBOX_ORCHESTRATOR_TARBALL_H
#define KMODBOX_ORCHESTRATOR_TARBALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

#define TARBALL_SOURCE_TREE "dkms_source_tree"
#define TARBALL_BINARIES_ONLY "dkms_binaries_only"
#define TARBALL_MAIN_TREE "dkms_main_tree"
#define TARBALL_BUILDS 1024u
#define TARBALL_NEEDS 63u /* with Module.symvers as many as the installer takes */

enum tarball_kind {
	TARBALL_NONE,	  /* nothing that can be taken */
	TARBALL_SOURCE,	  /* dkms_source_tree, with builds or without */
	TARBALL_BINARIES, /* builds, and the dkms.conf alone */
	TARBALL_PLAIN,	  /* a source archive that mktarball did not make */
};

struct tarball_build {
	char *kernel; /* a safe name */
	char *architecture;
	char **modules; /* "demo": safe names; each is DIRECTORY/module/NAME.ko */
	size_t module_count;
	char **needs; /* "base": safe names; each is DIRECTORY/.dep_NAME */
	size_t need_count;
	bool has_log;	  /* DIRECTORY/log/make.log */
	bool has_symvers; /* DIRECTORY/module/Module.symvers */
};

struct tarball {
	enum tarball_kind kind;
	char *directory; /* that holds dkms.conf; "" is the top */
	struct tarball_build *builds;
	size_t build_count;
	bool at_top[TARBALL_PLAIN + 1]; /* a dkms.conf was seen there; while it is read */
	char *top;			/* the only name at the top so far */
	bool several;			/* there is more than one */
};

/*
 * What the archive holds. error_code() 9: a name in it cannot be taken; 7: it is no archive of
 * DKMS's, and no source with a dkms.conf at its top or in its only directory.
 */
int tarball_read(int snapshot_fd, struct tarball *ret_tarball, struct error **error) must_check;
/* The same step by step: each entry of the snapshot, then the end. Start with all zero. */
int tarball_note(struct tarball *tarball, char type, const char *path,
		 struct error **error) must_check;
int tarball_finish(struct tarball *tarball, struct error **error) must_check;
void tarball_clear(struct tarball *tarball);
#define cleanup_tarball cleanup(tarball_clear)

/* "dkms_main_tree/K/A", to be freed; NULL where memory is out. */
char *tarball_build_directory(const char *kernel, const char *architecture) must_check;
/*
 * DKMS's name for an archive of these kernels: "M-V-kernelK-A[-kernelK-A...].dkms.tar.gz";
 * "manykernels" where that is too long for a file of the DKMS tree, "source-only" for none. To be
 * freed; NULL where memory is out.
 */
char *tarball_name(const char *module, const char *version, const char *const *kernels,
		   const char *const *architectures, size_t count) must_check;
/* As tar -a: how an archive of this name is compressed, in words of archive_pack(). */
const char *tarball_compression(const char *name);

#endif
