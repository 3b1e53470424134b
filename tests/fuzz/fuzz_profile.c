/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any text as a profile, and as the settings of a module. What is refused must say where
 * and why, in a line that can be shown. What is taken, written out and read again must be the same,
 * also when what it leaves unsaid has been filled in. Anything else is a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/text.h"
#include "orchestrator/module_settings.h"
#include "sandbox/limit_text.h"
#include "sandbox/profile.h"
#include "tests/fuzz/promise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(const struct error *error)
{
	cleanup_free char *text = error_describe(error);
	cleanup_free char *shown = text ? sanitised(text) : NULL;

	promise(shown && strcmp(shown, text) == 0);
	promise(string_starts_with(text, "FILE:") && text[5] >= '1' && text[5] <= '9');
}

static void check_round_trip(const struct profile *profile)
{
	cleanup_profile struct profile again = { 0 };
	cleanup_text struct text text = { 0 }, second = { 0 };
	cleanup_free char *shown = NULL;

	promise(profile_format(profile, &text) == 0);
	shown = sanitised(text.data);
	promise(shown != NULL);
	promise(profile_parse("FILE", text.data, text.length, &again, NULL) == 0);
	promise(profile_format(&again, &second) == 0 && strcmp(text.data, second.data) == 0);
	promise(again.network == profile->network && again.optional == profile->optional);
	promise(again.writable_source == profile->writable_source);
	promise(memcmp(&again.limits, &profile->limits, sizeof(again.limits)) == 0);
}

static void check_profile(const char *bytes, size_t size)
{
	cleanup_profile struct profile profile = { 0 };
	cleanup_error struct error *error = NULL;

	if (profile_parse("FILE", bytes, size, &profile, &error) < 0) {
		check_refusal(error);
		return;
	}
	promise(!profile.extend || name_is_safe(profile.extend));
	promise(!profile.seccomp || name_is_safe(profile.seccomp));
	promise((profile.optional & ~(unsigned)SANDBOX_OPTIONAL_ALL) == 0);
	check_round_trip(&profile);
	profile_complete(&profile);
	promise(profile.network != PROFILE_UNSAID && profile.writable_source != PROFILE_UNSAID);
	/* Unsaid processors are all that the caller may use. */
	for (size_t i = 0; limit_text_name(i); i++)
		promise(limit_text_is_set(&profile.limits, i) ||
			strcmp(limit_text_name(i), "processors") == 0);
	check_round_trip(&profile);
}

static void check_settings(const char *bytes, size_t size)
{
	cleanup_module_settings struct module_settings settings = { 0 };
	cleanup_error struct error *error = NULL;

	if (module_settings_parse("FILE", "demo", bytes, size, &settings, &error) < 0) {
		promise(error_code(error) == EXIT_USAGE);
		check_refusal(error);
		return;
	}
	promise(!settings.profile || name_is_safe(settings.profile));
	for (size_t i = 0; i < settings.depend_count; i++)
		promise(name_is_safe(settings.depends[i]));
	for (size_t i = 0; i < settings.extra_output_count; i++)
		promise(path_is_safe(settings.extra_outputs[i], strlen(settings.extra_outputs[i])));
	for (size_t i = 0; i < settings.environment_count; i++)
		promise(strchr(settings.environment[i], '=') != NULL &&
			!string_starts_with(settings.environment[i], "LD_"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_profile((const char *)data, size);
	check_settings((const char *)data, size);
	return 0;
}
