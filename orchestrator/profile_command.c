/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles for people, see profile_command.h. */
#include "orchestrator/profile_command.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/ini.h"
#include "lib/base/json.h"
#include "orchestrator/module_settings.h"
#include "orchestrator/profiles.h"
#include "orchestrator/record_parts.h"

#define FILE_MAXIMUM (UINT64_C(64) << 10)
#define PROFILE_SCHEMA 1

static const char *origin(const struct loaded_profile *profile)
{
	return profile->own ? profile->path : "shipped";
}

static const char *hermetic(const struct loaded_profile *profile)
{
	return profile->settings.network == PROFILE_YES ? "not hermetic" : "hermetic";
}

static json_t *layers_to_json(unsigned optional)
{
	json_t *layers = json_array();

	for (unsigned bit = 1; layers && sandbox_optional_name(bit); bit <<= 1) {
		if (optional & bit)
			(void)json_array_append_new(layers,
						    json_string(sandbox_optional_name(bit)));
	}
	return layers;
}

static json_t *profile_to_json(const char *name, const struct loaded_profile *profile)
{
	const struct profile *settings = &profile->settings;
	cleanup_free char *path = profile->own ? sanitised(profile->path) : NULL;

	return json_pack(
		"{s:s, s:s?, s:s?, s:b, s:s, s:s, s:o, s:o, s:n}", "name", name, "path", path,
		"description", settings->description, "hermetic", settings->network != PROFILE_YES,
		"source", settings->writable_source == PROFILE_YES ? "writable" : "read-only",
		"seccomp", settings->seccomp, "optional", layers_to_json(settings->optional),
		"limits", record_limits(&settings->limits), "problem");
}

/* "problem" is what is wrong with a profile or file, which no error of ours is. */
static json_t *problem_to_json(const char *key, const char *value, const struct error *reason)
{
	cleanup_free char *text = reason ? error_describe(reason) : NULL;
	cleanup_free char *problem = text ? sanitised(text) : NULL;
	cleanup_free char *shown = sanitised(value);

	return json_pack("{s:s, s:s?}", key, shown ? shown : "?", "problem", problem);
}

/* Takes the object or list over. */
static int print_json(const char *key, json_t *value, struct error **error)
{
	cleanup_json json_t *whole = json_pack("{s:s, s:i, s:o}", "schema", "kmodbox-profile",
					       "schema_version", PROFILE_SCHEMA, key, value);
	cleanup_free char *text = whole ? json_to_text(whole) : NULL;

	if (!text)
		return error_set_errno(error, ENOMEM, "profile");
	(void)fputs(text, stdout);
	return 0;
}

static void print_line(const char *name, const struct loaded_profile *profile)
{
	(void)printf("%s: %s (%s, %s)\n", name,
		     profile->settings.description ? profile->settings.description
						   : "no description",
		     origin(profile), hermetic(profile));
}

/* One line each; one that cannot be read does not hide the others. profiles: NULL, or a list. */
static int list(const struct places *places, const struct log *log, json_t *profiles,
		struct error **error)
{
	char **names = NULL;
	size_t count = 0;
	int r = profiles_list(places, &names, &count, error);
	int outcome = r;

	for (size_t i = 0; r == 0 && i < count; i++) {
		cleanup_loaded_profile struct loaded_profile profile = { 0 };
		cleanup_error struct error *reason = NULL;
		const bool good = profiles_load(places, names[i], &profile, &reason) == 0;

		if (!good) {
			log_error(log, reason);
			outcome = -EINVAL;
		}
		if (profiles)
			(void)json_array_append_new(
				profiles, good ? profile_to_json(names[i], &profile)
					       : problem_to_json("name", names[i], reason));
		else if (good)
			print_line(names[i], &profile);
	}
	profiles_list_free(names, count);
	return outcome;
}

/* Those that it extends are in it: it stands for itself. */
static int show(const struct places *places, const char *name, json_t *profiles,
		struct error **error)
{
	cleanup_loaded_profile struct loaded_profile profile = { 0 };
	cleanup_text struct text text = { 0 };
	int r = profiles_load(places, name, &profile, error);

	if (r < 0)
		return r;
	if (profiles) {
		(void)json_array_append_new(profiles, profile_to_json(name, &profile));
		return 0;
	}
	free(profile.settings.extend);
	profile.settings.extend = NULL;
	if (profile_format(&profile.settings, &text) < 0)
		return error_set_errno(error, ENOMEM, "profile");
	(void)printf("# %s (%s, %s)\n%s", name, origin(&profile), hermetic(&profile), text.data);
	return 0;
}

/* A profile has a section of that name, modules.d/MODULE.conf has none. */
static int look_for_section(void *context, const struct ini_entry *entry, struct error **error)
{
	/* Also by what no file of modules.d says, so that a mistyped section is told as a
	 * profile's. */
	static const char *const keys[] = { "description", "extend", "seccomp", "network",
					    "optional" };
	bool other =
		string_equal(entry->section, "build") || string_equal(entry->section, "scratch");
	bool *found = context;

	(void)error;
	*found = *found || string_equal(entry->section, "profile");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		*found = *found || (!other && string_equal(entry->name, keys[i]));
	return 0;
}

/* "profiles.d" of "/etc/kmodbox/profiles.d/own.conf", without the file's own name. */
static bool is_in(const char *path, const char *directory)
{
	const char *slash = strrchr(path, '/');
	size_t length = strlen(directory);

	return slash && (size_t)(slash - path) >= length &&
	       strncmp(slash - length, directory, length) == 0 &&
	       (slash - length == path || slash[-(ptrdiff_t)length - 1] == '/');
}

static bool is_profile(const char *path, const struct text *text)
{
	bool found = false;

	if (is_in(path, "modules.d") || is_in(path, "profiles.d"))
		return is_in(path, "profiles.d");
	/* Whatever is wrong with it is told when it is read as what it is. */
	if (ini_read(path, text->data, text->length, look_for_section, &found, NULL) < 0)
		return found;
	return found;
}

static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path);

	if (name && string_ends_with(name, ".conf"))
		name[strlen(name) - strlen(".conf")] = '\0';
	return name;
}

static int check_settings(const struct places *places, const char *path, const char *name,
			  const struct text *text, struct error **error)
{
	cleanup_module_settings struct module_settings settings = { 0 };
	cleanup_loaded_profile struct loaded_profile profile = { 0 };
	int r = module_settings_parse(path, name, text->data, text->length, &settings, error);

	if (r == 0 && settings.profile)
		r = profiles_load(places, settings.profile, &profile, error);
	else if (r < 0 || !settings.profile)
		return r;
	return r < 0 ? error_context(error, "%s:%u", path, settings.profile_line) : 0;
}

/* The person's own word: links in it are followed. */
static int read_named(const char *path, struct text *ret_text, struct error **error)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set_errno(error, errno, "%s", path);
	if (!S_ISREG(status.st_mode))
		return error_set(error, EINVAL, "%s: it is no regular file", path);
	if (read_fd(fd, FILE_MAXIMUM, ret_text, error) < 0)
		return error_context(error, "%s", path);
	return 0;
}

static int check(const struct places *places, const char *path, struct error **error)
{
	cleanup_loaded_profile struct loaded_profile profile = { 0 };
	cleanup_free char *name = name_of(path);
	cleanup_text struct text text = { 0 };
	int r = name ? read_named(path, &text, error) : error_set_errno(error, ENOMEM, "profile");

	if (r < 0)
		return r;
	/* For a module it is what is in force without one. */
	if (strspn(text.data, " \t\r\n") == text.length && !is_in(path, "modules.d"))
		return error_set(error, ENODATA,
				 "%s:1: it is empty; a profile has at least a section [profile] "
				 "with 'extend = strict'",
				 path);
	return is_profile(path, &text) ? profiles_load_text(places, name, path, text.data,
							    text.length, &profile, error)
				       : check_settings(places, path, name, &text, error);
}

/* No name of ours before what is wrong: editors go to FILE:LINE. */
static int tell_check(const struct options *options, const struct places *places)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *reason = NULL;
	cleanup_free char *shown = NULL;
	int r = check(places, options->checked, &error);

	if (options->json &&
	    print_json("check", problem_to_json("file", options->checked, error), NULL) < 0)
		return EXIT_INFRASTRUCTURE;
	if (r == 0)
		return 0;
	reason = error_describe(error);
	shown = reason ? sanitised(reason) : NULL;
	(void)fprintf(stderr, "%s\n", shown ? shown : "out of memory");
	return EXIT_USAGE;
}

static int tell_profiles(const struct options *options, const struct places *places,
			 const struct log *log, struct error **error)
{
	cleanup_json json_t *profiles = options->json ? json_array() : NULL;
	int r = options->action == PROFILE_LIST ? list(places, log, profiles, error)
						: show(places, options->profile, profiles, error);
	int printed = 0;

	/* Also where one of a list is bad. */
	if (profiles && (!error || !*error))
		printed = print_json("profiles", json_incref(profiles), error);
	return r < 0 ? r : printed;
}

int profile_command(const struct options *options, const struct log *log)
{
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_error struct error *error = NULL;
	int code = 0;
	int r = places_open_config(options, &places, &error);

	if (r == 0 && options->action == PROFILE_CHECK)
		code = tell_check(options, &places);
	else if (r == 0)
		r = tell_profiles(options, &places, log, &error);
	if (fflush(stdout) != 0 && r == 0 && code == 0)
		return EXIT_INFRASTRUCTURE;
	if (r == 0)
		return code;
	if (!error)
		return EXIT_USAGE;
	log_error(log, error);
	return error_code(error) ? error_code(error) : EXIT_USAGE;
}
