/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making, loading and refusing keys. The fixture is one set, made once: RSA-4096 takes its time. */
#include "tests/unit/signer_support.h"

#include <openssl/pem.h>
#include <unistd.h>

static const char *const names[] = { "module.key", "module.crt", "ticket.key", "ticket.pub" };
static const mode_t modes[] = { 0600, 0644, 0600, 0644 };
static struct text files[ARRAY_SIZE(names)];
static struct keys made;

static int make_once(void **state)
{
	cleanup_scratch struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	assert_int_equal(keys_load(scratch.fd, &made, NULL), 0);
	assert_true(made.made);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat status;

		assert_int_equal(fstatat(scratch.fd, names[i], &status, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(status.st_mode, S_IFREG | modes[i]);
		scratch_read(&scratch, names[i], &files[i]);
	}
	assert_int_equal(faccessat(scratch.fd, "module.crt.new", F_OK, 0), -1);
	return 0;
}

static int forget(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		text_clear(&files[i]);
	keys_clear(&made);
	return 0;
}

/* The same set again, in a directory of its own. */
static void copy_set(struct scratch *scratch)
{
	scratch_make(scratch);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		scratch_write(scratch, names[i], files[i].data, files[i].length, modes[i]);
}

static void assert_file_is(const struct scratch *scratch, size_t index)
{
	cleanup_text struct text text = { 0 };

	scratch_read(scratch, names[index], &text);
	assert_int_equal(text.length, files[index].length);
	assert_memory_equal(text.data, files[index].data, text.length);
}

static void assert_loads(const struct scratch *scratch)
{
	cleanup_keys struct keys keys = { 0 };
	cleanup_error struct error *error = NULL;

	if (keys_load(scratch->fd, &keys, &error) < 0)
		fail_msg("%s", error_describe(error));
	assert_false(keys.made);
	assert_string_equal(keys.serial, made.serial);
	assert_int_equal(EVP_PKEY_eq(keys.module_key, made.module_key), 1);
	assert_int_equal(EVP_PKEY_eq(keys.ticket_key, made.ticket_key), 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_file_is(scratch, i);
}

/* Refused with these words, and not one byte of what is there changed. */
static void assert_refused(const struct scratch *scratch, const char *words)
{
	cleanup_text struct text before = { 0 }, after = { 0 };
	cleanup_error struct error *error = NULL;
	struct keys keys;
	static const char list[] = "for f in *; do [ -p $f ] || cksum $f; done; ls -l";

	assert_int_equal(RUN(scratch, &before, "sh", "-c", list), 0);
	assert_true(keys_load(scratch->fd, &keys, &error) < 0);
	assert_error(&error, words);
	assert_int_equal(RUN(scratch, &after, "sh", "-c", list), 0);
	assert_string_equal(before.data, after.data);
}

static void test_made(void **state)
{
	cleanup_scratch struct scratch scratch;
	cleanup_text struct text text = { 0 };
	static const char *const expected[] = {
		"Subject: CN = kmodbox module signing key\n",
		"Issuer: CN = kmodbox module signing key\n",
		"Public-Key: (4096 bit)",
		"X509v3 Basic Constraints: critical\n                CA:FALSE\n",
		"X509v3 Key Usage: critical\n                Digital Signature\n",
		"X509v3 Extended Key Usage: \n",
		"                Code Signing, 1.3.6.1.4.1.2312.16.1.2\n",
		"X509v3 Subject Key Identifier: ",
		"X509v3 Authority Key Identifier: ",
		"Signature Algorithm: sha256WithRSAEncryption",
	};

	(void)state;
	copy_set(&scratch);
	assert_loads(&scratch);
	assert_string_equal(made.subject, "kmodbox module signing key");
	assert_int_equal(strlen(made.serial), 32); /* 127 random bits, the highest set */
	assert_int_equal(files[3].length, 32);
	assert_int_equal(strncmp(files[0].data, "-----BEGIN PRIVATE KEY-----\n", 28), 0);
	assert_int_equal(RUN(&scratch, &text, "openssl", "x509", "-inform", "DER", "-in",
			     "module.crt", "-noout", "-text"),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		if (!strstr(text.data, expected[i]))
			fail_msg("no '%s' in:\n%s", expected[i], text.data);
	/* Ten years: valid in nine, not in eleven. */
	assert_int_equal(RUN(&scratch, NULL, "openssl", "x509", "-inform", "DER", "-in",
			     "module.crt", "-noout", "-checkend", "283824000"),
			 0);
	assert_int_equal(RUN(&scratch, NULL, "openssl", "x509", "-inform", "DER", "-in",
			     "module.crt", "-noout", "-checkend", "346896000"),
			 1);
}

static void test_half_a_pair(void **state)
{
	static const char *const words[] = {
		"module.crt is there but module.key is missing",
		"module.key is there but module.crt is missing",
		"ticket.pub is there but ticket.key is missing",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		cleanup_scratch struct scratch scratch;

		copy_set(&scratch);
		assert_int_equal(unlinkat(scratch.fd, names[i], 0), 0);
		assert_refused(&scratch, words[i]);
	}
}

/* What a crash while the first keys are written can leave is completed, not refused. */
static void test_interrupted(void **state)
{
	cleanup_scratch struct scratch first, second, third;
	cleanup_keys struct keys keys = { 0 };

	(void)state;
	copy_set(&first);
	assert_int_equal(renameat(first.fd, "module.crt", first.fd, "module.crt.new"), 0);
	assert_loads(&first);
	copy_set(&second);
	assert_int_equal(unlinkat(second.fd, "ticket.pub", 0), 0);
	assert_loads(&second);
	scratch_make(&third);
	scratch_write(&third, "module.crt.new", "half", 4, 0644);
	assert_int_equal(keys_load(third.fd, &keys, NULL), 0);
	assert_true(keys.made);
	assert_int_equal(EVP_PKEY_eq(keys.module_key, made.module_key), 0);
	assert_string_not_equal(keys.serial, made.serial);
}

static void test_not_belonging_together(void **state)
{
	cleanup_scratch struct scratch scratch;
	EVP_PKEY *other = EVP_RSA_gen(2048);
	X509 *certificate = make_certificate(other, -1, 10, "digitalSignature", "codeSigning");
	char public[32] = "";

	(void)state;
	copy_set(&scratch);
	scratch_write_certificate(&scratch, "module.crt", certificate);
	assert_refused(&scratch, "module.key and module.crt do not belong together");
	scratch_write(&scratch, names[1], files[1].data, files[1].length, 0644);
	assert_loads(&scratch);
	scratch_write(&scratch, "ticket.pub", public, sizeof(public), 0644);
	assert_refused(&scratch, "ticket.key and ticket.pub do not belong together");
	X509_free(certificate);
	EVP_PKEY_free(other);
}

static void test_certificates(void **state)
{
	static const struct {
		int from, to;
		const char *key_usage, *extended_key_usage;
		const char *words; /* NULL: accepted */
	} cases[] = {
		{ -1, 10, "digitalSignature", "codeSigning", NULL },
		{ -1, 10, "digitalSignature", "1.3.6.1.4.1.2312.16.1.2", NULL },
		{ -10, -1, "digitalSignature", "codeSigning", "has expired" },
		{ 1, 10, "digitalSignature", "codeSigning", "is not valid yet" },
		{ -1, 10, "keyCertSign", "codeSigning", "lacks the key usage" },
		{ -1, 10, NULL, "codeSigning", "lacks the key usage" },
		{ -1, 10, "digitalSignature", "serverAuth,clientAuth", "no extended key usage" },
		{ -1, 10, "digitalSignature", NULL, "no extended key usage" },
	};
	cleanup_scratch struct scratch scratch;

	(void)state;
	copy_set(&scratch);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		X509 *certificate =
			make_certificate(made.module_key, cases[i].from, cases[i].to,
					 cases[i].key_usage, cases[i].extended_key_usage);
		cleanup_keys struct keys keys = { 0 };

		scratch_write_certificate(&scratch, "module.crt", certificate);
		if (cases[i].words) {
			assert_refused(&scratch, cases[i].words);
		} else {
			assert_int_equal(keys_load(scratch.fd, &keys, NULL), 0);
			assert_string_equal(keys.subject, "somebody's key");
			assert_string_equal(keys.serial, "1267");
		}
		X509_free(certificate);
	}
}

static void test_modes_and_owners(void **state)
{
	cleanup_scratch struct scratch scratch;

	(void)state;
	copy_set(&scratch);
	assert_int_equal(fchmodat(scratch.fd, "module.key", 0640, 0), 0);
	assert_refused(&scratch, "module.key is open to others (mode 0640)");
	assert_int_equal(fchmodat(scratch.fd, "module.key", 0400, 0), 0);
	assert_loads(&scratch);
	assert_int_equal(fchmodat(scratch.fd, "ticket.key", 0604, 0), 0);
	assert_refused(&scratch, "ticket.key is open to others");
	assert_int_equal(fchmodat(scratch.fd, "ticket.key", 0600, 0), 0);
	assert_int_equal(fchmodat(scratch.fd, "ticket.pub", 0666, 0), 0);
	assert_refused(&scratch, "ticket.pub is open to others");
	assert_int_equal(fchmodat(scratch.fd, "ticket.pub", 0644, 0), 0);
	assert_int_equal(fchmod(scratch.fd, 0755), 0);
	assert_refused(&scratch, "the key directory is open to others (mode 0755");
	assert_int_equal(fchmod(scratch.fd, 0700), 0);
	assert_loads(&scratch);
	if (geteuid() != 0)
		return;
	assert_int_equal(fchownat(scratch.fd, "module.key", 65534, 0, 0), 0);
	assert_refused(&scratch, "module.key belongs to uid 65534");
	assert_int_equal(fchownat(scratch.fd, "module.key", 0, 0, 0), 0);
	assert_int_equal(fchown(scratch.fd, 65534, 0), 0);
	assert_refused(&scratch, "the key directory is open to others");
}

static void write_pem(const struct scratch *scratch, EVP_PKEY *key, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long length;

	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, key, passphrase ? EVP_aes_256_cbc() : NULL,
						  passphrase, passphrase ? 6 : 0, NULL, NULL));
	length = BIO_get_mem_data(bio, &bytes);
	scratch_write(scratch, "module.key", bytes, (size_t)length, 0600);
	BIO_free(bio);
}

static void test_unfit_files(void **state)
{
	cleanup_scratch struct scratch scratch;
	EVP_PKEY *curve = EVP_EC_gen("P-256"), *small = EVP_RSA_gen(1024);

	(void)state;
	copy_set(&scratch);
	write_pem(&scratch, made.module_key, "secret");
	assert_refused(&scratch, "module.key: not a private key in PEM without a passphrase");
	write_pem(&scratch, curve, NULL);
	assert_refused(&scratch, "module.key is not an RSA key of at least 2048 bits");
	write_pem(&scratch, small, NULL);
	assert_refused(&scratch, "module.key is not an RSA key of at least 2048 bits");
	scratch_write(&scratch, "module.key", "", 0, 0600);
	assert_refused(&scratch, "module.key");
	assert_int_equal(unlinkat(scratch.fd, "module.key", 0), 0);
	assert_int_equal(symlinkat("ticket.key", scratch.fd, "module.key"), 0);
	assert_refused(&scratch, "module.key");
	assert_int_equal(unlinkat(scratch.fd, "module.key", 0), 0);
	assert_int_equal(mkfifoat(scratch.fd, "module.key", 0600), 0);
	assert_refused(&scratch, "module.key");
	assert_int_equal(unlinkat(scratch.fd, "module.key", 0), 0);
	scratch_write(&scratch, names[0], files[0].data, files[0].length, 0600);
	assert_loads(&scratch);
	/* A certificate with a byte behind it, and one cut short. */
	assert_int_equal(text_append(&files[1], "x", 1), 0);
	scratch_write(&scratch, names[1], files[1].data, files[1].length, 0644);
	files[1].length--;
	assert_refused(&scratch, "module.crt is not one certificate in DER");
	scratch_write(&scratch, names[1], files[1].data, files[1].length - 1, 0644);
	assert_refused(&scratch, "module.crt is not one certificate in DER");
	/* A module key in the ticket key's place. */
	scratch_write(&scratch, names[1], files[1].data, files[1].length, 0644);
	scratch_write(&scratch, names[2], files[0].data, files[0].length, 0600);
	assert_refused(&scratch, "ticket.key is not an Ed25519 key");
	EVP_PKEY_free(curve);
	EVP_PKEY_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),	     cmocka_unit_test(test_half_a_pair),
		cmocka_unit_test(test_interrupted),  cmocka_unit_test(test_not_belonging_together),
		cmocka_unit_test(test_certificates), cmocka_unit_test(test_modes_and_owners),
		cmocka_unit_test(test_unfit_files),
	};

	return cmocka_run_group_tests_name("signer_keys", tests, make_once, forget);
}
