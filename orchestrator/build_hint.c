/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a failed build may have run into, see build_hint.h. */
#include "orchestrator/build_hint.h"

#include <string.h>

#include "lib/base/text.h"
#include "orchestrator/build_log.h"

#define SOURCE ((const char *)-1) /* in the table: the module's own source */

static const struct row {
	const char *words;
	const char *beside; /* must stand in the line too; NULL: nothing must */
	enum build_hint hint;
} rows[] = {
	{ "ould not resolve", NULL, HINT_NETWORK },  /* curl, git: host */
	{ "unable to resolve", NULL, HINT_NETWORK }, /* wget: host address */
	{ "ailure in name resolution", NULL, HINT_NETWORK },
	{ "Name or service not known", NULL, HINT_NETWORK },
	{ "Network is unreachable", NULL, HINT_NETWORK },
	{ "Failed to connect to", NULL, HINT_NETWORK }, /* curl */
	{ "Connecting to ", "failed", HINT_NETWORK },	/* wget */
	{ "No space left on device", NULL, HINT_SCRATCH },
	{ "Too many open files", NULL, HINT_OPEN_FILES },	      /* EMFILE */
	{ "Resource temporarily unavailable", NULL, HINT_PROCESSES }, /* EAGAIN of fork(2) */
	{ "Cannot allocate memory", NULL, HINT_MEMORY },	      /* ENOMEM */
	{ "out of memory allocating", NULL, HINT_MEMORY },	      /* gcc */
	{ "memory exhausted", NULL, HINT_MEMORY },		      /* binutils, coreutils */
	{ "std::bad_alloc", NULL, HINT_MEMORY },		      /* clang, lld */
	{ "File too large", NULL, HINT_FILE },			      /* EFBIG */
	{ "File size limit exceeded", NULL, HINT_FILE },	      /* a shell, of SIGXFSZ */
	{ "Read-only file system", SOURCE, HINT_SOURCE },
	{ "Permission denied", SOURCE, HINT_SOURCE },
	{ "Read-only file system", "/lib/modules/", HINT_HOST },
	{ "Permission denied", "/lib/modules/", HINT_HOST },
	{ "Read-only file system", "/usr/", HINT_HOST },
	{ "Permission denied", "/usr/", HINT_HOST },
	{ "Read-only file system", "/etc/", HINT_HOST },
	{ "Permission denied", "/etc/", HINT_HOST },
	{ "Read-only file system", "/boot/", HINT_HOST },
	{ "Read-only file system", "/var/", HINT_HOST },
};

enum build_hint build_hint_find(const char *line, const char *source)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *beside = rows[i].beside == SOURCE ? source : rows[i].beside;

		if (strstr(line, rows[i].words) && (!beside || strstr(line, beside)))
			return rows[i].hint;
	}
	return HINT_NONE;
}

/* Nobody but the process knows: the words may be its own, or another reason's. */
static char *limit_text(const char *key, const char *directive, const char *settings)
{
	return format_string("; it may have hit a limit: '%s = ' in [limits] of %s would give %s "
			     "more",
			     key, settings, directive);
}

char *build_hint_text(enum build_hint hint, const char *directive, const char *settings)
{
	switch (hint) {
	case HINT_NETWORK:
		return format_string("; builds have no network: 'profile = network' in [build] of "
				     "%s would let %s have it",
				     settings, directive);
	case HINT_SOURCE:
		return format_string("; its source is read-only: 'source = writable' in [build] of "
				     "%s would give %s a copy to write to",
				     settings, directive);
	case HINT_HOST:
		return format_string("; a build may not write to the host: look at %s in dkms.conf "
				     "for what installs or changes files",
				     directive);
	case HINT_SCRATCH:
		return format_string("; its build directory was full: 'size = 16G' in [scratch] of "
				     "%s would give %s more",
				     settings, directive);
	case HINT_OUTPUT:
		return format_string(
			"; that is %d times what is kept of it: 'log = ' in [limits] of "
			"%s would let %s print more",
			BUILD_LOG_FACTOR, settings, directive);
	case HINT_OPEN_FILES:
		return limit_text("open_files", directive, settings);
	case HINT_PROCESSES:
		return limit_text("processes", directive, settings);
	case HINT_MEMORY:
		return limit_text("memory", directive, settings);
	case HINT_FILE:
		return limit_text("file", directive, settings);
	case HINT_LEAVE_OUT:
		return format_string("; 'leave_out = NAME' in [build] of %s would do without it",
				     settings);
	case HINT_NONE:
	default:
		return strdup("");
	}
}
