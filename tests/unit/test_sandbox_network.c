/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sandbox that may use the host's network: it connects out and looks names up, and that is all.
 * Each wall with its control: without spec.network, or with a build's filter, nothing connects.
 */
#include "tests/unit/sandbox_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct sandbox_fixture fixture;
static struct seccomp_program network;
static struct sandbox_spec spec;
static uint16_t port; /* on 127.0.0.1, where somebody says "hello" */
static pid_t server;

static int load_network(void)
{
	cleanup_text struct text policy = { 0 }, base = { 0 };

	if (read_file(AT_FDCWD, "profiles/network.seccomp", 1 << 20, &policy, NULL) < 0 ||
	    read_file(AT_FDCWD, "profiles/build.seccomp", 1 << 20, &base, NULL) < 0 ||
	    text_append(&policy, base.data, base.length) < 0)
		return -EIO;
	return seccomp_compile("network.seccomp", policy.data, policy.length, &network, NULL);
}

static _Noreturn void serve(int socket_fd)
{
	for (;;) {
		int fd = accept4(socket_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			(void)!write(fd, "hello\n", 6);
		(void)close_fd(fd);
	}
}

static int start_server(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(address);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 5) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	port = ntohs(address.sin_port);
	server = fork();
	if (server == 0)
		serve(fd);
	return server < 0 ? -errno : 0;
}

static int open_fixture(void **state)
{
	(void)state;
	if (fixture_set_up(&fixture) < 0 || load_network() < 0 || start_server() < 0)
		return -1;
	spec = fixture.spec;
	spec.network = true;
	spec.seccomp = &network;
	return 0;
}

static int close_fixture(void **state)
{
	(void)state;
	(void)kill(server, SIGKILL);
	(void)waitpid(server, NULL, 0);
	seccomp_program_clear(&network);
	sandbox_fixture_close(&fixture);
	return 0;
}

static const char *run(const char *script, const struct sandbox_spec *with)
{
	struct sandbox_result result = fixture_run(&fixture, script, with);

	sandbox_result_clear(&result);
	return fixture_output(&fixture);
}

static void test_connects(void **state)
{
	cleanup_free char *script = format_string(
		"exec 2>&1; exec 4<>/dev/tcp/127.0.0.1/%u && cat <&4", (unsigned)port);
	struct sandbox_spec other = spec;

	(void)state;
	assert_string_equal(run(script, &spec), "hello\n");
	/* In a network of its own there is nobody to connect to. */
	other.network = false;
	assert_non_null(strstr(run(script, &other), "connect: "));
	/* With a build's filter there is no socket. */
	other = spec;
	other.seccomp = fixture.spec.seccomp;
	assert_non_null(strstr(run(script, &other), "Operation not permitted"));
}

static void test_network_namespace(void **state)
{
	char host[64] = "";
	ssize_t length = readlink("/proc/self/ns/net", host, sizeof(host) - 2);

	(void)state;
	assert_true(length > 0);
	host[length] = '\n';
	assert_string_equal(run("readlink /proc/self/ns/net", &spec), host);
	assert_true(string_starts_with(run("readlink /proc/self/ns/net", &fixture.spec), "net:["));
	assert_string_not_equal(fixture_output(&fixture), host);
}

static void test_offers_nothing(void **state)
{
	static const char server_script[] =
		"use Socket;"
		"socket(S, PF_INET, SOCK_STREAM, 6) or print \"socket $!\\n\";"
		"bind(S, sockaddr_in(0, INADDR_LOOPBACK)) or print \"bind $!\\n\";"
		"listen(S, 5) or print \"listen $!\\n\";"
		"socket(U, PF_UNIX, SOCK_STREAM, 0) or print \"unix $!\\n\";"
		"socket(R, PF_INET, SOCK_RAW, 1) or print \"raw $!\\n\";";
	cleanup_free char *script = format_string("perl -e '%s'", server_script);
	cleanup_close int unix_fd = -1;

	(void)state;
	/* The control: outside, start_server() could bind and listen, and this is not refused. */
	unix_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(unix_fd >= 0);
	assert_string_equal(run(script, &spec), "bind Operation not permitted\n"
						"listen Operation not permitted\n"
						"unix Operation not permitted\n"
						"raw Operation not permitted\n");
}

static void test_looks_up(void **state)
{
	static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts",
					     "/etc/nsswitch.conf" };
	struct sandbox_spec other = fixture.spec;
	struct stat status;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *script = format_string("cat %s", files[i]);
		cleanup_text struct text text = { 0 };
		cleanup_close int fd = open(files[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		assert_int_equal(read_fd(fd, 65536, &text, NULL), 0);
		assert_string_equal(run(script, &spec), text.length ? text.data : "");
	}
	/* getaddrinfo() asks for addresses by netlink, then the files. */
	assert_non_null(strstr(run("getent ahosts localhost", &spec), "127.0.0.1"));
	/* A build is shown none of the host's. */
	assert_string_equal(run("ls /etc/resolv.conf 2>/dev/null || echo none", &other), "none\n");
	assert_string_equal(run("cat /etc/nsswitch.conf", &other),
			    "passwd: files\ngroup: files\nhosts: files\n");
	if (stat("/etc/ssl/certs", &status) == 0) {
		assert_string_equal(run("ls -d /etc/ssl/certs; touch /etc/ssl/certs/x 2>&1 | "
					"grep -o 'Read-only file system'",
					&spec),
				    "/etc/ssl/certs\nRead-only file system\n");
		assert_string_equal(run("ls -d /etc/ssl/certs 2>/dev/null || echo none", &other),
				    "none\n");
	}
}

/* In a child: what stands in a directory is put in the place of /etc/hosts. */
static int replace_hosts(const char *directory)
{
	const char *const argv[] = { "/usr/bin/wc", "-c", "/etc/hosts", NULL };
	struct error *error = NULL;
	struct sandbox_result result;
	struct sandbox_spec with = spec;
	cleanup_free char *text = NULL;

	with.argv = argv;
	text_clear(&fixture.output);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    chdir(directory) < 0 || mount("large", "/etc/hosts", NULL, MS_BIND, NULL) < 0 ||
	    sandbox_run(&with, &result, NULL) < 0 ||
	    !string_equal(fixture_output(&fixture), "3000000 /etc/hosts\n"))
		return 1;
	if (mount("fifo", "/etc/hosts", NULL, MS_BIND, NULL) < 0 ||
	    sandbox_run(&with, &result, &error) >= 0)
		return 2;
	text = error_describe(error);
	return text && strstr(text, "profile = network") &&
			       strstr(text, "/etc/hosts is no regular file")
		       ? 0
		       : 3;
}

/* Lists of what is not to be reached make /etc/hosts as large as megabytes. */
static void test_other_hosts(void **state)
{
	char directory[] = "/tmp/kmodbox-hosts-XXXXXX";
	cleanup_close int fd = -1, large_fd = -1;
	int status = 0;
	pid_t child;

	(void)state;
	if (geteuid() != 0 || access("/etc/hosts", F_OK) < 0) {
		print_message(
			"skipped: only root can put another file in the place of /etc/hosts\n");
		skip();
	}
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0755), 0);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	large_fd = openat(fd, "large", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(large_fd, 3000000), 0);
	assert_int_equal(mkfifoat(fd, "fifo", 0644), 0);
	child = fork();
	if (child == 0)
		_exit(replace_hosts(directory));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(unlinkat(fd, "large", 0), 0);
	assert_int_equal(unlinkat(fd, "fifo", 0), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(status, 0);
}

static void test_is_said(void **state)
{
	(void)state;
	for (int with = 0; with < 2; with++) {
		struct sandbox_result result =
			fixture_run(&fixture, ":", with ? &spec : &fixture.spec);
		bool found = false;

		for (size_t i = 0; i < result.layer_count; i++) {
			const struct sandbox_layer *layer = &result.layers[i];

			if (!string_equal(layer->name, "no network"))
				continue;
			found = true;
			assert_int_equal(layer->active, !with);
			assert_true(
				string_equal(layer->absent_because,
					     with ? "the profile asked for the network" : NULL));
		}
		assert_true(found);
		sandbox_result_clear(&result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connects),       cmocka_unit_test(test_network_namespace),
		cmocka_unit_test(test_offers_nothing), cmocka_unit_test(test_looks_up),
		cmocka_unit_test(test_other_hosts),    cmocka_unit_test(test_is_said),
	};

	return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
