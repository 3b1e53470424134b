/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles by name, see profiles.h. */
#include "orchestrator/profiles.h"

#include <stdlib.h>
#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "orchestrator/configuration.h"
#include "orchestrator/helpers.h"

#define FILE_MAXIMUM (UINT64_C(64) << 10)
#define POLICY_MAXIMUM (UINT64_C(1) << 20)
#define EXTENDS_MAXIMUM 8
#define NAMES_MAXIMUM 1000

/* A file of a profile, or of a policy. */
struct found {
	struct text text;
	char *path; /* as people are told */
	bool own;
};

/* A profile in the making. */
struct loading {
	const struct places *places;
	struct loaded_profile *profile;
	unsigned extends;
	/* Who said which policy counts. */
	char *said_path;
	unsigned said_line;
	bool said_by_own;
};

static int out_of_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "profile");
}

static void found_clear(struct found *found)
{
	text_clear(&found->text);
	free(found->path);
}

const char *profiles_shipped(size_t index)
{
	static const char *const names[] = { "compat", "network", PROFILE_DEFAULT };

	return index < ARRAY_SIZE(names) ? names[index] : NULL;
}

static bool is_shipped(const char *name)
{
	for (size_t i = 0; profiles_shipped(i); i++) {
		if (string_equal(profiles_shipped(i), name))
			return true;
	}
	return false;
}

/* -ENOENT, without an error: root has none of this name. */
static int read_own(const struct places *places, const char *file, uint64_t maximum,
		    struct found *ret_found, struct error **error)
{
	cleanup_free char *below = format_string("profiles.d/%s", file);
	cleanup_free char *path = format_string("%s/profiles.d/%s", places->config, file);
	int r;

	if (places->config_fd < 0)
		return -ENOENT;
	if (!below || !path)
		return out_of_memory(error);
	r = configuration_read(places->config_fd, places->config, below, maximum, &ret_found->text,
			       NULL, error);
	if (r == 0) {
		ret_found->path = TAKE_PTR(path);
		ret_found->own = true;
	}
	return r;
}

static int read_shipped(const char *file, uint64_t maximum, struct found *ret_found,
			struct error **error)
{
	cleanup_free char *path = strdup(file);
	cleanup_close int fd = -1;
	int r = path ? helper_open_profile(file, &fd, error) : out_of_memory(error);

	if (r == 0)
		r = read_fd(fd, maximum, &ret_found->text, error);
	if (r == 0)
		ret_found->path = TAKE_PTR(path);
	return r;
}

static int find_profile(const struct places *places, const char *name, bool shipped,
			struct found *ret_found, struct error **error)
{
	cleanup_free char *file = format_string("%s.conf", name);
	int r = file ? -ENOENT : out_of_memory(error);

	if (file && !shipped)
		r = read_own(places, file, FILE_MAXIMUM, ret_found, error);
	if (r != -ENOENT)
		return r;
	if (is_shipped(name))
		return read_shipped(file, FILE_MAXIMUM, ret_found, error);
	return error_refuse(error, EXIT_USAGE, ENOENT,
			    "there is no profile '%s', neither shipped nor as %s/profiles.d/%s; "
			    "'kmodbox profile list' shows them",
			    name, places->config ? places->config : "/etc/kmodbox", file);
}

static int take_text(struct loading *loading, const char *name, const struct found *found,
		     struct profile *ret_settings, struct error **error);

static int take_base(struct loading *loading, const char *name, const struct found *found,
		     struct profile *settings, struct error **error)
{
	cleanup_profile struct profile base = { 0 };
	cleanup(found_clear) struct found file = { 0 };
	const bool itself = found->own && string_equal(name, settings->extend);
	int r;

	if (loading->extends++ == EXTENDS_MAXIMUM ||
	    (!found->own && string_equal(name, settings->extend)))
		return error_set(error, ELOOP, "%s:%u: it extends itself, or too many others",
				 found->path, settings->extend_line);
	r = find_profile(loading->places, settings->extend, itself, &file, error);
	if (r < 0)
		return error_context(error, "%s:%u", found->path, settings->extend_line);
	r = take_text(loading, settings->extend, &file, &base, error);
	return r < 0 ? r : profile_inherit(settings, &base, error);
}

static int take_text(struct loading *loading, const char *name, const struct found *found,
		     struct profile *ret_settings, struct error **error)
{
	cleanup_profile struct profile settings = { 0 };
	int r = profile_parse(found->path, found->text.data, found->text.length, &settings, error);

	if (r == 0 &&
	    text_append(&loading->profile->text, found->text.data, found->text.length) < 0)
		r = out_of_memory(error);
	if (r == 0 && settings.seccomp && !loading->said_path) {
		loading->said_path = strdup(found->path);
		loading->said_line = settings.seccomp_line;
		loading->said_by_own = found->own;
		r = loading->said_path ? 0 : out_of_memory(error);
	}
	if (r == 0 && settings.extend)
		r = take_base(loading, name, found, &settings, error);
	if (r < 0)
		return r;
	*ret_settings = settings;
	settings = (struct profile){ 0 };
	return 0;
}

static int find_policy(const struct loading *loading, const char *file, bool own,
		       struct found *ret_found, struct error **error)
{
	cleanup_error struct error *reason = NULL;
	int r = own ? read_own(loading->places, file, POLICY_MAXIMUM, ret_found, error) : -ENOENT;

	if (r != -ENOENT || !own)
		return r == -ENOENT ? read_shipped(file, POLICY_MAXIMUM, ret_found, error) : r;
	r = read_shipped(file, POLICY_MAXIMUM, ret_found, &reason);
	if (r == -ENOENT)
		return error_refuse(error, EXIT_USAGE, ENOENT,
				    "there is no policy '%s', neither shipped nor in "
				    "%s/profiles.d",
				    file, loading->places->config);
	return r < 0 ? error_set_errno(error, -r, "%s", file) : 0;
}

/* A policy's text, and behind it the text of the one that it extends. */
static int read_policy(const struct loading *loading, const char *file, struct found *policy,
		       struct error **error)
{
	cleanup(found_clear) struct found base = { 0 };
	cleanup_free char *extended = NULL;
	int r = find_policy(loading, file, loading->said_by_own, policy, error);

	if (r == 0)
		r = seccomp_extended(policy->text.data, policy->text.length, &extended, error);
	if (r < 0 || !extended)
		return r;
	r = find_policy(loading, extended, policy->own && !string_equal(extended, file), &base,
			error);
	if (r == 0 && text_append(&policy->text, base.text.data, base.text.length) < 0)
		r = out_of_memory(error);
	return r;
}

/* What was compiled while kmodbox was built. -ESTALE: it is not there, or of another text. */
static int load_stored(const struct loading *loading, const struct found *policy)
{
	cleanup_free char *file = format_string("%s.bpf", loading->profile->settings.seccomp);
	cleanup_text struct text stored = { 0 };
	cleanup_close int fd = -1;

	if (policy->own || !file || helper_open_profile(file, &fd, NULL) < 0 ||
	    read_fd(fd, POLICY_MAXIMUM, &stored, NULL) < 0)
		return -ESTALE;
	return seccomp_stored_read(stored.data, stored.length, policy->text.data,
				   policy->text.length, &loading->profile->program);
}

static int load_policy(const struct loading *loading, struct error **error)
{
	struct loaded_profile *profile = loading->profile;
	cleanup(found_clear) struct found policy = { 0 };
	int r;

	if (!profile->settings.seccomp)
		return error_set(error, EINVAL,
				 "%s:1: it has no 'seccomp = FILE', and extends nothing that has",
				 profile->path);
	r = read_policy(loading, profile->settings.seccomp, &policy, error);
	if (r == 0 && load_stored(loading, &policy) < 0)
		r = seccomp_compile(policy.path, policy.text.data, policy.text.length,
				    &profile->program, error);
	if (r < 0)
		return error_context(error, "%s:%u", loading->said_path, loading->said_line);
	profile->policy = policy.text;
	policy.text = (struct text){ 0 };
	return 0;
}

static int load(const struct places *places, const char *name, const struct found *found,
		struct loaded_profile *ret_profile, struct error **error)
{
	cleanup_loaded_profile struct loaded_profile profile = { .own = found->own };
	struct loading loading = { .places = places, .profile = &profile };
	int r;

	profile.name = strdup(name);
	profile.path = strdup(found->path);
	r = profile.name && profile.path
		    ? take_text(&loading, name, found, &profile.settings, error)
		    : out_of_memory(error);
	if (r == 0)
		r = load_policy(&loading, error);
	free(loading.said_path);
	if (r < 0)
		return r;
	profile_complete(&profile.settings);
	*ret_profile = profile;
	profile = (struct loaded_profile){ 0 };
	return 0;
}

/* What is wrong is so in a file of root's. */
static int coded(int r, struct error **error)
{
	if (r < 0 && error && *error && error_code(*error) == 0)
		error_set_code(*error, EXIT_USAGE);
	return r;
}

int profiles_load(const struct places *places, const char *name, struct loaded_profile *ret_profile,
		  struct error **error)
{
	cleanup(found_clear) struct found found = { 0 };
	int r = find_profile(places, name, false, &found, error);

	if (r == 0)
		r = load(places, name, &found, ret_profile, error);
	return coded(r, error);
}

int profiles_load_text(const struct places *places, const char *name, const char *path,
		       const char *bytes, size_t length, struct loaded_profile *ret_profile,
		       struct error **error)
{
	cleanup(found_clear) struct found found = { .path = strdup(path), .own = true };
	int r = found.path && text_append(&found.text, bytes, length) == 0 ? 0
									   : out_of_memory(error);

	if (r == 0)
		r = load(places, name, &found, ret_profile, error);
	return coded(r, error);
}

void loaded_profile_clear(struct loaded_profile *profile)
{
	free(profile->name);
	free(profile->path);
	profile_clear(&profile->settings);
	seccomp_program_clear(&profile->program);
	text_clear(&profile->text);
	text_clear(&profile->policy);
	*profile = (struct loaded_profile){ 0 };
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***names, size_t *count, char *name, struct error **error)
{
	cleanup_free char *owned = name;
	char **grown = owned ? reallocarray(*names, *count + 1, sizeof(*grown)) : NULL;

	if (!grown)
		return out_of_memory(error);
	*names = grown;
	grown[(*count)++] = TAKE_PTR(owned);
	return 0;
}

/* What is there by names that can be profiles'; what they hold is looked at when they are loaded.
 */
static int list_own(const struct places *places, char ***names, size_t *count, struct error **error)
{
	cleanup_list DIR *list = NULL;
	cleanup_close int fd = -1;
	const char *name;
	int r = places->config_fd < 0 ? -ENOENT
				      : configuration_open_below(places->config_fd, places->config,
								 "profiles.d", &fd, error);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == 0)
		r = list_open(fd, ".", &list, error);
	while (r == 0 && (name = list_next(list)) && *count < NAMES_MAXIMUM) {
		cleanup_free char *own = strdup(name);

		if (!own)
			return out_of_memory(error);
		if (!string_ends_with(own, ".conf"))
			continue;
		own[strlen(own) - strlen(".conf")] = '\0';
		if (name_is_safe(own) && !is_shipped(own))
			r = add_name(names, count, TAKE_PTR(own), error);
	}
	return r;
}

int profiles_list(const struct places *places, char ***ret_names, size_t *ret_count,
		  struct error **error)
{
	char **names = NULL;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && profiles_shipped(i); i++)
		r = add_name(&names, &count, strdup(profiles_shipped(i)), error);
	if (r == 0)
		r = list_own(places, &names, &count, error);
	if (r < 0) {
		profiles_list_free(names, count);
		return r;
	}
	qsort(names, count, sizeof(*names), compare);
	*ret_names = names;
	*ret_count = count;
	return 0;
}

void profiles_list_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}
