/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's appended module signature: CMS, detached, no attributes, signer by issuer and
 * serial, as scripts/sign-file.c makes it and kernel/module/signing.c reads it. The module's bytes
 * are hostile but only hashed here; the finished file is read back by code of its own.
 */
#ifndef KMODBOX_SIGNER_SIGNATURE_H
#define KMODBOX_SIGNER_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/text.h"
#include "signer/openssl.h"

/*
 * The digest for a kernel with this .config ("sha256"; static). CONFIG_MODULE_SIG_HASH if it is
 * built in, else sha256 if that is; -ENOTSUP where the kernel could verify neither.
 */
int signature_hash_from_config(const char *config, const char **ret_hash,
			       struct error **error) must_check;
/* The whole signed file. -EEXIST if the module carries a signature already. */
int signature_make(const uint8_t *module, size_t size, EVP_PKEY *key, X509 *certificate,
		   const char *hash, struct text *ret_signed, struct error **error) must_check;
/*
 * Stricter than the kernel: module_size bytes, one signer who is certificate, this hash, no byte
 * behind the DER, every header field as the kernel wants it. -EBADMSG, -EKEYREJECTED.
 */
int signature_verify(const uint8_t *file, size_t size, size_t module_size, X509 *certificate,
		     const char *hash, struct error **error) must_check;

#endif
