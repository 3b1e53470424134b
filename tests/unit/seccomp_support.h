/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For the tests of policies: loads one, interprets the program that is made of it, and describes
 * what that makes of each system call, as the lines of a golden file.
 */
#ifndef KMODBOX_TESTS_SECCOMP_SUPPORT_H
#define KMODBOX_TESTS_SECCOMP_SUPPORT_H

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/files.h"
#include "lib/base/text.h"
#include "sandbox/seccomp.h"

#define GOLDEN_LAST 470
#define ERRNO(number) (SECCOMP_RET_ERRNO | (uint32_t)(number))
#define BROKEN 0xdeadbeefu /* what the interpreter says of a program that is none */
#define ARGUMENTS offsetof(struct seccomp_data, args)
#define ALLOW SECCOMP_RET_ALLOW
#define DECLINE ERRNO(EPERM)
#define REFUSE SECCOMP_RET_USER_NOTIF /* EPERM by the supervisor, or without one */

static struct seccomp_program program; /* the one that is looked at */

/* Names that Debian 12's libseccomp does not know yet. */
static const struct {
	int number;
	const char *name;
} newer_calls[] = {
	{ 335, "uretprobe" },	      { 336, "uprobe" },
	{ 449, "futex_waitv" },	      { 450, "set_mempolicy_home_node" },
	{ 451, "cachestat" },	      { 452, "fchmodat2" },
	{ 453, "map_shadow_stack" },  { 454, "futex_wake" },
	{ 455, "futex_wait" },	      { 456, "futex_requeue" },
	{ 457, "statmount" },	      { 458, "listmount" },
	{ 459, "lsm_get_self_attr" }, { 460, "lsm_set_self_attr" },
	{ 461, "lsm_list_modules" },  { 462, "mseal" },
	{ 463, "setxattrat" },	      { 464, "getxattrat" },
	{ 465, "listxattrat" },	      { 466, "removexattrat" },
	{ 467, "open_tree_attr" },    { 468, "file_getattr" },
	{ 469, "file_setattr" },      { 470, "listns" },
};

/* Allocated; "-" for a number that no call has. */
static char *call_name(int number)
{
	char *name;

	for (size_t i = 0; i < ARRAY_SIZE(newer_calls); i++) {
		if (newer_calls[i].number == number)
			return strdup(newer_calls[i].name);
	}
	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, number);
	return name ? name : strdup("-");
}

static const char *fate_name(uint32_t fate)
{
	switch (fate) {
	case SECCOMP_RET_ALLOW:
		return "allow";
	case SECCOMP_RET_KILL_PROCESS:
		return "kill";
	case ERRNO(0):
		return "pretend 0";
	case REFUSE:
		return "EPERM";
	case DECLINE:
		return "EPERM, untold";
	case ERRNO(ENOSYS):
		return "ENOSYS";
	default:
		return "a broken program";
	}
}

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, (const char *)data + offset, sizeof(value));
	return value;
}

static bool jump_taken(const struct sock_filter *instruction, uint32_t accumulator)
{
	switch (BPF_OP(instruction->code)) {
	case BPF_JEQ:
		return accumulator == instruction->k;
	case BPF_JGE:
		return accumulator >= instruction->k;
	default:
		return (accumulator & instruction->k) != 0;
	}
}

static bool is_conditional_jump(const struct sock_filter *instruction)
{
	unsigned operation = BPF_OP(instruction->code);

	return BPF_CLASS(instruction->code) == BPF_JMP && BPF_SRC(instruction->code) == BPF_K &&
	       (operation == BPF_JEQ || operation == BPF_JGE || operation == BPF_JSET);
}

/* What the program answers; ret_steps, if not NULL, is the number of instructions that took. */
static uint32_t interpret(const struct seccomp_program *run, const struct seccomp_data *data,
			  size_t *ret_steps)
{
	uint32_t accumulator = 0;
	size_t steps = 1;

	for (size_t at = 0; at < run->count; at++, steps++) {
		const struct sock_filter *instruction = &run->instructions[at];

		if (instruction->code == (BPF_RET | BPF_K)) {
			if (ret_steps)
				*ret_steps = steps;
			return instruction->k;
		}
		if (instruction->code == (BPF_LD | BPF_W | BPF_ABS)) {
			if (instruction->k % 4 != 0 || instruction->k + 4 > sizeof(*data))
				return BROKEN;
			accumulator = load(data, instruction->k);
		} else if (instruction->code == (BPF_JMP | BPF_JA)) {
			at += instruction->k;
		} else if (is_conditional_jump(instruction)) {
			at += jump_taken(instruction, accumulator) ? instruction->jt
								   : instruction->jf;
		} else {
			return BROKEN;
		}
	}
	return BROKEN;
}

static uint32_t fate_of(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct seccomp_data data = { .nr = (int)number,
				     .arch = AUDIT_ARCH_X86_64,
				     .args = { a, b, c, d } };

	return interpret(&program, &data, NULL);
}

/* Where the arguments decide: all ways through the program, as a list of which the first that fits
 * counts. */
struct exploration {
	struct seccomp_data data;
	struct text out;
	const char *last_fate; /* of the entry that is not written yet */
	char last_conditions[256];
	bool by_argument;
	struct fact {
		uint32_t loaded;
		uint32_t value;
		bool equal; /* else: any of these bits */
		bool holds;
	} facts[256]; /* what was decided on the way here: what follows from it is no new case */
	size_t fact_count;
};

static void write_entry(struct exploration *exploration, bool last)
{
	int r;

	if (!exploration->last_fate)
		return;
	if (!exploration->by_argument)
		r = text_append_string(&exploration->out, exploration->last_fate);
	else if (exploration->last_conditions[0])
		r = text_append_format(&exploration->out, "%s if %s; ", exploration->last_fate,
				       exploration->last_conditions);
	else
		r = text_append_format(&exploration->out, "else %s", exploration->last_fate);
	assert_int_equal(r, 0);
	assert_true(!last || !exploration->by_argument || !exploration->last_conditions[0]);
}

/* All of wide's conditions and more. */
static bool is_narrower(const char *narrow, const char *wide)
{
	size_t length = strlen(wide);

	return length == 0 || (strncmp(narrow, wide, length) == 0 && narrow[length] == ' ');
}

static void add_entry(struct exploration *exploration, const char *conditions, uint32_t fate)
{
	const char *name = fate_name(fate);

	/* What the following, wider entry says as well need not be said. */
	if (exploration->last_fate && (strcmp(exploration->last_fate, name) != 0 ||
				       !is_narrower(exploration->last_conditions, conditions)))
		write_entry(exploration, false);
	exploration->last_fate = name;
	(void)snprintf(exploration->last_conditions, sizeof(exploration->last_conditions), "%s",
		       conditions);
}

/* 1 or 0: what is known already says that this jump is taken or not; -1: it does not. */
static int known_jump(const struct exploration *exploration, uint32_t loaded,
		      const struct sock_filter *instruction)
{
	bool equal = BPF_OP(instruction->code) == BPF_JEQ;
	uint32_t value = instruction->k;

	for (size_t i = 0; i < exploration->fact_count; i++) {
		const struct fact *fact = &exploration->facts[i];

		if (fact->loaded != loaded)
			continue;
		if (fact->equal && fact->holds)
			return equal ? fact->value == value : (fact->value & value) != 0;
		if (fact->equal && equal && fact->value == value)
			return 0;
		if (!fact->equal && !equal && fact->holds && (fact->value & ~value) == 0)
			return 1;
		if (!fact->equal && !equal && !fact->holds && (value & ~fact->value) == 0)
			return 0;
	}
	return -1;
}

static void explore(struct exploration *exploration, size_t at, uint32_t loaded,
		    const char *conditions);

/* Both ways of a jump about an argument, the one where its condition holds first. */
static void explore_jump(struct exploration *exploration, size_t at, uint32_t loaded,
			 const char *conditions)
{
	const struct sock_filter *instruction = &program.instructions[at];
	bool equal = BPF_OP(instruction->code) == BPF_JEQ;
	struct fact *fact = &exploration->facts[exploration->fact_count++];
	char more[256];

	assert_true(exploration->fact_count <= ARRAY_SIZE(exploration->facts));
	exploration->by_argument = true;
	(void)snprintf(more, sizeof(more), "%s%sarg%zu %s 0x%x", conditions,
		       conditions[0] ? " and " : "", (loaded - ARGUMENTS) / 8, equal ? "is" : "has",
		       instruction->k);
	*fact = (struct fact){ loaded, instruction->k, equal, true };
	explore(exploration, at + 1 + instruction->jt, loaded, more);
	fact->holds = false;
	explore(exploration, at + 1 + instruction->jf, loaded, conditions);
	exploration->fact_count--;
}

static void explore(struct exploration *exploration, size_t at, uint32_t loaded,
		    const char *conditions)
{
	uint32_t accumulator = 0;

	for (;; at++) {
		const struct sock_filter *instruction = &program.instructions[at];
		int taken;

		assert_true(at < program.count);
		if (instruction->code == (BPF_RET | BPF_K)) {
			add_entry(exploration, conditions, instruction->k);
			return;
		}
		if (instruction->code == (BPF_LD | BPF_W | BPF_ABS)) {
			loaded = instruction->k;
			accumulator = load(&exploration->data, loaded);
			continue;
		}
		if (instruction->code == (BPF_JMP | BPF_JA)) {
			at += instruction->k;
			continue;
		}
		assert_true(is_conditional_jump(instruction));
		taken = loaded < ARGUMENTS ? jump_taken(instruction, accumulator)
					   : known_jump(exploration, loaded, instruction);
		if (taken < 0) {
			explore_jump(exploration, at, loaded, conditions);
			return;
		}
		at += taken ? instruction->jt : instruction->jf;
	}
}

/* "allow", or "EPERM if arg1 has 0xc00; else allow". Allocated. */
static char *describe_fate(int number)
{
	struct exploration exploration = { .data = { .nr = number, .arch = AUDIT_ARCH_X86_64 } };

	explore(&exploration, 0, 0, "");
	write_entry(&exploration, true);
	return text_take(&exploration.out);
}

static char *golden_line(int number)
{
	cleanup_free char *name = call_name(number);
	cleanup_free char *fate = describe_fate(number);

	return format_string("%3d %-23s %s", number, name, fate);
}

/* profiles/NAME, with what it extends behind it. */
static int load_policy(const char *name, struct seccomp_program *ret_program, struct error **error)
{
	cleanup_free char *path = format_string("profiles/%s", name);
	cleanup_text struct text policy = { 0 }, base_policy = { 0 };
	cleanup_free char *base = NULL, *base_path = NULL;
	int r = read_file(AT_FDCWD, path, 1 << 20, &policy, error);

	if (r == 0)
		r = seccomp_extended(policy.data, policy.length, &base, error);
	if (r == 0 && base) {
		base_path = format_string("profiles/%s", base);
		r = read_file(AT_FDCWD, base_path, 1 << 20, &base_policy, error);
	}
	if (r == 0 && base)
		r = text_append(&policy, base_policy.data, base_policy.length);
	return r < 0 ? r : seccomp_compile(name, policy.data, policy.length, ret_program, error);
}

/* Holds a file against the lines that next() gives for each number; NULL: none for this one. */
static void compare_golden(const char *file, const char *command, char *(*next)(int number))
{
	cleanup_text struct text golden = { 0 };
	cleanup_free char *text = NULL;
	char *save = NULL, *line;
	int different = 0;

	assert_int_equal(read_file(AT_FDCWD, file, 1 << 20, &golden, NULL), 0);
	text = text_take(&golden);
	line = strtok_r(text, "\n", &save);
	for (int number = 0; number <= GOLDEN_LAST; number++) {
		cleanup_free char *now = next(number);

		while (line && line[0] == '#')
			line = strtok_r(NULL, "\n", &save);
		if (!now)
			continue;
		if (!line || strcmp(line, now) != 0) {
			print_error("- %s\n+ %s\n", line ? line : "", now);
			different++;
		}
		line = line ? strtok_r(NULL, "\n", &save) : NULL;
	}
	if (different > 0 || line)
		print_error("If that is meant: %s >%s\n", command, file);
	assert_int_equal(different, 0);
	assert_null(line);
}

/* For a policy that extends that of a build: both, and in what they differ. */
static struct seccomp_program build, extension;

static inline int open_extension(const char *name)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;

	if (load_policy("build.seccomp", &build, &error) == 0 &&
	    load_policy(name, &extension, &error) == 0)
		return 0;
	text = error_describe(error);
	print_error("%s\n", text);
	return -1;
}

static inline int close_extension(void **state)
{
	(void)state;
	seccomp_program_clear(&build);
	seccomp_program_clear(&extension);
	return 0;
}

/* The line of this call where it is another than a build's, or NULL. */
static inline char *different_line(int number)
{
	cleanup_free char *of_build = NULL;
	char *line;

	program = build;
	of_build = golden_line(number);
	program = extension;
	line = golden_line(number);
	if (!string_equal(line, of_build))
		return line;
	free(line);
	return NULL;
}

static inline void print_differences(void)
{
	for (int number = 0; number <= GOLDEN_LAST; number++) {
		cleanup_free char *line = different_line(number);

		if (line)
			printf("%s\n", line);
	}
}

#endif
