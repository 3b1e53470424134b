/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether the kernel can apply a module's relocations: apply_relocations() of kernel/module/main.c
 * and apply_relocate_add() of arch/x86 and arch/arm64. (What arm64 says here has not been held
 * against a kernel yet.) The kernel follows symbol numbers and places without looking; we look.
 */
#include <string.h>

#include "checker/examination.h"

struct relocation_kind {
	uint32_t type;
	uint8_t size;	/* bytes that are written */
	bool unsettled; /* must be zero before: x86 */
	bool narrow;	/* 32 bits hold no address of a module, nor of the kernel: overflow */
};

/* R_X86_64_32S does: sign-extended, modules lie in the last 2 GiB. */
static const struct relocation_kind x86_64_kinds[] = {
	{ R_X86_64_NONE, 0, false, false }, { R_X86_64_64, 8, true, false },
	{ R_X86_64_32, 4, true, true },	    { R_X86_64_32S, 4, true, false },
	{ R_X86_64_PC32, 4, true, false },  { R_X86_64_PLT32, 4, true, false },
	{ R_X86_64_PC64, 8, true, false },
};

static const struct relocation_kind aarch64_kinds[] = {
	{ R_AARCH64_NONE, 0, false, false },
	{ 256, 0, false, false }, /* R_AARCH64_NULL */
	{ R_AARCH64_ABS64, 8, false, false },
	{ R_AARCH64_ABS32, 4, false, false },
	{ R_AARCH64_ABS16, 2, false, false },
	{ R_AARCH64_PREL64, 8, false, false },
	{ R_AARCH64_PREL32, 4, false, false },
	{ R_AARCH64_PREL16, 2, false, false },
	{ R_AARCH64_MOVW_UABS_G0, 4, false, false },
	{ R_AARCH64_MOVW_UABS_G0_NC, 4, false, false },
	{ R_AARCH64_MOVW_UABS_G1, 4, false, false },
	{ R_AARCH64_MOVW_UABS_G1_NC, 4, false, false },
	{ R_AARCH64_MOVW_UABS_G2, 4, false, false },
	{ R_AARCH64_MOVW_UABS_G2_NC, 4, false, false },
	{ R_AARCH64_MOVW_UABS_G3, 4, false, false },
	{ R_AARCH64_MOVW_SABS_G0, 4, false, false },
	{ R_AARCH64_MOVW_SABS_G1, 4, false, false },
	{ R_AARCH64_MOVW_SABS_G2, 4, false, false },
	{ R_AARCH64_MOVW_PREL_G0, 4, false, false },
	{ R_AARCH64_MOVW_PREL_G0_NC, 4, false, false },
	{ R_AARCH64_MOVW_PREL_G1, 4, false, false },
	{ R_AARCH64_MOVW_PREL_G1_NC, 4, false, false },
	{ R_AARCH64_MOVW_PREL_G2, 4, false, false },
	{ R_AARCH64_MOVW_PREL_G2_NC, 4, false, false },
	{ R_AARCH64_MOVW_PREL_G3, 4, false, false },
	{ R_AARCH64_LD_PREL_LO19, 4, false, false },
	{ R_AARCH64_ADR_PREL_LO21, 4, false, false },
	{ R_AARCH64_ADR_PREL_PG_HI21, 4, false, false },
	{ R_AARCH64_ADR_PREL_PG_HI21_NC, 4, false, false },
	{ R_AARCH64_ADD_ABS_LO12_NC, 4, false, false },
	{ R_AARCH64_LDST8_ABS_LO12_NC, 4, false, false },
	{ R_AARCH64_LDST16_ABS_LO12_NC, 4, false, false },
	{ R_AARCH64_LDST32_ABS_LO12_NC, 4, false, false },
	{ R_AARCH64_LDST64_ABS_LO12_NC, 4, false, false },
	{ R_AARCH64_LDST128_ABS_LO12_NC, 4, false, false },
	{ R_AARCH64_TSTBR14, 4, false, false },
	{ R_AARCH64_CONDBR19, 4, false, false },
	{ R_AARCH64_JUMP26, 4, false, false },
	{ R_AARCH64_CALL26, 4, false, false },
};

static const struct relocation_kind *find_kind(uint32_t machine, uint32_t type)
{
	const bool x86 = machine == EM_X86_64;
	const struct relocation_kind *kinds = x86 ? x86_64_kinds : aarch64_kinds;
	const size_t count = x86 ? ARRAY_SIZE(x86_64_kinds) : ARRAY_SIZE(aarch64_kinds);

	for (size_t i = 0; i < count; i++) {
		if (kinds[i].type == type)
			return &kinds[i];
	}
	return NULL;
}

/* A symbol that is nowhere has no address: 0 fits everywhere. */
static bool has_address(const struct examination *e, const Elf64_Sym *symbol)
{
	if (symbol->st_shndx == SHN_ABS)
		return symbol->st_value > UINT32_MAX;
	if (symbol->st_shndx != SHN_UNDEF)
		return elf_section(&e->file, symbol->st_shndx).sh_flags & SHF_ALLOC;
	return symbol_index_find(e->kernel, span_from_string(elf_symbol_name(&e->file, symbol)));
}

/* One relocation of a section with these contents (NULL: zeros). False: enough was found. */
static bool examine_one(struct examination *e, const Elf64_Rela *relocation, const uint8_t *target,
			uint64_t size)
{
	const uint32_t type = (uint32_t)ELF64_R_TYPE(relocation->r_info);
	const uint64_t number = ELF64_R_SYM(relocation->r_info);
	const struct relocation_kind *kind = find_kind(e->facts->machine, type);
	static const uint8_t zeros[8];
	Elf64_Sym symbol;

	if (number >= e->file.symbol_count) {
		finding_object(e, "a relocation is by symbol %llu, which does not exist",
			       (unsigned long long)number);
		return false;
	}
	if (!kind) {
		finding_refuse(e, ENOEXEC, "Unknown rela relocation: %u", type);
		return false;
	}
	if (relocation->r_offset > size || kind->size > size - relocation->r_offset) {
		finding_object(e, "a relocation lies outside of its section, at %llu of %llu",
			       (unsigned long long)relocation->r_offset, (unsigned long long)size);
		return false;
	}
	symbol = elf_symbol(&e->file, (uint32_t)number);
	if (kind->unsettled && target && memcmp(target + relocation->r_offset, zeros, kind->size)) {
		finding_refuse(e, ENOEXEC,
			       "x86/modules: Invalid relocation target, existing value is nonzero "
			       "for type %u",
			       type);
		return false;
	}
	if (kind->narrow && has_address(e, &symbol)) {
		finding_refuse(e, ENOEXEC,
			       "overflow in relocation type %u: likely not compiled with "
			       "-mcmodel=kernel",
			       type);
		return false;
	}
	return true;
}

static bool examine_table(struct examination *e, uint32_t index)
{
	const Elf64_Shdr section = elf_section(&e->file, index);
	const Elf64_Shdr info = elf_section(&e->file, section.sh_info);
	const uint8_t *target = info.sh_type == SHT_NOBITS
					? NULL
					: elf_contents(&e->file, section.sh_info, &(size_t){ 0 });
	size_t size;
	const uint8_t *bytes = elf_contents(&e->file, index, &size);

	for (size_t at = 0; at + sizeof(Elf64_Rela) <= size; at += sizeof(Elf64_Rela)) {
		Elf64_Rela relocation;

		memcpy(&relocation, bytes + at, sizeof(relocation));
		if (!examine_one(e, &relocation, target, info.sh_size))
			return false;
	}
	return true;
}

void examine_relocations(struct examination *e)
{
	for (uint32_t i = 1; i < e->file.section_count; i++) {
		Elf64_Shdr section = elf_section(&e->file, i);

		if (section.sh_info >= e->file.section_count ||
		    !(elf_section(&e->file, section.sh_info).sh_flags & SHF_ALLOC))
			continue;
		if (section.sh_type == SHT_REL) {
			finding_refuse(e, ENOEXEC, "REL relocation unsupported");
			return;
		}
		if (section.sh_type == SHT_RELA && !examine_table(e, i))
			return;
	}
}
