/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fixed-layout messages between our processes over a SOCK_SEQPACKET pair, where holding the
 * descriptor is the authority. The receiver has a table of what may be asked when, and nothing
 * else: the idea of OpenSSH's monitor.c. File descriptors that travel are sealed memfds, checked on
 * arrival. A request that breaks the rules ends the conversation.
 */
#ifndef KMODBOX_BASE_MESSAGE_H
#define KMODBOX_BASE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/cleanup.h"
#include "lib/base/error.h"

#define MESSAGE_MAXIMUM 16384 /* bytes of one payload */
#define MESSAGE_FDS 4	      /* descriptors in one message */

/* Replies that every conversation shares; request types start at MESSAGE_FIRST_REQUEST. */
enum message_reply {
	MESSAGE_OK = 1,	   /* payload: whatever the request's reply is */
	MESSAGE_ERROR = 2, /* payload: struct message_error */
	MESSAGE_FIRST_REQUEST = 16,
};

struct message_error {
	int32_t errnum; /* positive */
	int32_t code;	/* exit code for main(), or 0 */
	char text[2048];
};

struct message {
	uint32_t type;
	size_t length;
	_Alignas(uint64_t) uint8_t payload[MESSAGE_MAXIMUM];
	int fds[MESSAGE_FDS]; /* owned: message_clear() closes what was not taken */
	size_t fd_count;
};

/* One row: what may be asked, in which states (bit mask), with how long a payload and how many fds.
 */
struct message_rule {
	uint32_t type;
	const char *name; /* for messages to people */
	uint32_t states;
	size_t length; /* exact payload size */
	size_t fd_count;
	uint64_t fd_maximum; /* each fd must be a sealed memfd of at most this many bytes */
	/* Answers by message_reply() itself. 0 or -errno (then the caller sends MESSAGE_ERROR). */
	int (*handle)(void *context, int socket, struct message *message, struct error **error);
};

/* A connected SOCK_SEQPACKET|SOCK_CLOEXEC pair. */
int message_pair(int ret_sockets[2], struct error **error) must_check;
/* Sends one message; fds are borrowed. -EPIPE when the other side is gone (no SIGPIPE). */
int message_send(int socket, uint32_t type, const void *payload, size_t length, const int *fds,
		 size_t fd_count, struct error **error) must_check;
/* Receives one; -EPIPE at the end of the conversation; -EBADMSG for a malformed one. */
int message_receive(int socket, struct message *message, struct error **error) must_check;
void message_clear(struct message *message);
#define cleanup_message cleanup(message_clear)
/* Answers MESSAGE_OK with a payload and fds. */
int message_reply(int socket, const void *payload, size_t length, const int *fds, size_t fd_count,
		  struct error **error) must_check;
/* Answers MESSAGE_ERROR with what error holds. */
int message_reply_error(int socket, const struct error *error) must_check;
/*
 * Client: sends a request and waits for its answer. A MESSAGE_ERROR becomes *error, its code kept.
 * The answer's payload must be exactly reply_length bytes with reply_fds descriptors (then owned by
 * the caller in reply).
 */
int message_call(int socket, uint32_t type, const void *payload, size_t length, const int *fds,
		 size_t fd_count, struct message *reply, size_t reply_length, size_t reply_fds,
		 struct error **error) must_check;
/*
 * Server: receives requests and runs their handlers until the other side hangs up (returns 0).
 * *state is a single bit; a request whose rule's states lack it, of an unknown type or of another
 * size ends the conversation with -EPROTO. A handler's failure is answered with MESSAGE_ERROR and
 * the conversation goes on.
 */
int message_serve(int socket, const struct message_rule *rules, size_t rule_count, uint32_t *state,
		  void *context, struct error **error) must_check;

/* A fixed char array of a payload: NUL-terminated, nothing but zeros behind the NUL. */
bool message_string_is_valid(const char *field, size_t size);
#define MESSAGE_STRING_IS_VALID(field) message_string_is_valid((field), sizeof(field))
/* Fills such an array; -ENAMETOOLONG if it does not fit. */
int message_string_set(char *field, size_t size, const char *value) must_check;
#define MESSAGE_STRING_SET(field, value) message_string_set((field), sizeof(field), (value))

#endif
