/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One examination under way: shared by the files of checker_examine(), of nobody else's concern. */
#ifndef KMODBOX_CHECKER_EXAMINATION_H
#define KMODBOX_CHECKER_EXAMINATION_H

#include "checker/checker.h"
#include "checker/elf.h"
#include "checker/symvers.h"

/* How much of a string of the module is shown: "%" SHOWN. */
#define SHOWN ".120s"
/* struct module: enum module_state, struct list_head, char name[MODULE_NAME_LEN]; on 64 bits. */
#define MODULE_NAME_OFFSET 24
#define MODULE_NAME_LENGTH 56

struct examination {
	const struct checker_facts *facts;
	struct checker_verdict *verdict;
	struct text *exports;
	struct elf_file file;
	const char *modinfo; /* ends with NUL */
	size_t modinfo_size;
	uint32_t this_module;		   /* section number */
	const struct symbol_index *kernel; /* what it exports */
	struct symbol_index versions;	   /* what the module was built against */
	bool has_versions;
	bool gpl_compatible;
	unsigned version; /* of the kernel: 6012 for 6.12 */
	size_t text_length;
	uint32_t dropped; /* findings that verdict->text has no room for */
};

/* A reason why it will not load. errnum of the first one is the verdict's. */
void finding_refuse(struct examination *examination, int errnum, const char *format, ...)
	printf_like(3, 4);
/* A reason why it ought not to, which the kernel does not look at. */
void finding_object(struct examination *examination, const char *format, ...) printf_like(2, 3);
void finding_warn(struct examination *examination, const char *format, ...) printf_like(2, 3);

/* As refused by the kernel, or where only a forced load is allowed (MODULE_FORCE_LOAD). */
void finding_refuse_unless_forced(struct examination *examination, int errnum, const char *format,
				  ...) printf_like(3, 4);

/*
 * The allocated section of this name with contents, the first of several: 1 with its number, 0
 * where the kernel sees none, -EPERM (objected to) where it has no contents.
 */
int examination_section(struct examination *examination, const char *name,
			uint32_t *ret_index) must_check;
/* The value of key behind previous (NULL: the first); NULL: no more. */
const char *modinfo_next(const struct examination *examination, const char *key,
			 const char *previous);
/* Reads __versions and __version_ext_*: 0, or -errno (refused). */
int examine_versions(struct examination *examination) must_check;
/* Symbols the module wants from the kernel, and those it gives. */
void examine_imports(struct examination *examination);
void examine_exports(struct examination *examination);
/* What stands behind the ELF file: kernel/module/signing.c. */
void examine_signature(struct examination *examination);
/* .modinfo: vermagic, names, license, tags. */
void examine_modinfo(struct examination *examination);
/* Whether all relocations can be applied: apply_relocate_add() of the architecture. */
void examine_relocations(struct examination *examination);
/* enum checker_mark and the compiler, into the verdict. */
void examine_marks(struct examination *examination);
/* The same, against those of the kernel's reference module. */
void examine_hardening(struct examination *examination);
/* CHECKER_DESCRIPTION: the lines. */
void examine_description(struct examination *examination);

#endif
