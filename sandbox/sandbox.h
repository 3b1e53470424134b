/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One door: describe a sandbox, run it, get the outcome. The payload is hostile and sees a fresh
 * read-only root, its scratch, no network, no capability and a seccomp allow-list. What is trusted:
 * the kernel, this library, and the host paths the caller names. Nothing survives the call: when
 * it returns, every process of the sandbox is dead.
 */
#ifndef KMODBOX_SANDBOX_SANDBOX_H
#define KMODBOX_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "sandbox/denied.h"
#include "sandbox/optional.h"
#include "sandbox/seccomp.h"
#include "sandbox/slot.h"

/* error_code(): it could not be made; what it is to be filled with does not fit into its tree. */
#define SANDBOX_EXIT_CODE 30
#define SANDBOX_FULL_CODE 31
#define SANDBOX_DIRECTORY_CODE 1 /* the working directory is none there */
#define SANDBOX_TREES 6
#define SANDBOX_LIMIT_TEXT 64

/* A host path shown at a path of the sandbox: nosuid, nodev, recursive, read-only unless writable.
 */
struct sandbox_mount {
	const char *source; /* absolute, on the host */
	const char *target; /* absolute, in the sandbox; missing parents are made */
	bool writable;
	/* The caller vouches for source: it is taken as it is (still without links), whoever owns
	 * it. */
	bool vouched;
};

/* A private directory on its own size-limited tmpfs, or on disk, owned by the payload. */
struct sandbox_tree {
	const char *path; /* absolute, in the sandbox */
	bool writable;	  /* false: read-only once filled */
	uint64_t bytes;	  /* size limit; 0: limits.scratch_bytes */
	/*
	 * A directory of the host, used for nothing else, in which this tree is made and from which
	 * it is gone after sandbox_result_clear(); what a killed caller left there is removed by
	 * the next sandbox that uses it. It must belong to the payload's uid and be closed to all
	 * others (0700). A watchdog holds the size limit, approximately, and stops what leaves less
	 * than 1 GiB or a twentieth of the disk free. NULL: tmpfs.
	 */
	const char *place;
	/* Fills it before any foreign code runs; called in the sandbox's own trusted set-up. May be
	 * NULL. */
	int (*fill)(void *context, int directory_fd, struct error **error);
	void *context;
};

struct sandbox_symlink {
	const char *path; /* absolute, in the sandbox */
	const char *target;
};

/* 0 in a field means the default of sandbox_limits_default(). All limits are always on. */
struct sandbox_limits {
	uint64_t wall_milliseconds;
	uint64_t silence_milliseconds; /* without a byte of output */
	uint64_t cpu_seconds;	       /* of all together */
	uint64_t processes;
	uint64_t processors; /* that it may run on at a time; by default all that the caller may */
	uint64_t open_files;
	uint64_t file_bytes;   /* one file */
	uint64_t memory_bytes; /* address space of one process */
	/*
	 * Of all processes, and what lies in scratch that is memory; what scratch_bytes is above
	 * its default comes on top.
	 */
	uint64_t total_memory_bytes;
	uint64_t scratch_bytes;
	uint64_t scratch_inodes;
	uint64_t log_bytes; /* output */
	/* Of what the caller takes out of the trees, which is his to hold. */
	uint64_t artifacts;
	uint64_t artifact_bytes; /* of all together */
};

struct sandbox_spec {
	const char *const *argv; /* NULL-terminated; argv[0] is an absolute path in the sandbox */
	int exec_fd; /* or run this open executable instead (argv[0] is then only a name); -1 */
	const char *const *environment; /* NULL-terminated NAME=VALUE; nothing is inherited */
	const char *directory;		/* working directory; NULL: "/" */
	struct slot slot;		/* borrowed; SLOT_NONE: all namespaces are its own */
	/*
	 * Started by root: who gives root up for good, called when it is not needed any more,
	 * before anything foreign is read; and, without a slot, the uid and gid that 0 stands for
	 * outside.
	 */
	uid_t alone_uid;
	int (*give_up_root)(void *context, struct error **error);
	void *root_context;
	const struct sandbox_mount *mounts;
	size_t mount_count;
	const struct sandbox_tree *trees;
	size_t tree_count; /* at most SANDBOX_TREES */
	const struct sandbox_symlink *symlinks;
	size_t symlink_count;
	/* Stay in the host's network; seccomp must then allow its sockets. Not hermetic. */
	bool network;
	bool toolchain_only; /* hide /usr/src and /usr/lib/modules of the host (builds); else as
				they are */
	struct sandbox_limits limits;
	/*
	 * A cgroup of version 2 without processes of its own, in which one is made for this
	 * sandbox; -1: there is none, because of what stands behind it (a text that stays; may be
	 * NULL).
	 */
	int cgroup_fd;
	const char *cgroup_absent_because;
	unsigned optional; /* layers that may be absent: bits of enum sandbox_optional */
	const struct seccomp_program *seccomp; /* borrowed; required */
	size_t report_maximum; /* > 0: fd 3 of the payload is a pipe of at most this many bytes */
	int input_file_fd;     /* >= 0: the payload's stdin instead of /dev/null; -1 */
	int output_file_fd;    /* >= 0: fd 3 of the payload is this file instead; -1 */
	/* >= 0: the payload's stdin, stdout, stderr and controlling terminal: a pty made for it,
	 * never a person's own. Its policy must not allow TIOCSTI and its like all the same. */
	int terminal_fd;
	int cancel_fd; /* when it becomes readable the payload is killed; -1 */
	/* Called with the payload's stdout and stderr as they come: hostile bytes. May be NULL. */
	void (*output)(void *context, const void *bytes, size_t length);
	void *output_context;
};

/* A spec whose descriptors are -1 and all else zero. */
#define SANDBOX_SPEC_INITIAL                                                                       \
	((struct sandbox_spec){ .exec_fd = -1,                                                     \
				.slot = SLOT_NONE,                                                 \
				.cgroup_fd = -1,                                                   \
				.input_file_fd = -1,                                               \
				.output_file_fd = -1,                                              \
				.terminal_fd = -1,                                                 \
				.cancel_fd = -1 })

enum sandbox_end {
	SANDBOX_EXITED = 1, /* status is the exit status */
	SANDBOX_SIGNALLED,  /* status is the signal */
	SANDBOX_LIMIT,	    /* limit says which one was hit */
	SANDBOX_CANCELLED,
};

/* One wall of the sandbox, for records: its name, why it is there, and if it stood. */
struct sandbox_layer {
	const char *name;
	const char *reason;
	bool active;
	const char *absent_because; /* NULL when active */
	uint32_t nanoseconds;	    /* that it took to build; 0: together with others */
};

struct sandbox_result {
	enum sandbox_end end;
	int status;
	char limit[SANDBOX_LIMIT_TEXT]; /* which one: "wall time (600 s)"; empty unless
					   SANDBOX_LIMIT */
	struct rusage usage;		/* of the payload and all its children */
	uint64_t wall_milliseconds;
	uint64_t output_bytes;
	uint64_t memory_peak_bytes;  /* of all processes, with scratch; 0: nobody knows */
	struct text report;	     /* what came through fd 3 */
	int tree_fds[SANDBOX_TREES]; /* the trees, readable until closed; -1 where there is none */
	struct sandbox_disk *disk;   /* what sandbox_result_clear() removes; NULL: nothing */
	struct denied_calls *denied; /* what it tried and was refused; NULL: nothing */
	struct sandbox_layer layers[48];
	size_t layer_count;
};

struct sandbox_limits sandbox_limits_default(void);
/*
 * Runs it to its end. 0: the payload ran, whatever became of it; ret_result must then be cleared.
 * Else -errno with the step that failed, its reason and remedy, error_code() SANDBOX_EXIT_CODE; or
 * SANDBOX_FULL_CODE where what a tree is filled with does not fit into it.
 * -ENOEXEC: it was made, but the program could not be run; error_number() says why.
 */
int sandbox_run(const struct sandbox_spec *spec, struct sandbox_result *ret_result,
		struct error **error) must_check;
void sandbox_result_clear(struct sandbox_result *result);
/* "exited with 2", "was killed by SIGSEGV", "hit a limit: wall time (600 s)". Allocated. */
char *sandbox_result_describe(const struct sandbox_result *result) must_check;

#endif
