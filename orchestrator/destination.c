/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where below /lib/modules/K a module goes, see destination.h. */
#include "orchestrator/destination.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/text.h"

static const struct {
	const char *distribution; /* ID or first of ID_LIKE in os-release(5) */
	const char *directory;
} overrides[] = {
	{ "fedora", "extra" },	      { "centos", "extra" },	    { "rhel", "extra" },
	{ "sles", "updates" },	      { "suse", "updates" },	    { "opensuse", "updates" },
	{ "debian", "updates/dkms" }, { "ubuntu", "updates/dkms" }, { "arch", "updates/dkms" },
};

static const char *override_for(const char *distribution)
{
	for (size_t i = 0; i < ARRAY_SIZE(overrides); i++) {
		if (string_equal(overrides[i].distribution, distribution))
			return overrides[i].directory;
	}
	return NULL;
}

/* The value of NAME=VALUE or NAME="VALUE MORE": its first word, in place. */
static char *first_word(char *line, const char *name)
{
	size_t length = strlen(name);
	char *value;

	if (strncmp(line, name, length) != 0 || line[length] != '=')
		return NULL;
	value = line + length + 1;
	value += strspn(value, "\"'");
	value[strcspn(value, " \"'\n")] = '\0';
	return value;
}

static const char *directory_of_host(void)
{
	cleanup_fclose FILE *file = fopen("/etc/os-release", "re");
	const char *own = NULL;
	const char *like = NULL;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		const char *word = first_word(line, "ID");

		if (word)
			own = override_for(word);
		word = word ? NULL : first_word(line, "ID_LIKE");
		if (word)
			like = override_for(word);
	}
	return own ? own : like;
}

int destination_directory(const char *declared, char **ret_directory, struct error **error)
{
	const char *directory = directory_of_host();

	*ret_directory = strdup(directory ? directory : declared + strspn(declared, "/"));
	return *ret_directory ? 0 : error_set_errno(error, ENOMEM, "destination");
}
