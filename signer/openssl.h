/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owned libcrypto objects, and its error queue as the reason of ours. */
#ifndef KMODBOX_SIGNER_OPENSSL_H
#define KMODBOX_SIGNER_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "lib/base/error.h"

#define OPENSSL_CLEANUP(name, type, free_function)                                                 \
	static inline void cleanup_##name##_function(type **object)                                \
	{                                                                                          \
		free_function(*object);                                                            \
	}
OPENSSL_CLEANUP(bio, BIO, BIO_free_all)
OPENSSL_CLEANUP(pkey, EVP_PKEY, EVP_PKEY_free)
OPENSSL_CLEANUP(certificate, X509, X509_free)
OPENSSL_CLEANUP(cms, CMS_ContentInfo, CMS_ContentInfo_free)
#define cleanup_bio cleanup(cleanup_bio_function)
#define cleanup_pkey cleanup(cleanup_pkey_function)
#define cleanup_certificate cleanup(cleanup_certificate_function)
#define cleanup_cms cleanup(cleanup_cms_function)

/* "what: libcrypto's reason"; empties the queue. Returns -errnum. */
static inline int openssl_error(struct error **error, int errnum, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return error_set(error, errnum, "%s: %s", what, reason ? reason : "no reason given");
}

#endif
