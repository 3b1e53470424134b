/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside the installer: the conversation's state, and what each request does. Requests come from
 * the orchestrator, which may have been taken over; trees, key and verb come from root's launcher.
 */
#ifndef KMODBOX_INSTALLER_INSTALLER_H
#define KMODBOX_INSTALLER_INSTALLER_H

#include "installer/installer_protocol.h"
#include "installer/transaction.h"
#include "lib/artifacts/approval.h"
#include "lib/artifacts/build_files.h"
#include "lib/artifacts/exit_code.h"

#define INSTALLER_DATA_MAXIMUM (UINT64_C(64) << 20)
#define INSTALLER_DATA_FILES 64
#define INSTALLER_TARBALL_MAXIMUM (UINT64_C(2) << 30)
#define PATH_LENGTH 1024		 /* as path_is_safe() */
#define INSTALLER_PATH (5 * TICKET_NAME) /* MODULE/VERSION/KERNEL/ARCHITECTURE and a name */

struct installer {
	struct trees trees;
	uint32_t state;	   /* of the conversation: one bit */
	int depmod_socket; /* -1: none */
	/*
	 * The launcher's word on what the run is about: " MODULE/VERSION MODULE/ ", the latter in
	 * any version, and "/KERNEL/KERNEL/". NULL: any (an archive is added, autoinstall; --all).
	 */
	const char *only_packages, *only_kernels;
	unsigned trees_needed; /* by the run to its end: bits by number */
	bool may_force, may_write_source, may_approve_anew;
	const uint8_t *key; /* 32 bytes; NULL: none was given */
	/* Of a request in several steps; installer_reset() ends it. */
	struct transaction *transaction;
	int directory_fd; /* the staged build */
	int file_fd;	  /* the ticket, or the source's snapshot */
	struct installer_target target;
	struct installer_add add;
	struct ticket ticket;
	struct approval approval;	      /* the one to be written */
	bool *received;			      /* per file of the ticket */
	uint32_t count;			      /* files that came */
	uint32_t data_count;		      /* and data beside them */
	struct installer_installed installed; /* the answer of requests that count */
};

void installer_reset(struct installer *installer);
/* installer->target: all names safe, and none that means something else in the DKMS tree. */
int installer_check_target(const struct installer *installer, bool kernel,
			   struct error **error) must_check;
/* Root named the target's module in this version; "": in any. */
bool installer_is_named(const struct installer *installer, const char *version);
/* 3 unless the module version of the target has been added. */
int installer_require_added(const struct installer *installer, struct error **error) must_check;
/* Verifies the ticket's signature and that it is for the target. */
int installer_verify(const struct installer *installer, const void *bytes, size_t size,
		     struct ticket *ret_ticket, struct error **error) must_check;
/* Are these the bytes that the ticket speaks of? Nobody else may be able to change them. */
int installer_check_file(const struct ticket_file *file, int fd, struct error **error) must_check;
/* Beside the kernels in MODULE/VERSION, DKMS has these: no kernel may be called so. */
bool installer_is_reserved(const char *name);
/* An entry of this path exists, whatever it is. */
bool installer_exists(const struct installer *installer, enum tree tree, const char *path);
/* The version that the target's MODULE/kernel-K-A points to, "" where nothing is installed. */
void installer_active(const struct installer *installer, char ret_version[TICKET_NAME]);
/* Puts a sealed file into the target's MODULE/VERSION/DIRECTORY, alone. */
int installer_put_alone(struct installer *installer, const char *directory, const char *name,
			int fd, struct error **error) must_check;
/* The target's MODULE/VERSION/KERNEL/ARCHITECTURE and suffix. */
void installer_build_path(const struct installer *installer, const char *version,
			  const char *suffix, char ret_path[INSTALLER_PATH]);
/* The modules that were installed from this build: installed/, else module/. -ENOENT: no build. */
int installer_open_installed(const struct installer *installer, const char *version, int *ret_fd,
			     struct error **error) must_check;
/* One module file for reading; ret_digest may be NULL. */
int module_open(int directory_fd, const char *path, int *ret_fd, struct digest *ret_digest,
		struct error **error) must_check;
/* printf into a path; -ENAMETOOLONG. */
int path_join(char ret_path[PATH_LENGTH], struct error **error, const char *format, ...)
	printf_like(3, 4) must_check;

/*
 * Calls visit for each regular file in a directory and, down to depth, those below it; path is
 * relative to where it began. No links are followed. A non-zero answer ends the walk.
 */
#define WALK_DEPTH 32
typedef int walk_visit(void *context, int directory_fd, const char *path, const char *name,
		       struct error **error);
int walk_files(int directory_fd, const char *path, unsigned depth, walk_visit *visit, void *context,
	       struct error **error) must_check;

/* Adds the target kernel's module index to the transaction, as it will be, if it has one. */
int index_stage(struct installer *installer, struct transaction *transaction,
		struct error **error) must_check;

/* One per request of installer_protocol.h; installer->target is set and checked. */
typedef int installer_function(struct installer *installer, struct message *message,
			       struct error **error);
installer_function source_add, source_add_file, source_add_commit, source_remove, source_tarball;
installer_function build_publish, build_publish_file, build_publish_data, build_publish_commit,
	build_failed_log, build_unbuild;
installer_function module_install, module_uninstall;

#endif
