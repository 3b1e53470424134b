/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The variables of a machine that boots by UEFI Secure Boot, see vm.h: those of OVMF's package,
 * which are empty, with PK, KEK and db of one certificate. The firmware that finds a PK there is in
 * user mode from its first instruction on, so nobody has to enrol anything in a boot of its own.
 * The format is edk2's, MdeModulePkg/Include/Guid/VariableFormat.h; lists are those of
 * UEFI 2.10, 32.4.1.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "runners/vm.h"

#define TEMPLATE_MAXIMUM (UINT64_C(4) << 20)
#define VOLUME_HEADER 0x48 /* EFI_FIRMWARE_VOLUME_HEADER, with its one block map */
#define VARIABLE_START 0x55aa
#define VARIABLE_ADDED 0x3f
/* Kept, for boot and run time, and only to be changed by who has signed that. */
#define ATTRIBUTES 0x27
#define CERTIFICATE_MAXIMUM 16384

struct guid {
	uint8_t bytes[16];
};

static const struct guid authenticated_store = { { 0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
						   0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77,
						   0x92 } };
static const struct guid x509 = { { 0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5,
				    0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72 } };
static const struct guid global = { { 0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d,
				      0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c } };
static const struct guid image_security = { { 0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3,
					      0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f } };

/* VARIABLE_STORE_HEADER */
struct store {
	struct guid kind;
	uint32_t size; /* with this header */
	uint8_t format;
	uint8_t state;
	uint8_t reserved[6];
} __attribute__((packed));

/* EFI_TIME */
struct moment {
	uint16_t year;
	uint8_t month, day, hour, minute, second, pad1;
	uint32_t nanosecond;
	int16_t zone;
	uint8_t daylight, pad2;
} __attribute__((packed));

/* AUTHENTICATED_VARIABLE_HEADER; behind it the name in UTF-16, then its value. */
struct variable {
	uint16_t start;
	uint8_t state;
	uint8_t reserved;
	uint32_t attributes;
	uint64_t count;
	struct moment time;
	uint32_t key;
	uint32_t name_size;
	uint32_t data_size;
	struct guid vendor;
} __attribute__((packed));

/* EFI_SIGNATURE_LIST and its one EFI_SIGNATURE_DATA, behind which the certificate stands. */
struct list {
	struct guid kind;
	uint32_t size;
	uint32_t header_size;
	uint32_t signature_size;
	struct guid owner;
} __attribute__((packed));

_Static_assert(sizeof(struct store) == 28 && sizeof(struct variable) == 60 &&
		       sizeof(struct list) == 44,
	       "as edk2 has them");

/* Behind at; the space is known to be there. Returns where the next one goes. */
static uint8_t *put_variable(uint8_t *at, const char *name, const struct guid *vendor,
			     const uint8_t *certificate, size_t length)
{
	const struct list list = {
		.kind = x509,
		.size = (uint32_t)(sizeof(list) + length),
		.signature_size = (uint32_t)(sizeof(struct guid) + length),
	};
	const struct variable variable = {
		.start = VARIABLE_START,
		.state = VARIABLE_ADDED,
		.attributes = ATTRIBUTES,
		.time = { .year = 2000, .month = 1, .day = 1 },
		.name_size = (uint32_t)(2 * (strlen(name) + 1)),
		.data_size = list.size,
		.vendor = *vendor,
	};
	uint8_t *const start = at;

	memcpy(at, &variable, sizeof(variable));
	at += sizeof(variable);
	for (size_t i = 0; i <= strlen(name); i++) {
		*at++ = (uint8_t)name[i];
		*at++ = 0;
	}
	memcpy(at, &list, sizeof(list));
	memcpy(at + sizeof(list), certificate, length);
	at += sizeof(list) + length;
	return at + (-(size_t)(at - start) & 3);
}

/* Where the first variable goes, if all of it is there, of the kind that is known, and empty. */
static uint8_t *find_start(const struct text *template, size_t needed)
{
	const uint8_t *const bytes = (const uint8_t *)template->data;
	struct store store;

	if (template->length < VOLUME_HEADER + sizeof(store) + needed ||
	    memcmp(bytes + 40, "_FVH", 4) != 0 || bytes[48] != VOLUME_HEADER || bytes[49] != 0)
		return NULL;
	memcpy(&store, bytes + VOLUME_HEADER, sizeof(store));
	if (memcmp(&store.kind, &authenticated_store, sizeof(store.kind)) != 0 ||
	    store.size > template->length - VOLUME_HEADER || store.size < sizeof(store) + needed)
		return NULL;
	for (size_t i = 0; i < needed; i++) {
		if (bytes[VOLUME_HEADER + sizeof(store) + i] != 0xff)
			return NULL;
	}
	return (uint8_t *)template->data + VOLUME_HEADER + sizeof(store);
}

/* DER that is whole: a sequence whose length, in two bytes, is that of the rest. */
static bool is_certificate(const struct text *certificate)
{
	const uint8_t *const bytes = (const uint8_t *)certificate->data;

	return certificate->length > 4 && certificate->length <= CERTIFICATE_MAXIMUM &&
	       bytes[0] == 0x30 && bytes[1] == 0x82 &&
	       (size_t)(bytes[2] << 8 | bytes[3]) + 4 == certificate->length;
}

static int read_template(struct text *ret_text, struct error **error)
{
	cleanup_close int fd = open(VM_VARIABLES, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && access(VM_FIRMWARE, R_OK) == 0)
		return read_fd(fd, TEMPLATE_MAXIMUM, ret_text, error);
	return error_refuse(error, EXIT_INFRASTRUCTURE, ENOENT,
			    "no firmware for Secure Boot: %s or %s is not there: install ovmf",
			    VM_FIRMWARE, VM_VARIABLES);
}

int vm_fill_variables(struct text *template, const struct text *certificate, struct error **error)
{
	static const struct {
		const char *name;
		const struct guid *vendor;
	} variables[] = { { "PK", &global }, { "KEK", &global }, { "db", &image_security } };
	uint8_t *at;

	if (!is_certificate(certificate))
		return error_refuse(error, EXIT_INFRASTRUCTURE, EBADMSG,
				    "module.crt is no certificate in DER: convert it with "
				    "openssl x509 -outform DER");
	at = find_start(template, ARRAY_SIZE(variables) * (certificate->length + 128));
	if (!at)
		return error_refuse(error, EXIT_INFRASTRUCTURE, EBADMSG,
				    "%s is no empty store of UEFI variables: install ovmf again",
				    VM_VARIABLES);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		at = put_variable(at, variables[i].name, variables[i].vendor,
				  (const uint8_t *)certificate->data, certificate->length);
	return 0;
}

int vm_make_variables(const struct text *certificate, int *ret_fd, struct error **error)
{
	cleanup_text struct text template = { 0 };
	cleanup_close int fd = -1;
	int r = read_template(&template, error);

	if (r == 0)
		r = vm_fill_variables(&template, certificate, error);
	if (r == 0)
		r = memfd_new("variables", &fd, error);
	if (r == 0 && write_all(fd, template.data, template.length) < 0)
		r = error_set_errno(error, EIO, "UEFI variables");
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
