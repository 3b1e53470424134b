/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a kernel expects of its modules, from its .config as include/linux/vermagic.h makes the
 * string of it. The .config is trusted, as the headers it lies beside are; what a reference module
 * says only adds to it.
 */
#include <elf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "checker/checker.h"

/* Whether .config has the line "CONFIG_NAME=y". */
static bool config_is_set(const char *config, size_t length, const char *name)
{
	const char *end = config + length;
	char line[64];
	size_t wanted;

	snprintf(line, sizeof(line), "CONFIG_%s=y", name);
	wanted = strlen(line);
	while (config < end) {
		const char *newline = memchr(config, '\n', (size_t)(end - config));
		size_t here = (size_t)((newline ? newline : end) - config);

		if (here == wanted && memcmp(config, line, wanted) == 0)
			return true;
		if (!newline)
			break;
		config = newline + 1;
	}
	return false;
}

static uint64_t flags_of(const char *config, size_t length)
{
	static const struct {
		const char *name;
		enum checker_flag flag;
	} rows[] = {
		{ "MODULE_FORCE_LOAD", CHECKER_FORCE_LOAD },
		{ "RETPOLINE", CHECKER_RETPOLINE },
		{ "MITIGATION_RETPOLINE", CHECKER_RETPOLINE }, /* since 6.9 */
		{ "MODULE_SIG_FORCE", CHECKER_SIGNATURE_FORCED },
	};
	uint64_t flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (config_is_set(config, length, rows[i].name))
			flags |= rows[i].flag;
	}
	return flags;
}

/* The string holds a hash of a seed that .config does not show. */
static bool is_randomised(const char *config, size_t length)
{
	return config_is_set(config, length, "RANDSTRUCT") ||
	       config_is_set(config, length, "GCC_PLUGIN_RANDSTRUCT");
}

/*
 * What the reference module has behind what .config means is expected of others, too: a seed's
 * hash, or what only that distribution's kernels have. Nothing that .config means is given up.
 */
static int add_reference(const struct checker_verdict *reference, const char *release,
			 bool randomised, struct checker_facts *facts, struct error **error)
{
	const char *rest;

	if (reference->outcome != CHECKER_WILL_LOAD || reference->struct_module_size == 0)
		return error_set(error, EINVAL, "the reference module of kernel %s is none: %.*s",
				 release, (int)strcspn(reference->text, "\n"), reference->text);
	if (strncmp(reference->vermagic, facts->vermagic, strlen(facts->vermagic)) != 0)
		return error_set(
			error, EINVAL,
			"what is built with the headers of kernel %s is for '%s', by their "
			".config it ought to be for '%s': they are of different kernels, "
			"install them anew",
			release, reference->vermagic, facts->vermagic);
	rest = reference->vermagic + strlen(facts->vermagic);
	if (randomised && strncmp(rest, "RANDSTRUCT_", strlen("RANDSTRUCT_")) != 0)
		return error_set(error, EINVAL,
				 "what is built with the headers of kernel %s does not have its "
				 "structures randomised, as .config says (CONFIG_RANDSTRUCT): "
				 "install the headers anew",
				 release);
	memcpy(facts->vermagic, reference->vermagic, sizeof(facts->vermagic));
	memcpy(facts->compiler, reference->compiler, sizeof(facts->compiler));
	facts->struct_module_size = reference->struct_module_size;
	facts->marks = reference->marks;
	return 0;
}

int checker_facts_from_config(const char *config, size_t length, const char *release,
			      const char *architecture, const char *module_name,
			      struct checker_facts *ret_facts, struct error **error)
{
	return checker_facts_with_reference(config, length, release, architecture, module_name,
					    NULL, ret_facts, error);
}

int checker_facts_with_reference(const char *config, size_t length, const char *release,
				 const char *architecture, const char *module_name,
				 const struct checker_verdict *reference,
				 struct checker_facts *ret_facts, struct error **error)
{
	const bool randomised = is_randomised(config, length);
	const bool aarch64 = strcmp(architecture, "aarch64") == 0;
	struct checker_facts facts = { .machine = aarch64 ? EM_AARCH64 : EM_X86_64 };
	const char *preempt = "";
	int n;

	if (!aarch64 && strcmp(architecture, "x86_64") != 0)
		return error_set(error, EOPNOTSUPP,
				 "modules for %s cannot be checked yet, only those for x86_64 and "
				 "aarch64",
				 architecture);
	if (randomised && !reference)
		return error_set(
			error, EOPNOTSUPP,
			"kernel %s has its structures randomised (CONFIG_RANDSTRUCT): "
			"without a reference module of it modules for it cannot be checked",
			release);
	/* Kernels before 5.16 have no PREEMPT_BUILD, and PREEMPT excludes PREEMPT_RT in them. */
	if (config_is_set(config, length, "PREEMPT_BUILD"))
		preempt = "preempt ";
	else if (config_is_set(config, length, "PREEMPT_RT"))
		preempt = "preempt_rt ";
	else if (config_is_set(config, length, "PREEMPT"))
		preempt = "preempt ";
	facts.modversions = config_is_set(config, length, "MODVERSIONS");
	facts.flags = flags_of(config, length);
	n = snprintf(facts.vermagic, sizeof(facts.vermagic), "%s %s%s%s%s%s", release,
		     config_is_set(config, length, "SMP") ? "SMP " : "", preempt,
		     config_is_set(config, length, "MODULE_UNLOAD") ? "mod_unload " : "",
		     facts.modversions ? "modversions " : "",
		     aarch64 ? "aarch64" : ""); /* MODULE_ARCH_VERMAGIC */
	if (n < 0 || (size_t)n >= sizeof(facts.vermagic))
		return error_set(error, ENAMETOOLONG, "the kernel release is too long");
	n = snprintf(facts.module_name, sizeof(facts.module_name), "%s", module_name);
	if (n <= 0 || (size_t)n >= sizeof(facts.module_name))
		return error_set(error, ENAMETOOLONG, "the module's name is empty or too long");
	if (reference && add_reference(reference, release, randomised, &facts, error) < 0)
		return -EINVAL;
	*ret_facts = facts;
	return 0;
}
