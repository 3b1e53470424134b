/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a module says of itself in .modinfo: check_modinfo() and set_license() of
 * kernel/module/main.c, and names and tags that the kernel believes and we do not.
 */
#include <stdio.h>
#include <string.h>

#include "checker/examination.h"

const char *modinfo_next(const struct examination *e, const char *key, const char *previous)
{
	const char *end = e->modinfo + e->modinfo_size, *entry = e->modinfo;
	size_t length = strlen(key);

	if (previous)
		entry = previous + strlen(previous) + 1;
	for (; entry < end; entry += strlen(entry) + 1) {
		if (strncmp(entry, key, length) == 0 && entry[length] == '=')
			return entry + length + 1;
	}
	return NULL;
}

/* Whether an entry that the kernel takes the first of has another value further on. */
static bool modinfo_is_ambiguous(const struct examination *e, const char *key)
{
	const char *first = modinfo_next(e, key, NULL);

	for (const char *value = first; value; value = modinfo_next(e, key, value)) {
		if (strcmp(value, first) != 0)
			return true;
	}
	return false;
}

static void examine_vermagic(struct examination *e)
{
	const char *wanted = e->facts->vermagic, *magic = modinfo_next(e, "vermagic", NULL);

	if (!magic) {
		finding_refuse_unless_forced(e, ENOEXEC, "bad vermagic: .modinfo has none");
		return;
	}
	if (strcmp(magic, wanted) == 0)
		return;
	/* same_magic(): with modversions the release is not looked at. */
	if (!e->facts->modversions ||
	    strcmp(magic + strcspn(magic, " "), wanted + strcspn(wanted, " ")) != 0)
		finding_refuse(e, ENOEXEC, "version magic '%" SHOWN "' should be '%" SHOWN "'",
			       magic, wanted);
	else
		finding_object(e, "built for kernel '%.*s', not for '%.*s'",
			       (int)strcspn(magic, " ") < 120 ? (int)strcspn(magic, " ") : 120,
			       magic, (int)strcspn(wanted, " "), wanted);
}

/* kbuild makes a name of a file name so. */
static bool names_are_equal(const char *a, const char *b)
{
	for (; *a || *b; a++, b++) {
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	}
	return true;
}

static void examine_name(struct examination *e)
{
	size_t size;
	const uint8_t *module = elf_contents(&e->file, e->this_module, &size);
	const char *said = modinfo_next(e, "name", NULL);
	char name[MODULE_NAME_LENGTH + 1] = "";

	memcpy(name, module + MODULE_NAME_OFFSET, MODULE_NAME_LENGTH);
	if (strlen(name) == MODULE_NAME_LENGTH)
		finding_object(e, "the name in struct module is not NUL terminated");
	else if (!names_are_equal(name, e->facts->module_name))
		finding_object(e, "the module is named '%s' inside; name the file '%s.ko'", name,
			       name);
	if (said && strcmp(said, name) != 0)
		finding_object(e, ".modinfo gives the name '%" SHOWN "', struct module '%s'", said,
			       name);
	if (modinfo_is_ambiguous(e, "name"))
		finding_object(e, ".modinfo gives more than one name");
}

/* license_is_gpl_compatible() of include/linux/license.h. */
static bool license_is_gpl_compatible(const char *license)
{
	static const char *const compatible[] = {
		"GPL",		"GPL v2",	"GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"
	};

	for (size_t i = 0; i < ARRAY_SIZE(compatible); i++) {
		if (strcmp(license, compatible[i]) == 0)
			return true;
	}
	return false;
}

static void examine_license(struct examination *e)
{
	const char *license = modinfo_next(e, "license", NULL);
	bool ambiguous = false;

	if (!license) {
		finding_object(e, "missing MODULE_LICENSE()");
		return;
	}
	e->gpl_compatible = license_is_gpl_compatible(license);
	/* One per source file is common; the kernel sees only the first, so they must agree. */
	for (const char *next = license; next; next = modinfo_next(e, "license", next))
		ambiguous |= license_is_gpl_compatible(next) != e->gpl_compatible ||
			     (!e->gpl_compatible && strcmp(next, license) != 0);
	if (ambiguous)
		finding_object(e, "more than one license, and they contradict each other");
	else if (!e->gpl_compatible)
		finding_warn(e, "module license '%" SHOWN "' taints kernel.", license);
}

static void examine_tags(struct examination *e)
{
	if (modinfo_is_ambiguous(e, "vermagic"))
		finding_object(e, ".modinfo gives more than one vermagic");
	if (modinfo_next(e, "intree", NULL) && !(e->facts->flags & CHECKER_OF_KERNEL))
		finding_object(e, "claims to be in-tree (intree=), which hides its taint; remove "
				  "MODULE_INFO(intree, ...) from the source");
	if (modinfo_next(e, "livepatch", NULL))
		finding_object(e, "is a live patch (livepatch=), which kmodbox does not sign");
	if (modinfo_next(e, "staging", NULL) && !(e->facts->flags & CHECKER_OF_KERNEL))
		finding_warn(e, "module is from the staging directory, the quality is unknown, you "
				"have been warned.");
	if (e->facts->flags & CHECKER_RETPOLINE && !modinfo_next(e, "retpoline", NULL))
		finding_warn(e, "loading module not compiled with retpoline compiler.");
}

void examine_modinfo(struct examination *e)
{
	examine_vermagic(e);
	examine_name(e);
	examine_license(e);
	examine_tags(e);
}

/* "KEY=VALUE", without a byte that could end a line or steer a terminal. */
static int append_line(struct examination *e, const char *key, const char *value)
{
	const size_t start = e->exports->length;
	size_t at = start;
	int r = text_append_format(e->exports, "%s=%s", key, value);

	for (; r == 0 && at < e->exports->length; at++) {
		if (e->exports->data[at] < ' ' || e->exports->data[at] > '~')
			e->exports->data[at] = '?';
	}
	if (r == 0)
		r = text_append(e->exports, "\n", 1);
	if (r < 0 || e->exports->length <= CHECKER_EXPORTS_MAXIMUM)
		return r;
	e->exports->length = start;
	e->exports->data[start] = '\0';
	return -E2BIG;
}

void examine_description(struct examination *e)
{
	static const char *const keys[] = {
		"name",	 "vermagic", "license", "version", "depends",
		"alias", "firmware", "intree",	"softdep", "srcversion"
	};
	int r = 0;

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		for (const char *value = modinfo_next(e, keys[k], NULL); value && r == 0;
		     value = modinfo_next(e, keys[k], value))
			r = append_line(e, keys[k], value);
	}
	for (uint32_t i = 1; r == 0 && i < e->file.symbol_count; i++) {
		Elf64_Sym symbol = elf_symbol(&e->file, i);

		if (symbol.st_shndx == SHN_UNDEF)
			r = append_line(e, "import", elf_symbol_name(&e->file, &symbol));
	}
	if (r == -E2BIG && e->facts->purpose == CHECKER_REPORT)
		finding_warn(e, "says so much of itself that not all of it is looked at");
	else if (r < 0)
		finding_refuse(e, -r, "it says too much of itself");
}
