/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verdict, in the order of load_module(): signature, file, module_layout, vermagic, W^X,
 * symbols, relocations, exports. Trusts facts and symvers, not a byte of the module. Findings are
 * collected, so that a person sees all of them; the errno is that of the first that the kernel has
 * too. What it would let pass but we do not (a foreign release, no license, intree, a wrong name)
 * is policy.
 */
#include "checker/checker.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "checker/examination.h"

/* The most aliases of a kernel's own module take a few hundred KiB. */
#define MODINFO_MAXIMUM (4u << 20)

#define ALIGNMENT_MAXIMUM 4096 /* a page: as far as a driver may need it */

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

static printf_like(3, 0) void refuse(struct examination *e, int errnum, const char *format,
				     va_list arguments)
{
	if (e->verdict->outcome != CHECKER_WILL_NOT_LOAD)
		e->verdict->errnum = errnum;
	e->verdict->outcome = CHECKER_WILL_NOT_LOAD;
	add_line(e, "", format, arguments);
}

static bool is_to_load(const struct checker_facts *facts)
{
	return facts->purpose == CHECKER_LOADING || facts->purpose == CHECKER_REPORT;
}

/* Where it is not to be loaded, only read, what is objected to cannot be read. */
static printf_like(2, 0) void object(struct examination *e, const char *format, va_list arguments)
{
	if (!is_to_load(e->facts)) {
		refuse(e, EPERM, format, arguments);
		return;
	}
	if (e->verdict->outcome == CHECKER_WILL_LOAD) {
		e->verdict->outcome = CHECKER_POLICY;
		e->verdict->errnum = EPERM;
	}
	add_line(e, "policy: ", format, arguments);
}

void finding_refuse(struct examination *e, int errnum, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	refuse(e, errnum, format, arguments);
	va_end(arguments);
}

void finding_object(struct examination *e, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	object(e, format, arguments);
	va_end(arguments);
}

void finding_refuse_unless_forced(struct examination *e, int errnum, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (e->facts->flags & CHECKER_FORCE_LOAD)
		object(e, format, arguments);
	else
		refuse(e, errnum, format, arguments);
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
	if (!(section.sh_flags & SHF_ALLOC)) {
		finding_object(e, "%s is not allocated: the kernel does not see it", name);
		return 0;
	}
	if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL) {
		finding_object(e, "%s section must have contents (type %u)", name, section.sh_type);
		return -EPERM;
	}
	if (found > 1)
		finding_object(e, "Only one %s section must exist.", name);
	if (section.sh_type != SHT_PROGBITS)
		finding_object(e, "%s section has type %u", name, section.sh_type);
	*ret_index = index;
	return 1;
}

/* As the kernel has counted them since 6.4; before it takes the first. */
static int refuse_several(struct examination *e, const char *name)
{
	uint32_t index;

	if (e->version < ELF_COUNTS_SECTIONS || elf_find(&e->file, name, &index) < 2)
		return 0;
	finding_refuse(e, ENOEXEC, "Only one %s section must exist.", name);
	return -ENOEXEC;
}

static int open_modinfo(struct examination *e)
{
	uint32_t section = 0;
	int r = refuse_several(e, ".modinfo");

	/* Where it is counted it is also found without being allocated. */
	if (r == 0 && e->version >= ELF_COUNTS_SECTIONS &&
	    elf_find(&e->file, ".modinfo", &section) == 1 &&
	    !(elf_section(&e->file, section).sh_flags & SHF_ALLOC)) {
		finding_object(e, ".modinfo is not allocated");
		r = 1;
	} else if (r == 0) {
		r = examination_section(e, ".modinfo", &section);
	}
	/* Without one nothing is said, and what nobody says is missed one by one. */
	if (r == 0)
		finding_object(e, "no .modinfo section");
	if (r <= 0)
		return r;
	e->modinfo = (const char *)elf_contents(&e->file, section, &e->modinfo_size);
	if (e->modinfo_size > MODINFO_MAXIMUM) {
		e->modinfo_size = 0;
		finding_object(e, "the .modinfo section has more than %u MiB",
			       MODINFO_MAXIMUM >> 20);
		return -EPERM;
	}
	if (e->modinfo_size > 0 && e->modinfo[e->modinfo_size - 1] == '\0')
		return 0;
	e->modinfo_size = 0;
	finding_object(e, "the .modinfo section is empty or not NUL terminated");
	return -EPERM;
}

/* check_modstruct_version() comes later; this is elf_validity_cache_copy(). */
static int open_this_module(struct examination *e)
{
	static const char name[] = ".gnu.linkonce.this_module";
	const bool counted = e->version >= ELF_COUNTS_SECTIONS;
	uint32_t index = 0, found = elf_find(&e->file, name, &index);
	Elf64_Shdr section = elf_section(&e->file, index);

	if (found == 0 || (counted && found > 1)) {
		finding_refuse(e, ENOEXEC, "Exactly one %s section must exist.", name);
		return -ENOEXEC;
	}
	if (section.sh_type == SHT_NOBITS && counted) {
		finding_refuse(e, ENOEXEC, "%s section must have a size set", name);
		return -ENOEXEC;
	}
	if (!(section.sh_flags & SHF_ALLOC)) {
		finding_refuse(e, ENOEXEC, "%s must occupy memory during process execution", name);
		return -ENOEXEC;
	}
	e->verdict->struct_module_size =
		section.sh_size <= UINT32_MAX ? (uint32_t)section.sh_size : 0;
	if (e->facts->struct_module_size && section.sh_size != e->facts->struct_module_size) {
		if (counted)
			finding_refuse(e, ENOEXEC,
				       "%s section size must match the kernel's built struct "
				       "module size at run time (%llu, not %u)",
				       name, (unsigned long long)section.sh_size,
				       e->facts->struct_module_size);
		else
			finding_object(e,
				       "%s is %llu bytes, the kernel's struct module %u: it would "
				       "run on misplaced data",
				       name, (unsigned long long)section.sh_size,
				       e->facts->struct_module_size);
	}
	return examination_section(e, name, &e->this_module) > 0 ? 0 : -EPERM;
}

/* The sections without which nothing else can be read. */
static int examine_sections(struct examination *e)
{
	int r = elf_open_symbols(&e->file), modinfo, this_module;

	modinfo = open_modinfo(e);
	if (r == -ENOEXEC)
		finding_refuse(e, ENOEXEC, "%s", e->file.reason);
	else if (r < 0)
		finding_object(e, "%s", e->file.reason);
	this_module = open_this_module(e);
	if (this_module == 0 && elf_section(&e->file, e->this_module).sh_size <
					MODULE_NAME_OFFSET + MODULE_NAME_LENGTH) {
		if (e->version >= ELF_COUNTS_SECTIONS)
			finding_refuse(e, ENOEXEC, "struct module has no room for a name");
		else
			finding_object(e, "struct module has no room for a name");
		return -EPERM;
	}
	return r < 0 ? r : modinfo < 0 ? modinfo : this_module;
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

/* layout_sections() adds sizes up in 32 bits; modules share MODULES_LEN, on x86 at most 1.5 GiB. */
static void examine_size(struct examination *e)
{
	const uint64_t room = UINT64_C(3) << 29;
	uint64_t size = 0;

	for (uint32_t i = 1; i < e->file.section_count; i++) {
		Elf64_Shdr section = elf_section(&e->file, i);

		if (!(section.sh_flags & SHF_ALLOC))
			continue;
		if (section.sh_addralign & (section.sh_addralign - 1) ||
		    section.sh_addralign > ALIGNMENT_MAXIMUM)
			finding_object(e, "section %" SHOWN " (index %u) asks for alignment %llu",
				       elf_section_name(&e->file, i), i,
				       (unsigned long long)section.sh_addralign);
		size += section.sh_size <= UINT32_MAX ? section.sh_size : UINT64_C(1) << 32;
	}
	if (size > UINT32_MAX)
		finding_object(e, "it would need over 4 GiB, and the kernel would lose count");
	else if (size >= room)
		finding_refuse(e, ENOMEM, "it would need %llu MiB of memory",
			       (unsigned long long)(size >> 20));
}

/* "6.12.117+deb13-amd64 SMP ...": 6012. */
static unsigned version_of(const char *vermagic)
{
	unsigned major = 0, minor = 0;

	return sscanf(vermagic, "%3u.%3u", &major, &minor) == 2 ? major * 1000 + minor : 0;
}

static void examine_to_load(struct examination *e)
{
	if (e->file.oddity[0])
		finding_object(e, "%s", e->file.oddity);
	if (examine_versions(e) < 0)
		return;
	examine_size(e);
	examine_modinfo(e);
	examine_writable_code(e);
	examine_imports(e);
	examine_relocations(e);
	examine_exports(e);
	examine_hardening(e);
}

static void examine_all(struct examination *e, const uint8_t *module, size_t module_size,
			const struct symvers *symvers)
{
	int r;

	e->version = version_of(e->facts->vermagic);
	e->kernel = &symvers->index;
	if (symvers->result == -EINVAL)
		finding_refuse(e, EINVAL, "line %zu of the kernel's Module.symvers is malformed",
			       symvers->line);
	else if (symvers->result < 0)
		finding_refuse(e, -symvers->result, "the kernel's Module.symvers is too large");
	if (symvers->result < 0)
		return;
	/* kernel_read_file() has nothing to read. */
	if (module_size == 0) {
		finding_refuse(e, EINVAL, "the file is empty");
		return;
	}
	r = elf_open(&e->file, module, module_size, e->facts->machine, e->version);
	if (is_to_load(e->facts))
		examine_signature(e);
	if (r == -ENOEXEC)
		finding_refuse(e, -r, "%s", e->file.reason);
	else if (r < 0)
		finding_object(e, "%s", e->file.reason);
	if (r < 0 || examine_sections(e) < 0)
		return;
	examine_marks(e);
	switch ((enum checker_purpose)e->facts->purpose) {
	case CHECKER_REFERENCE:
		break;
	case CHECKER_DESCRIPTION:
		examine_description(e);
		break;
	case CHECKER_EXPORTS:
		examine_exports(e);
		break;
	case CHECKER_REPORT:
		examine_to_load(e);
		text_clear(e->exports);
		examine_description(e);
		break;
	case CHECKER_LOADING:
	default:
		examine_to_load(e);
	}
}

void checker_examine_with(const uint8_t *module, size_t module_size, const struct symvers *symvers,
			  const struct checker_facts *facts, struct checker_verdict *ret_verdict,
			  struct text *ret_exports)
{
	struct examination e = { .facts = facts, .verdict = ret_verdict, .modinfo = "" };
	cleanup_text struct text exports = { 0 };

	memset(ret_verdict, 0, sizeof(*ret_verdict));
	ret_verdict->outcome = CHECKER_WILL_LOAD;
	e.exports = &exports;
	examine_all(&e, module, module_size, symvers);
	if (ret_verdict->outcome == CHECKER_WILL_LOAD || facts->purpose == CHECKER_REPORT) {
		ret_verdict->exports = (uint32_t)exports.length;
		if (text_append(ret_exports, exports.data, exports.length) < 0) {
			ret_verdict->exports = 0;
			finding_refuse(&e, ENOMEM, "out of memory");
		}
	}
	if (e.dropped > 0)
		snprintf(ret_verdict->text + e.text_length,
			 sizeof(ret_verdict->text) - e.text_length, "%sand %u more findings",
			 e.text_length ? "\n" : "", e.dropped);
	else if (e.text_length == 0)
		memcpy(ret_verdict->text, "will load", sizeof("will load"));
	checker_verdict_sanitise(ret_verdict);
	symbol_index_clear(&e.versions);
}

void checker_examine(const uint8_t *module, size_t module_size, const char *text, size_t length,
		     const struct checker_facts *facts, struct checker_verdict *ret_verdict,
		     struct text *ret_exports)
{
	struct symvers symvers = { 0 };

	symvers_add(&symvers, text, length);
	checker_examine_with(module, module_size, &symvers, facts, ret_verdict, ret_exports);
	symvers_clear(&symvers);
}
