/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verdict, in the order of load_module(): file, module_layout, vermagic, W^X, then symbols.
 * Trusts facts and symvers, not a byte of the module. Findings are collected, so that a person sees
 * all of them; the errno is that of the first, as the kernel would give it. What the kernel would
 * let pass but we do not (a foreign release, no license, intree, a wrong name) is EPERM.
 */
#include "checker/checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checker/examination.h"

#define SIGNATURE_MARKER "~Module signature appended~\n"
/* struct module: enum module_state, struct list_head, char name[MODULE_NAME_LEN]; on 64 bits. */
#define MODULE_NAME_OFFSET 24
#define MODULE_NAME_LENGTH 56

static printf_like(3, 0) void add_line(struct examination *e, const char *kind, const char *format,
				       va_list arguments)
{
	/* The end of the text is kept for "and N more findings". */
	size_t room = sizeof(e->verdict->text) - 40 - e->text_length;
	char line[640];
	int start, length;

	start = snprintf(line, sizeof(line), "%s%s%s: ", e->text_length ? "\n" : "", kind,
			 e->facts->module_name);
	length = vsnprintf(line + start, sizeof(line) - (size_t)start, format, arguments);
	if (start < 0 || length < 0 || (size_t)(start + length) >= sizeof(line) ||
	    (size_t)(start + length) >= room) {
		e->dropped++;
		return;
	}
	/* A newline from the module would be a finding of its own making. */
	for (char *c = line + start; *c; c++)
		*c = *c == '\n' ? '?' : *c;
	memcpy(e->verdict->text + e->text_length, line, (size_t)(start + length));
	e->text_length += (size_t)(start + length);
}

void finding_refuse(struct examination *e, int errnum, const char *format, ...)
{
	va_list arguments;

	e->verdict->outcome = CHECKER_WILL_NOT_LOAD;
	if (e->verdict->errnum == 0)
		e->verdict->errnum = errnum;
	va_start(arguments, format);
	add_line(e, "", format, arguments);
	va_end(arguments);
}

void finding_warn(struct examination *e, const char *format, ...)
{
	va_list arguments;

	e->verdict->warnings++;
	va_start(arguments, format);
	add_line(e, "warning: ", format, arguments);
	va_end(arguments);
}

int examination_section(struct examination *e, const char *name, uint32_t *ret_index)
{
	uint32_t index = 0, found = elf_find(&e->file, name, &index);
	Elf64_Shdr section;

	if (found == 0)
		return 0;
	section = elf_section(&e->file, index);
	if (found > 1)
		finding_refuse(e, ENOEXEC, "Only one %s section must exist.", name);
	else if (section.sh_type != SHT_PROGBITS)
		finding_refuse(e, ENOEXEC, "%s section must have contents (type %u)", name,
			       section.sh_type);
	else if (!(section.sh_flags & SHF_ALLOC))
		finding_refuse(e, ENOEXEC, "%s must occupy memory during process execution", name);
	else {
		*ret_index = index;
		return 1;
	}
	return -ENOEXEC;
}

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

static void examine_signature(struct examination *e)
{
	size_t length = sizeof(SIGNATURE_MARKER) - 1;

	if (e->file.size >= length &&
	    memcmp(e->file.bytes + e->file.size - length, SIGNATURE_MARKER, length) == 0)
		finding_refuse(e, EPERM, "the file carries a signature already; build it unsigned");
}

/* The sections without which nothing else can be read. */
static int examine_sections(struct examination *e)
{
	uint32_t modinfo = 0;
	int r;

	r = examination_section(e, ".modinfo", &modinfo);
	if (r < 0)
		return r;
	if (r > 0) {
		e->modinfo = (const char *)elf_contents(&e->file, modinfo, &e->modinfo_size);
		if (e->modinfo_size == 0 || e->modinfo[e->modinfo_size - 1] != '\0')
			r = 0;
	}
	if (r == 0) {
		finding_refuse(e, ENOEXEC, "no .modinfo section, or it is not NUL terminated");
		return -ENOEXEC;
	}
	r = examination_section(e, ".gnu.linkonce.this_module", &e->this_module);
	if (r == 0)
		finding_refuse(e, ENOEXEC,
			       "Exactly one .gnu.linkonce.this_module section must exist.");
	if (r <= 0)
		return -ENOEXEC;
	if (elf_section(&e->file, e->this_module).sh_size <
	    MODULE_NAME_OFFSET + MODULE_NAME_LENGTH) {
		finding_refuse(e, ENOEXEC,
			       ".gnu.linkonce.this_module section size must match the "
			       "kernel's built struct module size at run time");
		return -ENOEXEC;
	}
	r = elf_open_symbols(&e->file);
	if (r < 0)
		finding_refuse(e, -r, "%s", e->file.reason);
	return r;
}

static void examine_vermagic(struct examination *e)
{
	const char *wanted = e->facts->vermagic, *magic = modinfo_next(e, "vermagic", NULL);

	if (!magic) {
		finding_refuse(e, ENOEXEC, "bad vermagic: .modinfo has none");
		return;
	}
	snprintf(e->verdict->vermagic, sizeof(e->verdict->vermagic), "%s", magic);
	if (strcmp(magic, wanted) == 0)
		return;
	if (strcmp(magic + strcspn(magic, " "), wanted + strcspn(wanted, " ")) != 0)
		finding_refuse(e, ENOEXEC, "version magic '%" SHOWN "' should be '%" SHOWN "'",
			       magic, wanted);
	else
		finding_refuse(e, EPERM, "built for kernel '%.*s', not for '%.*s'",
			       (int)strcspn(magic, " ") < 120 ? (int)strcspn(magic, " ") : 120,
			       magic, (int)strcspn(wanted, " "), wanted);
}

static void examine_writable_code(struct examination *e)
{
	const uint64_t both = SHF_WRITE | SHF_EXECINSTR;

	for (uint32_t i = 1; i < e->file.section_count; i++) {
		if ((elf_section(&e->file, i).sh_flags & both) == both)
			finding_refuse(e, ENOEXEC,
				       "section %" SHOWN " (index %u) has invalid WRITE|EXEC flags",
				       elf_section_name(&e->file, i), i);
	}
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
		finding_refuse(e, ENOEXEC, "the name in struct module is not NUL terminated");
	else if (!names_are_equal(name, e->facts->module_name))
		finding_refuse(e, EPERM, "the module is named '%s' inside; name the file '%s.ko'",
			       name, name);
	if (said && strcmp(said, name) != 0)
		finding_refuse(e, EPERM, ".modinfo gives the name '%" SHOWN "', struct module '%s'",
			       said, name);
	if (modinfo_is_ambiguous(e, "name"))
		finding_refuse(e, EPERM, ".modinfo gives more than one name");
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
		finding_refuse(e, EPERM, "missing MODULE_LICENSE()");
		return;
	}
	snprintf(e->verdict->license, sizeof(e->verdict->license), "%s", license);
	e->gpl_compatible = license_is_gpl_compatible(license);
	/* One per source file is common; the kernel sees only the first, so they must agree. */
	for (const char *next = license; next; next = modinfo_next(e, "license", next))
		ambiguous |= license_is_gpl_compatible(next) != e->gpl_compatible ||
			     (!e->gpl_compatible && strcmp(next, license) != 0);
	if (ambiguous)
		finding_refuse(e, EPERM, "more than one license, and they contradict each other");
	else if (!e->gpl_compatible)
		finding_warn(e, "module license '%" SHOWN "' taints kernel.", license);
}

static void examine_tags(struct examination *e)
{
	if (modinfo_is_ambiguous(e, "vermagic"))
		finding_refuse(e, EPERM, ".modinfo gives more than one vermagic");
	if (modinfo_next(e, "intree", NULL))
		finding_refuse(e, EPERM,
			       "claims to be in-tree (intree=), which hides its taint; remove "
			       "MODULE_INFO(intree, ...) from the source");
	if (modinfo_next(e, "livepatch", NULL))
		finding_refuse(e, EPERM,
			       "is a live patch (livepatch=), which kmodbox does not sign");
}

static void examine_all(struct examination *e, const uint8_t *module, size_t module_size,
			const char *symvers, size_t symvers_size)
{
	size_t line = 0;
	int r;

	r = symvers_parse(symvers, symvers_size, &e->kernel, &line);
	if (r == -EINVAL)
		finding_refuse(e, -r, "line %zu of the kernel's Module.symvers is malformed", line);
	else if (r < 0)
		finding_refuse(e, -r, "the kernel's Module.symvers is too large");
	if (r < 0)
		return;
	r = elf_open(&e->file, module, module_size, e->facts->machine);
	if (e->facts->purpose != CHECKER_EXPORTS)
		examine_signature(e);
	if (r < 0) {
		finding_refuse(e, -r, "%s", e->file.reason);
		return;
	}
	if (examine_sections(e) < 0)
		return;
	if (e->facts->purpose == CHECKER_EXPORTS) {
		examine_exports(e);
		return;
	}
	if (examine_versions(e) < 0)
		return;
	examine_vermagic(e);
	examine_writable_code(e);
	examine_name(e);
	examine_license(e);
	examine_tags(e);
	examine_imports(e);
	examine_exports(e);
}

void checker_examine(const uint8_t *module, size_t module_size, const char *symvers,
		     size_t symvers_size, const struct checker_facts *facts,
		     struct checker_verdict *ret_verdict, struct text *ret_exports)
{
	struct examination e = { .facts = facts, .verdict = ret_verdict };
	cleanup_text struct text exports = { 0 };

	memset(ret_verdict, 0, sizeof(*ret_verdict));
	ret_verdict->outcome = CHECKER_WILL_LOAD;
	e.exports = &exports;
	examine_all(&e, module, module_size, symvers, symvers_size);
	if (ret_verdict->outcome == CHECKER_WILL_LOAD) {
		ret_verdict->exports = (uint32_t)exports.length;
		if (text_append(ret_exports, exports.data, exports.length) < 0)
			finding_refuse(&e, ENOMEM, "out of memory");
	}
	if (e.dropped > 0)
		snprintf(ret_verdict->text + e.text_length,
			 sizeof(ret_verdict->text) - e.text_length, "%sand %u more findings",
			 e.text_length ? "\n" : "", e.dropped);
	else if (e.text_length == 0)
		memcpy(ret_verdict->text, "will load", sizeof("will load"));
	checker_verdict_sanitise(ret_verdict);
	symbol_index_clear(&e.kernel);
	symbol_index_clear(&e.versions);
}
