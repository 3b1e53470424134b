/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernels of `kmodbox doctor`, see doctor_kernels.h. */
#include "orchestrator/doctor_kernels.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "orchestrator/launcher.h"
#include "orchestrator/record_parts.h"
#include "orchestrator/results.h"

#define KERNELS_MAXIMUM (UINT64_C(16) << 20)

/* A sandbox that cannot be made is no matter of a kernel. */
static int tell(struct orchestrator *orchestrator, const struct target *target,
		struct error **error)
{
	cleanup_error struct error *failure = NULL;
	cleanup_free char *reason = NULL;
	cleanup_json json_t *object = NULL;
	cleanup_free char *text = NULL;
	int r = target_require_headers(target, &failure);

	if (r == 0)
		r = reference_require(orchestrator, target, &failure);
	if (error_code(failure) == EXIT_SANDBOX || error_code(failure) == EXIT_INTERRUPTED)
		return error_refuse(error, error_code(failure), -r, "kernels");
	reason = failure ? error_describe(failure) : NULL;
	object = json_pack("{s:s, s:s, s:b, s:o, s:o}", "kernel", target->release, "architecture",
			   target->architecture, "can_build", r == 0, "reason",
			   r == 0 ? json_null() : record_text(reason ? reason : "no memory"),
			   "reference",
			   reference_verdict(target) ? record_reference(target) : json_null());
	text = object ? json_to_text(object) : NULL;
	if (!text || write_all(orchestrator->results->fd, text, strlen(text) + 1) < 0)
		return error_set_errno(error, ENOMEM, "kernels");
	return 0;
}

static int look_at_kernels(struct orchestrator *orchestrator, struct error **error)
{
	const bool named = orchestrator->options->kernel_count > 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < orchestrator->target_count; i++)
		if (named || orchestrator->targets[i].kernel)
			r = tell(orchestrator, &orchestrator->targets[i], error);
	orchestrator->results->failed = true; /* all that there is to tell is told */
	return r;
}

/* What keeps all of it from working doctor says itself, and better. */
static _Noreturn void look_apart(const struct options *options, struct results *results)
{
	static const struct verb_row row = { VERB_DOCTOR, false, false, false, look_at_kernels };
	FILE *nowhere = fopen("/dev/null", "w");
	const struct log log = { .out = nowhere, .err = nowhere, .program = "kmodbox" };
	struct options quiet = *options;

	quiet.verbose = false;
	(void)(nowhere ? launch(&row, &quiet, NULL, results, &log) : 0);
	_exit(0);
}

static json_t *read_kernels(int fd)
{
	cleanup_text struct text text = { 0 };
	cleanup_json json_t *list = json_array();
	const char *end;

	if (lseek(fd, 0, SEEK_SET) < 0 || read_fd(fd, KERNELS_MAXIMUM, &text, NULL) < 0)
		return NULL;
	for (const char *at = text.data;
	     at && (end = memchr(at, '\0', text.length - (size_t)(at - text.data))); at = end + 1) {
		cleanup_json json_t *object = json_loads(at, 0, NULL);

		/* Not what launch() itself tells where it fails. */
		if (object && json_object_get(object, "can_build"))
			(void)json_array_append(list, object);
	}
	return json_incref(list);
}

json_t *doctor_kernels(const struct options *options)
{
	cleanup_results struct results results = RESULTS_INITIAL;
	pid_t pid;

	if (results_open(&results, NULL) < 0)
		return NULL;
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0)
		look_apart(options, &results);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return read_kernels(results.fd);
}
