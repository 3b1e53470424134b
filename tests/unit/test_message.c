/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages: the round trip, what a hostile other side can send, and the table of rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "lib/base/memfd.h"
#include "lib/base/message.h"

struct pair {
	int sockets[2];
};

static void cleanup_pair(struct pair *pair)
{
	(void)close_fd(pair->sockets[0]);
	(void)close_fd(pair->sockets[1]);
}
#define cleanup_sockets cleanup(cleanup_pair)

static struct pair new_pair(void)
{
	struct pair pair;

	assert_int_equal(message_pair(pair.sockets, NULL), 0);
	return pair;
}

static size_t count_open_fds(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_round_trip(void **state)
{
	cleanup_sockets struct pair pair = new_pair();
	cleanup_message struct message message = { .fd_count = 0 };
	cleanup_free uint8_t *payload = calloc(1, MESSAGE_MAXIMUM);
	cleanup_close int taken = -1;
	int fds[MESSAGE_FDS];

	(void)state;
	assert_non_null(payload);
	for (size_t i = 0; i < MESSAGE_MAXIMUM; i++)
		payload[i] = (uint8_t)(i * 3);
	for (size_t i = 0; i < MESSAGE_FDS; i++)
		assert_int_equal(memfd_from_bytes("f", "0123", i, &fds[i], NULL), 0);
	assert_int_equal(
		message_send(pair.sockets[0], 16, payload, MESSAGE_MAXIMUM, fds, MESSAGE_FDS, NULL),
		0);
	for (size_t i = 0; i < MESSAGE_FDS; i++)
		(void)close_fd(fds[i]);
	assert_int_equal(message_receive(pair.sockets[1], &message, NULL), 0);
	assert_int_equal(message.type, 16);
	assert_int_equal(message.length, MESSAGE_MAXIMUM);
	assert_memory_equal(message.payload, payload, MESSAGE_MAXIMUM);
	assert_int_equal(message.fd_count, MESSAGE_FDS);
	for (size_t i = 0; i < MESSAGE_FDS; i++) {
		uint64_t size = 99;

		assert_int_equal(memfd_require_sealed(message.fds[i], 10, &size, NULL), 0);
		assert_int_equal(size, i);
		assert_int_equal(fcntl(message.fds[i], F_GETFD), FD_CLOEXEC);
	}
	taken = TAKE_FD(message.fds[1]);
	message_clear(&message);
	assert_int_equal(message.fd_count, 0);
	assert_int_equal(fcntl(taken, F_GETFD), FD_CLOEXEC);
}

static void test_empty(void **state)
{
	cleanup_sockets struct pair pair = new_pair();
	cleanup_message struct message message = { .fd_count = 0 };

	(void)state;
	assert_int_equal(message_send(pair.sockets[0], 17, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(message_receive(pair.sockets[1], &message, NULL), 0);
	assert_int_equal(message.type, 17);
	assert_int_equal(message.length, 0);
}

static void test_other_side_gone(void **state)
{
	cleanup_sockets struct pair pair = new_pair();
	struct message message = { .fd_count = 0 };
	cleanup_error struct error *error = NULL;

	(void)state;
	pair.sockets[0] = close_fd(pair.sockets[0]);
	/* Were SIGPIPE sent, this test would die of it; whoever started it may have it ignored. */
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	assert_int_equal(message_send(pair.sockets[1], 16, NULL, 0, NULL, 0, NULL), -EPIPE);
	assert_int_equal(message_receive(pair.sockets[1], &message, &error), -EPIPE);
	assert_int_equal(error_number(error), EPIPE);
}

static void test_too_large_to_send(void **state)
{
	cleanup_sockets struct pair pair = new_pair();
	static uint8_t payload[MESSAGE_MAXIMUM + 1];
	int fds[MESSAGE_FDS + 1] = { 0 };

	(void)state;
	assert_int_equal(message_send(pair.sockets[0], 16, payload, sizeof(payload), NULL, 0, NULL),
			 -EINVAL);
	assert_int_equal(message_send(pair.sockets[0], 16, NULL, 0, fds, MESSAGE_FDS + 1, NULL),
			 -EINVAL);
}

/* Sends bytes and descriptors as message_send() never would. */
static void send_raw(int socket, const void *bytes, size_t length, size_t fd_count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int) * 16)];
	} control = { .bytes = { 0 } };
	struct iovec part = { (void *)bytes, length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	int fds[16] = { 0 };

	assert_true(fd_count <= 16);
	if (fd_count > 0) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
	}
	assert_int_equal(sendmsg(socket, &message, 0), (ssize_t)length);
}

struct raw_case {
	const char *name;
	size_t length;	 /* of the whole packet */
	uint32_t stated; /* length in its header */
	size_t fd_count;
	int expected;
};

static void test_malformed(void **state)
{
	static const struct raw_case cases[] = {
		{ "control", 8 + 4, 4, 0, 0 },
		{ "control with descriptors", 8 + 4, 4, 4, 0 },
		{ "header cut", 7, 0, 0, -EBADMSG },
		{ "one byte", 1, 0, 2, -EBADMSG },
		{ "shorter than it says", 8 + 3, 4, 1, -EBADMSG },
		{ "longer than it says", 8 + 5, 4, 1, -EBADMSG },
		{ "huge length", 8, UINT32_MAX, 0, -EBADMSG },
		{ "truncated", 8 + MESSAGE_MAXIMUM + 1, MESSAGE_MAXIMUM, 3, -EBADMSG },
		{ "truncated, honest", 8 + MESSAGE_MAXIMUM + 1, MESSAGE_MAXIMUM + 1, 0, -EBADMSG },
		{ "five descriptors", 8, 0, 5, -EBADMSG },
		{ "sixteen descriptors", 8, 0, 16, -EBADMSG },
		{ "nothing", 0, 0, 0, -EPIPE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_sockets struct pair pair = new_pair();
		static uint8_t bytes[8 + MESSAGE_MAXIMUM + 1];
		struct message message = { .fd_count = 0 };
		size_t before = count_open_fds();
		uint32_t type = 16;
		int r;

		memcpy(bytes, &type, sizeof(type));
		memcpy(bytes + 4, &cases[i].stated, sizeof(uint32_t));
		send_raw(pair.sockets[0], bytes, cases[i].length, cases[i].fd_count);
		r = message_receive(pair.sockets[1], &message, NULL);
		if (r != cases[i].expected)
			fail_msg("%s: %d", cases[i].name, r);
		if (r == 0)
			assert_int_equal(message.fd_count, cases[i].fd_count);
		message_clear(&message);
		if (count_open_fds() != before)
			fail_msg("%s: descriptors leaked", cases[i].name);
	}
}

static void test_credentials_are_refused(void **state)
{
	cleanup_sockets struct pair pair = new_pair();
	struct message message = { .fd_count = 0 };
	int on = 1;

	(void)state;
	assert_int_equal(setsockopt(pair.sockets[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	assert_int_equal(message_send(pair.sockets[0], 16, NULL, 0, NULL, 0, NULL), 0);
	assert_int_equal(message_receive(pair.sockets[1], &message, NULL), -EBADMSG);
}

/* A small server: BEGIN (a number) opens the state in which FILE (a number, a memfd) is allowed. */
enum { BEGIN = MESSAGE_FIRST_REQUEST, FILE_REQUEST, FAIL, SILENT_FAIL };
enum { IDLE = 1, BUSY = 2 };

struct server {
	uint32_t state;
	int calls;
};

static int handle_begin(void *context, int socket, struct message *message, struct error **error)
{
	struct server *server = context;
	uint64_t number;

	server->calls++;
	server->state = BUSY;
	memcpy(&number, message->payload, sizeof(number));
	number *= 2;
	return message_reply(socket, &number, sizeof(number), NULL, 0, error);
}

static int handle_file(void *context, int socket, struct message *message, struct error **error)
{
	struct server *server = context;

	server->calls++;
	server->state = IDLE;
	return message_reply(socket, NULL, 0, message->fds, 1, error);
}

static int handle_fail(void *context, int socket, struct message *message, struct error **error)
{
	(void)context;
	(void)socket;
	(void)message;
	(void)error_set(error, ENOSPC, "disk full");
	error_set_code(*error, 35);
	return error_context(error, "cannot publish");
}

static int handle_silent_fail(void *context, int socket, struct message *message,
			      struct error **error)
{
	(void)context;
	(void)socket;
	(void)message;
	(void)error;
	return -EDOM;
}

static const struct message_rule rules[] = {
	{ BEGIN, "BEGIN", IDLE, sizeof(uint64_t), 0, 0, handle_begin },
	{ FILE_REQUEST, "FILE", BUSY, 4, 1, 8, handle_file },
	{ FAIL, "FAIL", IDLE | BUSY, 0, 0, 0, handle_fail },
	{ SILENT_FAIL, "SILENT_FAIL", IDLE, 0, 0, 0, handle_silent_fail },
};

/* Serves in a child, which exits with 0, or the errno of message_serve(). */
static pid_t start_server(struct pair *pair)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct server server = { .state = IDLE };

		(void)close_fd(pair->sockets[0]);
		_exit(-message_serve(pair->sockets[1], rules, ARRAY_SIZE(rules), &server.state,
				     &server, NULL));
	}
	pair->sockets[1] = close_fd(pair->sockets[1]);
	return pid;
}

static int end_server(struct pair *pair, pid_t pid)
{
	int status = 0;

	pair->sockets[0] = close_fd(pair->sockets[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_conversation(void **state)
{
	cleanup_sockets struct pair pair = new_pair();
	cleanup_message struct message reply = { .fd_count = 0 };
	cleanup_close int fd = -1;
	uint64_t number = 21, size = 0;
	pid_t pid = start_server(&pair);

	(void)state;
	assert_int_equal(memfd_from_bytes("f", "12345678", 8, &fd, NULL), 0);
	for (int i = 0; i < 3; i++) {
		cleanup_error struct error *error = NULL;

		assert_int_equal(message_call(pair.sockets[0], BEGIN, &number, sizeof(number), NULL,
					      0, &reply, sizeof(number), 0, NULL),
				 0);
		assert_int_equal(*(uint64_t *)(void *)reply.payload, 42);
		/* A failure is answered, and the conversation goes on in the same state. */
		assert_int_equal(
			message_call(pair.sockets[0], FAIL, NULL, 0, NULL, 0, &reply, 0, 0, &error),
			-ENOSPC);
		assert_int_equal(error_code(error), 35);
		assert_int_equal(error_number(error), ENOSPC);
		assert_int_equal(message_call(pair.sockets[0], FILE_REQUEST, "abcd", 4, &fd, 1,
					      &reply, 0, 1, NULL),
				 0);
		assert_int_equal(memfd_require_sealed(reply.fds[0], 8, &size, NULL), 0);
		assert_int_equal(size, 8);
		message_clear(&reply);
	}
	assert_int_equal(
		message_call(pair.sockets[0], SILENT_FAIL, NULL, 0, NULL, 0, &reply, 0, 0, NULL),
		-EDOM);
	assert_int_equal(end_server(&pair, pid), 0);
}

static void test_error_text(void **state)
{
	cleanup_sockets struct pair pair = new_pair();
	struct message reply = { .fd_count = 0 };
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	pid_t pid = start_server(&pair);

	(void)state;
	assert_int_equal(
		message_call(pair.sockets[0], FAIL, NULL, 0, NULL, 0, &reply, 0, 0, &error),
		-ENOSPC);
	text = error_describe(error);
	assert_string_equal(text, "cannot publish: disk full");
	assert_int_equal(end_server(&pair, pid), 0);
}

struct rule_case {
	const char *name;
	uint32_t type;
	size_t length;
	int fds; /* 0 none, 1 sealed, 2 unsealed, 3 too large, 4 a pipe */
	bool begun;
};

/* Each ends the conversation: no answer, -EPROTO. */
static void test_rules(void **state)
{
	static const struct rule_case cases[] = {
		{ "unknown type", 99, 0, 0, false },
		{ "a reply as a request", MESSAGE_OK, 0, 0, false },
		{ "wrong state", FILE_REQUEST, 4, 1, false },
		{ "once only", BEGIN, 8, 0, true },
		{ "too short", BEGIN, 7, 0, false },
		{ "too long", BEGIN, 9, 0, false },
		{ "a descriptor too many", BEGIN, 8, 1, false },
		{ "no descriptor", FILE_REQUEST, 4, 0, true },
		{ "unsealed", FILE_REQUEST, 4, 2, true },
		{ "too large", FILE_REQUEST, 4, 3, true },
		{ "a pipe", FILE_REQUEST, 4, 4, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct rule_case *c = &cases[i];
		cleanup_sockets struct pair pair = new_pair();
		cleanup_message struct message reply = { .fd_count = 0 };
		int fds[5] = { -1, -1, -1, -1, -1 }, pipe_fds[2], r;
		uint8_t payload[16] = { 0 };
		pid_t pid = start_server(&pair);

		assert_int_equal(memfd_from_bytes("f", "12345678", 8, &fds[1], NULL), 0);
		assert_int_equal(memfd_new("f", &fds[2], NULL), 0);
		assert_int_equal(memfd_from_bytes("f", "123456789", 9, &fds[3], NULL), 0);
		assert_int_equal(pipe(pipe_fds), 0);
		fds[4] = pipe_fds[0];
		if (c->begun)
			assert_int_equal(message_call(pair.sockets[0], BEGIN, payload, 8, NULL, 0,
						      &reply, 8, 0, NULL),
					 0);
		r = message_call(pair.sockets[0], c->type, payload, c->length, &fds[c->fds],
				 c->fds > 0, &reply, 0, 0, NULL);
		if (r != -EPIPE)
			fail_msg("%s: %d", c->name, r);
		r = end_server(&pair, pid);
		if (r != EPROTO)
			fail_msg("%s: server ended with %d", c->name, r);
		for (size_t j = 0; j < ARRAY_SIZE(fds); j++)
			(void)close_fd(fds[j]);
		(void)close_fd(pipe_fds[1]);
	}
}

static int call_with_answer(uint32_t type, const void *payload, size_t length, size_t fd_count,
			    struct error **error)
{
	cleanup_sockets struct pair pair = new_pair();
	struct message reply = { .fd_count = 0 };
	int fds[] = { 0, 0 }, r;
	size_t before = count_open_fds();

	/* The answer waits in the socket before the question is asked. */
	assert_int_equal(message_send(pair.sockets[1], type, payload, length, fds, fd_count, NULL),
			 0);
	r = message_call(pair.sockets[0], BEGIN, NULL, 0, NULL, 0, &reply, 4, 1, error);
	if (r == 0)
		message_clear(&reply);
	assert_int_equal(reply.fd_count, 0);
	assert_int_equal(count_open_fds(), before);
	return r;
}

static void test_bad_answers(void **state)
{
	struct message_error good = { .errnum = EPERM, .code = 36, .text = "no" }, bad;

	(void)state;
	assert_int_equal(call_with_answer(MESSAGE_OK, "abcd", 4, 1, NULL), 0);
	assert_int_equal(call_with_answer(MESSAGE_OK, "abc", 3, 1, NULL), -EBADMSG);
	assert_int_equal(call_with_answer(MESSAGE_OK, "abcd", 4, 0, NULL), -EBADMSG);
	assert_int_equal(call_with_answer(MESSAGE_OK, "abcd", 4, 2, NULL), -EBADMSG);
	assert_int_equal(call_with_answer(BEGIN, "abcd", 4, 1, NULL), -EBADMSG);
	assert_int_equal(call_with_answer(MESSAGE_ERROR, &good, sizeof(good), 0, NULL), -EPERM);
	assert_int_equal(call_with_answer(MESSAGE_ERROR, &good, sizeof(good), 1, NULL), -EBADMSG);
	assert_int_equal(call_with_answer(MESSAGE_ERROR, &good, sizeof(good) - 1, 0, NULL),
			 -EBADMSG);
	bad = good;
	bad.errnum = 0;
	assert_int_equal(call_with_answer(MESSAGE_ERROR, &bad, sizeof(bad), 0, NULL), -EBADMSG);
	bad.errnum = -1;
	assert_int_equal(call_with_answer(MESSAGE_ERROR, &bad, sizeof(bad), 0, NULL), -EBADMSG);
	bad = good;
	bad.code = 256;
	assert_int_equal(call_with_answer(MESSAGE_ERROR, &bad, sizeof(bad), 0, NULL), -EBADMSG);
	bad = good;
	memset(bad.text, 'x', sizeof(bad.text));
	assert_int_equal(call_with_answer(MESSAGE_ERROR, &bad, sizeof(bad), 0, NULL), -EBADMSG);
}

/* A text longer than the field arrives cut, not refused. */
static void test_long_error(void **state)
{
	cleanup_sockets struct pair pair = new_pair();
	struct message reply = { .fd_count = 0 };
	cleanup_error struct error *error = NULL, *received = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	(void)error_set(&error, EIO, "%5000s", "end");
	assert_int_equal(message_reply_error(pair.sockets[1], error), 0);
	assert_int_equal(
		message_call(pair.sockets[0], BEGIN, NULL, 0, NULL, 0, &reply, 0, 0, &received),
		-EIO);
	text = error_describe(received);
	assert_int_equal(strlen(text), sizeof(((struct message_error *)0)->text) - 1);
	assert_int_equal(message_reply_error(pair.sockets[1], NULL), 0);
}

static void test_strings(void **state)
{
	char field[8];

	(void)state;
	memset(field, 'x', sizeof(field));
	assert_false(MESSAGE_STRING_IS_VALID(field));
	assert_int_equal(MESSAGE_STRING_SET(field, "1234567"), 0);
	assert_true(MESSAGE_STRING_IS_VALID(field));
	assert_int_equal(MESSAGE_STRING_SET(field, "12345678"), -ENAMETOOLONG);
	assert_string_equal(field, "1234567");
	assert_int_equal(MESSAGE_STRING_SET(field, "ab"), 0);
	assert_memory_equal(field, "ab\0\0\0\0\0\0", 8);
	field[7] = 'x';
	assert_false(MESSAGE_STRING_IS_VALID(field));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_other_side_gone),
		cmocka_unit_test(test_too_large_to_send),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_credentials_are_refused),
		cmocka_unit_test(test_conversation),
		cmocka_unit_test(test_error_text),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_long_error),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
