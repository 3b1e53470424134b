/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The filter of a build that may use the network: in what it differs from that of a build, held
 * against network.seccomp.golden; and how one policy extends another. `test_seccomp_network
 * --golden` prints those lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/unit/seccomp_support.h"

#define GOLDEN_FILE "tests/unit/network.seccomp.golden"

static int open_programs(void **state)
{
	(void)state;
	return open_extension("network.seccomp");
}

static void print_golden(void)
{
	printf("# What profiles/network.seccomp makes of x86_64 system calls otherwise than "
	       "profiles/build.seccomp.\n# Made by: test_seccomp_network --golden\n");
	print_differences();
}

static void test_golden(void **state)
{
	(void)state;
	compare_golden(GOLDEN_FILE, "test_seccomp_network --golden", different_line);
}

struct network_case {
	const char *what;
	long number;
	uint64_t arguments[3];
	uint32_t of_network; /* of a build all are refused */
};

static const struct network_case network_cases[] = {
	{ "TCP", SYS_socket, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP }, ALLOW },
	{ "TCP, not named", SYS_socket, { AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0 }, ALLOW },
	{ "UDP", SYS_socket, { AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP }, ALLOW },
	{ "a ping socket", SYS_socket, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, REFUSE },
	{ "a raw socket", SYS_socket, { AF_INET, SOCK_RAW, IPPROTO_TCP }, REFUSE },
	{ "SCTP", SYS_socket, { AF_INET, SOCK_STREAM, 132 }, REFUSE },
	{ "MPTCP", SYS_socket, { AF_INET, SOCK_STREAM, 262 }, REFUSE },
	{ "SEQPACKET", SYS_socket, { AF_INET, SOCK_SEQPACKET, 0 }, REFUSE },
	{ "DCCP", SYS_socket, { AF_INET, 6, 0 }, REFUSE },
	{ "AF_UNIX", SYS_socket, { AF_UNIX, SOCK_STREAM, 0 }, DECLINE },
	{ "AF_PACKET", SYS_socket, { 17, SOCK_RAW, 0 }, REFUSE },
	{ "AF_ALG", SYS_socket, { 38, SOCK_SEQPACKET, 0 }, REFUSE },
	{ "AF_VSOCK", SYS_socket, { 40, SOCK_STREAM, 0 }, REFUSE },
	{ "netlink route", SYS_socket, { AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0 }, ALLOW },
	{ "netlink netfilter", SYS_socket, { AF_NETLINK, SOCK_RAW, 12 }, REFUSE },
	{ "netlink audit", SYS_socket, { AF_NETLINK, SOCK_RAW, 9 }, REFUSE },
	{ "bind of netlink", SYS_bind, { 3, 0x1000, 12 }, ALLOW },
	{ "bind of IPv4", SYS_bind, { 3, 0x1000, 16 }, REFUSE },
	{ "bind of IPv6", SYS_bind, { 3, 0x1000, 28 }, REFUSE },
	{ "listen", SYS_listen, { 3, 5 }, REFUSE },
	{ "accept4", SYS_accept4, { 3 }, REFUSE },
	{ "connect", SYS_connect, { 3, 0x1000, 16 }, ALLOW },
	{ "TCP_NODELAY", SYS_setsockopt, { 3, IPPROTO_TCP, 1 }, ALLOW },
	{ "TCP_ULP", SYS_setsockopt, { 3, IPPROTO_TCP, 31 }, REFUSE },
	{ "SO_ATTACH_FILTER", SYS_setsockopt, { 3, SOL_SOCKET, 26 }, REFUSE },
	{ "SO_ATTACH_BPF", SYS_setsockopt, { 3, SOL_SOCKET, 50 }, REFUSE },
	{ "SO_MARK", SYS_setsockopt, { 3, SOL_SOCKET, 36 }, REFUSE },
};

static void test_network(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(network_cases); i++) {
		const struct network_case *given = &network_cases[i];
		struct seccomp_data data = { .nr = (int)given->number, .arch = AUDIT_ARCH_X86_64 };

		memcpy(data.args, given->arguments, sizeof(given->arguments));
		if (interpret(&build, &data, NULL) != REFUSE &&
		    interpret(&build, &data, NULL) != DECLINE)
			fail_msg("%s is allowed to a build", given->what);
		if (interpret(&extension, &data, NULL) != given->of_network)
			fail_msg("%s is decided otherwise with the network", given->what);
	}
}

/* Own lines come first; one without condition replaces those of the extended policy. */
static void test_extended(void **state)
{
	static const char text[] = "allow connect\nallow bind if arg2 is 12\nextend base\n"
				   "refuse connect bind\nallow read\n";
	cleanup_error struct error *error = NULL;
	cleanup_free char *name = NULL;

	(void)state;
	assert_int_equal(seccomp_extended(text, sizeof(text) - 1, &name, &error), 0);
	assert_string_equal(name, "base");
	assert_int_equal(seccomp_compile("p", text, sizeof(text) - 1, &program, &error), 0);
	assert_int_equal(fate_of(SYS_connect, 0, 0, 0, 0), ALLOW);
	assert_int_equal(fate_of(SYS_bind, 0, 0, 12, 0), ALLOW);
	assert_int_equal(fate_of(SYS_bind, 0, 0, 16, 0), REFUSE);
	assert_int_equal(fate_of(SYS_read, 0, 0, 0, 0), ALLOW);
	seccomp_program_clear(&program);
	free(TAKE_PTR(name));
	assert_int_equal(seccomp_extended("allow read\n", 11, &name, &error), 0);
	assert_null(name);
	assert_int_equal(seccomp_extended("extend ../x", 11, &name, &error), -EINVAL);
	assert_null(name);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} mistakes[] = {
		{ "allow read\nextend\n", "p:2: expected one 'extend FILE' instead of 'extend'" },
		{ "extend a b\n", "p:1: expected one 'extend FILE' instead of 'b'" },
		{ "extend a\nallow read\nextend b\n",
		  "a:2: expected one 'extend FILE' instead of 'b'" },
		{ "allow read\nextend a\n", "a:1: nothing follows of the extended policy 'a'" },
		{ "allow read\nallow read\nextend a\nallow write\n",
		  "p:2: already decided without condition: 'read'" },
		{ "extend a\n\nallow read\nallow read\n",
		  "a:3: already decided without condition: 'read'" },
		{ "allow bind if arg2 is 12\nextend a\nallow read\n",
		  "p:1: the last line about a call must have no condition: 'bind'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct seccomp_program none = { 0 };
		cleanup_error struct error *error = NULL;
		cleanup_free char *message = NULL;

		assert_int_equal(seccomp_compile("p", mistakes[i].text, strlen(mistakes[i].text),
						 &none, &error),
				 -EINVAL);
		message = error_describe(error);
		assert_string_equal(message, mistakes[i].message);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_mistakes),
	};

	if (argc == 2 && strcmp(argv[1], "--golden") == 0) {
		if (open_programs(NULL) < 0)
			return 1;
		print_golden();
		return close_extension(NULL);
	}
	return cmocka_run_group_tests_name("network", tests, open_programs, close_extension);
}
