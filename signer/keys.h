/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The keys, by files below one directory (0700, of root or the caller): module.key (PEM, RSA) and
 * module.crt (DER) sign modules, ticket.key (PEM, Ed25519) and ticket.pub (32 raw bytes, for the
 * installer) sign tickets. A pair that is not there is made; one that is there is never written.
 */
#ifndef KMODBOX_SIGNER_KEYS_H
#define KMODBOX_SIGNER_KEYS_H

#include <stdbool.h>

#include "signer/openssl.h"

struct keys {
	EVP_PKEY *module_key;
	X509 *certificate;
	EVP_PKEY *ticket_key;
	char subject[256]; /* of the certificate: its common name, sanitised */
	char serial[64];   /* of the certificate, hex */
	bool made;	   /* the module key was made just now: somebody must enrol it */
};

/* Loads or makes them, under a lock of the directory. Refuses what keys.c can name as unfit. */
int keys_load(int directory_fd, struct keys *ret_keys, struct error **error) must_check;
void keys_clear(struct keys *keys);
#define cleanup_keys cleanup(keys_clear)

#endif
