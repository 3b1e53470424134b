/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-checker: examines modules, each in a jailed process of its own, which writes one verdict
 * to a pipe. Started by checker/run.c with the descriptors of enum checker_fd and no arguments. It
 * maps the kernel's symbols, locks itself in, reads them, and then hears requests. It never looks
 * at a byte of a module: a reader does, once it is in its jail.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "checker/checker.h"
#include "checker/decompress.h"
#include "checker/jail.h"
#include "checker/symvers.h"
#include "lib/artifacts/build_files.h"
#include "lib/base/memfd.h"
#include "lib/base/message.h"

struct server {
	struct checker_jail jail;
	struct symvers symvers; /* a reader adds to its own copy */
};

/* What a reader has mapped before it is locked in. */
struct input {
	const uint8_t *module;
	size_t module_size;
	const uint8_t *symvers;
	size_t symvers_size;
	struct checker_facts facts;
};

static int map_input(const struct message *request, struct input *input, struct error **error)
{
	int r;

	memcpy(&input->facts, request->payload, sizeof(input->facts));
	input->facts.vermagic[sizeof(input->facts.vermagic) - 1] = '\0';
	input->facts.module_name[sizeof(input->facts.module_name) - 1] = '\0';
	input->facts.compiler[sizeof(input->facts.compiler) - 1] = '\0';
	r = memfd_map(request->fds[0], BUILD_MODULE_MAXIMUM, &input->module, &input->module_size,
		      error);
	return r < 0 ? r
		     : memfd_map(request->fds[1], CHECKER_SYMVERS_MAXIMUM, &input->symvers,
				 &input->symvers_size, error);
}

/* What cannot be unpacked is a finding like any other, not a failure of ours. */
static void examine(const struct input *input, const struct symvers *symvers,
		    struct checker_verdict *verdict, struct text *exports)
{
	const uint8_t *module = input->module;
	size_t size = input->module_size;
	int r = 0;

	/* What is signed is never compressed yet. */
	if (input->facts.purpose != CHECKER_LOADING || input->facts.flags & CHECKER_MAY_BE_SIGNED)
		r = decompress(input->module, input->module_size, &module, &size);
	if (r == -EFBIG) {
		*verdict =
			(struct checker_verdict){ .outcome = CHECKER_POLICY,
						  .errnum = EPERM,
						  .text = "policy: unpacking it takes more memory "
							  "than any module is worth" };
		return;
	}
	if (r < 0) {
		*verdict = (struct checker_verdict){ .outcome = CHECKER_WILL_NOT_LOAD,
						     .errnum = -r,
						     .text = "it cannot be decompressed" };
		return;
	}
	checker_examine_with(module, size, symvers, &input->facts, verdict, exports);
}

static int write_record(const void *record, size_t length)
{
	const char *bytes = record;

	while (length > 0) {
		ssize_t written = write(CHECKER_RECORD_FD, bytes, length);

		if (written < 0)
			return -errno;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

/* Of processor time. A module of 1 MiB takes a thousandth of that, one of 100 MiB a fifth. */
static unsigned seconds_for(size_t size)
{
	return 1 + (unsigned)(size >> 26);
}

/* There is no standard error any more: the exit status has to say it. */
static _Noreturn void read_module(struct server *server, const struct message *request)
{
	static struct input input;
	static struct checker_verdict verdict;
	struct text exports = { 0 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || map_input(request, &input, NULL) < 0)
		_exit(2);
	if (checker_jail_enter(&server->jail, request->fds[2], seconds_for(input.module_size),
			       NULL) < 0)
		_exit(3);
	symvers_add(&server->symvers, (const char *)input.symvers, input.symvers_size);
	examine(&input, &server->symvers, &verdict, &exports);
	if (write_record(&verdict, sizeof(verdict)) < 0 ||
	    write_record(exports.data, exports.length) < 0)
		_exit(4);
	_exit(0);
}

/* CHECKER_EXAMINE. Each reader starts from what this process is, which no module has changed. */
static int answer(struct server *server, struct message *request, struct error **error)
{
	int32_t status = 0;
	pid_t pid;

	if (request->type != CHECKER_EXAMINE || request->length != sizeof(struct checker_facts) ||
	    request->fd_count != CHECKER_REQUEST_FDS)
		return error_set(error, EPROTO, "a request that is none");
	pid = fork();
	if (pid == 0)
		read_module(server, request);
	if (pid < 0)
		return error_set_errno(error, errno, "cannot start a reader");
	message_clear(request); /* the record ends with the reader */
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set_errno(error, errno, "cannot wait for a reader");
	}
	return message_reply(CHECKER_SOCKET_FD, &status, sizeof(status), NULL, 0, error);
}

static int map_symvers(const char **ret_text, size_t *ret_length, struct error **error)
{
	const uint8_t *bytes;
	int r = memfd_map(CHECKER_SYMVERS_FD, CHECKER_SYMVERS_MAXIMUM, &bytes, ret_length, error);

	if (r == 0)
		*ret_text = (const char *)bytes;
	return r;
}

int main(void)
{
	cleanup_error struct error *error = NULL;
	static struct server server;
	static struct message request;
	const char *symvers = NULL;
	size_t length = 0;

	if (map_symvers(&symvers, &length, &error) < 0) {
		cleanup_free char *text = error_describe(error);

		fprintf(stderr, "kmodbox-checker: %s; it is started by kmodbox only\n",
			text ? text : "out of memory");
		return 2;
	}
	if (checker_jail_prepare(&server.jail, &error) < 0)
		_exit(3);
	symvers_add(&server.symvers, symvers, length);
	while (message_receive(CHECKER_SOCKET_FD, &request, NULL) == 0) {
		int r = answer(&server, &request, NULL);

		message_clear(&request);
		if (r < 0)
			_exit(5);
	}
	_exit(0);
}
