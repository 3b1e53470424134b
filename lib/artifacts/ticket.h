/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The signer's word to the installer: which bytes may be put where, for which kernel. A fixed
 * binary layout, little-endian, Ed25519-signed; local builds and bundles take the same road.
 *
 *	"kmodbox-ticket-1" (16 bytes), u64 serial, u64 issued (seconds since 1970),
 *	char module[128], version[128], kernel[128], architecture[32],
 *	u8 source_digest[32], u32 file count, u32 0;
 *	per file: char name[128] ("demo.ko.xz"), char directory[256] ("updates/dkms"),
 *	u64 size, u8 sha256[32];
 *	then 64 bytes of Ed25519 signature over everything before it.
 *
 * Every char array is NUL-terminated with zeros behind. Serials per (module, kernel) only grow.
 */
#ifndef KMODBOX_ARTIFACTS_TICKET_H
#define KMODBOX_ARTIFACTS_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"

#define TICKET_FILES 1024u
#define TICKET_MAXIMUM (1024u * 1024u)
#define TICKET_NAME 128
#define TICKET_DIRECTORY 256
#define TICKET_ARCHITECTURE 32

struct ticket_file {
	char name[TICKET_NAME];		  /* file name with suffixes; a safe name */
	char directory[TICKET_DIRECTORY]; /* below /lib/modules/K: updates, extra or kernel */
	uint64_t size;			  /* of the final bytes: signed and compressed */
	struct digest digest;
};

struct ticket {
	uint64_t serial;
	uint64_t issued;
	char module[TICKET_NAME];
	char version[TICKET_NAME];
	char kernel[TICKET_NAME];
	char architecture[TICKET_ARCHITECTURE];
	struct digest source;
	struct ticket_file *files; /* owned */
	uint32_t file_count;
};

struct evp_pkey_st; /* EVP_PKEY */

/* Length of a module's file name without ".ko" and compression; 0 where it is no module's. */
size_t ticket_module_stem(const char *name);
/* Below one of the three directories that out-of-tree modules go to, and nowhere else. */
bool ticket_directory_is_allowed(const char *directory);

/* The signed bytes as a sealed memfd. */
int ticket_issue(const struct ticket *ticket, struct evp_pkey_st *key, int *ret_fd,
		 struct error **error) must_check;
/*
 * Verifies the signature over the bytes, then parses them and checks every field: names safe
 * (name_is_safe, path_is_safe), directory below updates, extra or kernel, no name twice in one
 * directory, no byte left over. raw_public_key is 32 bytes.
 */
int ticket_verify(const uint8_t *bytes, size_t size, const uint8_t raw_public_key[32],
		  struct ticket *ret_ticket, struct error **error) must_check;
void ticket_clear(struct ticket *ticket);
#define cleanup_ticket cleanup(ticket_clear)

#endif
