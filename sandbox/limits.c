/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits and their words, see limits.h. */
#include "sandbox/limits.h"

#include <sched.h>
#include <stdio.h>

#define SCRATCH_BYTES (UINT64_C(1) << 30)
#define TOTAL_MEMORY_BYTES (UINT64_C(4) << 30)
/* A compiler needs half of it for a driver's largest file, and make starts one per processor. */
#define PROCESSOR_MEMORY_BYTES (UINT64_C(256) << 20)
#define CPU_SECONDS UINT64_C(3600)
/* A quarter of what they could do within the default wall time. */
#define PROCESSOR_CPU_SECONDS UINT64_C(900)

/* What grows with the processors that we may use, where they are many. */
static uint64_t by_processors(uint64_t least, uint64_t each)
{
	cpu_set_t processors;
	uint64_t sum;

	if (sched_getaffinity(0, sizeof(processors), &processors) < 0)
		return least;
	sum = (uint64_t)CPU_COUNT(&processors) * each;
	return sum > least ? sum : least;
}

struct sandbox_limits sandbox_limits_default(void)
{
	return (struct sandbox_limits){
		.wall_milliseconds = UINT64_C(3600) * 1000,
		.silence_milliseconds = UINT64_C(900) * 1000,
		.cpu_seconds = by_processors(CPU_SECONDS, PROCESSOR_CPU_SECONDS),
		.processes = 512,
		.open_files = 1024,
		.file_bytes = UINT64_C(1) << 30,
		.memory_bytes = UINT64_C(4) << 30,
		.total_memory_bytes = by_processors(TOTAL_MEMORY_BYTES, PROCESSOR_MEMORY_BYTES),
		.scratch_bytes = SCRATCH_BYTES,
		.scratch_inodes = 200000,
		.log_bytes = UINT64_C(64) << 20,
		.artifacts = 1024,
		.artifact_bytes = UINT64_C(1) << 30,
	};
}

struct sandbox_limits limits_complete(const struct sandbox_limits *given)
{
	struct sandbox_limits limits = sandbox_limits_default();

#define TAKE_LIMIT(field) limits.field = given->field ? given->field : limits.field
	TAKE_LIMIT(wall_milliseconds);
	TAKE_LIMIT(silence_milliseconds);
	TAKE_LIMIT(cpu_seconds);
	TAKE_LIMIT(processes);
	TAKE_LIMIT(processors);
	TAKE_LIMIT(open_files);
	TAKE_LIMIT(file_bytes);
	TAKE_LIMIT(memory_bytes);
	TAKE_LIMIT(total_memory_bytes);
	TAKE_LIMIT(scratch_bytes);
	TAKE_LIMIT(scratch_inodes);
	TAKE_LIMIT(log_bytes);
	TAKE_LIMIT(artifacts);
	TAKE_LIMIT(artifact_bytes);
#undef TAKE_LIMIT
	/* Else who is given a large scratch could not fill it. */
	if (limits.scratch_bytes > SCRATCH_BYTES &&
	    __builtin_add_overflow(limits.total_memory_bytes, limits.scratch_bytes - SCRATCH_BYTES,
				   &limits.total_memory_bytes))
		limits.total_memory_bytes = UINT64_MAX;
	return limits;
}

static void describe_bytes(const char *what, uint64_t bytes, char *text, size_t size)
{
	const uint64_t mebibyte = UINT64_C(1) << 20;
	bool whole = bytes % mebibyte == 0;

	(void)snprintf(text, size, "%s (%llu %s)", what,
		       (unsigned long long)(whole ? bytes / mebibyte : bytes),
		       whole ? "MiB" : "bytes");
}

static void describe_count(const char *what, uint64_t count, const char *unit, char *text,
			   size_t size)
{
	(void)snprintf(text, size, "%s (%llu%s)", what, (unsigned long long)count, unit);
}

void limits_describe(const struct sandbox_limits *limits, enum limit limit, char *text, size_t size)
{
	switch (limit) {
	case LIMIT_WALL:
		describe_count("wall time", limits->wall_milliseconds / 1000, " s", text, size);
		return;
	case LIMIT_SILENCE:
		describe_count("silence", limits->silence_milliseconds / 1000, " s without output",
			       text, size);
		return;
	case LIMIT_CPU:
		describe_count("CPU time", limits->cpu_seconds, " s", text, size);
		return;
	case LIMIT_MEMORY:
		describe_bytes("memory of one process", limits->memory_bytes, text, size);
		return;
	case LIMIT_TOTAL_MEMORY:
		describe_bytes("memory of all processes", limits->total_memory_bytes, text, size);
		return;
	case LIMIT_PROCESSES:
		describe_count("processes", limits->processes, "", text, size);
		return;
	case LIMIT_OPEN_FILES:
		describe_count("open files of one process", limits->open_files, "", text, size);
		return;
	case LIMIT_FILE:
		describe_bytes("size of one file", limits->file_bytes, text, size);
		return;
	case LIMIT_SCRATCH:
		(void)snprintf(text, size, "scratch space (%llu MiB, %llu files)",
			       (unsigned long long)(limits->scratch_bytes >> 20),
			       (unsigned long long)limits->scratch_inodes);
		return;
	case LIMIT_OUTPUT:
		describe_bytes("output", limits->log_bytes, text, size);
		return;
	default:
		describe_count("limit", limit, "", text, size);
		return;
	}
}

bool limits_is_near(uint64_t value, uint64_t limit)
{
	return value >= limit - limit / 16;
}
