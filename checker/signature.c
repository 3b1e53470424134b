/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands behind a module's ELF file: module_sig_check() of kernel/module/signing.c and
 * mod_check_sig() of kernel/module_signature.c. Its shape alone: whether the signature is right,
 * and whose, is not told here, as no key is.
 */
#include <string.h>

#include "checker/examination.h"

#define MARKER "~Module signature appended~\n"
#define PKEY_ID_PKCS7 2
#define DER_SEQUENCE 0x30

/* include/linux/module_signature.h */
struct module_signature {
	uint8_t algorithm;
	uint8_t hash;
	uint8_t id_type;
	uint8_t signer_length;
	uint8_t key_id_length;
	uint8_t padding[3];
	uint8_t length[4]; /* big-endian */
};

/* The kernel's ASN.1 decoder wants the outer element whole; what stands behind it is passed over.
 */
static bool is_sequence(const uint8_t *bytes, size_t size)
{
	size_t length, header = 2;

	if (size < 2 || bytes[0] != DER_SEQUENCE)
		return false;
	length = bytes[1];
	if (length >= 0x80) {
		const size_t count = length & 0x7f;

		/* 0: of indefinite length. */
		if (count > 4 || count + 2 > size)
			return false;
		length = 0;
		for (size_t i = 0; i < count; i++)
			length = length << 8 | bytes[2 + i];
		header += count;
	}
	return length <= size - header;
}

static void examine_trailer(struct examination *e, const uint8_t *bytes, size_t size)
{
	struct module_signature trailer;
	uint64_t length = 0;

	if (size <= sizeof(trailer)) {
		finding_refuse(e, EBADMSG, "the signature is shorter than its own description");
		return;
	}
	memcpy(&trailer, bytes + size - sizeof(trailer), sizeof(trailer));
	for (size_t i = 0; i < sizeof(trailer.length); i++)
		length = length << 8 | trailer.length[i];
	size -= sizeof(trailer);
	if (length >= size)
		finding_refuse(e, EBADMSG, "the signature is longer than the file");
	else if (trailer.id_type != PKEY_ID_PKCS7)
		finding_warn(e,
			     "signed by another scheme (%u) than this kernel knows; it counts as "
			     "unsigned",
			     trailer.id_type);
	else if (trailer.algorithm || trailer.hash || trailer.signer_length ||
		 trailer.key_id_length || trailer.padding[0] || trailer.padding[1] ||
		 trailer.padding[2])
		finding_refuse(e, EBADMSG, "PKCS#7 signature info has unexpected non-zero params");
	else if (!is_sequence(bytes + size - length, (size_t)length))
		finding_refuse(e, EBADMSG, "the signature is no PKCS#7 message");
}

void examine_signature(struct examination *e)
{
	const size_t marker = sizeof(MARKER) - 1, size = e->file.size;
	const bool is_signed =
		size > marker && memcmp(e->file.bytes + size - marker, MARKER, marker) == 0;

	if (is_signed && !(e->facts->flags & CHECKER_MAY_BE_SIGNED))
		finding_object(e, "the file carries a signature already; build it unsigned");
	else if (is_signed)
		examine_trailer(e, e->file.bytes, size - marker);
	else if (e->facts->flags & CHECKER_MAY_BE_SIGNED &&
		 e->facts->flags & CHECKER_SIGNATURE_FORCED)
		finding_refuse(e, EKEYREJECTED,
			       "it is not signed, and this kernel loads nothing "
			       "unsigned (CONFIG_MODULE_SIG_FORCE)");
}
