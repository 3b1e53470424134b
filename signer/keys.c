/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes, loads and judges the keys; see keys.h. Runs before the signer gives up its rights. */
#include "signer/keys.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"

#define KEY_FILE_MAXIMUM 65536
#define RSA_BITS 4096
#define RSA_BITS_MINIMUM 2048
#define SERIAL_MAXIMUM 20 /* RFC 5280, 4.1.2.2 */
#define VALID_DAYS 3650
#define CODE_SIGNING "1.3.6.1.5.5.7.3.3"
/* "Linux kernel module signing only": a boot loader's shim refuses such a certificate. */
#define MODULE_SIGNING_ONLY "1.3.6.1.4.1.2312.16.1.2"

void keys_clear(struct keys *keys)
{
	EVP_PKEY_free(keys->module_key);
	X509_free(keys->certificate);
	EVP_PKEY_free(keys->ticket_key);
	*keys = (struct keys){ 0 };
}

static bool is_there(int directory_fd, const char *name)
{
	struct stat status;

	return fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* A file of ours: regular, owned by root or the caller; a private one is for nobody else. */
static int read_own_file(int directory_fd, const char *name, bool private, struct text *ret_text,
			 struct error **error)
{
	cleanup_close int fd = -1;
	struct stat status;
	uint64_t size;
	int r;

	r = open_regular_beneath(directory_fd, name, KEY_FILE_MAXIMUM, &fd, &size, error);
	if (r < 0)
		return r;
	if (fstat(fd, &status) < 0)
		return error_set_errno(error, errno, "%s cannot be examined", name);
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return error_set(error, EPERM, "%s belongs to uid %u: chown it to root", name,
				 status.st_uid);
	if (status.st_mode & (private ? 0077 : 0022))
		return error_set(
			error, EPERM,
			"%s is open to others (mode %04o): chmod it to %s, and replace the "
			"key if somebody may have read it",
			name, status.st_mode & 07777u, private ? "0600" : "0644");
	return read_fd(fd, KEY_FILE_MAXIMUM, ret_text, error);
}

/* Instead of libcrypto's default, which asks on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
	(void)buffer, (void)size, (void)writing, (void)context;
	return -1;
}

static int read_key(int directory_fd, const char *name, EVP_PKEY **ret_key, struct error **error)
{
	struct text text = { 0 };
	BIO *bio;
	int r;

	r = read_own_file(directory_fd, name, true, &text, error);
	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text.data, (int)text.length);
	*ret_key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	BIO_free(bio);
	OPENSSL_cleanse(text.data, text.length);
	text_clear(&text);
	if (!*ret_key) {
		r = openssl_error(error, EBADMSG, "not a private key in PEM without a passphrase");
		return error_context(error, "%s", name);
	}
	return 0;
}

static int write_key(int directory_fd, const char *name, EVP_PKEY *key, struct error **error)
{
	/* Its memory is wiped when it is freed. */
	cleanup_bio BIO *bio = BIO_new(BIO_s_secmem());
	char *bytes;
	long length;

	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return openssl_error(error, EIO, "a key could not be encoded");
	length = BIO_get_mem_data(bio, &bytes);
	return write_file_atomically(directory_fd, name, bytes, (size_t)length, 0600, error);
}

static bool add_extensions(X509 *certificate)
{
	static const struct {
		int nid;
		const char *value;
	} extensions[] = {
		{ NID_basic_constraints, "critical,CA:FALSE" },
		{ NID_key_usage, "critical,digitalSignature" },
		{ NID_ext_key_usage, "codeSigning," MODULE_SIGNING_ONLY },
		{ NID_subject_key_identifier, "hash" },
		{ NID_authority_key_identifier, "keyid" },
	};
	X509V3_CTX context;

	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++) {
		X509_EXTENSION *extension =
			X509V3_EXT_conf_nid(NULL, &context, extensions[i].nid, extensions[i].value);
		bool added = extension && X509_add_ext(certificate, extension, -1);

		X509_EXTENSION_free(extension);
		if (!added)
			return false;
	}
	return true;
}

static bool fill_certificate(X509 *certificate, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	BIGNUM *serial = BN_new();
	bool good = serial && BN_rand(serial, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate));

	BN_free(serial);
	return good && X509_set_version(certificate, X509_VERSION_3) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const unsigned char *)"kmodbox module signing key", -1,
					  -1, 0) &&
	       X509_set_issuer_name(certificate, name) &&
	       /* A day back: a clock that is set a little later must not make it invalid. */
	       X509_time_adj_ex(X509_getm_notBefore(certificate), -1, 0, NULL) &&
	       X509_time_adj_ex(X509_getm_notAfter(certificate), VALID_DAYS, 0, NULL) &&
	       X509_set_pubkey(certificate, key) && add_extensions(certificate) &&
	       X509_sign(certificate, key, EVP_sha256());
}

/*
 * The certificate is written under another name, then the key, then the certificate is renamed: a
 * crash leaves nothing that counts, or a key whose certificate keys_load() can still put in place.
 */
static int make_module_pair(int directory_fd, struct error **error)
{
	cleanup_pkey EVP_PKEY *key = EVP_RSA_gen(RSA_BITS);
	cleanup_certificate X509 *certificate = X509_new();
	uint8_t *der = NULL;
	int length, r;

	if (!key || !certificate || !fill_certificate(certificate, key))
		return openssl_error(error, EIO, "a module signing key could not be made");
	length = i2d_X509(certificate, &der);
	if (length <= 0)
		return openssl_error(error, EIO, "a certificate could not be encoded");
	r = write_file_atomically(directory_fd, "module.crt.new", der, (size_t)length, 0644, error);
	OPENSSL_free(der);
	if (r < 0)
		return r;
	return write_key(directory_fd, "module.key", key, error);
}

static bool is_for_modules(X509 *certificate)
{
	EXTENDED_KEY_USAGE *purposes = X509_get_ext_d2i(certificate, NID_ext_key_usage, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_ASN1_OBJECT_num(purposes); i++) {
		char oid[64] = "";

		(void)OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(purposes, i), 1);
		found |= string_equal(oid, MODULE_SIGNING_ONLY) || string_equal(oid, CODE_SIGNING);
	}
	EXTENDED_KEY_USAGE_free(purposes);
	return found;
}

/*
 * Why this key must not be used, or NULL. EC signatures are refused by many kernels' loaders,
 * Ed25519 by all. They mind neither dates nor usages; whoever made the certificate with these did.
 */
static const char *find_fault(const struct keys *keys)
{
	uint32_t usage = X509_get_key_usage(keys->certificate);

	if (EVP_PKEY_get_base_id(keys->module_key) != EVP_PKEY_RSA ||
	    EVP_PKEY_get_bits(keys->module_key) < RSA_BITS_MINIMUM)
		return "module.key is not an RSA key of at least 2048 bits: use one";
	if (X509_check_private_key(keys->certificate, keys->module_key) != 1)
		return "module.key and module.crt do not belong together: put this key's "
		       "certificate there, or move both away and new ones are made";
	if (X509_cmp_current_time(X509_get0_notBefore(keys->certificate)) >= 0)
		return "module.crt is not valid yet: set the clock, or make another certificate";
	if (X509_cmp_current_time(X509_get0_notAfter(keys->certificate)) <= 0)
		return "module.crt has expired: make a new key and certificate and enrol it";
	if (usage == UINT32_MAX || !(usage & KU_DIGITAL_SIGNATURE))
		return "module.crt lacks the key usage digitalSignature: make one for signing "
		       "modules";
	if (!is_for_modules(keys->certificate))
		return "module.crt has no extended key usage for code or module signing: make one "
		       "that has";
	if (X509_get0_serialNumber(keys->certificate)->length > SERIAL_MAXIMUM)
		return "module.crt has a serial number of more than 20 bytes: make another";
	return NULL;
}

static int describe_certificate(struct keys *keys, struct error **error)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(keys->certificate);
	char name[64] = "";
	cleanup_free char *shown = NULL;

	(void)X509_NAME_get_text_by_NID(X509_get_subject_name(keys->certificate), NID_commonName,
					name, sizeof(name));
	shown = sanitised(name);
	if (!shown)
		return error_set(error, ENOMEM, "out of memory");
	(void)snprintf(keys->subject, sizeof(keys->subject), "%s", shown);
	for (int i = 0; i < serial->length; i++)
		(void)snprintf(keys->serial + 2 * i, 3, "%02x", serial->data[i]);
	return 0;
}

static int load_module_pair(int directory_fd, struct keys *keys, struct error **error)
{
	cleanup_text struct text text = { 0 };
	const char *fault;
	const uint8_t *end;
	int r;

	r = read_key(directory_fd, "module.key", &keys->module_key, error);
	if (r < 0)
		return r;
	r = read_own_file(directory_fd, "module.crt", false, &text, error);
	if (r < 0)
		return r;
	end = (const uint8_t *)text.data;
	keys->certificate = d2i_X509(NULL, &end, (long)text.length);
	if (!keys->certificate || end != (const uint8_t *)text.data + text.length)
		return openssl_error(error, EBADMSG, "module.crt is not one certificate in DER");
	fault = find_fault(keys);
	ERR_clear_error();
	return fault ? error_set(error, EKEYREJECTED, "%s", fault)
		     : describe_certificate(keys, error);
}

static int provide_module_pair(int directory_fd, struct keys *keys, struct error **error)
{
	bool key = is_there(directory_fd, "module.key");
	bool certificate = is_there(directory_fd, "module.crt");
	int r;

	if (!key && !certificate) {
		r = make_module_pair(directory_fd, error);
		if (r < 0)
			return r;
		keys->made = key = true;
	}
	if (key && !certificate && is_there(directory_fd, "module.crt.new")) {
		r = sys_renameat2(directory_fd, "module.crt.new", directory_fd, "module.crt", 0);
		if (r < 0 || fsync(directory_fd) < 0)
			return error_set_errno(error, r < 0 ? -r : errno,
					       "module.crt could not be put in place");
		certificate = true;
	}
	/* Never make the other half anew: dkms did, and overwrote users' keys (its issue 366). */
	if (!key || !certificate)
		return error_set(error, ENOENT,
				 "%s is there but %s is missing: put it back, or move the first "
				 "away and new ones are made",
				 key ? "module.key" : "module.crt",
				 key ? "module.crt" : "module.key");
	return load_module_pair(directory_fd, keys, error);
}

/* The public half follows from the key, so a crash between the two is healed here. */
static int provide_ticket_pair(int directory_fd, struct keys *keys, struct error **error)
{
	cleanup_text struct text text = { 0 };
	uint8_t public[32];
	size_t size = sizeof(public);
	int r;

	if (!is_there(directory_fd, "ticket.key")) {
		if (is_there(directory_fd, "ticket.pub"))
			return error_set(error, ENOENT,
					 "ticket.pub is there but ticket.key is missing: put "
					 "it back, or move the first away and a new "
					 "pair is made");
		keys->ticket_key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		if (!keys->ticket_key)
			return openssl_error(error, EIO, "a ticket key could not be made");
		r = write_key(directory_fd, "ticket.key", keys->ticket_key, error);
	} else {
		r = read_key(directory_fd, "ticket.key", &keys->ticket_key, error);
	}
	if (r < 0)
		return r;
	if (EVP_PKEY_get_base_id(keys->ticket_key) != EVP_PKEY_ED25519 ||
	    EVP_PKEY_get_raw_public_key(keys->ticket_key, public, &size) != 1)
		return openssl_error(error, EKEYREJECTED, "ticket.key is not an Ed25519 key");
	if (!is_there(directory_fd, "ticket.pub"))
		return write_file_atomically(directory_fd, "ticket.pub", public, size, 0644, error);
	r = read_own_file(directory_fd, "ticket.pub", false, &text, error);
	if (r < 0)
		return r;
	if (text.length != size || memcmp(text.data, public, size) != 0)
		return error_set(error, EKEYREJECTED,
				 "ticket.key and ticket.pub do not belong together: remove "
				 "ticket.pub and it is made anew from the key");
	return 0;
}

static int check_directory(int directory_fd, struct error **error)
{
	struct stat status;

	if (fstat(directory_fd, &status) < 0)
		return error_set_errno(error, errno, "the key directory cannot be examined");
	if (!S_ISDIR(status.st_mode) || (status.st_mode & 0077) ||
	    (status.st_uid != 0 && status.st_uid != geteuid()))
		return error_set(
			error, EPERM,
			"the key directory is open to others (mode %04o, uid %u): chown it "
			"to root and chmod it to 0700",
			status.st_mode & 07777u, status.st_uid);
	return 0;
}

/* Of a start that was killed while it wrote a key: nobody knows of that copy. */
static void remove_leftovers(int directory_fd)
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (string_starts_with(entry->d_name, ".module.") ||
		    string_starts_with(entry->d_name, ".ticket."))
			(void)unlinkat(directory_fd, entry->d_name, 0);
	if (directory)
		(void)closedir(directory);
}

int keys_load(int directory_fd, struct keys *ret_keys, struct error **error)
{
	cleanup_keys struct keys keys = { 0 };
	int r;

	r = check_directory(directory_fd, error);
	if (r < 0)
		return r;
	/* Two first starts at once must not make two keys. */
	if (flock(directory_fd, LOCK_EX) < 0)
		return error_set_errno(error, errno, "the key directory cannot be locked");
	remove_leftovers(directory_fd);
	r = provide_module_pair(directory_fd, &keys, error);
	if (r == 0)
		r = provide_ticket_pair(directory_fd, &keys, error);
	(void)flock(directory_fd, LOCK_UN);
	if (r < 0)
		return r;
	*ret_keys = keys;
	keys = (struct keys){ 0 };
	return 0;
}
