/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a policy's text into rules. The text is ours or root's; still every mistake in it is named
 * with its line. libseccomp knows the numbers; its own compiler cannot express ordered rules with
 * several tests of one argument (an ioctl allow-list), so bpf.c makes the program.
 */
#include "sandbox/seccomp.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf_common.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/base/syscalls.h"
#include "lib/base/text.h"
#include "sandbox/seccomp_internal.h"

#define SECCOMP_TOKENS 64

/* CLONE_NEWTIME shares its bit with the exit signal of clone(); only clone3 and unshare can ask for
 * it. */
#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)
#define O_TMPFILE_BIT 020000000 /* __O_TMPFILE; O_TMPFILE itself includes O_DIRECTORY */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#ifndef ARCH_SET_CPUID
#define ARCH_SET_CPUID 0x1012 /* of <asm/prctl.h>, which x86 alone has, like the call */
#endif
#define FADV_DONTNEED POSIX_FADV_DONTNEED

#define CONSTANT(name)                                                                             \
	{                                                                                          \
#name, (uint32_t)(name)                                                            \
	}
static const struct {
	const char *name;
	uint32_t value;
} constants[] = {
	CONSTANT(O_CREAT),	    CONSTANT(O_TMPFILE_BIT),
	CONSTANT(S_ISUID),	    CONSTANT(S_ISGID),
	CONSTANT(CLONE_NAMESPACES), CONSTANT(CLONE_NEWUSER),
	CONSTANT(PR_SET_NAME),	    CONSTANT(PR_GET_NAME),
	CONSTANT(PR_SET_PDEATHSIG), CONSTANT(PR_GET_PDEATHSIG),
	CONSTANT(PR_GET_DUMPABLE),  CONSTANT(PR_GET_NO_NEW_PRIVS),
	CONSTANT(PR_GET_SECCOMP),   CONSTANT(PR_CAPBSET_READ),
	CONSTANT(PR_SET_VMA),	    CONSTANT(ADDR_NO_RANDOMIZE),
	CONSTANT(TCGETS),	    CONSTANT(TIOCGWINSZ),
	CONSTANT(FIONREAD),	    CONSTANT(FIONBIO),
	CONSTANT(FIOCLEX),	    CONSTANT(FIONCLEX),
	CONSTANT(AF_UNIX),	    CONSTANT(SOCK_DGRAM),
	CONSTANT(F_DUPFD),	    CONSTANT(F_GETFD),
	CONSTANT(F_SETFD),	    CONSTANT(F_GETFL),
	CONSTANT(F_SETFL),	    CONSTANT(F_GETLK),
	CONSTANT(F_SETLK),	    CONSTANT(F_SETLKW),
	CONSTANT(F_OFD_GETLK),	    CONSTANT(F_OFD_SETLK),
	CONSTANT(F_OFD_SETLKW),	    CONSTANT(F_DUPFD_CLOEXEC),
	CONSTANT(F_SETPIPE_SZ),	    CONSTANT(F_GETPIPE_SZ),
	CONSTANT(F_ADD_SEALS),	    CONSTANT(F_GET_SEALS),
	CONSTANT(MAP_HUGETLB),	    CONSTANT(PRIO_PROCESS),
	CONSTANT(MSG_OOB),	    CONSTANT(RLIMIT_CORE),
	CONSTANT(MADV_MERGEABLE),   CONSTANT(MADV_PAGEOUT),
	CONSTANT(MADV_COLD),	    CONSTANT(FADV_DONTNEED),
	CONSTANT(AF_INET),	    CONSTANT(AF_INET6),
	CONSTANT(AF_NETLINK),	    CONSTANT(IPPROTO_TCP),
	CONSTANT(IPPROTO_UDP),	    CONSTANT(NETLINK_ROUTE),
	CONSTANT(SOL_SOCKET),	    CONSTANT(SO_KEEPALIVE),
	CONSTANT(SO_RCVTIMEO),	    CONSTANT(SO_SNDTIMEO),
	CONSTANT(SO_RCVBUF),	    CONSTANT(SO_SNDBUF),
	CONSTANT(TCP_NODELAY),	    CONSTANT(TCP_KEEPIDLE),
	CONSTANT(TCP_KEEPINTVL),    CONSTANT(TCP_KEEPCNT),
	CONSTANT(SOL_IP),	    CONSTANT(IP_RECVERR),
	CONSTANT(SOL_IPV6),	    CONSTANT(IPV6_RECVERR),
	CONSTANT(TIOCGPGRP),	    CONSTANT(FICLONE),
	CONSTANT(TCSETS),	    CONSTANT(TCSETSW),
	CONSTANT(TCSETSF),	    CONSTANT(TIOCSWINSZ),
	CONSTANT(TIOCSPGRP),	    CONSTANT(TCSBRK),
	CONSTANT(TCXONC),	    CONSTANT(TCFLSH),
	CONSTANT(TCGETS2),	    CONSTANT(TCSETS2),
	CONSTANT(TCSETSW2),	    CONSTANT(TCSETSF2),
	CONSTANT(ARCH_SET_CPUID),
};

struct reader {
	const char *name;
	size_t line;
	char *tokens[SECCOMP_TOKENS];
	size_t token_count;
	bool extending; /* we are in the text of the policy that is extended */
	struct seccomp_policy *policy;
};

static int complain(const struct reader *reader, struct error **error, const char *what,
		    const char *token)
{
	cleanup_free char *shown = sanitised(token);

	return error_set(error, EINVAL, "%s:%zu: %s '%s'", reader->name, reader->line, what,
			 shown ? shown : "?");
}

static bool parse_number(const char *token, uint32_t *ret_value)
{
	unsigned base = token[0] == '0' ? token[1] == 'x' ? 16 : 8 : 10;
	const char *digits = base == 16 ? token + 2 : token;
	uint64_t value = 0;

	if (!*digits)
		return false;
	for (const char *c = digits; *c; c++) {
		unsigned digit = *c >= 'a' ? (unsigned)(*c - 'a') + 10 : (unsigned)(*c - '0');

		if (digit >= base || (*c > '9' && *c < 'a'))
			return false;
		value = value * base + digit;
		if (value > UINT32_MAX)
			return false;
	}
	*ret_value = (uint32_t)value;
	return true;
}

/* A number, or names joined by '|'. Cuts the token up. */
static int parse_value(const struct reader *reader, char *token, uint32_t *ret_value,
		       struct error **error)
{
	uint32_t value = 0;

	if (token[strspn(token, "|")] == '\0')
		return complain(reader, error, "no value in", token);
	if (token[0] >= '0' && token[0] <= '9') {
		if (!parse_number(token, ret_value))
			return complain(reader, error, "not a 32-bit number:", token);
		return 0;
	}
	for (char *save = NULL, *word = strtok_r(token, "|", &save); word;
	     word = strtok_r(NULL, "|", &save)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(constants) && !string_equal(constants[i].name, word))
			i++;
		if (i == ARRAY_SIZE(constants))
			return complain(reader, error, "unknown constant", word);
		value |= constants[i].value;
	}
	*ret_value = value;
	return 0;
}

/* tokens[first] is behind "if" or "and": argN TEST VALUE. */
static int parse_condition(const struct reader *reader, size_t first, struct seccomp_rule *rule,
			   struct error **error)
{
	static const char *const tests[] = {
		[SECCOMP_IS] = "is", [SECCOMP_HAS] = "has", [SECCOMP_LACKS] = "lacks"
	};
	struct seccomp_condition condition = { 0 };
	const char *argument = reader->tokens[first];
	size_t test = 0;
	int r;

	if (first + 2 >= reader->token_count || rule->condition_count == SECCOMP_CONDITIONS)
		return complain(reader, error, "incomplete or too long condition at",
				reader->tokens[first - 1]);
	if (strncmp(argument, "arg", 3) != 0 || argument[3] < '0' || argument[3] > '5' ||
	    argument[4])
		return complain(reader, error, "not arg0 to arg5:", argument);
	condition.argument = (unsigned)(argument[3] - '0');
	while (test < ARRAY_SIZE(tests) && !string_equal(tests[test], reader->tokens[first + 1]))
		test++;
	if (test == ARRAY_SIZE(tests))
		return complain(reader, error, "unknown test", reader->tokens[first + 1]);
	condition.test = (enum seccomp_test)test;
	r = parse_value(reader, reader->tokens[first + 2], &condition.value, error);
	if (r < 0)
		return r;
	rule->conditions[rule->condition_count++] = condition;
	return 0;
}

static int add_rule(struct reader *reader, const char *name, const struct seccomp_rule *rule,
		    struct error **error)
{
	int number = seccomp_syscall_resolve_name(name);
	struct seccomp_call *call;
	struct seccomp_rule *rules;

	if (number == __NR_SCMP_ERROR)
		return complain(reader, error, "unknown system call", name);
	if (number < 0 || number >= SECCOMP_SYSCALLS)
		return 0; /* of another architecture */
	call = &reader->policy->calls[number];
	if (call->final)
		return 0;
	if (call->rule_count > 0 && call->rules[call->rule_count - 1].condition_count == 0)
		return complain(reader, error, "already decided without condition:", name);
	rules = reallocarray(call->rules, call->rule_count + 1, sizeof(*rules));
	if (!rules)
		return error_set_errno(error, ENOMEM, "%s", reader->name);
	call->rules = rules;
	call->rules[call->rule_count++] = *rule;
	return 0;
}

/* What follows is the text of another policy, in which lines count anew. */
static int begin_extended(struct reader *reader, struct error **error)
{
	if (reader->token_count != 2 || reader->extending || !name_is_safe(reader->tokens[1]))
		return complain(reader, error, "expected one 'extend FILE' instead of",
				reader->tokens[reader->token_count - 1]);
	for (size_t i = 0; i < SECCOMP_SYSCALLS; i++) {
		struct seccomp_call *call = &reader->policy->calls[i];

		call->final = call->rule_count > 0 &&
			      call->rules[call->rule_count - 1].condition_count == 0;
	}
	reader->extending = true;
	reader->name = reader->tokens[1];
	reader->line = 0;
	return 0;
}

static int parse_line(struct reader *reader, struct error **error)
{
	struct seccomp_rule rule = { 0 };
	const char *verb = reader->tokens[0];
	int r;

	if (string_equal(verb, "extend"))
		return begin_extended(reader, error);
	if (string_equal(verb, "allow"))
		rule.action = SECCOMP_RET_ALLOW;
	else if (string_equal(verb, "refuse"))
		rule.action = SECCOMP_RET_USER_NOTIF;
	else if (string_equal(verb, "decline"))
		rule.action = SECCOMP_RET_ERRNO | EPERM;
	else if (string_equal(verb, "pretend"))
		rule.action = SECCOMP_RET_ERRNO | 0;
	else
		return complain(reader, error, "unknown action", verb);
	if (reader->token_count < 2)
		return complain(reader, error, "no system call behind", verb);
	rule.file = reader->name;
	rule.line = reader->line;
	if (reader->token_count > 2 && string_equal(reader->tokens[2], "if")) {
		for (size_t at = 3; at < reader->token_count; at += 4) {
			if (at > 3 && !string_equal(reader->tokens[at - 1], "and"))
				return complain(reader, error, "expected 'and' instead of",
						reader->tokens[at - 1]);
			r = parse_condition(reader, at, &rule, error);
			if (r < 0)
				return r;
		}
		/* Nothing may be left over: a lost "and ..." would make the line say more. */
		if (rule.condition_count == 0 || reader->token_count % 4 != 2)
			return complain(reader, error, "no condition behind",
					reader->tokens[reader->token_count - 1]);
		return add_rule(reader, reader->tokens[1], &rule, error);
	}
	for (size_t i = 1; i < reader->token_count; i++) {
		r = add_rule(reader, reader->tokens[i], &rule, error);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_text(struct reader *reader, char *text, struct error **error)
{
	for (char *line = text, *next; line; line = next) {
		char *save = NULL;
		int r;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		reader->line++;
		line[strcspn(line, "#")] = '\0';
		reader->token_count = 0;
		for (char *token = strtok_r(line, " \t\r", &save); token;
		     token = strtok_r(NULL, " \t\r", &save)) {
			if (reader->token_count == SECCOMP_TOKENS)
				return complain(reader, error, "too many words, at", token);
			reader->tokens[reader->token_count++] = token;
		}
		if (reader->token_count == 0)
			continue;
		r = parse_line(reader, error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What no line decides would fall through to the code of another call. */
static int check_last_rule(struct reader *reader, size_t number, struct error **error)
{
	const struct seccomp_call *call = &reader->policy->calls[number];
	cleanup_free char *name = NULL;

	if (call->rule_count == 0 || call->rules[call->rule_count - 1].condition_count == 0)
		return 0;
	name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), (int)number);
	reader->name = call->rules[call->rule_count - 1].file;
	reader->line = call->rules[call->rule_count - 1].line;
	return complain(reader, error,
			"the last line about a call must have no condition:", name ? name : "?");
}

static void policy_free(struct seccomp_policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < SECCOMP_SYSCALLS; i++)
		free(policy->calls[i].rules);
	free(policy);
}

int seccomp_extended(const char *text, size_t length, char **ret_name, struct error **error)
{
	static const char verb[] = "extend";
	const char *name = NULL;
	size_t name_length = 0;

	for (const char *line = text, *next; line && !name; line = next) {
		size_t left = length - (size_t)(line - text);
		const char *end = memchr(line, '\n', left);
		size_t line_length = end ? (size_t)(end - line) : left;

		next = end ? end + 1 : NULL;
		if (line_length < sizeof(verb) || memcmp(line, verb, sizeof(verb) - 1) != 0 ||
		    line[sizeof(verb) - 1] != ' ')
			continue;
		name = line + sizeof(verb);
		name_length = line_length - sizeof(verb);
	}
	*ret_name = name ? strndup(name, name_length) : NULL;
	if (!name)
		return 0;
	if (!*ret_name)
		return error_set_errno(error, ENOMEM, "policy");
	if (name_is_safe(*ret_name))
		return 0;
	free(TAKE_PTR(*ret_name));
	return error_set(error, EINVAL, "'extend' must be followed by the name of a policy");
}

int seccomp_compile(const char *name, const char *text, size_t length,
		    struct seccomp_program *ret_program, struct error **error)
{
	struct reader reader = { .name = name };
	const char *nul = memchr(text, '\0', length);
	cleanup_free char *copy = NULL;
	int r;

	reader.line = 1;
	for (const char *c = text; nul && c < nul; c++)
		reader.line += *c == '\n';
	if (nul)
		return complain(&reader, error, "not a text file:", "NUL byte");
	reader.line = 0;
	copy = strndup(text, length);
	reader.policy = calloc(1, sizeof(*reader.policy));
	if (!copy || !reader.policy) {
		free(reader.policy);
		return error_set_errno(error, ENOMEM, "%s", name);
	}
	r = parse_text(&reader, copy, error);
	if (r == 0 && reader.extending && reader.line <= 1)
		r = complain(&reader, error, "nothing follows of the extended policy", reader.name);
	for (size_t i = 0; r == 0 && i < SECCOMP_SYSCALLS; i++)
		r = check_last_rule(&reader, i, error);
	if (r == 0)
		r = seccomp_emit(reader.policy, ret_program, error);
	policy_free(reader.policy);
	return r;
}

static int install(const struct seccomp_program *program, unsigned flags)
{
	struct sock_fprog filter = { .len = program->count, .filter = program->instructions };

	return sys_seccomp_filter(flags, &filter);
}

static int install_listener(const struct seccomp_program *program)
{
	/* A signal that does not kill must not make a call be asked about again: Linux 5.19. */
	int r = install(program,
			SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

	return r == -EINVAL ? install(program, SECCOMP_FILTER_FLAG_NEW_LISTENER) : r;
}

/* The same program, but nobody is asked. */
static int install_silent(const struct seccomp_program *program)
{
	cleanup_free struct sock_filter *code = calloc(program->count, sizeof(*code));
	const struct seccomp_program silent = { .instructions = code, .count = program->count };

	if (!code)
		return -ENOMEM;
	memcpy(code, program->instructions, program->count * sizeof(*code));
	for (size_t i = 0; i < program->count; i++) {
		if (code[i].code == (BPF_RET | BPF_K) && code[i].k == SECCOMP_RET_USER_NOTIF)
			code[i].k = SECCOMP_RET_ERRNO | EPERM;
	}
	return install(&silent, 0);
}

int seccomp_install(const struct seccomp_program *program, int *ret_listener, struct error **error)
{
	int listener = ret_listener && program->can_report ? install_listener(program) : -1;
	int r = listener >= 0 ? 0 : install_silent(program);

	if (ret_listener)
		*ret_listener = listener >= 0 ? listener : -1;
	return r < 0 ? error_set_errno(error, -r, "seccomp filter") : 0;
}

void seccomp_program_clear(struct seccomp_program *program)
{
	free(program->instructions);
	*program = (struct seccomp_program){ 0 };
}
