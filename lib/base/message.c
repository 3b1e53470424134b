/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fixed-layout messages. The other side may be taken over: sizes, counts, descriptors and the order
 * of requests are checked here, before any handler runs.
 */
#include "lib/base/message.h"

#include <string.h>
#include <sys/socket.h>

#include "lib/base/memfd.h"
#include "lib/base/text.h"

struct header {
	uint32_t type;
	uint32_t length;
};

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS)];
};

int message_send(int socket, uint32_t type, const void *payload, size_t length, const int *fds,
		 size_t fd_count, struct error **error)
{
	struct header header = { .type = type, .length = (uint32_t)length };
	struct iovec parts[] = { { &header, sizeof(header) }, { (void *)payload, length } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1 };
	union control control = { .bytes = { 0 } };
	ssize_t count;

	if (length > MESSAGE_MAXIMUM || fd_count > MESSAGE_FDS)
		return error_set(error, EINVAL, "a message of %zu bytes and %zu files is too large",
				 length, fd_count);
	if (fd_count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
	}
	do {
		count = sendmsg(socket, &message, MSG_NOSIGNAL);
	} while (count < 0 && errno == EINTR);
	if (count < 0 && (errno == EPIPE || errno == ECONNRESET))
		return error_set(error, EPIPE, "the other process has ended");
	if (count < 0)
		return error_set_errno(error, errno, "cannot send a message");
	return 0; /* SOCK_SEQPACKET: all or nothing */
}

/* Takes the descriptors that came along, all of them, so that none leaks. */
static void take_fds(struct msghdr *received, struct message *message, bool *bad)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(received); c; c = CMSG_NXTHDR(received, c)) {
		size_t count;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			*bad = true;
			continue;
		}
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (message->fd_count < MESSAGE_FDS) {
				message->fds[message->fd_count++] = fd;
			} else {
				(void)close_fd(fd);
				*bad = true;
			}
		}
	}
}

int message_receive(int socket, struct message *message, struct error **error)
{
	struct header header = { 0 };
	struct iovec parts[] = { { &header, sizeof(header) },
				 { message->payload, sizeof(message->payload) } };
	union control control = { .bytes = { 0 } };
	struct msghdr received = {
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	bool bad = false;
	ssize_t count;

	message->fd_count = 0;
	do {
		count = recvmsg(socket, &received, MSG_CMSG_CLOEXEC);
	} while (count < 0 && errno == EINTR);
	if (count < 0 && errno != ECONNRESET)
		return error_set_errno(error, errno, "cannot receive a message");
	if (count < 0)
		return error_set(error, EPIPE, "the other process has ended");
	take_fds(&received, message, &bad);
	if (count == 0 && message->fd_count == 0)
		return error_set(error, EPIPE, "the other process has ended");
	if (bad || received.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    (size_t)count < sizeof(header) || header.length != (size_t)count - sizeof(header)) {
		message_clear(message);
		return error_set(error, EBADMSG, "a malformed message of %zd bytes came", count);
	}
	message->type = header.type;
	message->length = header.length;
	return 0;
}

void message_clear(struct message *message)
{
	for (size_t i = 0; i < message->fd_count; i++)
		message->fds[i] = close_fd(message->fds[i]);
	message->fd_count = 0;
}

int message_reply(int socket, const void *payload, size_t length, const int *fds, size_t fd_count,
		  struct error **error)
{
	return message_send(socket, MESSAGE_OK, payload, length, fds, fd_count, error);
}

int message_reply_error(int socket, const struct error *error)
{
	struct message_error payload = { .errnum = error_number(error), .code = error_code(error) };
	cleanup_free char *text = error ? error_describe(error) : NULL;

	if (payload.errnum == 0)
		payload.errnum = EIO;
	/* The rest of payload.text stays zero: message_string_is_valid() asks for it. */
	(void)snprintf(payload.text, sizeof(payload.text), "%s",
		       text ? text : strerror(payload.errnum));
	return message_send(socket, MESSAGE_ERROR, &payload, sizeof(payload), NULL, 0, NULL);
}

/* The rule that allows this message, with its descriptors checked; NULL and *error if none does. */
static const struct message_rule *find_rule(const struct message *message,
					    const struct message_rule *rules, size_t rule_count,
					    uint32_t state, struct error **error)
{
	const struct message_rule *rule = NULL;

	for (size_t i = 0; i < rule_count && !rule; i++)
		if (rules[i].type == message->type)
			rule = &rules[i];
	if (!rule) {
		(void)error_set(error, EPROTO, "a request of unknown type %u came", message->type);
		return NULL;
	}
	if (!(rule->states & state)) {
		(void)error_set(error, EPROTO, "the request %s is not allowed now", rule->name);
		return NULL;
	}
	if (message->length != rule->length || message->fd_count != rule->fd_count) {
		(void)error_set(error, EPROTO,
				"the request %s has %zu bytes and %zu files, not %zu and %zu",
				rule->name, message->length, message->fd_count, rule->length,
				rule->fd_count);
		return NULL;
	}
	for (size_t i = 0; i < message->fd_count; i++) {
		uint64_t size = 0;

		if (memfd_require_sealed(message->fds[i], rule->fd_maximum, &size, error) < 0) {
			(void)error_context(error, "the request %s is refused", rule->name);
			return NULL;
		}
	}
	return rule;
}

int message_serve(int socket, const struct message_rule *rules, size_t rule_count, uint32_t *state,
		  void *context, struct error **error)
{
	for (;;) {
		cleanup_message struct message message = { .fd_count = 0 };
		cleanup_error struct error *reason = NULL;
		const struct message_rule *rule;
		int r = message_receive(socket, &message, &reason);

		if (r == -EPIPE)
			return 0;
		if (r < 0) {
			if (error)
				*error = TAKE_PTR(reason);
			return r;
		}
		rule = find_rule(&message, rules, rule_count, *state, error);
		if (!rule)
			return -EPROTO;
		r = rule->handle(context, socket, &message, &reason);
		if (r < 0) {
			if (!reason)
				(void)error_set_errno(&reason, -r, "%s failed", rule->name);
			r = message_reply_error(socket, reason);
		}
		if (r < 0 && r != -EPIPE)
			return error_set_errno(error, -r, "cannot answer %s", rule->name);
	}
}

bool message_string_is_valid(const char *field, size_t size)
{
	size_t length = strnlen(field, size);

	if (length == size)
		return false;
	for (size_t i = length; i < size; i++)
		if (field[i])
			return false;
	return true;
}
