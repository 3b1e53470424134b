/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the guest of a boot test said, read as what came of each module. Hostile text, made
 * printable ASCII by runners/vm.c: nothing here trusts its order, its numbers or its length.
 */
#include <string.h>

#include "orchestrator/boot.h"

#define LOG_MAXIMUM 65536u  /* of one module */
#define CONSOLE_SHOWN 4096u /* its end, where the guest went down */

/* One step of the plan that boot_run() wrote. */
struct step {
	struct boot_module *module;
	bool unloads;
	bool loads;
};

struct reading {
	struct boot *boot;
	struct step now;
	uint64_t taint;
};

/* The first that fits says what a line is. */
static const struct {
	const char *text;
	bool anywhere; /* in the line; else at its start */
	enum boot_problem problem;
} patterns[] = {
	{ "Oops:", true, BOOT_OOPS },
	{ "BUG: kernel NULL pointer", false, BOOT_OOPS },
	{ "BUG: unable to handle", false, BOOT_OOPS },
	{ "kernel BUG at ", false, BOOT_OOPS },
	{ "general protection fault", false, BOOT_OOPS },
	{ "invalid opcode:", false, BOOT_OOPS },
	{ "BUG: scheduling while atomic", false, BOOT_OOPS },
	{ "BUG: sleeping function called", false, BOOT_OOPS },
	{ "Kernel panic", false, BOOT_PANIC },
	{ "watchdog: BUG: soft lockup", false, BOOT_HANG },
	{ "rcu: INFO: rcu", false, BOOT_HANG },
	{ "INFO: task ", false, BOOT_HANG },
	{ "possible recursive locking", true, BOOT_LOCKDEP },
	{ "possible circular locking", true, BOOT_LOCKDEP },
	{ "inconsistent lock state", true, BOOT_LOCKDEP },
	{ "suspicious RCU usage", true, BOOT_LOCKDEP },
	{ "bad unlock balance", true, BOOT_LOCKDEP },
	{ "lock order inversion", true, BOOT_LOCKDEP },
	{ "INFO: trying to register non-static key", false, BOOT_LOCKDEP },
	{ "BUG: KASAN:", false, BOOT_SANITIZER },
	{ "BUG: KCSAN:", false, BOOT_SANITIZER },
	{ "BUG: KMSAN:", false, BOOT_SANITIZER },
	{ "UBSAN:", false, BOOT_WARNING },
	{ "BUG: ", false, BOOT_WARNING },
	{ "INFO: ", false, BOOT_WARNING },
	{ "WARNING: ", false, BOOT_WARNING },
	{ "Call Trace:", false, BOOT_WARNING },
};

static const char *const problem_names[] = { "oops",	  "panic",   "hang", "lockdep",
					     "sanitizer", "warning", "flood" };

const char *boot_problem_name(unsigned bit)
{
	return bit < ARRAY_SIZE(problem_names) ? problem_names[bit] : NULL;
}

/* Bit numbers are the kernel's: TAINT_PROPRIETARY_MODULE is 0. */
static const char taint_letters[] = "PFSRMBUDAWCIOELKXTNJ";

#define TAINT_DIE (UINT64_C(1) << 7)
#define TAINT_WARN (UINT64_C(1) << 9)
#define TAINT_SOFTLOCKUP (UINT64_C(1) << 14)

char *boot_taint_letters(uint64_t taint)
{
	char letters[sizeof(taint_letters)] = "";
	size_t count = 0;

	for (size_t i = 0; i < strlen(taint_letters); i++) {
		if (taint & UINT64_C(1) << i)
			letters[count++] = taint_letters[i];
	}
	return strdup(letters);
}

/* A line of the kernel's log, length without its newline. */
static void look_for_problems(struct boot_module *module, const char *line, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		const size_t size = strlen(patterns[i].text);
		const bool found =
			patterns[i].anywhere
				? memmem(line, length, patterns[i].text, size) != NULL
				: length >= size && memcmp(line, patterns[i].text, size) == 0;

		if (found) {
			module->problems |= patterns[i].problem;
			return;
		}
	}
}

static void add_log(struct boot_module *module, const char *line, size_t length)
{
	if (module->log.length + length + 1 > LOG_MAXIMUM)
		return;
	if (text_append(&module->log, line, length) == 0)
		ignore_result(text_append_string(&module->log, "\n"));
}

/* The steps of boot_run()'s plan: loads in order, a pause, the package's own unloaded from behind.
 */
static struct step find_step(const struct boot *boot, uint64_t number)
{
	if (number == 0)
		return (struct step){ 0 };
	if (number <= boot->count)
		return (struct step){ .module = &boot->modules[number - 1], .loads = true };
	if (number == boot->count + 1)
		return (struct step){ .module = &boot->modules[boot->count - 1] };
	number -= boot->count + 1;
	for (size_t i = boot->count; i > 0; i--) {
		if (boot->modules[i - 1].own && --number == 0)
			return (struct step){ .module = &boot->modules[i - 1], .unloads = true };
	}
	return (struct step){ 0 };
}

static void take_result(struct reading *reading, const char *result)
{
	const bool killed = strcmp(result, "killed") == 0;
	const bool stuck = strcmp(result, "stuck") == 0;
	struct boot_module *module = reading->now.module;
	uint64_t errnum = 0;

	if (!killed && !stuck && parse_u64(result, 4095, &errnum) < 0)
		errnum = EIO;
	if (killed)
		module->problems |= BOOT_OOPS;
	if (stuck)
		module->problems |= BOOT_HANG;
	if (reading->now.unloads && module->outcome == BOOT_LOADED)
		module->unload_errnum = killed || stuck ? EIO : (int)errnum;
	if (!reading->now.loads)
		return;
	module->errnum = (int)errnum;
	module->outcome = killed				? BOOT_KILLED
			  : stuck				? BOOT_STUCK
			  : errnum == 0				? BOOT_LOADED
			  : errnum == ENODEV || errnum == ENXIO ? BOOT_NO_DEVICE
								: BOOT_REFUSED;
}

/* "end NUMBER RESULT TAINT" */
static void end_step(struct reading *reading, char *words)
{
	char *number = strsep(&words, " ");
	char *result = strsep(&words, " ");
	uint64_t taint, added;

	(void)number;
	if (!reading->now.module || !result || !words || parse_u64(words, UINT32_MAX, &taint) < 0)
		return;
	take_result(reading, result);
	added = taint & ~reading->taint;
	reading->now.module->taint |= added;
	if (added & TAINT_DIE)
		reading->now.module->problems |= BOOT_OOPS;
	if (added & TAINT_SOFTLOCKUP)
		reading->now.module->problems |= BOOT_HANG;
	if (added & TAINT_WARN)
		reading->now.module->problems |= BOOT_WARNING;
	reading->taint |= taint;
	reading->now = (struct step){ 0 };
}

static void read_line(struct reading *reading, char *line)
{
	uint64_t number;

	if (string_starts_with(line, "begin ")) {
		reading->now = parse_u64(line + strlen("begin "), UINT32_MAX, &number) == 0
				       ? find_step(reading->boot, number)
				       : (struct step){ 0 };
	} else if (string_starts_with(line, "end ")) {
		end_step(reading, line + strlen("end "));
	} else if (string_starts_with(line, "log ") && reading->now.module) {
		const char *level = line + strlen("log ");
		const char *text = strchr(level, ' ');

		add_log(reading->now.module, level, strlen(level));
		if (text)
			look_for_problems(reading->now.module, text + 1, strlen(text + 1));
	}
}

/* "[    2.521330] text": without the time. */
static const char *without_time(const char *line)
{
	const char *end = *line == '[' ? strchr(line, ']') : NULL;

	return end && end[1] == ' ' ? end + 2 : line;
}

/* In which step it went down or stood still, and what its kernel said then. */
static void read_end(struct reading *reading, const char *console)
{
	struct boot_module *module = reading->now.module;
	const size_t length = strlen(console);

	if (!module)
		return;
	if (reading->now.loads)
		module->outcome = BOOT_DOWN;
	module->problems |= reading->boot->result.end == VM_TIMED_OUT ? BOOT_HANG
			    : reading->boot->result.end == VM_FLOODED ? BOOT_FLOOD
								      : BOOT_PANIC;
	if (length > CONSOLE_SHOWN) {
		console = strchr(console + length - CONSOLE_SHOWN, '\n');
		console = console ? console + 1 : "";
	}
	while (*console) {
		cleanup_free char *line = strndup(console, strcspn(console, "\n"));
		cleanup_free char *levelled =
			line ? format_string("3 %s", without_time(line)) : NULL;

		console += strcspn(console, "\n");
		console += *console == '\n';
		if (!levelled || strlen(levelled) <= 2)
			continue;
		add_log(module, levelled, strlen(levelled));
		look_for_problems(module, levelled + 2, strlen(levelled + 2));
	}
}

void boot_read_events(struct boot *boot, const char *events, const char *console)
{
	struct reading reading = { .boot = boot };

	while (boot->count > 0 && *events) {
		const size_t length = strcspn(events, "\n");
		cleanup_free char *line = strndup(events, length);

		if (line)
			read_line(&reading, line);
		events += length + (events[length] == '\n');
	}
	if (boot->count > 0)
		read_end(&reading, console);
}
