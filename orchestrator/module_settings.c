/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modules.d/MODULE.conf, see module_settings.h. */
#include "orchestrator/module_settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/digest.h"
#include "lib/base/ini.h"
#include "lib/base/text.h"
#include "orchestrator/configuration.h"

#define FILE_MAXIMUM (UINT64_C(64) << 10)
#define LIST_MAXIMUM 63u /* entries of each list; the installer takes 64 files of data */

/* A file being read. */
struct reading {
	const char *module;
	const struct ini_entry *entry; /* the key that is looked at */
	struct module_settings settings;
	unsigned seen; /* keys that may stand once, a bit each */
	struct error **error;
};

static int printf_like(2, 3) problem(struct reading *reading, const char *format, ...)
{
	cleanup_free char *shown = NULL;
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	shown = sanitised(text);
	return error_set(reading->error, EINVAL, "%s", shown ? shown : "out of memory");
}

static int out_of_memory(struct reading *reading)
{
	return error_set_errno(reading->error, ENOMEM, "settings");
}

static int append(struct reading *reading, char ***list, size_t *count, const char *value)
{
	char **grown;
	char *copy;

	if (*count == LIST_MAXIMUM)
		return problem(reading, "'%s' is one entry more than the 63 that may be here",
			       value);
	grown = realloc(*list, (*count + 1) * sizeof(*grown));
	if (!grown)
		return out_of_memory(reading);
	*list = grown;
	copy = strdup(value);
	if (!copy)
		return out_of_memory(reading);
	grown[(*count)++] = copy;
	return 0;
}

static int set_profile(struct reading *reading, const char *value)
{
	if (!name_is_safe(value))
		return problem(reading, "'%s' is no name of a profile", value);
	reading->settings.profile = strdup(value);
	reading->settings.profile_line = reading->entry->line;
	return reading->settings.profile ? 0 : out_of_memory(reading);
}

static int set_source(struct reading *reading, const char *value)
{
	return profile_take_source(&reading->settings.writable_source, value, reading->error);
}

/* Calls set for each word. */
static int each_word(struct reading *reading, const char *value,
		     int (*set)(struct reading *reading, const char *word))
{
	int r = 0;

	for (const char *at = value + strspn(value, " \t"); r == 0 && *at;) {
		size_t length = strcspn(at, " \t");
		cleanup_free char *word = strndup(at, length);

		r = word ? set(reading, word) : out_of_memory(reading);
		at += length;
		at += strspn(at, " \t");
	}
	return r;
}

static int add_depend(struct reading *reading, const char *word)
{
	if (!name_is_safe(word))
		return problem(reading, "'%s' is no name of a package", word);
	if (string_equal(word, reading->module))
		return problem(reading, "%s cannot depend on itself", word);
	return append(reading, &reading->settings.depends, &reading->settings.depend_count, word);
}

static int set_depends(struct reading *reading, const char *value)
{
	return each_word(reading, value, add_depend);
}

static int add_left_out(struct reading *reading, const char *word)
{
	if (!name_is_safe(word) || string_ends_with(word, ".ko"))
		return problem(reading, "'%s' is no name of a module, which has no .ko", word);
	return append(reading, &reading->settings.left_out, &reading->settings.left_out_count,
		      word);
}

static int set_left_out(struct reading *reading, const char *value)
{
	return each_word(reading, value, add_left_out);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int add_output(struct reading *reading, const char *word)
{
	/* What stands there already. */
	static const char *const taken[] = { "module", "log",	    "build.json",
					     "ticket", "installed", "Module.symvers" };
	const struct module_settings *settings = &reading->settings;

	if (!path_is_safe(word, strlen(word)) || !name_is_safe(base_name(word)))
		return problem(reading,
			       "'%s' is no relative path, without \"..\", of a file of the build",
			       word);
	if (strstr(base_name(word), ".ko"))
		return problem(reading, "'%s' is a module: BUILT_MODULE_NAME in dkms.conf names it",
			       word);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
		if (string_equal(base_name(word), taken[i]))
			return problem(reading,
				       "'%s' cannot be kept under a name that kmodbox uses", word);
	}
	for (size_t i = 0; i < settings->extra_output_count; i++) {
		if (string_equal(base_name(word), base_name(settings->extra_outputs[i])))
			return problem(reading, "'%s' is the second file of this name", word);
	}
	return append(reading, &reading->settings.extra_outputs,
		      &reading->settings.extra_output_count, word);
}

static int set_outputs(struct reading *reading, const char *value)
{
	return each_word(reading, value, add_output);
}

static int set_boot_test(struct reading *reading, const char *value)
{
	reading->settings.boot_test = string_equal(value, "yes");
	return reading->settings.boot_test || string_equal(value, "no")
		       ? 0
		       : problem(reading, "boot_test = '%s': it is yes or no", value);
}

static bool is_identifier(const char *name, size_t length)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";

	return length > 0 && strspn(name, letters) > 0 &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") ==
		       length;
}

/* What decides which programs run, and what DKMS and kmodbox set. */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {
		"PATH",
		"HOME",
		"LC_ALL",
		"IFS",
		"ENV",
		"BASH_ENV",
		"BASHOPTS",
		"SHELLOPTS",
		"SHELL",
		"CC",
		"LD",
		"KERNEL_CC",
		"KERNEL_LD",
		"kernelver",
		"arch",
		"module",
		"dkms_tree",
		"source_tree",
		"install_tree",
		"module_version",
		"parallel_jobs",
		"kernel_config",
		"build_dir",
		"kernel_source_dir",
	};

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		if (string_equal(name, reserved[i]))
			return true;
	}
	return string_starts_with(name, "LD_") || string_starts_with(name, "kmodbox_");
}

static int set_environment(struct reading *reading, const char *value)
{
	struct module_settings *settings = &reading->settings;
	size_t length = strcspn(value, "=");
	cleanup_free char *name = strndup(value, length);

	if (!name)
		return out_of_memory(reading);
	if (value[length] != '=' || !is_identifier(value, length))
		return problem(reading, "'%s' is not NAME=VALUE", value);
	if (is_reserved(name))
		return problem(reading, "%s is set by kmodbox, and cannot be set here", name);
	for (size_t i = 0; i < settings->environment_count; i++) {
		if (strncmp(settings->environment[i], value, length + 1) == 0)
			return problem(reading, "%s is set a second time", name);
	}
	return append(reading, &settings->environment, &settings->environment_count, value);
}

static int set_size(struct reading *reading, const char *value)
{
	const struct ini_entry entry = { .name = "scratch", .value = value };

	return profile_take_limit(&reading->settings.limits, &entry, reading->error);
}

static int set_place(struct reading *reading, const char *value)
{
	static const char *const names[] = {
		[SCRATCH_AUTO] = "auto", [SCRATCH_MEMORY] = "memory", [SCRATCH_DISK] = "disk"
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (string_equal(value, names[i])) {
			reading->settings.place = (enum scratch_place)i;
			return 0;
		}
	}
	return problem(reading, "there is no place '%s': it is memory, disk or auto", value);
}

static const struct key {
	const char *section;
	const char *name;
	bool list; /* may stand several times */
	int (*set)(struct reading *reading, const char *value);
} keys[] = {
	{ "build", "profile", false, set_profile },
	{ "build", "source", false, set_source },
	{ "build", "depends", true, set_depends },
	{ "build", "environment", true, set_environment },
	{ "build", "leave_out", true, set_left_out },
	{ "build", "extra_outputs", true, set_outputs },
	{ "install", "boot_test", false, set_boot_test },
	{ "scratch", "size", false, set_size },
	{ "scratch", "place", false, set_place },
};

static int take(void *context, const struct ini_entry *entry, struct error **error)
{
	struct reading *reading = context;
	bool known_section = false;

	reading->entry = entry;
	reading->error = error;
	if (string_equal(entry->section, "limits"))
		return profile_take_limit(&reading->settings.limits, entry, error);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!string_equal(entry->section, keys[i].section))
			continue;
		known_section = true;
		if (!string_equal(entry->name, keys[i].name))
			continue;
		if (!keys[i].list && reading->seen & 1u << i)
			return problem(reading, "%s stands here a second time", entry->name);
		reading->seen |= 1u << i;
		return keys[i].set(reading, entry->value);
	}
	if (known_section)
		return problem(reading,
			       "there is no '%s' in this section; kmodbox-modules.d(5) "
			       "has the keys",
			       entry->name);
	return problem(reading,
		       "there is no section [%s]: it is [build], [install], [limits] or [scratch]",
		       entry->section);
}

int module_settings_parse(const char *path, const char *module, const char *bytes, size_t length,
			  struct module_settings *ret_settings, struct error **error)
{
	struct reading reading = { .module = module };
	int r = ini_read(path, bytes, length, take, &reading, error);

	if (r < 0) {
		if (error)
			error_set_code(*error, EXIT_USAGE);
		module_settings_clear(&reading.settings);
		return r;
	}
	*ret_settings = reading.settings;
	return 0;
}

int module_settings_load(const struct places *places, const char *module,
			 struct module_settings *ret_settings, struct error **error)
{
	cleanup_free char *name = format_string("modules.d/%s.conf", module);
	cleanup_free char *path = module_settings_path(places, module);
	cleanup_module_settings struct module_settings settings = { 0 };
	cleanup_text struct text text = { 0 };
	int r;

	if (!name || !path)
		return error_set_errno(error, ENOMEM, "settings");
	r = places->config_fd < 0 ? -ENOENT
				  : configuration_read(places->config_fd, places->config, name,
						       FILE_MAXIMUM, &text, NULL, error);
	if (r == 0)
		r = module_settings_parse(path, module, text.data, text.length, &settings, error);
	if (r == 0)
		r = digest_bytes(text.data, text.length, &settings.digest, error);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret_settings = settings;
	settings = (struct module_settings){ 0 };
	return 0;
}

char *module_settings_path(const struct places *places, const char *module)
{
	return format_string("%s/modules.d/%s.conf", places->config, module);
}

static void clear_list(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void module_settings_clear(struct module_settings *settings)
{
	free(settings->profile);
	clear_list(settings->depends, settings->depend_count);
	clear_list(settings->environment, settings->environment_count);
	clear_list(settings->left_out, settings->left_out_count);
	clear_list(settings->extra_outputs, settings->extra_output_count);
	*settings = (struct module_settings){ 0 };
}
