/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any names as the list of an archive of builds, a line each, its first byte the type.
 * Built with -fsanitize=fuzzer,address,undefined from this file, orchestrator/tarball.c,
 * lib/recipes/{snapshot,snapshot_reader,snapshot_rules}.c and lib/base. A layout that holds a name
 * which nobody may use is a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/artifacts/ticket.h"
#include "lib/base/text.h"
#include "orchestrator/tarball.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct tarball *tarball)
{
	for (size_t i = 0; i < tarball->build_count; i++) {
		const struct tarball_build *build = &tarball->builds[i];

		if (!name_is_safe(build->kernel) || !name_is_safe(build->architecture) ||
		    strlen(build->architecture) >= TICKET_ARCHITECTURE ||
		    build->module_count > TICKET_FILES)
			abort();
		for (size_t m = 0; m < build->module_count; m++)
			if (!name_is_safe(build->modules[m]))
				abort();
		for (size_t n = 0; n < build->need_count; n++)
			if (!name_is_safe(build->needs[n]) || n >= TARBALL_NEEDS)
				abort();
	}
	if (tarball->build_count > TARBALL_BUILDS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = strndup((const char *)data, size);
	cleanup_tarball struct tarball tarball = { 0 };
	cleanup_error struct error *error = NULL;
	char *rest = text;
	char *line;
	int r = 0;

	while (r == 0 && rest && (line = strsep(&rest, "\n")))
		if (line[0] != '\0')
			r = tarball_note(&tarball, line[0], line + 1, &error);
	check(&tarball);
	if (r == 0)
		r = tarball_finish(&tarball, &error);
	if (r == 0 && (tarball.kind == TARBALL_NONE || !tarball.directory))
		abort();
	if (r < 0 && (!error || error_code(error) == 0))
		abort();
	return 0;
}
