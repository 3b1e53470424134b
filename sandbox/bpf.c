/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compiles rules into a classic BPF program for seccomp(2): check the architecture, then a binary
 * search over ranges of system call numbers that share a fate, then the rules of a call in order.
 * About 10 instructions are executed for any call, however long the policy is.
 */
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sandbox/seccomp_internal.h"

#define X32_BIT 0x40000000u /* __X32_SYSCALL_BIT */

/* Calls from first up to the next range's first do this. */
struct range {
	uint32_t first;
	const struct seccomp_call *call; /* NULL: unknown, ENOSYS */
};

struct emitter {
	struct sock_filter code[BPF_MAXINSNS];
	size_t count;
	bool full;
};

static size_t emit(struct emitter *emitter, uint16_t code, uint8_t jump_true, uint8_t jump_false,
		   uint32_t value)
{
	if (emitter->count == BPF_MAXINSNS) {
		emitter->full = true;
		return BPF_MAXINSNS - 1;
	}
	emitter->code[emitter->count] =
		(struct sock_filter){ .code = code, .jt = jump_true, .jf = jump_false, .k = value };
	return emitter->count++;
}

static void emit_load(struct emitter *emitter, size_t offset)
{
	emit(emitter, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* How many rules from here on only differ in the value that one argument is compared with. */
static size_t alike(const struct seccomp_rule *rules, size_t count)
{
	size_t length = 1;

	while (length < count && length < UINT8_MAX && rules[0].condition_count == 1 &&
	       rules[length].condition_count == 1 && rules[0].action == rules[length].action &&
	       rules[0].conditions[0].test == SECCOMP_IS &&
	       rules[length].conditions[0].test == SECCOMP_IS &&
	       rules[0].conditions[0].argument == rules[length].conditions[0].argument)
		length++;
	return length;
}

/* The low half of the argument: kernels with these calls are little-endian. */
static void emit_argument(struct emitter *emitter, unsigned argument)
{
	emit_load(emitter, offsetof(struct seccomp_data, args) + 8 * argument);
}

/* One load for all; whichever value it is, they return the same. */
static void emit_alike(struct emitter *emitter, const struct seccomp_rule *rules, size_t count)
{
	emit_argument(emitter, rules[0].conditions[0].argument);
	for (size_t i = 0; i < count; i++)
		emit(emitter, BPF_JMP | BPF_K | BPF_JEQ, (uint8_t)(count - i - 1),
		     i + 1 < count ? 0 : 1, rules[i].conditions[0].value);
	emit(emitter, BPF_RET | BPF_K, 0, 0, rules[0].action);
}

/* A condition that fails jumps to the next rule. */
static void emit_rule(struct emitter *emitter, const struct seccomp_rule *rule)
{
	for (size_t c = 0; c < rule->condition_count; c++) {
		const struct seccomp_condition *condition = &rule->conditions[c];
		/* Behind this pair: the other conditions' pairs and the return. */
		uint8_t skip = (uint8_t)(2 * (rule->condition_count - c - 1) + 1);
		bool lacks = condition->test == SECCOMP_LACKS;

		emit_argument(emitter, condition->argument);
		emit(emitter,
		     BPF_JMP | BPF_K | (condition->test == SECCOMP_IS ? BPF_JEQ : BPF_JSET),
		     lacks ? skip : 0, lacks ? 0 : skip, condition->value);
	}
	emit(emitter, BPF_RET | BPF_K, 0, 0, rule->action);
}

static void emit_call(struct emitter *emitter, const struct seccomp_call *call)
{
	size_t count;

	if (!call) {
		emit(emitter, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
		return;
	}
	for (size_t i = 0; i < call->rule_count; i += count) {
		count = alike(call->rules + i, call->rule_count - i);
		if (count > 1)
			emit_alike(emitter, call->rules + i, count);
		else
			emit_rule(emitter, &call->rules[i]);
	}
}

/* Instructions that emit_call() makes at most. */
static size_t call_length(const struct seccomp_call *call)
{
	size_t length = call ? call->rule_count : 1;

	for (size_t i = 0; call && i < call->rule_count; i++)
		length += 2 * call->rules[i].condition_count;
	return length;
}

/* Instructions that emit_search() makes at most. */
static size_t search_length(const struct range *ranges, size_t count)
{
	size_t length = 2 * (count - 1);

	for (size_t i = 0; i < count; i++)
		length += call_length(ranges[i].call);
	return length;
}

static void emit_search(struct emitter *emitter, const struct range *ranges, size_t count)
{
	const size_t middle = count / 2;
	bool near;
	size_t jump;

	if (count == 1) {
		emit_call(emitter, ranges[0].call);
		return;
	}
	/* At or beyond the middle: to the right half, by a jump of its own where that is far. */
	near = search_length(ranges, middle) <= UINT8_MAX;
	jump = emit(emitter, BPF_JMP | BPF_JGE | BPF_K, 0, near ? 0 : 1, ranges[middle].first);
	if (!near)
		jump = emit(emitter, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_search(emitter, ranges, middle);
	if (near)
		emitter->code[jump].jt = (uint8_t)(emitter->count - jump - 1);
	else
		emitter->code[jump].k = (uint32_t)(emitter->count - jump - 1);
	emit_search(emitter, ranges + middle, count - middle);
}

static bool same_fate(const struct seccomp_call *a, const struct seccomp_call *b)
{
	if (!a || !b)
		return a == b;
	return a->rule_count == 1 && b->rule_count == 1 && a->rules[0].action == b->rules[0].action;
}

static size_t make_ranges(const struct seccomp_policy *policy, struct range ranges[])
{
	size_t count = 0;

	for (uint32_t number = 0; number <= SECCOMP_SYSCALLS; number++) {
		const struct seccomp_call *call = NULL;

		if (number < SECCOMP_SYSCALLS && policy->calls[number].rule_count > 0)
			call = &policy->calls[number];
		if (count == 0 || !same_fate(ranges[count - 1].call, call))
			ranges[count++] = (struct range){ .first = number, .call = call };
	}
	return count;
}

/* What message_send() calls: which rules of sendmsg hold is known by its flags alone. */
static bool may_send(const struct seccomp_policy *policy)
{
	const struct seccomp_call *call = &policy->calls[SYS_sendmsg];

	for (size_t i = 0; i < call->rule_count; i++) {
		const struct seccomp_rule *rule = &call->rules[i];
		bool holds = true;

		for (size_t c = 0; c < rule->condition_count; c++) {
			const struct seccomp_condition *condition = &rule->conditions[c];
			const bool has = (condition->value & MSG_NOSIGNAL) != 0;

			if (condition->argument != 2)
				return false;
			holds = holds &&
				(condition->test == SECCOMP_IS	  ? condition->value == MSG_NOSIGNAL
				 : condition->test == SECCOMP_HAS ? has
								  : !has);
		}
		if (holds)
			return rule->action == SECCOMP_RET_ALLOW;
	}
	return false;
}

static bool is_jump(const struct sock_filter *instruction)
{
	return BPF_CLASS(instruction->code) == BPF_JMP && BPF_OP(instruction->code) != BPF_JA;
}

/* The last return of the same value that a jump from here, now to there, can reach. */
static uint8_t farthest(const struct emitter *emitter, size_t here, uint8_t distance)
{
	const struct sock_filter *target = &emitter->code[here + 1 + distance];
	size_t best = distance;

	for (size_t next = distance; BPF_CLASS(target->code) == BPF_RET && next <= UINT8_MAX &&
				     here + 1 + next < emitter->count;
	     next++) {
		const struct sock_filter *other = &emitter->code[here + 1 + next];

		if (other->code == target->code && other->k == target->k)
			best = next;
	}
	return (uint8_t)best;
}

/*
 * Drops instructions that nothing leads to. Only jumps lead backwards to none: one pass from the
 * top finds all that are reached, and distances only shrink.
 */
static void drop_unreached(struct emitter *emitter)
{
	bool reached[BPF_MAXINSNS] = { true };
	size_t place[BPF_MAXINSNS], kept = 0;

	for (size_t i = 0; i < emitter->count; i++) {
		const struct sock_filter *instruction = &emitter->code[i];

		place[i] = kept;
		if (!reached[i])
			continue;
		kept++;
		if (is_jump(instruction)) {
			reached[i + 1 + instruction->jt] = true;
			reached[i + 1 + instruction->jf] = true;
		} else if (BPF_CLASS(instruction->code) == BPF_JMP) {
			reached[i + 1 + instruction->k] = true;
		} else if (BPF_CLASS(instruction->code) != BPF_RET) {
			reached[i + 1] = true;
		}
	}
	for (size_t i = 0; i < emitter->count; i++) {
		struct sock_filter moved = emitter->code[i];

		if (!reached[i])
			continue;
		if (is_jump(&moved)) {
			moved.jt = (uint8_t)(place[i + 1 + moved.jt] - place[i] - 1);
			moved.jf = (uint8_t)(place[i + 1 + moved.jf] - place[i] - 1);
		} else if (BPF_CLASS(moved.code) == BPF_JMP) {
			moved.k = (uint32_t)(place[i + 1 + moved.k] - place[i] - 1);
		}
		emitter->code[place[i]] = moved;
	}
	emitter->count = kept;
}

/*
 * Half of the instructions are returns of a few values, and each costs the kernel time when a
 * filter is installed: all jumps go to the farthest one of their value. What gets shorter brings
 * others into reach.
 */
static void share_returns(struct emitter *emitter)
{
	size_t before;

	do {
		before = emitter->count;
		for (size_t i = 0; i < emitter->count; i++) {
			struct sock_filter *instruction = &emitter->code[i];

			if (!is_jump(instruction))
				continue;
			instruction->jt = farthest(emitter, i, instruction->jt);
			instruction->jf = farthest(emitter, i, instruction->jf);
		}
		drop_unreached(emitter);
	} while (emitter->count < before);
}

static int emit_program(const struct seccomp_policy *policy, struct emitter *emitter,
			struct range *ranges, struct seccomp_program *ret_program,
			struct error **error)
{
	size_t count = make_ranges(policy, ranges);
	struct sock_filter *code;

	emit_load(emitter, offsetof(struct seccomp_data, arch));
	emit(emitter, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, seccomp_arch_native());
	emit(emitter, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	emit_load(emitter, offsetof(struct seccomp_data, nr));
	if (seccomp_arch_native() == AUDIT_ARCH_X86_64) {
		emit(emitter, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
		emit(emitter, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS);
	}
	emit_search(emitter, ranges, count);
	if (emitter->full)
		return error_set(error, E2BIG, "the policy makes a program of over %d instructions",
				 BPF_MAXINSNS);
	share_returns(emitter);
	code = calloc(emitter->count, sizeof(*code));
	if (!code)
		return error_set_errno(error, ENOMEM, "seccomp program");
	memcpy(code, emitter->code, emitter->count * sizeof(*code));
	*ret_program = (struct seccomp_program){ .instructions = code,
						 .count = (unsigned short)emitter->count,
						 .can_report = may_send(policy) };
	return 0;
}

int seccomp_emit(const struct seccomp_policy *policy, struct seccomp_program *ret_program,
		 struct error **error)
{
	cleanup_free struct emitter *emitter = calloc(1, sizeof(*emitter));
	cleanup_free struct range *ranges = calloc(SECCOMP_SYSCALLS + 1, sizeof(*ranges));

	if (!emitter || !ranges)
		return error_set_errno(error, ENOMEM, "seccomp program");
	return emit_program(policy, emitter, ranges, ret_program, error);
}
