/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside the library: what the parent (sandbox.c), the set-up that runs as pid 1 of the sandbox
 * (steps.c, view.c, mounts.c) and the payload's last steps (payload.c) share. All of it is trusted
 * code in the forked child, before anything foreign runs.
 */
#ifndef KMODBOX_SANDBOX_SETUP_H
#define KMODBOX_SANDBOX_SETUP_H

#include <linux/securebits.h>
#include <stdint.h>
#include <sys/capability.h>

#include "lib/base/message.h"
#include "sandbox/network.h"
#include "sandbox/sandbox.h"

#define SETUP_HOST_NAME "kmodbox"
/* Uid 0 of the namespace must never get capabilities back by exec. */
#define SETUP_SECUREBITS                                                                           \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |                           \
	 SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |   \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)
/* Descriptors of the set-up that its end may see; see setup_list_kept(). */
#define SETUP_KEPT (SANDBOX_TREES + 11)
#define SETUP_NAMESPACES 6

/* Child to parent, over one SOCK_SEQPACKET pair that the payload never holds. */
enum setup_message {
	SETUP_PID = MESSAGE_FIRST_REQUEST, /* int32_t: pid 1 as its parent sees it */
	SETUP_TREES, /* uint32_t: the first one's index; fds of trees, in order, then /tmp's */
	/* struct setup_ready, with a listener for refused calls, or none: foreign code is next. */
	SETUP_READY,
	SETUP_ERROR, /* struct message_error; its code is an enum remedy_part, or none */
	SETUP_EXIT,  /* struct setup_exit: how the payload ended */
	SETUP_LIMIT, /* text of sandbox_result.limit: what a watchdog saw was too much */
};

/* Init ends with 0 where the payload did, and with this where a message said how it ended. */
#define SETUP_INIT_TOLD 126

#define SETUP_STEPS 48 /* at most, of both lists */

struct setup_ready {
	uint64_t active;		   /* bit per step */
	uint32_t nanoseconds[SETUP_STEPS]; /* that each took */
};

/* Why refused calls are not seen, where they are not. */
#define SETUP_NO_LISTENER "another program supervises the calls of this one already"

struct setup_exit {
	int32_t signalled; /* 0: exited */
	int32_t status;	   /* exit status or signal */
	uint32_t reached;  /* bits 1 << enum limit: limits that may have been in its way */
};

/* Memory that parent, helper, pid 1 and payload share until the foreign program runs. */
struct setup_shared {
	int init;      /* pid 1 as parent and helper see it, before SETUP_PID can say so */
	uint32_t step; /* of both lists, that has begun: should a signal end it */
};

struct setup {
	const struct sandbox_spec *spec;
	struct slot slot;	      /* the spec's; or one of our own; or none */
	struct network *network;      /* where there is no slot: being made by a thread of pid 1 */
	struct sandbox_limits limits; /* without zeros */
	int cgroup_fd;		      /* of this sandbox alone; -1: there is none */
	char **sources; /* of spec->mounts, resolved by the parent: no links in them */
	const struct sandbox_disk *disk; /* NULL: no tree is on disk */
	struct setup_shared *shared;
	int control_fd;
	int lifeline_fd; /* its end means the parent is gone */
	int output_fd;
	int report_fd; /* fd 3 of the payload, or -1 */
	int exec_fd;   /* the spec's, through a read-only mount */
	int root_fd;   /* the new root, until pivot_root */
	int tree_fds[SANDBOX_TREES];
	int temporary_fd; /* /tmp */
	int processes_fd; /* a /proc that hides nothing from the init; -1: there is none */
	int signal_fd;	  /* of init; -1: not yet */
	dev_t root_device;
	uint64_t namespaces_outside[SETUP_NAMESPACES]; /* the caller's: inode numbers */
	uint64_t namespaces[SETUP_NAMESPACES];	       /* of pid 1 */
	uint64_t network_outside;		       /* the caller's */
	uint64_t mark; /* when the step before this one ended, in nanoseconds */
	struct setup_ready ready;
};

#define SETUP_NOT_WANTED 2 /* absent because the spec says so */

/* A step of the set-up, in the one order in which they happen. */
struct setup_step {
	const char *name;
	const char *reason; /* NULL: bookkeeping, no wall */
	/* 0: done; 1: absent, which spec->optional may allow; SETUP_NOT_WANTED; else -errno. */
	int (*run)(struct setup *setup, struct error **error);
	/*
	 * In the payload, before its filter, where the step is active: does the wall stand? NULL:
	 * it cannot be seen from there. 0 or -errno.
	 */
	int (*verify)(const struct setup *setup, struct error **error);
	const char *absent_because;
};

/* Pid 1's steps, then the payload's own. Both are layers of the result. */
extern const struct setup_step setup_steps[];
extern const size_t setup_step_count;
extern const struct setup_step payload_steps[];
extern const size_t payload_step_count;

/* Of both lists, one behind the other. */
static inline const struct setup_step *setup_step_at(size_t index)
{
	return index < setup_step_count ? &setup_steps[index]
					: &payload_steps[index - setup_step_count];
}

/* Runs steps in order, marking bits from first_bit on. */
int setup_run(const struct setup_step *steps, size_t count, unsigned first_bit, struct setup *setup,
	      struct error **error) must_check;
/*
 * start.c: begins pid 1 of the sandbox, which goes on with setup_init(). In a slot by a helper,
 * whose pid this gives; what pid 1 is comes by SETUP_PID. Alone, pid 1 itself, its pidfd and, where
 * root did it, without root any more. -errno. The descriptors are the parent's own, which no child
 * keeps.
 */
pid_t start_in_slot(struct setup *setup, int lifeline_fd) must_check;
pid_t start_alone(struct setup *setup, int lifeline_fd, int control_fd, int *ret_pidfd,
		  struct error **error) must_check;
/* Pid 1: all steps, then it is the sandbox's init. No return. */
_Noreturn void setup_init(struct setup *setup);
/* The payload: last steps, then exec. No return. */
_Noreturn void payload_start(struct setup *setup);
/* The time since setup->mark, which becomes now. */
uint32_t setup_lap(struct setup *setup) must_check;
/* The step that runs verify() of all that are active. */
int setup_verify(struct setup *setup, struct error **error) must_check;
/* Fills in what of the set-up may be open in init and in the payload until it runs its program. */
void setup_list_kept(const struct setup *setup, int kept[SETUP_KEPT]);
/* Closes all descriptors but these (-1 among them counts as none). */
int setup_close_others(const int *kept, size_t count, struct error **error) must_check;
/* The error of a layer that is absent and may not be; its remedy is put behind it by the parent. */
int setup_refuse_absent(const char *layer, const char *reason, struct error **error);
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
