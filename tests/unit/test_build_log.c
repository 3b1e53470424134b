/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* make.log: what is kept, and which line of hostile output is shown as the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "orchestrator/build_log.h"

static struct build_log open_log(void)
{
	struct build_log log;

	assert_int_equal(build_log_open(&log, "demo", "0.1", "6.1.0-56-amd64", "x86_64", NULL), 0);
	return log;
}

static void feed(struct build_log *log, const char *text)
{
	build_log_output(log, text, strlen(text));
}

static void expect_reason(const char *output, const char *expected)
{
	struct build_log log = open_log();
	cleanup_free char *reason = NULL;

	feed(&log, output);
	reason = build_log_reason(&log);
	if (expected)
		assert_string_equal(reason, expected);
	else
		assert_null(reason);
	build_log_close(&log);
}

static void test_progress_bar(void **state)
{
	char bar[3 * BUILD_LOG_LINE];

	(void)state;
	expect_reason("  0  100k\r 50  100k\r100  100k\rcurl: (22) not found\n",
		      "curl: (22) not found");
	expect_reason("the last line\r\n\r\n", "the last line");
	memset(bar, '#', sizeof(bar));
	(void)snprintf(bar + 2 * BUILD_LOG_LINE, BUILD_LOG_LINE, "\rshort\n");
	expect_reason(bar, "short");
}

static void test_head(void **state)
{
	struct build_log log = open_log();
	cleanup_text struct text text = { 0 };
	uint64_t size;
	int r;

	(void)state;
	feed(&log, "output\n");
	assert_int_equal(build_log_seal(&log, NULL), 0);
	assert_int_equal(lseek(log.fd, 0, SEEK_SET), 0);
	r = read_fd(log.fd, 1 << 20, &text, NULL);
	assert_int_equal(r, 0);
	assert_ptr_equal(strstr(text.data,
				"DKMS make.log for demo-0.1 for kernel 6.1.0-56-amd64 (x86_64)\n"),
			 text.data);
	assert_true(string_ends_with(text.data, "\noutput\n"));
	assert_int_equal(memfd_require_sealed(log.fd, 1 << 20, &size, NULL), 0);
	build_log_close(&log);
}

static void test_reason(void **state)
{
	(void)state;
	expect_reason("", NULL);
	expect_reason("one\ntwo\n", "two");
	/* The compiler's first error, not make's last word; from the file's name on. */
	expect_reason("  CC [M]  evdi.o\n"
		      "/var/lib/dkms/evdi/1.12.0/build/evdi_drm.c:214:9: error: too few arguments\n"
		      "/var/lib/dkms/evdi/1.12.0/build/other.c:1:1: error: second\n"
		      "make: *** [Makefile:9: all] Error 2\n",
		      "evdi_drm.c:214:9: error: too few arguments");
	expect_reason("x\nmake: *** No rule to make target 'all'.  Stop.\n",
		      "make: *** No rule to make target 'all'.  Stop.");
	expect_reason("make: nosuch: command not found\nmake: *** [all] Error 127\n",
		      "make: nosuch: command not found");
	expect_reason("/bin/sh: 1: pkg-config: not found\n"
		      "/bin/sh: 1: scripts/basic/fixdep: not found\nmake: *** [x.o] Error 127\n",
		      "/bin/sh: 1: scripts/basic/fixdep: not found");
	/* A line cut into pieces by the pipe is one line. */
	expect_reason("a.c:1:1: err\033[31mor: x\n", "a.c:1:1: err\\x1b[31mor: x");
}

static void test_pieces(void **state)
{
	struct build_log log = open_log();
	cleanup_free char *reason = NULL;

	(void)state;
	feed(&log, "a.c:1:2: err");
	feed(&log, "or: in two pieces\n");
	reason = build_log_reason(&log);
	assert_string_equal(reason, "a.c:1:2: error: in two pieces");
	build_log_close(&log);
}

/* One endless line, NUL bytes and escapes: bounded, and nothing that drives a terminal comes out.
 */
static void test_hostile(void **state)
{
	struct build_log log = open_log();
	cleanup_free char *reason = NULL;
	char block[4096];

	(void)state;
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 1000; i++)
		build_log_output(&log, block, sizeof(block));
	build_log_output(&log, "\n\0\033]0;owned\007\0\n", 14);
	reason = build_log_reason(&log);
	assert_string_equal(reason, "\\x1b]0;owned\\x07");
	build_log_close(&log);
}

static char *sealed_text(struct build_log *log, struct text *text)
{
	assert_int_equal(build_log_seal(log, NULL), 0);
	assert_int_equal(lseek(log->fd, 0, SEEK_SET), 0);
	assert_int_equal(read_fd(log->fd, 1 << 20, text, NULL), 0);
	return text->data;
}

/* Of a flood the beginning and the end are kept, and how much was between them is said. */
static void test_flood(void **state)
{
	struct build_log log = open_log();
	cleanup_text struct text text = { 0 };
	cleanup_free char *reason = NULL;
	unsigned long long left_out = 0;
	uint64_t put = log.head;
	const char *at;

	(void)state;
	log.maximum = 8192;
	for (int i = 0; i < 10000; i++) {
		cleanup_free char *line = format_string("line %d\n", i);

		feed(&log, line);
		put += strlen(line);
	}
	feed(&log, "a.c:1:2: error: at the end\n");
	put += strlen("a.c:1:2: error: at the end\n");
	reason = build_log_reason(&log);
	assert_string_equal(reason, "a.c:1:2: error: at the end");
	at = sealed_text(&log, &text);
	assert_ptr_equal(strstr(at, "DKMS make.log for demo-0.1"), at);
	assert_non_null(strstr(at, "\nline 0\n"));
	assert_true(string_ends_with(at, "\nline 9999\na.c:1:2: error: at the end\n"));
	at = strstr(at, "\n[... ");
	assert_non_null(at);
	assert_int_equal(at - text.data, 8192 / 4 * 3);
	assert_int_equal(sscanf(at, "\n[... %llu bytes left out ...]\n", &left_out), 1);
	assert_true(text.length <= 8192 && text.length > 8192 - 64);
	at = strstr(at, "...]\n") + strlen("...]\n");
	assert_int_equal((uint64_t)(text.data + text.length - at) + 8192 / 4 * 3 + left_out, put);
	build_log_close(&log);
}

/* What comes with an archive is not cut where no build's limit says so; the installer takes it. */
static void test_maximum(void **state)
{
	static char block[1 << 20];
	struct build_log log = open_log();
	const uint64_t head = log.head;
	struct stat status;

	(void)state;
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 70; i++)
		build_log_output(&log, block, sizeof(block));
	assert_int_equal(build_log_seal(&log, NULL), 0);
	assert_int_equal(fstat(log.fd, &status), 0);
	assert_int_equal(status.st_size, head + 70 * sizeof(block));
	assert_int_equal(log.maximum, BUILD_LOG_MAXIMUM);
	build_log_close(&log);
}

/* More than the head, but nothing is left out; by one byte, in pieces of any size. */
static void test_edges(void **state)
{
	(void)state;
	for (size_t extra = 0; extra < 3; extra++) {
		struct build_log log = open_log();
		cleanup_text struct text text = { 0 };
		const uint64_t tail = 4096 / 4 - 64;
		char block[4096];
		size_t total;

		log.maximum = 4096;
		total = 3072 - log.head + tail - 1 + extra;
		memset(block, 'x', sizeof(block));
		for (size_t i = 0; i < total; i += 7)
			build_log_output(&log, block, total - i < 7 ? total - i : 7);
		(void)sealed_text(&log, &text);
		if (extra < 2) {
			assert_int_equal(text.length, 3072 + tail - 1 + extra);
			assert_null(strstr(text.data, "left out"));
		} else {
			assert_non_null(strstr(text.data, "\n[... 1 bytes left out ...]\n"));
		}
		build_log_close(&log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),	cmocka_unit_test(test_progress_bar),
		cmocka_unit_test(test_reason),	cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_flood),
		cmocka_unit_test(test_edges),	cmocka_unit_test(test_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
