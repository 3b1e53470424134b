/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-signer: the only process that holds keys. It is started by the launcher with descriptors
 * of all it may use; its arguments are the launcher's, so root's, word:
 *
 *	kmodbox-signer --socket FD --keys FD --approvals FD --audit FD --checker FD
 *		--kernel RELEASE=FD [--kernel RELEASE=FD...] [--ready FD] [--uid N]
 *
 * Start, load what needs rights, give the rights up, say so with a byte to --ready, serve. Standard
 * error is for people.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/log.h"
#include "signer/jail.h"
#include "signer/signer.h"

struct arguments {
	struct signer *signer;
	int socket;
	int keys_fd;
	int ready_fd;
	uint64_t uid; /* 0: stay who we are */
};

static int parse_fd(const char *string, int *ret_fd, struct error **error)
{
	uint64_t number;

	if (parse_u64(string, INT_MAX, &number) < 0 || fcntl((int)number, F_GETFD) < 0)
		return error_set(error, EBADF, "'%s' is no open descriptor", string);
	*ret_fd = (int)number;
	return 0;
}

static int parse_kernel(struct signer *signer, const char *value, struct error **error)
{
	const char *equals = strchrnul(value, '=');
	cleanup_free char *release = strndup(value, (size_t)(equals - value));
	cleanup_close int fd = -1;
	int r;

	if (!release || !*equals)
		return error_set(error, EINVAL, "--kernel wants RELEASE=FD");
	r = parse_fd(equals + 1, &fd, error);
	return r < 0 ? r : signer_add_kernel(signer, release, fd, error);
}

static int parse_option(struct arguments *arguments, const char *name, const char *value,
			struct error **error)
{
	struct signer *signer = arguments->signer;
	const struct {
		const char *name;
		int *fd;
	} options[] = {
		{ "--socket", &arguments->socket },	  { "--keys", &arguments->keys_fd },
		{ "--approvals", &signer->approvals_fd }, { "--audit", &signer->audit_fd },
		{ "--checker", &signer->checker_fd },	  { "--ready", &arguments->ready_fd }
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (string_equal(name, options[i].name))
			return parse_fd(value, options[i].fd, error);
	if (string_equal(name, "--kernel"))
		return parse_kernel(signer, value, error);
	/* -1 stands for "no change" in setresuid(2). */
	if (string_equal(name, "--uid") && parse_u64(value, UINT32_MAX - 1, &arguments->uid) == 0 &&
	    arguments->uid != 0)
		return 0;
	return error_set(error, EINVAL, "%s %s is not understood", name, value);
}

static int parse_arguments(int argc, char **argv, struct arguments *arguments, struct error **error)
{
	const struct signer *signer = arguments->signer;

	for (int i = 1; i < argc; i += 2) {
		int r = parse_option(arguments, argv[i], argv[i + 1] ?: "", error);

		if (r < 0)
			return r;
	}
	if (arguments->socket < 0 || arguments->keys_fd < 0 || signer->approvals_fd < 0 ||
	    signer->audit_fd < 0 || signer->checker_fd < 0 || signer->kernel_count == 0)
		return error_set(
			error, EINVAL,
			"wants --socket, --keys, --approvals, --audit, --checker, --kernel");
	return 0;
}

static int run(int argc, char **argv, struct signer *signer, const struct log *log,
	       struct error **error)
{
	struct arguments arguments = { signer, .socket = -1, .keys_fd = -1, .ready_fd = -1 };
	int r;

	r = jail_prepare(error);
	if (r == 0)
		r = parse_arguments(argc, argv, &arguments, error);
	if (r == 0)
		r = keys_load(arguments.keys_fd, &signer->keys, error);
	if (r < 0)
		return r;
	arguments.keys_fd = close_fd(arguments.keys_fd);
	if (signer->keys.made)
		log_info(log, "made a new key to sign modules with; where Secure Boot is on, enrol "
			      "its certificate, keys/module.crt in the state directory: "
			      "mokutil --import module.crt");
	r = jail_enter((uid_t)arguments.uid, error);
	if (r < 0)
		return r;
	if (arguments.ready_fd >= 0 && write_all(arguments.ready_fd, "", 1) < 0)
		return error_set(error, EPIPE, "nobody waits for the signer");
	arguments.ready_fd = close_fd(arguments.ready_fd);
	return signer_serve(signer, arguments.socket, error);
}

int main(int argc, char **argv)
{
	const struct log log = { .out = stderr, .err = stderr, .program = "kmodbox-signer" };
	struct signer signer = { .approvals_fd = -1, .audit_fd = -1, .checker_fd = -1 };
	cleanup_error struct error *error = NULL;
	int r;

	(void)umask(0077);
	/* What the host's openssl.cnf would load has no business in the process with the keys. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	r = run(argc, argv, &signer, &log, &error);
	if (r < 0)
		log_error(&log, error);
	signer_clear(&signer);
	return r < 0 ? (error_code(error) ? error_code(error) : EXIT_SIGNING) : 0;
}
