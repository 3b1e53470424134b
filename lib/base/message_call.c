/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The asking side of lib/base/message, which who only answers does not link. What comes back is
 * believed no more than a request would be.
 */
#include <string.h>
#include <sys/socket.h>

#include "lib/base/message.h"

int message_pair(int ret_sockets[2], struct error **error)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_sockets) < 0)
		return error_set_errno(error, errno, "cannot make a socket pair");
	return 0;
}

/* Turns a MESSAGE_ERROR into *error. */
static int take_error(const struct message *reply, struct error **error)
{
	struct message_error payload;
	int r;

	if (reply->length != sizeof(payload) || reply->fd_count > 0)
		return error_set(error, EBADMSG, "a malformed error message came");
	memcpy(&payload, reply->payload, sizeof(payload));
	if (!MESSAGE_STRING_IS_VALID(payload.text) || payload.errnum <= 0 ||
	    payload.errnum > 4095 || payload.code < 0 || payload.code > 255)
		return error_set(error, EBADMSG, "a malformed error message came");
	r = error_set(error, payload.errnum, "%s", payload.text);
	if (error)
		error_set_code(*error, payload.code);
	return r;
}

int message_call(int socket, uint32_t type, const void *payload, size_t length, const int *fds,
		 size_t fd_count, struct message *reply, size_t reply_length, size_t reply_fds,
		 struct error **error)
{
	int r;

	reply->fd_count = 0;
	r = message_send(socket, type, payload, length, fds, fd_count, error);
	if (r == 0)
		r = message_receive(socket, reply, error);
	if (r < 0)
		return r;
	if (reply->type == MESSAGE_ERROR)
		r = take_error(reply, error);
	else if (reply->type != MESSAGE_OK || reply->length != reply_length ||
		 reply->fd_count != reply_fds)
		r = error_set(error, EBADMSG, "an answer that does not fit the request came");
	if (r < 0)
		message_clear(reply);
	return r;
}

int message_string_set(char *field, size_t size, const char *value)
{
	size_t length = strlen(value);

	if (length >= size)
		return -ENAMETOOLONG;
	memset(field, 0, size);
	memcpy(field, value, length);
	return 0;
}
