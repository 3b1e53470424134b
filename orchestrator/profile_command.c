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
#include "orchestrator/module_settings.h"
#include "orchestrator/profiles.h"

#define FILE_MAXIMUM (UINT64_C(64) << 10)

static const char *origin(const struct loaded_profile *profile)
{
	return profile->own ? profile->path : "shipped";
}

static const char *hermetic(const struct loaded_profile *profile)
{
	return profile->settings.network == PROFILE_YES ? "not hermetic" : "hermetic";
}

/* One line each; one that cannot be read does not hide the others. */
static int list(const struct places *places, const struct log *log, struct error **error)
{
	char **names = NULL;
	size_t count = 0;
	int r = profiles_list(places, &names, &count, error);
	int outcome = r;

	for (size_t i = 0; r == 0 && i < count; i++) {
		cleanup_loaded_profile struct loaded_profile profile = { 0 };
		cleanup_error struct error *reason = NULL;

		if (profiles_load(places, names[i], &profile, &reason) < 0) {
			log_error(log, reason);
			outcome = -EINVAL;
			continue;
		}
		(void)printf("%s: %s (%s, %s)\n", names[i],
			     profile.settings.description ? profile.settings.description
							  : "no description",
			     origin(&profile), hermetic(&profile));
	}
	profiles_list_free(names, count);
	return outcome;
}

/* Those that it extends are in it: it stands for itself. */
static int show(const struct places *places, const char *name, struct error **error)
{
	cleanup_loaded_profile struct loaded_profile profile = { 0 };
	cleanup_text struct text text = { 0 };
	int r = profiles_load(places, name, &profile, error);

	if (r < 0)
		return r;
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
	bool *found = context;

	(void)error;
	*found = *found || string_equal(entry->section, "profile");
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
	return is_profile(path, &text) ? profiles_load_text(places, name, path, text.data,
							    text.length, &profile, error)
				       : check_settings(places, path, name, &text, error);
}

int profile_command(const struct options *options, const struct log *log)
{
	cleanup_places struct places places = PLACES_INITIAL;
	cleanup_error struct error *error = NULL;
	int r = places_open_config(options, &places, &error);

	if (r == 0 && options->action == PROFILE_CHECK) {
		cleanup_free char *reason = NULL;
		cleanup_free char *shown = NULL;

		if (check(&places, options->checked, &error) == 0)
			return 0;
		/* No name of ours before it: editors go to FILE:LINE. */
		reason = error_describe(error);
		shown = reason ? sanitised(reason) : NULL;
		(void)fprintf(stderr, "%s\n", shown ? shown : "out of memory");
		return EXIT_USAGE;
	}
	if (r == 0)
		r = options->action == PROFILE_LIST ? list(&places, log, &error)
						    : show(&places, options->profile, &error);
	if (r == 0)
		return fflush(stdout) == 0 ? 0 : EXIT_INFRASTRUCTURE;
	if (!error)
		return EXIT_USAGE;
	log_error(log, error);
	return error_code(error) ? error_code(error) : EXIT_USAGE;
}
