/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes and verifies appended module signatures; see signature.h. */
#include "signer/signature.h"

#include <limits.h>
#include <string.h>

#define MARKER "~Module signature appended~\n"
#define MARKER_SIZE (sizeof(MARKER) - 1)
#define HEADER_SIZE 12 /* struct module_signature, include/linux/module_signature.h */
#define ID_TYPE_OFFSET 2
#define ID_TYPE_PKCS7 2

struct hash_option {
	const char *name;
	const char *option;
};

/* No sha1 and sha224: the kernel would take them, we do not make them. */
static const struct hash_option hash_options[] = {
	{ "sha256", "CONFIG_CRYPTO_SHA256=y" }, { "sha384", "CONFIG_CRYPTO_SHA512=y" },
	{ "sha512", "CONFIG_CRYPTO_SHA512=y" }, { "sha3-256", "CONFIG_CRYPTO_SHA3=y" },
	{ "sha3-384", "CONFIG_CRYPTO_SHA3=y" }, { "sha3-512", "CONFIG_CRYPTO_SHA3=y" },
};

static bool has_line(const char *config, const char *line)
{
	size_t length = strlen(line);

	for (const char *at = strstr(config, line); at; at = strstr(at + 1, line))
		if ((at == config || at[-1] == '\n') && (at[length] == '\n' || !at[length]))
			return true;
	return false;
}

/*
 * "=y" counts and "=m" does not: the signature of the module that would bring the digest needs it
 * first. Debian's 6.1 has SHA512=m and answers EKEYREJECTED to such signatures.
 */
int signature_hash_from_config(const char *config, const char **ret_hash, struct error **error)
{
	for (size_t i = 0; i < ARRAY_SIZE(hash_options); i++) {
		cleanup_free char *wanted =
			format_string("CONFIG_MODULE_SIG_HASH=\"%s\"", hash_options[i].name);

		if (!wanted)
			return error_set(error, ENOMEM, "out of memory");
		if (has_line(config, wanted) && has_line(config, hash_options[i].option)) {
			*ret_hash = hash_options[i].name;
			return 0;
		}
	}
	if (!has_line(config, "CONFIG_MODULE_SIG=y") || has_line(config, hash_options[0].option)) {
		*ret_hash = hash_options[0].name;
		return 0;
	}
	return error_set(error, ENOTSUP,
			 "the kernel could not verify our signature: neither its "
			 "CONFIG_MODULE_SIG_HASH nor sha256 is built in; use a kernel with "
			 "CONFIG_CRYPTO_SHA256=y");
}

static bool has_marker(const uint8_t *file, size_t size)
{
	return size >= MARKER_SIZE && !memcmp(file + size - MARKER_SIZE, MARKER, MARKER_SIZE);
}

/* The calls of scripts/sign-file.c: with RSA the bytes are the same as its own. */
static int make_der(const uint8_t *module, size_t size, EVP_PKEY *key, X509 *certificate,
		    const char *hash, BIO *der, struct error **error)
{
	cleanup_bio BIO *data = BIO_new_mem_buf(module, (int)size);
	cleanup_cms CMS_ContentInfo *cms =
		CMS_sign(NULL, NULL, NULL, NULL,
			 CMS_NOCERTS | CMS_PARTIAL | CMS_BINARY | CMS_DETACHED | CMS_STREAM);

	if (!data || !cms ||
	    !CMS_add1_signer(cms, certificate, key, EVP_get_digestbyname(hash),
			     CMS_NOCERTS | CMS_BINARY | CMS_NOSMIMECAP | CMS_NOATTR) ||
	    !CMS_final(cms, data, NULL, CMS_NOCERTS | CMS_BINARY) || !i2d_CMS_bio(der, cms))
		return openssl_error(error, EIO, "the signature could not be made");
	return 0;
}

int signature_make(const uint8_t *module, size_t size, EVP_PKEY *key, X509 *certificate,
		   const char *hash, struct text *ret_signed, struct error **error)
{
	cleanup_text struct text file = { 0 };
	cleanup_bio BIO *der = BIO_new(BIO_s_mem());
	uint8_t header[HEADER_SIZE] = { [ID_TYPE_OFFSET] = ID_TYPE_PKCS7 };
	uint8_t *bytes;
	long length;
	int r;

	if (!der)
		return error_set(error, ENOMEM, "out of memory");
	if (size == 0 || size > INT_MAX)
		return error_set(error, EFBIG, "a module of %zu bytes cannot be signed", size);
	if (has_marker(module, size))
		return error_set(error, EEXIST,
				 "the module is signed already: turn signing off in its build");
	r = make_der(module, size, key, certificate, hash, der, error);
	if (r < 0)
		return r;
	length = BIO_get_mem_data(der, &bytes);
	for (int i = 0; i < 4; i++)
		header[8 + i] = (uint8_t)((unsigned long)length >> (24 - 8 * i));
	if (text_append(&file, module, size) < 0 || text_append(&file, bytes, (size_t)length) < 0 ||
	    text_append(&file, header, sizeof(header)) < 0 ||
	    text_append(&file, MARKER, MARKER_SIZE) < 0)
		return error_set(error, ENOMEM, "out of memory");
	*ret_signed = file;
	file = (struct text){ 0 };
	return 0;
}

/* The length that a DER SEQUENCE says it has, its own header included; 0 if it is none. */
static size_t der_length(const uint8_t *der, size_t size)
{
	size_t length = 0, octets;

	if (size < 2 || der[0] != 0x30 || der[1] == 0x80)
		return 0;
	if (der[1] < 0x80)
		return 2 + (size_t)der[1];
	octets = der[1] & 0x7fu;
	if (octets > 4 || size < 2 + octets)
		return 0;
	for (size_t i = 0; i < octets; i++)
		length = length << 8 | der[2 + i];
	return 2 + octets + length;
}

/* Where the CMS lies in the file, by rules of our own: the kernel lets bytes behind the DER pass.
 */
static int find_der(const uint8_t *file, size_t size, size_t module_size, const uint8_t **ret_der,
		    size_t *ret_length, struct error **error)
{
	const uint8_t expected[8] = { [ID_TYPE_OFFSET] = ID_TYPE_PKCS7 };
	const uint8_t *header;
	size_t length = 0;

	if (!has_marker(file, size) || size < MARKER_SIZE + HEADER_SIZE)
		return error_set(error, EBADMSG, "the file carries no signature");
	header = file + size - MARKER_SIZE - HEADER_SIZE;
	if (memcmp(header, expected, sizeof(expected)) != 0)
		return error_set(error, EBADMSG, "the signature's header is not the kernel's");
	for (int i = 0; i < 4; i++)
		length = length << 8 | header[8 + i];
	if (length > (size_t)(header - file) || (size_t)(header - file) - length != module_size)
		return error_set(error, EBADMSG, "the signature's length is wrong");
	if (der_length(header - length, length) != length)
		return error_set(error, EBADMSG, "the signature has bytes behind its end");
	*ret_der = header - length;
	*ret_length = length;
	return 0;
}

/* The public key's own operation over the module, without the CMS code that made the signature. */
static bool raw_verify(const uint8_t *module, size_t size, X509 *certificate, const char *hash,
		       const ASN1_OCTET_STRING *signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context &&
		    EVP_DigestVerifyInit(context, NULL, EVP_get_digestbyname(hash), NULL,
					 X509_get0_pubkey(certificate)) == 1 &&
		    EVP_DigestVerify(context, ASN1_STRING_get0_data(signature),
				     (size_t)ASN1_STRING_length(signature), module, size) == 1;

	EVP_MD_CTX_free(context);
	return good;
}

static int check_signer(CMS_ContentInfo *cms, X509 *certificate, const char *hash,
			CMS_SignerInfo **ret_signer, struct error **error)
{
	STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(cms);
	CMS_SignerInfo *signer;
	const ASN1_OBJECT *digest_name;
	X509_ALGOR *digest;

	if (sk_CMS_SignerInfo_num(signers) != 1 || CMS_is_detached(cms) != 1)
		return error_set(error, EBADMSG,
				 "the signature has not one signer and detached content");
	signer = sk_CMS_SignerInfo_value(signers, 0);
	CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, NULL);
	X509_ALGOR_get0(&digest_name, NULL, NULL, digest);
	/* Signed attributes: the kernel answers EKEYREJECTED, "has authattrs". */
	if (CMS_signed_get_attr_count(signer) > 0 ||
	    OBJ_obj2nid(digest_name) != EVP_MD_get_type(EVP_get_digestbyname(hash)))
		return error_set(error, EBADMSG,
				 "the signature has attributes or another digest than %s", hash);
	if (CMS_SignerInfo_cert_cmp(signer, certificate) != 0)
		return error_set(error, EKEYREJECTED,
				 "the signature names another certificate than ours");
	*ret_signer = signer;
	return 0;
}

int signature_verify(const uint8_t *file, size_t size, size_t module_size, X509 *certificate,
		     const char *hash, struct error **error)
{
	cleanup_cms CMS_ContentInfo *cms = NULL;
	CMS_SignerInfo *signer;
	const uint8_t *der, *end;
	size_t length;
	int r;

	r = find_der(file, size, module_size, &der, &length, error);
	if (r < 0)
		return r;
	end = der;
	cms = d2i_CMS_ContentInfo(NULL, &end, (long)length);
	if (!cms || end != der + length)
		return openssl_error(error, EBADMSG, "the signature cannot be parsed");
	r = check_signer(cms, certificate, hash, &signer, error);
	if (r == 0 && !raw_verify(file, module_size, certificate, hash,
				  CMS_SignerInfo_get0_signature(signer)))
		r = openssl_error(error, EKEYREJECTED, "the signature is not the module's");
	return r;
}
