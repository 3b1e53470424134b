/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a sandbox costs that is started from within a running program, as every step of a build is:
 *
 *	start ROUNDS PROFILES COMMAND [ARGUMENT...]
 *
 * In turns: the floor (clone3 with the same namespaces, exec of /bin/true, nothing else), COMMAND
 * (another tool's sandbox around /bin/true), and sandbox_run() of the same with everything on and
 * the policy PROFILES/build.seccomp. Prints medians and the median of the ratios to COMMAND, where
 * the time of sandbox_run() goes, step by step, and how many of each two at a time get done.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"
#include "sandbox/sandbox.h"
#include "sandbox/slot.h"

#define ROUNDS 10000
#define LAYERS 50
#define WORKERS 2
#define OWNER_UID 2000000096u
#define SLOT_UID 2000000097u
#define POLICY_MAXIMUM (1 << 20)

static const char *const nothing[] = { "/bin/true", NULL };
static const char *const environment[] = { "PATH=/usr/bin:/bin", NULL };

struct context {
	char **command;
	struct seccomp_program program;
	struct slot slot;
	double *layers[LAYERS]; /* microseconds, a slot per round */
	const char *names[LAYERS];
	size_t layer_count;
};

static _Noreturn void fail(const char *what, const struct error *error)
{
	cleanup_free char *text = error ? error_describe(error) : NULL;

	(void)fprintf(stderr, "start: %s: %s\n", what, text ? text : strerror(errno));
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

/* Sorts values. */
static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void wait_for(pid_t pid, const char *what)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 0)
		fail(what, NULL);
}

static void run_floor(struct context *context, size_t round)
{
	pid_t pid = sys_clone3(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
				       CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET,
			       SIGCHLD, NULL);

	(void)context;
	(void)round;
	if (pid == 0) {
		(void)execv(nothing[0], (char *const *)(uintptr_t)nothing);
		_exit(127);
	}
	wait_for(pid, "clone3");
}

static void run_command(struct context *context, size_t round)
{
	pid_t pid = fork();

	(void)round;
	if (pid == 0) {
		(void)execvp(context->command[0], context->command);
		_exit(127);
	}
	wait_for(pid, context->command[0]);
}

static void keep_layers(struct context *context, const struct sandbox_result *result, size_t round)
{
	if (round >= ROUNDS)
		return;
	for (size_t i = 0; i < result->layer_count && i < LAYERS; i++) {
		context->names[i] = result->layers[i].name;
		if (!context->layers[i])
			context->layers[i] = calloc(ROUNDS, sizeof(double));
		if (context->layers[i])
			context->layers[i][round] = result->layers[i].nanoseconds / 1e3;
	}
	context->layer_count = result->layer_count < LAYERS ? result->layer_count : LAYERS;
}

static void run_sandbox(struct context *context, size_t round)
{
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	cleanup_error struct error *error = NULL;
	struct sandbox_result result;

	spec.argv = nothing;
	spec.environment = environment;
	spec.seccomp = &context->program;
	spec.slot = context->slot;
	spec.optional = SANDBOX_OPTIONAL_ALL;
	if (sandbox_run(&spec, &result, &error) < 0)
		fail("sandbox", error);
	if (result.end != SANDBOX_EXITED || result.status != 0)
		fail("sandbox: /bin/true", NULL);
	keep_layers(context, &result, round);
	sandbox_result_clear(&result);
}

typedef void (*runner)(struct context *context, size_t round);

static const struct {
	const char *name;
	runner run;
} runners[] = {
	{ "clone3 with its namespaces, exec", run_floor },
	{ "the other tool", run_command },
	{ "sandbox_run()", run_sandbox },
};
#define RUNNERS ARRAY_SIZE(runners)
#define OTHER 1 /* what ratios are to */
#define OURS 2

static void compare_starts(struct context *context, size_t rounds)
{
	double *times[RUNNERS], *ratios[RUNNERS];

	for (size_t i = 0; i < RUNNERS; i++) {
		times[i] = calloc(rounds, sizeof(double));
		ratios[i] = calloc(rounds, sizeof(double));
		if (!times[i] || !ratios[i])
			fail("memory", NULL);
	}
	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < RUNNERS; i++) {
			double start = now();

			runners[i].run(context, round);
			times[i][round] = now() - start;
		}
		for (size_t i = 0; i < RUNNERS; i++)
			ratios[i][round] = times[i][round] / times[OTHER][round];
	}
	(void)printf("%-34s %9s %9s\n", "", "median ms", "ratio");
	for (size_t i = 0; i < RUNNERS; i++)
		(void)printf("%-34s %9.2f %9.2f\n", runners[i].name, median(times[i], rounds),
			     median(ratios[i], rounds));
	(void)printf("\nwhere the time of sandbox_run() goes, microseconds, medians\n");
	for (size_t i = 0; i < context->layer_count; i++) {
		double value = median(context->layers[i], rounds);

		if (value > 0)
			(void)printf("  %-32s %9.0f\n", context->names[i], value);
	}
	for (size_t i = 0; i < RUNNERS; i++) {
		free(times[i]);
		free(ratios[i]);
	}
}

/* Seconds that count runs take, WORKERS at a time. */
static double together(struct context *context, runner run, size_t count)
{
	double start = now();
	pid_t workers[WORKERS];

	for (size_t i = 0; i < WORKERS; i++) {
		workers[i] = fork();
		if (workers[i] == 0) {
			for (size_t round = i; round < count; round += WORKERS)
				run(context, ROUNDS);
			_exit(0);
		}
	}
	for (size_t i = 0; i < WORKERS; i++)
		wait_for(workers[i], "worker");
	return (now() - start) / 1e3;
}

static void compare_throughput(struct context *context)
{
	enum { COUNT = 200, SERIES = 9 };
	double ratios[SERIES], theirs[SERIES], ours[SERIES];

	for (size_t i = 0; i < SERIES; i++) {
		theirs[i] = COUNT / together(context, runners[OTHER].run, COUNT);
		ours[i] = COUNT / together(context, runners[OURS].run, COUNT);
		ratios[i] = ours[i] / theirs[i];
	}
	(void)printf("\n%d sandboxes, %d at a time: the other tool %.0f per second, sandbox_run() "
		     "%.0f, ratio %.2f (medians of %d)\n",
		     COUNT, WORKERS, median(theirs, SERIES), median(ours, SERIES),
		     median(ratios, SERIES), SERIES);
}

static void load_policy(struct context *context, const char *directory)
{
	cleanup_free char *path = format_string("%s/build.seccomp", directory);
	cleanup_close int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	cleanup_error struct error *error = NULL;
	cleanup_text struct text text = { 0 };

	if (fd < 0 || read_fd(fd, POLICY_MAXIMUM, &text, &error) < 0 ||
	    seccomp_compile("build.seccomp", text.data, text.length, &context->program, &error) < 0)
		fail("policy", error);
}

int main(int argc, char **argv)
{
	struct context context = { .slot = SLOT_NONE };
	cleanup_error struct error *error = NULL;
	uint64_t rounds;

	if (argc < 4 || parse_u64(argv[1], ROUNDS, &rounds) < 0 || rounds == 0) {
		(void)fprintf(stderr, "usage: start ROUNDS PROFILES COMMAND [ARGUMENT...]\n");
		return 2;
	}
	context.command = argv + 3;
	load_policy(&context, argv[2]);
	if (geteuid() == 0 && slot_new(OWNER_UID, SLOT_UID, &context.slot, &error) < 0)
		fail("slot", error);
	if (geteuid() == 0 && (setresgid(OWNER_UID, OWNER_UID, OWNER_UID) < 0 ||
			       setresuid(OWNER_UID, OWNER_UID, OWNER_UID) < 0))
		fail("uid", NULL);
	compare_starts(&context, (size_t)rounds);
	compare_throughput(&context);
	return 0;
}
