/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The language of profiles, see profile.h. */
#include "sandbox/profile.h"

#include <string.h>

#include "lib/base/ini.h"
#include "lib/base/text.h"
#include "sandbox/limit_text.h"

#define DESCRIPTION_MAXIMUM 120

static int refuse_word(struct error **error, const char *word, const char *reason)
{
	cleanup_free char *shown = sanitised(word);

	return error_set(error, EINVAL, "'%s' %s", shown ? shown : "?", reason);
}

static int out_of_memory(struct error **error)
{
	return error_set_errno(error, ENOMEM, "profile");
}

static int take_choice(enum profile_choice *choice, const char *no, const char *yes,
		       const struct ini_entry *entry, struct error **error)
{
	cleanup_free char *shown = sanitised(entry->value);

	if (*choice != PROFILE_UNSAID)
		return error_set(error, EEXIST, "%s stands here a second time", entry->name);
	if (!string_equal(entry->value, yes) && !string_equal(entry->value, no))
		return error_set(error, EINVAL, "%s cannot be '%s': it is %s or %s", entry->name,
				 shown ? shown : "?", no, yes);
	*choice = string_equal(entry->value, yes) ? PROFILE_YES : PROFILE_NO;
	return 0;
}

static int take_network(struct profile *profile, const struct ini_entry *entry,
			struct error **error)
{
	return take_choice(&profile->network, "no", "yes", entry, error);
}

static int take_source(struct profile *profile, const struct ini_entry *entry, struct error **error)
{
	return take_choice(&profile->writable_source, "read-only", "writable", entry, error);
}

int profile_take_source(enum profile_choice *ret_writable, const char *value, struct error **error)
{
	const struct ini_entry entry = { .name = "source", .value = value };

	return take_choice(ret_writable, "read-only", "writable", &entry, error);
}

static int take_once(char **text, const char *value, const struct ini_entry *entry,
		     struct error **error)
{
	if (*text)
		return error_set(error, EEXIST, "%s stands here a second time", entry->name);
	*text = strdup(value);
	return *text ? 0 : out_of_memory(error);
}

/* It is shown as it is, and must be the same when it is read from there again. */
static int take_description(struct profile *profile, const struct ini_entry *entry,
			    struct error **error)
{
	cleanup_free char *shown = sanitised(entry->value);

	if (!shown)
		return out_of_memory(error);
	if (!string_equal(shown, entry->value) || entry->value[0] == ';' ||
	    strlen(entry->value) > DESCRIPTION_MAXIMUM)
		return refuse_word(error, entry->value,
				   "is no description: it is text of at most 120 bytes, and starts "
				   "with no ;");
	return take_once(&profile->description, entry->value, entry, error);
}

static int take_extend(struct profile *profile, const struct ini_entry *entry, struct error **error)
{
	if (!name_is_safe(entry->value))
		return refuse_word(error, entry->value, "is no name of a profile");
	profile->extend_line = entry->line;
	return take_once(&profile->extend, entry->value, entry, error);
}

static int take_seccomp(struct profile *profile, const struct ini_entry *entry,
			struct error **error)
{
	if (!name_is_safe(entry->value) || !string_ends_with(entry->value, ".seccomp"))
		return refuse_word(error, entry->value,
				   "is no name of a system call policy, which ends in .seccomp and "
				   "has no directory");
	profile->seccomp_line = entry->line;
	return take_once(&profile->seccomp, entry->value, entry, error);
}

static int refuse_layer(const char *word, struct error **error)
{
	cleanup_text struct text reason = { 0 };
	int r = text_append_string(&reason, "is no layer that can be absent: it is none, or of '");

	for (unsigned bit = 1; r == 0 && sandbox_optional_name(bit); bit <<= 1)
		r = text_append_format(&reason, "%s%s", bit > 1 ? "', '" : "",
				       sandbox_optional_name(bit));
	if (r == 0)
		r = text_append_string(&reason, "', with commas between");
	return r < 0 ? out_of_memory(error) : refuse_word(error, word, reason.data);
}

static int take_layer(struct profile *profile, const char *word, struct error **error)
{
	unsigned bit = sandbox_optional_find(word);

	profile->optional |= bit;
	return bit ? 0 : refuse_layer(word, error);
}

/* Layers by name, separated by commas. */
static int take_optional(struct profile *profile, const struct ini_entry *entry,
			 struct error **error)
{
	int r = 0;

	if (profile->optional_said)
		return error_set(error, EEXIST, "%s stands here a second time", entry->name);
	profile->optional_said = true;
	if (string_equal(entry->value, "none"))
		return 0;
	for (const char *at = entry->value; r == 0 && at;) {
		const char *end = strchrnul(at, ',');
		cleanup_free char *word = NULL;

		at += strspn(at, " \t");
		word = strndup(at, end > at ? (size_t)(end - at) : 0);
		if (!word)
			return out_of_memory(error);
		for (size_t length = strlen(word); length > 0 && strchr(" \t", word[length - 1]);)
			word[--length] = '\0';
		r = take_layer(profile, word, error);
		at = *end ? end + 1 : NULL;
	}
	return r;
}

int profile_take_limit(struct sandbox_limits *limits, const struct ini_entry *entry,
		       struct error **error)
{
	int r = limit_text_set(limits, entry->name, entry->value, error);

	return r == -ENOENT ? refuse_word(error, entry->name,
					  "is no limit; kmodbox-profile(5) has their names")
			    : r;
}

static const struct key {
	const char *name;
	int (*take)(struct profile *profile, const struct ini_entry *entry, struct error **error);
} keys[] = {
	{ "description", take_description }, { "extend", take_extend },
	{ "seccomp", take_seccomp },	     { "network", take_network },
	{ "source", take_source },	     { "optional", take_optional },
};

static int take(void *context, const struct ini_entry *entry, struct error **error)
{
	struct profile *profile = context;
	cleanup_free char *section = NULL;

	if (string_equal(entry->section, "limits"))
		return profile_take_limit(&profile->limits, entry, error);
	if (string_equal(entry->section, "profile")) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			if (string_equal(entry->name, keys[i].name))
				return keys[i].take(profile, entry, error);
		}
		return refuse_word(error, entry->name,
				   "is no key of a profile; kmodbox-profile(5) has them");
	}
	section = sanitised(entry->section);
	return error_set(error, EINVAL, "there is no section [%s]: it is [profile] or [limits]",
			 section ? section : "?");
}

int profile_parse(const char *path, const char *bytes, size_t length, struct profile *ret_profile,
		  struct error **error)
{
	cleanup_profile struct profile profile = { 0 };
	int r = ini_read(path, bytes, length, take, &profile, error);

	if (r < 0)
		return r;
	*ret_profile = profile;
	profile = (struct profile){ 0 };
	return 0;
}

int profile_inherit(struct profile *profile, const struct profile *base, struct error **error)
{
	if (!profile->seccomp && base->seccomp) {
		profile->seccomp = strdup(base->seccomp);
		if (!profile->seccomp)
			return out_of_memory(error);
	}
	if (profile->network == PROFILE_UNSAID)
		profile->network = base->network;
	if (profile->writable_source == PROFILE_UNSAID)
		profile->writable_source = base->writable_source;
	if (!profile->optional_said) {
		profile->optional_said = base->optional_said;
		profile->optional = base->optional;
	}
	profile->limits = limit_text_override(base->limits, &profile->limits);
	return 0;
}

void profile_complete(struct profile *profile)
{
	if (profile->network == PROFILE_UNSAID)
		profile->network = PROFILE_NO;
	if (profile->writable_source == PROFILE_UNSAID)
		profile->writable_source = PROFILE_NO;
	profile->optional_said = true;
	profile->limits = limit_text_override(sandbox_limits_default(), &profile->limits);
}

static int format_text(struct text *text, const char *name, const char *value)
{
	return value ? text_append_format(text, "%s = %s\n", name, value) : 0;
}

static int format_choice(struct text *text, const char *name, enum profile_choice choice,
			 const char *no, const char *yes)
{
	return format_text(text, name,
			   choice == PROFILE_UNSAID ? NULL
			   : choice == PROFILE_YES  ? yes
						    : no);
}

static int format_optional(const struct profile *profile, struct text *text)
{
	const char *between = "optional = ";
	int r = 0;

	if (!profile->optional_said)
		return 0;
	for (unsigned bit = 1; r == 0 && sandbox_optional_name(bit); bit <<= 1) {
		if (!(profile->optional & bit))
			continue;
		r = text_append_format(text, "%s%s", between, sandbox_optional_name(bit));
		between = ", ";
	}
	if (r == 0)
		r = text_append_string(text, profile->optional ? "\n" : "optional = none\n");
	return r;
}

static int format_limits(const struct profile *profile, struct text *text)
{
	bool headed = false;
	int r = 0;

	for (size_t i = 0; r == 0 && limit_text_name(i); i++) {
		cleanup_free char *value = NULL;

		if (!limit_text_is_set(&profile->limits, i))
			continue;
		value = limit_text_format(&profile->limits, i);
		if (!value)
			return -ENOMEM;
		r = text_append_string(text, headed ? "" : "\n[limits]\n");
		headed = true;
		if (r == 0)
			r = format_text(text, limit_text_name(i), value);
	}
	return r;
}

int profile_format(const struct profile *profile, struct text *text)
{
	int r = text_append_string(text, "[profile]\n");

	if (r == 0)
		r = format_text(text, "description", profile->description);
	if (r == 0)
		r = format_text(text, "extend", profile->extend);
	if (r == 0)
		r = format_text(text, "seccomp", profile->seccomp);
	if (r == 0)
		r = format_choice(text, "network", profile->network, "no", "yes");
	if (r == 0)
		r = format_choice(text, "source", profile->writable_source, "read-only",
				  "writable");
	if (r == 0)
		r = format_optional(profile, text);
	return r < 0 ? r : format_limits(profile, text);
}

void profile_clear(struct profile *profile)
{
	free(profile->description);
	free(profile->extend);
	free(profile->seccomp);
	*profile = (struct profile){ 0 };
}
