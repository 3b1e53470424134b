/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Profiles by name: root's own in CONFIGDIR/profiles.d/NAME.conf, and those that are shipped,
 * beside the running executable or where it was installed. What root's own is called it is: one
 * named strict stands in the shipped one's place, which it may extend. kmodbox-profile(5).
 */
#ifndef KMODBOX_ORCHESTRATOR_PROFILES_H
#define KMODBOX_ORCHESTRATOR_PROFILES_H

#include "lib/base/error.h"
#include "lib/base/text.h"
#include "orchestrator/places.h"
#include "sandbox/profile.h"

#define PROFILE_DEFAULT "strict"

/* One that is ready to be used. */
struct loaded_profile {
	char *name;
	char *path; /* of its file, as people are told */
	bool own;   /* root's, not a shipped one */
	struct profile settings;
	struct seccomp_program program;
	/* For digests: its text with those of all that it extends behind it; of the policy the
	 * same. */
	struct text text;
	struct text policy;
};

/*
 * Of places only the configuration counts; without it (config_fd -1) there are the shipped ones.
 * error_code() 1: there is none of that name, or what is wrong with it: "FILE:LINE: reason".
 */
int profiles_load(const struct places *places, const char *name, struct loaded_profile *ret_profile,
		  struct error **error) must_check;
/* A text, as if it were root's own of that name. */
int profiles_load_text(const struct places *places, const char *name, const char *path,
		       const char *bytes, size_t length, struct loaded_profile *ret_profile,
		       struct error **error) must_check;
void loaded_profile_clear(struct loaded_profile *profile);
#define cleanup_loaded_profile cleanup(loaded_profile_clear)

/* The shipped ones' names; NULL behind the last. */
const char *profiles_shipped(size_t index);
/* All names, sorted; owned by the caller. */
int profiles_list(const struct places *places, char ***ret_names, size_t *ret_count,
		  struct error **error) must_check;
void profiles_list_free(char **names, size_t count);

#endif
