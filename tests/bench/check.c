/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a verdict costs within a running program, as `kmodbox check` and builds ask for it:
 *
 *	check ROUNDS CHECKER CONFIG SYMVERS RELEASE MODULE.ko
 *
 * Prints medians of the index of SYMVERS alone; of a checker from its start to its first answer
 * (which includes the index); of MODULE by one that runs; and of MODULE by one that reads all of
 * SYMVERS in the jail of that module, as the signer asks.
 */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "checker/checker.h"
#include "checker/symvers.h"
#include "lib/artifacts/build_files.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"

#define ROUNDS 10000
#define CONFIG_MAXIMUM (4u << 20)

struct context {
	struct checker checker;
	struct text symvers;
	struct checker_facts facts;
	int module_fd;
	int symvers_fd;
	int nothing_fd;
	size_t symbols;
};

static _Noreturn void fail(const char *what, const struct error *error)
{
	cleanup_free char *text = error ? error_describe(error) : NULL;

	(void)fprintf(stderr, "check: %s: %s\n", what, text ? text : "failed");
	exit(1);
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int compare(const void *left, const void *right)
{
	double a = *(const double *)left;
	double b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static void build_index(struct context *context)
{
	struct symvers symvers = { 0 };

	symvers_add(&symvers, context->symvers.data, context->symvers.length);
	if (symvers.result < 0)
		fail("Module.symvers", NULL);
	context->symbols = symvers.index.count;
	symvers_clear(&symvers);
}

static void ask(struct context *context, int module_fd)
{
	struct checker_verdict verdict;
	cleanup_text struct text lines = { 0 };
	struct error *error = NULL;

	if (checker_ask(&context->checker, module_fd, context->nothing_fd, &context->facts,
			CHECKER_MILLISECONDS, &error) < 0 ||
	    checker_answer(&context->checker, &verdict, &lines, &error) < 0)
		fail("asking", error);
}

static void ask_first(struct context *context)
{
	checker_stop(&context->checker);
	ask(context, context->nothing_fd);
}

static void ask_again(struct context *context)
{
	ask(context, context->module_fd);
}

static void ask_once(struct context *context)
{
	struct checker_verdict verdict;
	struct error *error = NULL;

	if (checker_run(context->checker.program_fd, context->module_fd, context->symvers_fd,
			&context->facts, CHECKER_MILLISECONDS, &verdict, NULL, &error) < 0)
		fail("asking once", error);
}

static void measure(const char *name, size_t rounds, void (*act)(struct context *context),
		    struct context *context)
{
	double *times = calloc(rounds, sizeof(*times));

	if (!times)
		fail("memory", NULL);
	act(context);
	for (size_t i = 0; i < rounds; i++) {
		const double start = now();

		act(context);
		times[i] = now() - start;
	}
	qsort(times, rounds, sizeof(*times), compare);
	(void)printf("%-44s min %7.2f  median %7.2f  max %7.2f ms\n", name, times[0],
		     times[rounds / 2], times[rounds - 1]);
	free(times);
}

static void read_all(const char *path, uint64_t maximum, struct text *ret_text)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read_fd(fd, maximum, ret_text, NULL) < 0)
		fail(path, NULL);
}

static void prepare(char **argv, struct context *context)
{
	cleanup_text struct text config = { 0 }, module = { 0 };
	char *name = basename(argv[6]);
	struct error *error = NULL;

	read_all(argv[3], CONFIG_MAXIMUM, &config);
	read_all(argv[4], CHECKER_SYMVERS_MAXIMUM, &context->symvers);
	read_all(argv[6], BUILD_MODULE_MAXIMUM, &module);
	name[strcspn(name, ".")] = '\0';
	if (checker_facts_from_config(config.data, config.length, argv[5], "x86_64", name,
				      &context->facts, &error) < 0 ||
	    memfd_from_bytes("module", module.data, module.length, &context->module_fd, &error) <
		    0 ||
	    memfd_from_bytes("symvers", context->symvers.data, context->symvers.length,
			     &context->symvers_fd, &error) < 0 ||
	    memfd_from_bytes("nothing", "", 0, &context->nothing_fd, &error) < 0)
		fail("cannot prepare", error);
	context->facts.flags |= CHECKER_MAY_BE_SIGNED | CHECKER_OF_KERNEL;
	context->facts.purpose = CHECKER_REPORT;
	context->checker = (struct checker)CHECKER_INITIAL(open(argv[2], O_RDONLY | O_CLOEXEC),
							   context->symvers_fd);
	(void)printf("%s, %zu KiB\n", name, module.length / 1024);
}

int main(int argc, char **argv)
{
	static struct context context;
	const long rounds = argc == 7 ? strtol(argv[1], NULL, 10) : 0;

	if (rounds < 1 || rounds > ROUNDS) {
		(void)fputs("usage: check ROUNDS CHECKER CONFIG SYMVERS RELEASE MODULE.ko\n",
			    stderr);
		return 2;
	}
	prepare(argv, &context);
	build_index(&context);
	(void)printf("%zu symbols\n", context.symbols);
	measure("the index of them", (size_t)rounds, build_index, &context);
	measure("a checker, from its start to an answer", (size_t)rounds, ask_first, &context);
	measure("the module, by one that runs", (size_t)rounds, ask_again, &context);
	measure("the module, all of it in its own jail", (size_t)rounds, ask_once, &context);
	checker_stop(&context.checker);
	return 0;
}
