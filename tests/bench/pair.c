/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Times commands against each other in one run: A B C A B C ..., so that whatever else the machine
 * does hits all alike, and prints minimum, median and maximum of each, the median of the ratios of
 *a round to the first command's, and in what interval that is. A ratio of paired runs travels
 *between machines, a time does not. Trusts its arguments.
 *
 *	pair ROUNDS NAME PREPARE COMMAND [ARGUMENT...] [--- NAME PREPARE COMMAND...]...
 *
 * PREPARE is a program run before each round of that command, untimed; "-" for none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS 8
#define ROUNDS 10000

struct command {
	const char *name;
	char *prepare;
	char **argv;
	double *milliseconds; /* a slot per round */
	double *ratios;
};

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* Runs it with stdin and stdout at /dev/null; anything but exit status 0 ends the benchmark. */
static void run(char **argv)
{
	int status;
	pid_t child = fork();

	if (child < 0) {
		perror("pair: fork");
		exit(1);
	}
	if (child == 0) {
		int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0)
			_exit(126);
		(void)execvp(argv[0], argv);
		(void)fprintf(stderr, "pair: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			exit(1);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		(void)fprintf(stderr, "pair: '%s' ended badly (status 0x%x): nothing to compare\n",
			      argv[0], (unsigned)status);
		exit(1);
	}
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
	if (count % 2)
		return values[count / 2];
	return (values[count / 2 - 1] + values[count / 2]) / 2;
}

/*
 * How many values at either end are left out of the interval that holds the true median with 95 %,
 * whatever the values' distribution is: by ranks, of a binomial distribution with p = 1/2.
 */
static size_t outside(size_t count)
{
	double sum = 0, one = 1;
	size_t rank = 0;

	for (size_t i = 0; i < count; i++)
		one /= 2;
	while (sum + one <= 0.025 && rank < count / 2) {
		sum += one;
		one = one * (double)(count - rank) / (double)(rank + 1);
		rank++;
	}
	return rank > 0 ? rank - 1 : 0;
}

static void measure(struct command *commands, size_t count, size_t rounds)
{
	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < count; i++) {
			char *prepare[] = { commands[i].prepare, NULL };
			double start;

			if (strcmp(commands[i].prepare, "-") != 0)
				run(prepare);
			start = now();
			run(commands[i].argv);
			commands[i].milliseconds[round] = now() - start;
			commands[i].ratios[round] =
				commands[i].milliseconds[round] / commands[0].milliseconds[round];
		}
	}
}

/* Splits the command line at "---"; 0 where it makes no sense. */
static size_t parse(int argc, char **argv, struct command *commands, size_t rounds)
{
	size_t count = 0;
	int i = 2;

	while (i < argc) {
		if (count == COMMANDS || argc - i < 3)
			return 0;
		commands[count] = (struct command){ .name = argv[i],
						    .prepare = argv[i + 1],
						    .argv = argv + i + 2 };
		commands[count].milliseconds = calloc(rounds, sizeof(double));
		commands[count].ratios = calloc(rounds, sizeof(double));
		if (!commands[count].milliseconds || !commands[count].ratios)
			return 0;
		count++;
		while (i < argc && strcmp(argv[i], "---") != 0)
			i++;
		if (i < argc)
			argv[i++] = NULL;
	}
	return count;
}

int main(int argc, char **argv)
{
	struct command commands[COMMANDS];
	char *end = NULL;
	unsigned long rounds = argc > 4 ? strtoul(argv[1], &end, 10) : 0;
	size_t count = 0;

	if (end && *end == '\0' && rounds > 0 && rounds <= ROUNDS)
		count = parse(argc, argv, commands, rounds);
	if (count == 0) {
		(void)fputs("usage: pair ROUNDS NAME PREPARE|- COMMAND... [--- NAME PREPARE|- "
			    "COMMAND...]...\n",
			    stderr);
		return 1;
	}
	measure(commands, count, rounds);
	(void)printf("%-28s %9s %9s %9s %8s   %s\n", "", "min ms", "median", "max", "ratio",
		     "its interval (95 %)");
	for (size_t i = 0; i < count; i++) {
		double middle = median(commands[i].milliseconds, rounds);
		const double *sorted = commands[i].milliseconds;

		double ratio = median(commands[i].ratios, rounds);

		(void)printf("%-28s %9.2f %9.2f %9.2f %8.2f   %.2f to %.2f\n", commands[i].name,
			     sorted[0], middle, sorted[rounds - 1], ratio,
			     commands[i].ratios[outside(rounds)],
			     commands[i].ratios[rounds - 1 - outside(rounds)]);
	}
	return 0;
}
