/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside the library: what the parent (sandbox.c), the set-up that runs as pid 1 of the sandbox
 * (steps.c, view.c, mounts.c) and the payload's last steps (payload.c) share. All of it is trusted
 * code in the forked child, before anything foreign runs.
 */
#ifndef KMODBOX_SANDBOX_SETUP_H
#define KMODBOX_SANDBOX_SETUP_H

#include <stdint.h>
#include <sys/capability.h>

#include "lib/base/message.h"
#include "sandbox/sandbox.h"

/* Child to parent, over one SOCK_SEQPACKET pair that the payload never holds. */
enum setup_message {
	SETUP_PID = MESSAGE_FIRST_REQUEST, /* int32_t: pid 1 as its parent sees it */
	SETUP_TREES,	/* uint32_t: the first one's index; fds of trees, in order */
	SETUP_READY,	/* uint64_t: bit per step that is active; foreign code is next */
	SETUP_ERROR,	/* struct message_error; its code is an enum remedy_part, or none */
	SETUP_EXIT,	/* struct setup_exit: how the payload ended */
	SETUP_LIMIT,	/* text of sandbox_result.limit: a tree on disk is too large */
	SETUP_LISTENER, /* the filter stands: with it a listener for refused calls, or none */
};

struct setup_exit {
	int32_t signalled; /* 0: exited */
	int32_t status;	   /* exit status or signal */
};

struct setup {
	const struct sandbox_spec *spec;
	struct sandbox_limits limits; /* without zeros */
	char **sources; /* of spec->mounts, resolved by the parent: no links in them */
	const struct sandbox_disk *disk; /* NULL: no tree is on disk */
	int control_fd;
	int lifeline_fd; /* its end means the parent is gone */
	int output_fd;
	int report_fd; /* fd 3 of the payload, or -1 */
	int exec_fd;   /* the spec's, through a read-only mount */
	int root_fd;   /* the new root, until pivot_root */
	int tree_fds[SANDBOX_TREES];
	uint64_t active; /* bit per step */
};

/* A step of the set-up, in the one order in which they happen. */
struct setup_step {
	const char *name;
	const char *reason; /* NULL: bookkeeping, no wall */
	/* 0: done; 1: absent (only where absent_because says why that may be); else -errno. */
	int (*run)(struct setup *setup, struct error **error);
	const char *absent_because;
};

/* Pid 1's steps, then the payload's own. Both are layers of the result. */
extern const struct setup_step setup_steps[];
extern const size_t setup_step_count;
extern const struct setup_step payload_steps[];
extern const size_t payload_step_count;

/* Runs steps in order, marking bits from first_bit on. */
int setup_run(const struct setup_step *steps, size_t count, unsigned first_bit, struct setup *setup,
	      struct error **error) must_check;
/* Joins or makes the user namespace, starts pid 1 in the others, tells the parent its pid. No
 * return. */
_Noreturn void setup_child(struct setup *setup);
/* The payload: last steps, then exec. No return. */
_Noreturn void payload_start(struct setup *setup);
/* Started by root: makes this process the slot's uid, with every capability over what that owns. */
int setup_join_slot(int userns_fd, struct error **error) must_check;
/* Closes all descriptors but these (-1 among them counts as none). */
int setup_close_others(const int *kept, size_t count, struct error **error) must_check;
/* Sends SETUP_ERROR and ends the process. */
_Noreturn void setup_fail(struct setup *setup, struct error *error);

static inline void cap_free_function(cap_t *capabilities)
{
	if (*capabilities)
		(void)cap_free(*capabilities);
}

/* view.c: the steps that make what the payload sees. */
int view_attach_root(struct setup *setup, struct error **error);
int view_show_system(struct setup *setup, struct error **error);
int view_write_etc(struct setup *setup, struct error **error);
int view_make_devices(struct setup *setup, struct error **error);
int view_mount_proc(struct setup *setup, struct error **error);
int view_mount_tmp(struct setup *setup, struct error **error);
int view_show_mounts(struct setup *setup, struct error **error);
int view_fill_trees(struct setup *setup, struct error **error);
int view_protect_program(struct setup *setup, struct error **error);
int view_seal_root(struct setup *setup, struct error **error);
int view_enter_root(struct setup *setup, struct error **error);

#endif
