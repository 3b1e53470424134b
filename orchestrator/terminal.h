/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A terminal for a sandbox: a pty of its own, and a process, the relay, between it and the person's
 * terminal. The sandbox has no descriptor of that one and no session in common with it: what is
 * typed goes in, what it prints comes out through terminal_filter.h. The relay holds no more than
 * these two, and as root's an account of its own; hostile bytes are all it reads. Who took it over
 * could show what he likes, but not type: the person's terminal is its controlling one, so a filter
 * leaves it the calls of its loop, TIOCSTI not among them. It outlives a launcher that is killed
 * for as long as it takes to give the terminal its settings back.
 */
#ifndef KMODBOX_ORCHESTRATOR_TERMINAL_H
#define KMODBOX_ORCHESTRATOR_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "lib/base/error.h"

struct accounts;

/* What the launcher keeps. */
struct terminal {
	pid_t relay;
	int relay_fd;		 /* pidfd */
	struct termios settings; /* of standard input, before */
};

#define TERMINAL_INITIAL ((struct terminal){ .relay_fd = -1 })

/* Are standard input and output a person's? */
bool terminal_is_there(void);
/*
 * Starts the relay; it waits for terminal_begin(). The pty and the relay's socket are for the
 * orchestrator alone: the launcher closes its copies, since what ends is seen by the last one's
 * end.
 */
int terminal_start(const struct accounts *accounts, struct terminal *ret_terminal, int *ret_pty_fd,
		   int *ret_socket, struct error **error) must_check;
/* The launcher's last act: waits for the relay, not for ever, and restores what it may have left.
 */
void terminal_finish(struct terminal *terminal);

/* The orchestrator's part: from here on the person's terminal is the pty's ... */
void terminal_begin(int socket);
/* ... and no more: closes the pty and returns when all that was printed there is shown. */
void terminal_end(int *pty_fd, int *socket);

/* The relay's filter, for good; what was opened before can be read and written. */
int terminal_confine(struct error **error) must_check;

#endif
