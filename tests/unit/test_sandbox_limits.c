/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every limit of a sandbox: a script that hits it, with the words that say so, and the control: the
 * same script ends well where the limits are the default ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "sandbox/limits.h"
#include "tests/unit/sandbox_fixture.h"

#define MEBIBYTE (UINT64_C(1) << 20)

static struct sandbox_fixture fixture;

static int open_fixture(void **state)
{
	(void)state;
	return fixture_set_up(&fixture);
}

static int close_fixture(void **state)
{
	(void)state;
	sandbox_fixture_close(&fixture);
	return 0;
}

struct row {
	const char *words;
	struct sandbox_limits limits;
	const char *script;
};

static const struct row clocks[] = {
	{ "wall time (0 s)", { .wall_milliseconds = 300 }, "sleep 1" },
	{ "silence (0 s without output)",
	  { .silence_milliseconds = 300 },
	  "echo x; sleep 1; echo x" },
	{ "CPU time (1 s)", { .cpu_seconds = 1 }, "perl -e 'while ((times)[0] < 1.6) {}'" },
	/* No process has as much as that, neither those that end nor those that go on. */
	{ "CPU time (2 s)",
	  { .cpu_seconds = 2 },
	  "for i in 1 2 3 4 5 6; do perl -e 'while ((times)[0] < 0.7) {}' & done; wait" },
	{ "CPU time (1 s)",
	  { .cpu_seconds = 1 },
	  "for i in 1 2 3 4 5 6 7 8; do perl -e 'while ((times)[0] < 0.4) {}'; done" },
	/* Names that read like what stands behind a name. */
	{ "CPU time (2 s)",
	  { .cpu_seconds = 2 },
	  "for i in 1 2 3 4 5 6; do perl -e '$0 = \") R 0 (\\n 0 0 \"; while ((times)[0] < 0.7) {}'"
	  " & done; wait" },
	/* Children that nobody waits for are in nobody's account. */
	{ "CPU time (2 s)",
	  { .cpu_seconds = 2 },
	  "perl -e '$SIG{CHLD} = \"IGNORE\"; for (1 .. 10) { if (!fork) {"
	  " while ((times)[0] < 0.5) {} exit 0 } select undef, undef, undef, 0.5 }'" },
};

#define HOLD_100_MIB "$x = \"x\"; $x x= 104857600; sleep 1"
static const struct row memory[] = {
	{ "memory of all processes (200 MiB)",
	  { .total_memory_bytes = 200 * MEBIBYTE },
	  "for i in 1 2 3; do perl -e '" HOLD_100_MIB "' & done; wait" },
	/* A program that cannot be read is not dumpable. */
	{ "memory of all processes (200 MiB)",
	  { .total_memory_bytes = 200 * MEBIBYTE },
	  "cp /usr/bin/perl /tmp/p; chmod 0111 /tmp/p;"
	  "for i in 1 2 3; do /tmp/p -e '" HOLD_100_MIB "' & done; wait" },
	{ "memory of all processes (100 MiB)",
	  { .total_memory_bytes = 100 * MEBIBYTE },
	  "head -c 150M /dev/zero >/tmp/x; sleep 1" },
	{ "memory of one process (256 MiB)",
	  { .memory_bytes = 256 * MEBIBYTE },
	  "perl -e 'push @x, \"x\" x 100000 for 1 .. 5000'" },
};

static const struct row counts[] = {
	{ "processes (20)",
	  { .processes = 20 },
	  "exec perl -e 'for (1 .. 40) { my $pid = fork; exit 1 if !defined $pid;"
	  " if (!$pid) { sleep 1; exit } }'" },
	{ "open files of one process (32)",
	  { .open_files = 32 },
	  "exec perl -e 'for (1 .. 64) { if (!open $f[$_], \"<\", \"/dev/null\")"
	  " { sleep 1; exit 1 } }'" },
	{ "size of one file (1 MiB)",
	  { .file_bytes = MEBIBYTE },
	  "exec dd if=/dev/zero of=/tmp/big bs=64k count=64 status=none" },
	{ "scratch space (1 MiB, ",
	  { .scratch_bytes = MEBIBYTE },
	  "head -c 2M /dev/zero >/tmp/x 2>/dev/null" },
	{ "scratch space (1 MiB, ",
	  { .scratch_bytes = MEBIBYTE },
	  "head -c 2M /dev/zero >/scratch/x 2>/dev/null" },
	{ "files)",
	  { .scratch_inodes = 50 },
	  "for i in $(seq 100); do : >/scratch/$i || exit 1; done 2>/dev/null" },
	{ "output (1 MiB)", { .log_bytes = MEBIBYTE }, "head -c 2M /dev/zero" },
};

static struct sandbox_result run_row(const struct row *row, struct sandbox_limits limits)
{
	static const struct sandbox_tree scratch = { .path = "/scratch", .writable = true };
	struct sandbox_spec spec = fixture.spec;

	spec.limits = limits;
	spec.trees = &scratch;
	spec.tree_count = 1;
	return fixture_run(&fixture, row->script, &spec);
}

static void run_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct sandbox_result result = run_row(&rows[i], rows[i].limits);
		cleanup_free char *text = sandbox_result_describe(&result);

		if (result.end != SANDBOX_LIMIT || !strstr(result.limit, rows[i].words))
			fail_msg("row %zu: '%s' instead of '%s'", i, text, rows[i].words);
		assert_true(result.output_bytes <= 2 * MEBIBYTE);
		sandbox_result_clear(&result);
		free(text);
		result = run_row(&rows[i], (struct sandbox_limits){ 0 });
		text = sandbox_result_describe(&result);
		if (result.end != SANDBOX_EXITED || result.status != 0)
			fail_msg("row %zu, control: '%s'", i, text);
		sandbox_result_clear(&result);
	}
}

static void test_clocks(void **state)
{
	(void)state;
	run_rows(clocks, ARRAY_SIZE(clocks));
}

static void test_memory(void **state)
{
	(void)state;
	run_rows(memory, ARRAY_SIZE(memory));
}

static void test_counts(void **state)
{
	(void)state;
	run_rows(counts, ARRAY_SIZE(counts));
}

/* What a process has in common with its children is there once. */
static void test_shared_memory(void **state)
{
	static const struct row row = {
		.limits = { .total_memory_bytes = 250 * MEBIBYTE },
		.script = "perl -e '$x = \"x\"; $x x= 104857600;"
			  " for (1 .. 4) { if (!fork) { sleep 1; exit 0 } } sleep 1'",
	};
	struct sandbox_result result = run_row(&row, row.limits);

	(void)state;
	assert_int_equal(result.end, SANDBOX_EXITED);
	assert_int_equal(result.status, 0);
	sandbox_result_clear(&result);
}

/* As fast as it can, with as many as there may be: the CPU time of all ends it, not the clock. */
static void test_fork_bomb(void **state)
{
	static const struct row row = {
		.limits = { .cpu_seconds = 2, .wall_milliseconds = 60000 },
		.script = "perl -e '$SIG{TERM} = \"IGNORE\"; fork while 1'",
	};
	struct sandbox_result result = run_row(&row, row.limits);

	(void)state;
	assert_int_equal(result.end, SANDBOX_LIMIT);
	assert_string_equal(result.limit, "CPU time (2 s)");
	sandbox_result_clear(&result);
}

static void test_defaults(void **state)
{
	struct sandbox_limits limits = sandbox_limits_default();
	const struct sandbox_limits given = { .scratch_bytes = 3 * limits.scratch_bytes };
	struct sandbox_limits complete = limits_complete(&given);

	(void)state;
	assert_true(limits.total_memory_bytes >= limits.memory_bytes);
	assert_int_equal(complete.wall_milliseconds, limits.wall_milliseconds);
	assert_int_equal(complete.total_memory_bytes,
			 limits.total_memory_bytes + 2 * limits.scratch_bytes);
}

/* In libc's place: as many processors as a test wants; 0: the kernel does not say. */
static int processors;

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	if (processors == 0) {
		errno = EINVAL;
		return -1;
	}
	memset(set, 0, size);
	for (int i = 0; i < processors; i++)
		CPU_SET_S((size_t)i, size, set);
	return 0;
}

/* What all processes may use together grows where many can run at a time. */
static void test_by_processors(void **state)
{
	static const struct {
		int processors;
		uint64_t cpu_seconds, gibibytes;
	} rows[] = {
		{ 0, 3600, 4 }, { 1, 3600, 4 }, { 4, 3600, 4 }, { 5, 4500, 4 }, { 64, 57600, 16 }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sandbox_limits limits;

		processors = rows[i].processors;
		limits = sandbox_limits_default();
		assert_int_equal(limits.cpu_seconds, rows[i].cpu_seconds);
		assert_int_equal(limits.total_memory_bytes, rows[i].gibibytes << 30);
	}
	processors = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),	      cmocka_unit_test(test_memory),
		cmocka_unit_test(test_counts),	      cmocka_unit_test(test_shared_memory),
		cmocka_unit_test(test_fork_bomb),     cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_by_processors),
	};

	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
