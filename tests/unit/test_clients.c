/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the orchestrator says to signer and installer, heard by a child in their place: every
 * request in its order, with what belongs to it. What is excluded is not spoken of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>

#include "lib/base/memfd.h"
#include "orchestrator/installer_client.h"
#include "orchestrator/signer_client.h"

#define ANY (~0u)

/* A conversation, as the other side hears it: a word per request. */
struct heard {
	struct text words;
};

static int sealed(const char *bytes)
{
	int fd = -1;

	assert_int_equal(memfd_from_bytes("test", bytes, strlen(bytes), &fd, NULL), 0);
	return fd;
}

/* " NAME(CONTENT)" of a request with a name at the start of its payload and some files. */
static void hear(struct heard *heard, const char *word, const struct message *message)
{
	(void)!text_append_format(&heard->words, "%s%s", heard->words.length ? " " : "", word);
	for (size_t i = 0; i < message->fd_count; i++) {
		const uint8_t *bytes = NULL;
		size_t size = 0;

		if (memfd_map(message->fds[i], 4096, &bytes, &size, NULL) < 0)
			_exit(9);
		(void)!text_append_format(&heard->words, "(%.*s)", (int)size, (const char *)bytes);
		memfd_unmap(bytes, size);
	}
}

static int hear_named(void *context, int socket, struct message *message, struct error **error)
{
	const struct installer_file *file = (const void *)message->payload;
	cleanup_free char *word = format_string(
		"%s%s", message->type == INSTALLER_PUBLISH_DATA ? "data:" : "file:", file->name);

	hear(context, word, message);
	return message_reply(socket, NULL, 0, NULL, 0, error);
}

static int hear_target(void *context, int socket, struct message *message, struct error **error)
{
	const struct installer_tarball *tarball = (const void *)message->payload;
	cleanup_free char *word =
		format_string("%s/%s/%s%s%s", tarball->target.module, tarball->target.version,
			      tarball->target.kernel, message->type == INSTALLER_TARBALL ? ":" : "",
			      message->type == INSTALLER_TARBALL ? tarball->file.name : "");

	hear(context, word, message);
	return message_reply(socket, NULL, 0, NULL, 0, error);
}

static int hear_commit(void *context, int socket, struct message *message, struct error **error)
{
	hear(context, "commit", message);
	return message_reply(socket, NULL, 0, NULL, 0, error);
}

static const struct message_rule installer_rules[] = {
	{ INSTALLER_PUBLISH, "publish", ANY, sizeof(struct installer_target), 1, 4096,
	  hear_target },
	{ INSTALLER_PUBLISH_FILE, "file", ANY, sizeof(struct installer_file), 1, 4096, hear_named },
	{ INSTALLER_PUBLISH_DATA, "data", ANY, sizeof(struct installer_file), 1, 4096, hear_named },
	{ INSTALLER_PUBLISH_COMMIT, "commit", ANY, 0, 2, 4096, hear_commit },
	{ INSTALLER_TARBALL, "tarball", ANY, sizeof(struct installer_tarball), 1, 4096,
	  hear_target },
};

static int hear_begin(void *context, int socket, struct message *message, struct error **error)
{
	const struct signer_begin *begin = (const void *)message->payload;
	cleanup_free char *word = format_string("%s/%s/%s:%u", begin->module, begin->version,
						begin->kernel, begin->count);

	hear(context, word, message);
	return message_reply(socket, NULL, 0, NULL, 0, error);
}

static int hear_file(void *context, int socket, struct message *message, struct error **error)
{
	const struct signer_file *file = (const void *)message->payload;
	cleanup_free char *word = format_string(
		"%s%s", message->type == SIGNER_DEPENDENCY ? "needs:" : "", file->name);

	hear(context, word, message);
	return message_reply(socket, NULL, 0, NULL, 0, error);
}

static int hear_finish(void *context, int socket, struct message *message, struct error **error)
{
	struct signer_ticket ticket = { .serial = 7 };
	cleanup_close int fd = sealed("ticket");

	hear(context, "finish", message);
	return message_reply(socket, &ticket, sizeof(ticket), &fd, 1, error);
}

static int hear_fetch(void *context, int socket, struct message *message, struct error **error)
{
	const struct signer_fetch *fetch = (const void *)message->payload;
	struct signer_signed reply = { 0 };
	cleanup_close int fd = sealed("signed");

	(void)snprintf(reply.name, sizeof(reply.name), "signed%u.ko", fetch->index);
	hear(context, reply.name, message);
	return message_reply(socket, &reply, sizeof(reply), &fd, 1, error);
}

static const struct message_rule signer_rules[] = {
	{ SIGNER_BEGIN, "begin", ANY, sizeof(struct signer_begin), 0, 0, hear_begin },
	{ SIGNER_DEPENDENCY, "dependency", ANY, sizeof(struct signer_file), 2, 4096, hear_file },
	{ SIGNER_FILE, "file", ANY, sizeof(struct signer_file), 1, 4096, hear_file },
	{ SIGNER_FINISH, "finish", ANY, 0, 0, 0, hear_finish },
	{ SIGNER_FETCH, "fetch", ANY, sizeof(struct signer_fetch), 0, 0, hear_fetch },
};

/* The other side in a child: exits with 0 if it heard just this. */
static pid_t listen_for(const char *expected, const struct message_rule *rules, size_t count,
			int *ret_socket)
{
	int sockets[2];
	pid_t pid;

	assert_int_equal(message_pair(sockets, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct heard heard = { 0 };
		uint32_t state = 1;

		(void)close(sockets[0]);
		if (message_serve(sockets[1], rules, count, &state, &heard, NULL) < 0)
			_exit(8);
		if (!string_equal(heard.words.data, expected))
			(void)fprintf(stderr, "heard '%s'\ninstead of '%s'\n", heard.words.data,
				      expected);
		_exit(string_equal(heard.words.data, expected) ? 0 : 1);
	}
	(void)close(sockets[1]);
	*ret_socket = sockets[0];
	return pid;
}

static void hang_up(pid_t pid, int socket)
{
	int status = -1;

	(void)close(socket);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static struct options options;
static struct kernel kernel = { .compression = KERNEL_COMPRESSION_NONE };
static const struct target target = { .release = (char *)"6.1.0-test",
				      .architecture = (char *)"x86_64",
				      .kernel = &kernel };
static const struct package package = { .module = (char *)"demo", .version = (char *)"0.1" };

static struct recipe_module module_of(const char *name, bool excluded)
{
	return (struct recipe_module){ .built_name = (char *)(uintptr_t)name,
				       .dest_name = (char *)(uintptr_t)name,
				       .dest_location = (char *)"/updates",
				       .excluded = excluded ? (char *)"not for it" : NULL };
}

static void test_sign(void **state)
{
	struct orchestrator orchestrator = { .options = &options };
	struct recipe_module modules[] = { module_of("one", true), module_of("two", false),
					   module_of("three", true), module_of("four", false) };
	struct recipe recipe = { .package_name = (char *)"demo",
				 .package_version = (char *)"0.1",
				 .modules = modules,
				 .module_count = ARRAY_SIZE(modules) };
	struct artifact artifacts[] = {
		{ .fd = -1 }, { .fd = sealed("2") }, { .fd = -1 }, { .fd = sealed("4") }
	};
	struct signer_dependency dependencies[] = { { "base.ko.xz", sealed("t"), sealed("f") },
						    { "more.ko.xz", sealed("u"), sealed("g") } };
	cleanup_signed_set struct signed_set set = SIGNED_SET_INITIAL;
	struct digest source = { 0 };
	pid_t pid = listen_for("demo/0.1/6.1.0-test:2 needs:base.ko.xz(t)(f) "
			       "needs:more.ko.xz(u)(g) two(2) four(4) finish signed0.ko signed1.ko",
			       signer_rules, ARRAY_SIZE(signer_rules), &orchestrator.signer);

	(void)state;
	assert_int_equal(signer_client_sign(&orchestrator, &target, &recipe, &source, artifacts,
					    dependencies, ARRAY_SIZE(dependencies), &set, NULL),
			 0);
	hang_up(pid, orchestrator.signer);
	assert_int_equal(set.count, 2);
	assert_int_equal(set.ticket.serial, 7);
	assert_string_equal(set.files[0].request.built_name, "two");
	assert_string_equal(set.files[0].result.name, "signed0.ko");
	assert_string_equal(set.files[1].request.built_name, "four");
	assert_true(set.files[1].fd >= 0);
	for (size_t i = 0; i < 2; i++) {
		(void)close(artifacts[2 * i + 1].fd);
		(void)close(dependencies[i].ticket_fd);
		(void)close(dependencies[i].file_fd);
	}
}

static void test_publish(void **state)
{
	struct orchestrator orchestrator = { .options = &options };
	struct signed_file files[] = { { .result.name = "two.ko", .fd = sealed("2") },
				       { .result.name = "four.ko", .fd = sealed("4") } };
	struct signed_set set = { .files = files, .count = 2, .ticket_fd = sealed("ticket") };
	struct published_data data[] = { { "Module.symvers", sealed("s") },
					 { ".dep_base", sealed("1.0") } };
	int log_fd = sealed("log"), record_fd = sealed("record");
	pid_t pid =
		listen_for("demo/0.1/6.1.0-test(ticket) file:two.ko(2) file:four.ko(4) "
			   "data:Module.symvers(s) data:.dep_base(1.0) commit(log)(record)",
			   installer_rules, ARRAY_SIZE(installer_rules), &orchestrator.installer);

	(void)state;
	assert_int_equal(installer_client_publish(&orchestrator, &package, &target, &set, log_fd,
						  record_fd, data, ARRAY_SIZE(data), NULL),
			 0);
	hang_up(pid, orchestrator.installer);
	for (size_t i = 0; i < 2; i++) {
		(void)close(files[i].fd);
		(void)close(data[i].fd);
	}
	(void)close(set.ticket_fd);
	(void)close(log_fd);
	(void)close(record_fd);
}

static void test_tarball(void **state)
{
	struct orchestrator orchestrator = { .options = &options };
	cleanup_close int fd = sealed("bytes");
	char longest[TICKET_NAME + 1] = "";
	cleanup_error struct error *error = NULL;
	pid_t pid = listen_for("demo/0.1/:demo.tar.gz(bytes)", installer_rules,
			       ARRAY_SIZE(installer_rules), &orchestrator.installer);

	(void)state;
	assert_int_equal(installer_client_tarball(&orchestrator, &package, "demo.tar.gz", fd, NULL),
			 0);
	memset(longest, 'x', sizeof(longest) - 1);
	assert_int_equal(installer_client_tarball(&orchestrator, &package, longest, fd, &error),
			 -ENAMETOOLONG);
	hang_up(pid, orchestrator.installer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_tarball),
	};

	return cmocka_run_group_tests_name("clients", tests, NULL, NULL);
}
