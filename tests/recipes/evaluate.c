/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * evaluate --directives: their names. evaluate HEADERS RELEASE OUTPUT SOURCE...: has the dkms.conf
 * of each directory evaluated, in the sandbox as always, for a kernel whose headers are that
 * directory; what it sets goes to OUTPUT/0, OUTPUT/1 and so on, as NAME NUL INDEX NUL VALUE NUL.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/recipes/recipe_internal.h"
#include "lib/recipes/snapshot.h"
#include "tests/unit/sandbox_fixture.h"

static int print_directives(void)
{
	for (size_t i = 0; i < DIRECTIVES; i++)
		(void)puts(recipe_answer_name(i));
	return 0;
}

/* What bash tells beside, as "@name", is left out. */
static int write_report(const struct text *report, int output_fd, const char *name,
			struct error **error)
{
	cleanup_close int fd =
		openat(output_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	const char *next = report->data;
	int r = fd < 0 ? -errno : 0;

	while (r == 0 && next < report->data + report->length) {
		const char *record = next;

		for (size_t i = 0; i < 3; i++)
			next += strlen(next) + 1;
		if (*record != '@')
			r = write_all(fd, record, (size_t)(next - record));
	}
	return r < 0 ? error_set_errno(error, -r, "%s", name) : 0;
}

static int evaluate(const struct recipe_request *known, const char *source, int output_fd,
		    size_t number, struct error **error)
{
	cleanup_close int source_fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *name = format_string("%zu", number);
	cleanup_text struct text report = { 0 };
	cleanup_free struct denied_calls *denied = NULL;
	struct recipe_request request = *known;
	cleanup_close int snapshot_fd = -1;
	struct digest digest;
	int r;

	if (source_fd < 0 || !name)
		return error_set_errno(error, errno, "%s", source);
	r = snapshot_from_directory(source_fd, -1, &snapshot_fd, &digest, error);
	request.snapshot_fd = snapshot_fd;
	if (r == 0)
		r = recipe_report(&request, &report, &denied, error);
	return r < 0 ? r : write_report(&report, output_fd, name, error);
}

static int run(char **argv, struct error **error)
{
	cleanup_free char *build = format_string("/usr/src/linux-headers-%s", argv[2]);
	cleanup_close int output_fd = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct kernel_mount mount = { .source = argv[1], .target = build };
	const struct kernel kernel = { .release = argv[2],
				       .build = build,
				       .mounts = &mount,
				       .mount_count = 1,
				       .build_fd = -1 };
	struct sandbox_fixture fixture;
	const struct recipe_request request = { .base = &fixture.spec,
						.module = "demo",
						.version = "0.1",
						.kernel = &kernel,
						.architecture = "x86_64",
						.jobs = 2 };
	int r;

	if (output_fd < 0 || !build)
		return error_set_errno(error, errno, "%s", argv[3]);
	r = sandbox_fixture_open(&fixture, error);
	for (size_t i = 0; r == 0 && argv[4 + i]; i++) {
		cleanup_error struct error *failure = NULL;

		if (evaluate(&request, argv[4 + i], output_fd, i, &failure) < 0) {
			cleanup_free char *text = error_describe(failure);

			(void)printf("%s: %s\n", argv[4 + i], text ? text : "out of memory");
			if (error_code(failure) == EXIT_SANDBOX)
				r = -error_number(failure);
		}
	}
	sandbox_fixture_close(&fixture);
	return r;
}

int main(int argc, char **argv)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	if (argc == 2 && strcmp(argv[1], "--directives") == 0)
		return print_directives();
	if (argc < 5) {
		(void)fputs("usage: evaluate HEADERS RELEASE OUTPUT SOURCE...\n", stderr);
		return 2;
	}
	if (run(argv, &error) == 0)
		return 0;
	text = error_describe(error);
	(void)fprintf(stderr, "evaluate: %s\n", text ? text : "failed");
	return error_code(error) == EXIT_SANDBOX ? EXIT_SANDBOX : 1;
}
