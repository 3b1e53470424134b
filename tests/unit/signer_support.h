/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the signer's tests share: a scratch directory, commands with their output, certificates. */
#ifndef KMODBOX_TESTS_SIGNER_SUPPORT_H
#define KMODBOX_TESTS_SIGNER_SUPPORT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/base/files.h"
#include "signer/keys.h"

struct scratch {
	char path[64];
	int fd;
};

static inline void scratch_make(struct scratch *scratch)
{
	(void)snprintf(scratch->path, sizeof(scratch->path), "/tmp/kmodbox-signer-XXXXXX");
	assert_non_null(mkdtemp(scratch->path));
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scratch->fd >= 0);
}

static inline void scratch_remove(struct scratch *scratch)
{
	cleanup_close int parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	scratch->fd = close_fd(scratch->fd);
	assert_int_equal(remove_tree(parent, scratch->path + strlen("/tmp/"), NULL), 0);
}
#define cleanup_scratch cleanup(scratch_remove)

static inline void scratch_write(const struct scratch *scratch, const char *name, const void *bytes,
				 size_t length, mode_t mode)
{
	assert_int_equal(write_file_atomically(scratch->fd, name, bytes, length, mode, NULL), 0);
}

static inline void scratch_read(const struct scratch *scratch, const char *name,
				struct text *ret_text)
{
	assert_int_equal(read_file(scratch->fd, name, 1 << 28, ret_text, NULL), 0);
}

/*
 * Runs a command in the scratch directory; its standard output, which may be any bytes, goes to
 * output unless that is NULL. Its exit status; 127 where there is no such command.
 */
static inline int run(const struct scratch *scratch, struct text *output, const char *const argv[])
{
	int out = open(scratch->path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), status;
	pid_t pid;

	assert_true(out >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (fchdir(scratch->fd) == 0 && dup2(out, 1) == 1)
			(void)execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (output) {
		assert_int_equal(lseek(out, 0, SEEK_SET), 0);
		text_clear(output);
		assert_int_equal(read_fd(out, 1 << 28, output, NULL), 0);
	}
	(void)close(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
#define RUN(scratch, output, ...)                                                                  \
	run((scratch), (output), (const char *const[]){ __VA_ARGS__, NULL })

/* A self-signed certificate as somebody else might bring it; days from now, NULL: no extension. */
static inline X509 *make_certificate(EVP_PKEY *key, int from, int to, const char *key_usage,
				     const char *extended_key_usage)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);
	const struct {
		int nid;
		const char *value;
	} extensions[] = { { NID_key_usage, key_usage },
			   { NID_ext_key_usage, extended_key_usage } };

	assert_true(X509_set_version(certificate, X509_VERSION_3));
	assert_true(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 4711));
	assert_true(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					       (const unsigned char *)"somebody's key", -1, -1, 0));
	assert_true(X509_set_issuer_name(certificate, name));
	assert_non_null(X509_time_adj_ex(X509_getm_notBefore(certificate), from, 0, NULL));
	assert_non_null(X509_time_adj_ex(X509_getm_notAfter(certificate), to, 0, NULL));
	assert_true(X509_set_pubkey(certificate, key));
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		X509_EXTENSION *extension;

		if (!extensions[i].value)
			continue;
		extension = X509V3_EXT_conf_nid(NULL, NULL, extensions[i].nid, extensions[i].value);
		assert_true(extension && X509_add_ext(certificate, extension, -1));
		X509_EXTENSION_free(extension);
	}
	assert_true(X509_sign(certificate, key, EVP_sha256()));
	return certificate;
}

static inline void scratch_write_certificate(const struct scratch *scratch, const char *name,
					     X509 *certificate)
{
	uint8_t *der = NULL;
	int length = i2d_X509(certificate, &der);

	assert_true(length > 0);
	scratch_write(scratch, name, der, (size_t)length, 0644);
	OPENSSL_free(der);
}

/* A path below the test kernels ("make kernels"); NULL where it is not there. To be freed. */
static inline char *kernel_path(const char *path)
{
	const char *kernels = secure_getenv("KERNELS_DIR");
	char *full = format_string("%s/%s", kernels ? kernels : "build/kernels", path);
	char *real = full ? realpath(full, NULL) : NULL;

	free(full);
	return real;
}

/* The error is there, has these words and no more than a line; then it is freed. */
static inline void assert_error(struct error **error, const char *words)
{
	cleanup_free char *text = error_describe(*error);

	assert_non_null(*error);
	assert_non_null(text);
	if (!strstr(text, words))
		fail_msg("'%s' does not say '%s'", text, words);
	assert_null(strchr(text, '\n'));
	*error = error_free(*error);
}

#endif
