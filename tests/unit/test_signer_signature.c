/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signatures against code that is not ours: scripts/sign-file of a real kernel, the openssl command
 * and modinfo. And every way of spoiling one.
 */
#include "tests/unit/signer_support.h"

#include <openssl/pem.h>

#include "signer/signature.h"

#define TRAILER_SIZE (12 + 28)

static EVP_PKEY *key, *other_key;
static X509 *certificate, *other_certificate;

static int make_keys(void **state)
{
	(void)state;
	key = EVP_RSA_gen(2048);
	other_key = EVP_RSA_gen(2048);
	certificate = make_certificate(key, -1, 10, "digitalSignature", "codeSigning");
	/* The same issuer and serial: only the key tells them apart. */
	other_certificate = make_certificate(other_key, -1, 10, "digitalSignature", "codeSigning");
	return 0;
}

static int free_keys(void **state)
{
	(void)state;
	X509_free(certificate);
	X509_free(other_certificate);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	return 0;
}

static void test_hash_from_config(void **state)
{
	static const struct {
		const char *config;
		const char *hash; /* NULL: refused */
	} cases[] = {
		{ "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"sha256\"\nCONFIG_CRYPTO_SHA256="
		  "y\n",
		  "sha256" },
		{ "CONFIG_MODULE_SIG=y\nCONFIG_CRYPTO_SHA512=y\nCONFIG_MODULE_SIG_HASH=\"sha512\"",
		  "sha512" },
		{ "CONFIG_MODULE_SIG=y\nCONFIG_CRYPTO_SHA512=y\nCONFIG_MODULE_SIG_HASH="
		  "\"sha384\"\n",
		  "sha384" },
		{ "CONFIG_MODULE_SIG=y\nCONFIG_CRYPTO_SHA3=y\nCONFIG_MODULE_SIG_HASH=\"sha3-"
		  "512\"\n",
		  "sha3-512" },
		/* A module cannot verify itself: fall back, or refuse. */
		{ "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"sha512\"\nCONFIG_CRYPTO_SHA512=m\n"
		  "CONFIG_CRYPTO_SHA256=y\n",
		  "sha256" },
		{ "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"sha512\"\nCONFIG_CRYPTO_SHA512=m\n"
		  "CONFIG_CRYPTO_SHA256=m\n",
		  NULL },
		/* Other lines that only look alike. */
		{ "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"sha256\"\n"
		  "CONFIG_CRYPTO_SHA256=yes\n# CONFIG_CRYPTO_SHA256=y\nXCONFIG_CRYPTO_SHA256=y\n",
		  NULL },
		/* Never sha1 and never what we do not know. */
		{ "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"sha1\"\nCONFIG_CRYPTO_SHA1=y\n"
		  "CONFIG_CRYPTO_SHA256=y\n",
		  "sha256" },
		{ "CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_HASH=\"blake9\"\n", NULL },
		{ "# CONFIG_MODULE_SIG is not set\n", "sha256" },
		{ "", "sha256" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_error struct error *error = NULL;
		const char *hash = NULL;
		int r = signature_hash_from_config(cases[i].config, &hash, &error);

		if (cases[i].hash) {
			assert_int_equal(r, 0);
			assert_string_equal(hash, cases[i].hash);
		} else {
			assert_int_equal(r, -ENOTSUP);
			assert_error(&error, "CONFIG_CRYPTO_SHA256=y");
		}
	}
}

static struct text sign(const char *module, size_t size, const char *hash)
{
	struct text file = { 0 };

	assert_int_equal(
		signature_make((const uint8_t *)module, size, key, certificate, hash, &file, NULL),
		0);
	return file;
}

static int verify(const struct text *file, size_t size, const char *hash, struct error **error)
{
	return signature_verify((const uint8_t *)file->data, file->length, size, certificate, hash,
				error);
}

static void test_round_trip(void **state)
{
	static const char *const hashes[] = { "sha256", "sha384", "sha512", "sha3-256" };
	static const size_t sizes[] = { 1, 127, 4096, 300001 };
	cleanup_free char *module = calloc(1, sizes[3]);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
			cleanup_text struct text file = sign(module, sizes[j], hashes[i]);
			cleanup_text struct text again = sign(module, sizes[j], hashes[i]);

			assert_int_equal(verify(&file, sizes[j], hashes[i], NULL), 0);
			assert_memory_equal(file.data, module, sizes[j]);
			assert_int_equal(file.length, again.length);
			assert_memory_equal(file.data, again.data, file.length);
			/* Another digest than asked for is not accepted. */
			assert_int_equal(verify(&file, sizes[j], hashes[(i + 1) % 4], NULL),
					 -EBADMSG);
		}
}

static void test_refusals(void **state)
{
	static const char module[] = "a module";
	cleanup_text struct text file = sign(module, sizeof(module), "sha256"), twice = { 0 };
	cleanup_error struct error *error = NULL;
	struct text unsigned_file = { (char *)module, sizeof(module), 0 };

	(void)state;
	assert_int_equal(signature_make((uint8_t *)file.data, file.length, key, certificate,
					"sha256", &twice, &error),
			 -EEXIST);
	assert_error(&error, "signed already");
	assert_int_equal(
		signature_make((uint8_t *)"", 0, key, certificate, "sha256", &twice, &error),
		-EFBIG);
	error = error_free(error);
	assert_int_equal(verify(&unsigned_file, sizeof(module), "sha256", &error), -EBADMSG);
	assert_error(&error, "carries no signature");
	assert_int_equal(verify(&file, sizeof(module) - 1, "sha256", &error), -EBADMSG);
	assert_error(&error, "length is wrong");
	assert_int_equal(signature_verify((uint8_t *)file.data, file.length, sizeof(module),
					  other_certificate, "sha256", &error),
			 -EKEYREJECTED);
	assert_error(&error, "is not the module's");
}

/* Every bit of the module, of the raw signature and of the trailer counts. */
static void test_changed_bits(void **state)
{
	static const char module[64] = "a module";
	cleanup_text struct text file = sign(module, sizeof(module), "sha256");
	size_t raw = file.length - TRAILER_SIZE - 256;

	(void)state;
	for (size_t i = 0; i < file.length; i++)
		for (unsigned bit = 0; bit < 8; bit += i < sizeof(module) || i >= raw ? 1 : 3) {
			int r;

			file.data[i] = (char)(file.data[i] ^ (1 << bit));
			r = verify(&file, sizeof(module), "sha256", NULL);
			file.data[i] = (char)(file.data[i] ^ (1 << bit));
			/* Between them are DER's tags and names; there it must only not crash. */
			if ((i < sizeof(module) || i >= raw) && r == 0)
				fail_msg("bit %u of byte %zu may be changed", bit, i);
		}
	assert_int_equal(verify(&file, sizeof(module), "sha256", NULL), 0);
	for (size_t length = 0; length < file.length; length++) {
		cleanup_text struct text cut = { 0 };

		assert_int_equal(text_append(&cut, file.data, length), 0);
		assert_true(verify(&cut, sizeof(module), "sha256", NULL) < 0);
	}
	assert_int_equal(text_append(&file, "x", 1), 0);
	assert_int_equal(verify(&file, sizeof(module), "sha256", NULL), -EBADMSG);
}

/* A file with a CMS made by these flags, and junk behind the DER, which the kernel lets pass. */
static struct text assemble(const char *module, size_t size, unsigned flags, unsigned signer_flags,
			    int signers, size_t junk)
{
	struct text file = { 0 };
	BIO *data = BIO_new_mem_buf(module, (int)size), *der = BIO_new(BIO_s_mem());
	CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_BINARY | flags);
	uint8_t trailer[12] = { 0, 0, 2 };
	char *bytes;
	long length;

	for (int i = 0; i < signers; i++)
		assert_non_null(CMS_add1_signer(cms, i ? other_certificate : certificate,
						i ? other_key : key, EVP_sha256(),
						CMS_BINARY | CMS_NOSMIMECAP | signer_flags));
	assert_true(CMS_final(cms, data, NULL, CMS_BINARY));
	assert_true(i2d_CMS_bio(der, cms));
	length = BIO_get_mem_data(der, &bytes);
	assert_int_equal(text_append(&file, module, size), 0);
	assert_int_equal(text_append(&file, bytes, (size_t)length), 0);
	assert_int_equal(text_append(&file, "junk", junk), 0);
	length += (long)junk;
	trailer[10] = (uint8_t)(length >> 8);
	trailer[11] = (uint8_t)length;
	assert_int_equal(text_append(&file, trailer, sizeof(trailer)), 0);
	assert_int_equal(text_append_string(&file, "~Module signature appended~\n"), 0);
	CMS_ContentInfo_free(cms);
	BIO_free(data);
	BIO_free(der);
	return file;
}

static void test_other_shapes(void **state)
{
	const unsigned usual = CMS_DETACHED | CMS_NOCERTS, plain = CMS_NOATTR | CMS_NOCERTS;
	static const char module[] = "a module";
	const struct {
		unsigned flags, signer_flags;
		int signers;
		size_t junk;
		const char *words; /* NULL: good, so what assemble() makes is no bad by itself */
	} cases[] = {
		{ usual, plain, 1, 0, NULL },
		{ usual, plain, 1, 4, "bytes behind its end" },
		{ usual, CMS_NOCERTS, 1, 0, "attributes" },
		{ CMS_NOCERTS, plain, 1, 0, "detached" },
		{ usual, plain, 2, 0, "one signer" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_text struct text file =
			assemble(module, sizeof(module), cases[i].flags, cases[i].signer_flags,
				 cases[i].signers, cases[i].junk);
		cleanup_error struct error *error = NULL;
		int r = verify(&file, sizeof(module), "sha256", &error);

		if (!cases[i].words) {
			assert_int_equal(r, 0);
		} else {
			assert_int_equal(r, -EBADMSG);
			assert_error(&error, cases[i].words);
		}
	}
}

static void write_key_and_certificate(const struct scratch *scratch)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long length;

	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	assert_true(PEM_write_bio_X509(bio, certificate));
	length = BIO_get_mem_data(bio, &bytes);
	scratch_write(scratch, "both.pem", bytes, (size_t)length, 0600);
	BIO_free(bio);
	scratch_write_certificate(scratch, "module.crt", certificate);
}

/* RSA without attributes is deterministic, so the kernel's own tool must make the same file. */
static void test_sign_file(void **state)
{
	cleanup_free char *tool = kernel_path("6.1/usr/lib/linux-kbuild-6.1/scripts/sign-file");
	static const char *const hashes[] = { "sha256", "sha512" };
	static const char module[5000] = "a module";

	(void)state;
	if (!tool) {
		print_message("no sign-file of a 6.1 kernel here: make kernels\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		cleanup_scratch struct scratch scratch;
		cleanup_text struct text ours = sign(module, sizeof(module), hashes[i]);
		cleanup_text struct text theirs = { 0 };

		scratch_make(&scratch);
		write_key_and_certificate(&scratch);
		scratch_write(&scratch, "m.ko", module, sizeof(module), 0600);
		assert_int_equal(
			RUN(&scratch, NULL, tool, hashes[i], "both.pem", "module.crt", "m.ko"), 0);
		scratch_read(&scratch, "m.ko", &theirs);
		assert_int_equal(theirs.length, ours.length);
		assert_memory_equal(theirs.data, ours.data, ours.length);
	}
}

static void test_openssl_command(void **state)
{
	static const char module[5000] = "a module";
	cleanup_text struct text file = sign(module, sizeof(module), "sha256"), output = { 0 };
	cleanup_scratch struct scratch scratch;

	(void)state;
	scratch_make(&scratch);
	write_key_and_certificate(&scratch);
	scratch_write(&scratch, "m.ko", module, sizeof(module), 0600);
	scratch_write(&scratch, "m.p7s", file.data + sizeof(module),
		      file.length - sizeof(module) - TRAILER_SIZE, 0600);
#define VERIFY                                                                                     \
	RUN(&scratch, &output, "openssl", "cms", "-verify", "-inform", "DER", "-in", "m.p7s",      \
	    "-binary", "-content", "m.ko", "-certfile", "both.pem", "-CAfile", "both.pem",         \
	    "-purpose", "any", "-nointern", "-partial_chain")
	assert_int_equal(VERIFY, 0);
	assert_int_equal(output.length, sizeof(module));
	scratch_write(&scratch, "m.ko", "b", 1, 0600);
	assert_int_not_equal(VERIFY, 0);
	assert_int_equal(RUN(&scratch, &output, "openssl", "cms", "-cmsout", "-print", "-inform",
			     "DER", "-in", "m.p7s"),
			 0);
	assert_non_null(strstr(output.data, "certificates:\n      <ABSENT>"));
	assert_non_null(strstr(output.data, "signedAttrs:\n          <ABSENT>"));
	assert_non_null(strstr(output.data, "serialNumber: 4711"));
}

/* kmod reads the trailer without verifying: it shows that others find what we wrote. */
static void test_modinfo(void **state)
{
	static const char source[] = ".section .modinfo,\"a\"\n.string \"license=GPL\"\n";
	cleanup_text struct text module = { 0 }, file = { 0 }, output = { 0 };
	cleanup_scratch struct scratch scratch;
	int status;

	(void)state;
	scratch_make(&scratch);
	scratch_write(&scratch, "m.s", source, strlen(source), 0600);
	assert_int_equal(RUN(&scratch, NULL, "gcc", "-c", "m.s", "-o", "m.ko"), 0);
	scratch_read(&scratch, "m.ko", &module);
	file = sign(module.data, module.length, "sha256");
	scratch_write(&scratch, "m.ko", file.data, file.length, 0600);
	status = RUN(&scratch, &output, "/usr/sbin/modinfo", "./m.ko");
	if (status == 127) {
		print_message("no /usr/sbin/modinfo here: install kmod\n");
		skip();
	}
	assert_int_equal(status, 0);
	assert_non_null(strstr(output.data, "sig_id:         PKCS#7\n"));
	assert_non_null(strstr(output.data, "signer:         somebody's key\n"));
	assert_non_null(strstr(output.data, "sig_key:        12:67\n"));
	assert_non_null(strstr(output.data, "sig_hashalgo:   sha256\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_from_config), cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refusals),	 cmocka_unit_test(test_changed_bits),
		cmocka_unit_test(test_other_shapes),	 cmocka_unit_test(test_sign_file),
		cmocka_unit_test(test_openssl_command),	 cmocka_unit_test(test_modinfo),
	};

	return cmocka_run_group_tests_name("signer_signature", tests, make_keys, free_keys);
}
