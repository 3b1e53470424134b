/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the checker reads in modules, for who reads them another way (tests/oracle/crosscheck.sh):
 *
 *	describe FILE...	"FILE|KEY=VALUE" of .modinfo, "FILE|import=SYMBOL"
 *
 * In this process, without a jail: for modules of a distribution's own package alone.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker/checker.h"
#include "checker/decompress.h"
#include "lib/base/files.h"

static int describe(const char *path)
{
	const struct checker_facts facts = { .machine = EM_X86_64, .purpose = CHECKER_DESCRIPTION };
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_text struct text file = { 0 }, lines = { 0 };
	const uint8_t *module = NULL;
	struct checker_verdict verdict;
	size_t size = 0;

	if (fd < 0 || read_fd(fd, 256 << 20, &file, NULL) < 0 ||
	    decompress((const uint8_t *)file.data, file.length, &module, &size) < 0) {
		(void)fprintf(stderr, "describe: cannot read %s\n", path);
		return 1;
	}
	checker_examine(module, size, "", 0, &facts, &verdict, &lines);
	for (const char *line = lines.data; line && *line;) {
		const size_t length = strcspn(line, "\n");

		(void)printf("%s|%.*s\n", path, (int)length, line);
		line += length + (line[length] == '\n');
	}
	if (module != (const uint8_t *)file.data)
		free((void *)(uintptr_t)module);
	if (verdict.outcome == CHECKER_WILL_LOAD)
		return 0;
	(void)printf("%s|cannot be read: %s\n", path, verdict.text);
	return 1;
}

int main(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++)
		status |= describe(argv[i]);
	return status;
}
