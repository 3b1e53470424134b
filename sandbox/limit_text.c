/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The limits of a sandbox as people write them, see limit_text.h. */
#include "sandbox/limit_text.h"

#include <string.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define MONTH_SECONDS (UINT64_C(30) * 24 * 3600)

/* What may stand behind a number, by what it is worth in the units of the field. */
struct unit {
	const char *name;
	uint64_t worth;
};

/* Largest first; a name that is "" is the number alone. */
static const struct unit milliseconds[] = {
	{ "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { NULL, 0 }
};
static const struct unit seconds[] = { { "h", 3600 }, { "min", 60 }, { "s", 1 }, { NULL, 0 } };
static const struct unit bytes[] = {
	{ "G", GIB }, { "M", MIB }, { "K", KIB }, { "", 1 }, { NULL, 0 }
};
static const struct unit number[] = { { "", 1 }, { NULL, 0 } };

static const struct row {
	const char *name;
	const struct unit *units;
	size_t offset;
	/* In the units of the field. Less than the minimum is no limit, but a sandbox that cannot
	 * be made; more than the maximum is a slip of the pen. */
	uint64_t minimum, maximum;
} rows[] = {
#define FIELD(name) offsetof(struct sandbox_limits, name)
	{ "wall", milliseconds, FIELD(wall_milliseconds), 1000, MONTH_SECONDS * 1000 },
	{ "silence", milliseconds, FIELD(silence_milliseconds), 1000, MONTH_SECONDS * 1000 },
	{ "cpu", seconds, FIELD(cpu_seconds), 1, MONTH_SECONDS },
	{ "memory", bytes, FIELD(memory_bytes), 16 * MIB, 16384 * GIB },
	{ "total_memory", bytes, FIELD(total_memory_bytes), 32 * MIB, 16384 * GIB },
	{ "processes", number, FIELD(processes), 4, 4194304 }, /* PID_MAX_LIMIT */
	{ "processors", number, FIELD(processors), 1, 8192 },  /* CONFIG_NR_CPUS_RANGE_END */
	{ "open_files", number, FIELD(open_files), 16, 1048576 },
	{ "file", bytes, FIELD(file_bytes), 4 * KIB, 16384 * GIB },
	{ "scratch", bytes, FIELD(scratch_bytes), 1, 16384 * GIB },
	{ "scratch_files", number, FIELD(scratch_inodes), 16, 1000000000 },
	{ "log", bytes, FIELD(log_bytes), 4 * KIB, LIMIT_TEXT_LOG },
	{ "artifacts", number, FIELD(artifacts), 1, 1024 },
	{ "artifact_bytes", bytes, FIELD(artifact_bytes), 4 * KIB, LIMIT_TEXT_ARTIFACTS },
#undef FIELD
};

static uint64_t *field(struct sandbox_limits *limits, size_t index)
{
	return (uint64_t *)(void *)((char *)limits + rows[index].offset);
}

static uint64_t value_of(const struct sandbox_limits *limits, size_t index)
{
	return *(const uint64_t *)(const void *)((const char *)limits + rows[index].offset);
}

const char *limit_text_name(size_t index)
{
	return index < ARRAY_SIZE(rows) ? rows[index].name : NULL;
}

bool limit_text_is_set(const struct sandbox_limits *limits, size_t index)
{
	return value_of(limits, index) != 0;
}

static char *format_value(const struct unit *unit, uint64_t value)
{
	while (value % unit->worth != 0 && unit[1].name)
		unit++;
	return format_string("%llu%s", (unsigned long long)(value / unit->worth), unit->name);
}

/* false: it is none, or beyond all bounds. */
static bool parse_value(const struct row *row, const char *text, uint64_t *ret_value)
{
	size_t length = strspn(text, "0123456789");
	cleanup_free char *digits = strndup(text, length);
	uint64_t value;

	for (const struct unit *unit = row->units; digits && unit->name; unit++) {
		if (!string_equal(text + length, unit->name))
			continue;
		if (parse_u64(digits, row->maximum / unit->worth, &value) < 0)
			return false;
		*ret_value = value * unit->worth;
		return *ret_value >= row->minimum;
	}
	return false;
}

/* "a number with h, min or s", "a number, or one with G, M or K", "a number" */
static int append_units(const struct unit *unit, struct text *text)
{
	int r = text_append_string(text, "a number");

	if (r == 0 && unit[0].name[0])
		r = text_append_string(text, unit[2].name && unit[3].name ? ", or one" : "");
	for (size_t i = 0; r == 0 && unit[i].name && unit[i].name[0]; i++) {
		const bool last = !unit[i + 1].name || !unit[i + 1].name[0];

		r = text_append_format(text, "%s%s",
				       i == 0 ? " with "
				       : last ? " or "
					      : ", ",
				       unit[i].name);
	}
	return r;
}

static int refuse(const struct row *row, const char *value, struct error **error)
{
	cleanup_free char *least = format_value(row->units, row->minimum);
	cleanup_free char *most = format_value(row->units, row->maximum);
	cleanup_free char *shown = sanitised(value);
	cleanup_text struct text units = { 0 };

	if (!least || !most || !shown || append_units(row->units, &units) < 0)
		return error_set_errno(error, ENOMEM, "%s", row->name);
	return error_set(error, EINVAL, "%s cannot be '%s': it is %s, from %s to %s", row->name,
			 shown, units.data, least, most);
}

int limit_text_set(struct sandbox_limits *limits, const char *name, const char *value,
		   struct error **error)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t parsed;

		if (!string_equal(rows[i].name, name))
			continue;
		if (value_of(limits, i) != 0) {
			(void)error_set(error, EEXIST, "%s stands here a second time", name);
			return -EEXIST;
		}
		if (!parse_value(&rows[i], value, &parsed))
			return refuse(&rows[i], value, error);
		*field(limits, i) = parsed;
		return 0;
	}
	return -ENOENT;
}

char *limit_text_format(const struct sandbox_limits *limits, size_t index)
{
	return format_value(rows[index].units, value_of(limits, index));
}

struct sandbox_limits limit_text_override(struct sandbox_limits limits,
					  const struct sandbox_limits *others)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (value_of(others, i) != 0)
			*field(&limits, i) = value_of(others, i);
	}
	return limits;
}
