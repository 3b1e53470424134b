/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What of a sandbox's output reaches a terminal: each sequence of the list passes as it is, those
 * that are answered or change more than the screen do not, however they are cut up; and random
 * bytes leave nothing behind that is not whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "orchestrator/printer.h"
#include "orchestrator/terminal.h"

#define MOST 512

/* Filters text in parts of this size into a string. */
static size_t filtered(const char *text, size_t length, size_t part, bool utf8, char *ret_shown)
{
	struct terminal_filter filter = { .utf8 = utf8 };
	unsigned char shown[TERMINAL_FILTER_OUTPUT(MOST)];
	size_t total = 0;

	for (size_t at = 0; at < length; at += part) {
		size_t now = length - at < part ? length - at : part;
		size_t count =
			terminal_filter(&filter, (const unsigned char *)text + at, now, shown);

		assert_true(count <= TERMINAL_FILTER_OUTPUT(now));
		memcpy(ret_shown + total, shown, count);
		total += count;
	}
	ret_shown[total] = '\0';
	return total;
}

static void shows(const char *text, const char *expected, bool utf8)
{
	char shown[2 * MOST];

	for (size_t part = 1; part <= strlen(text); part++) {
		size_t length = filtered(text, strlen(text), part, utf8, shown);

		if (length != strlen(expected) || memcmp(shown, expected, length) != 0)
			fail_msg("'%s' in parts of %zu shows '%s', not '%s'", text, part, shown,
				 expected);
	}
}

static void test_passes(void **state)
{
	static const char *const texts[] = {
		"plain text\r\n\tand\b\a more\f\v",
		"\016lqqk\017",
		"\033[H\033[2J\033[K\033[0m\033[1;31mred\033[m\033[38;5;12mx\033[38:2::1:2:3my",
		"\033[10;20H\033[3A\033[4B\033[2C\033[1D\033[5G\033[6d\033[2L\033[2M\033[3P\033[4@",
		"\033[1;24r\0337\0338\033D\033M\033E\033H\033=\033>\033c",
		"\033[?1049h\033[?25l\033[?25h\033[?1049l\033[?1h\033[?1l\033[?2004h\033[?2004l",
		"\033[?12;25h\033[4h\033[4l\033[!p\033[2 q\033[ q\033(0\033(B\033)0\033*A",
		"\033[2S\033[2T\033[3X\033[2b\033[s\033[u\033[3g",
		"\033[5I\033[2Z\033[9e\033[9a\033[9`",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		shows(texts[i], texts[i], true);
		shows(texts[i], texts[i], false);
	}
}

/* Each between two letters, of which both stay. */
static void test_dropped(void **state)
{
	static const char *const sequences[] = {
		"\033[c",	      /* DA: answered */
		"\033[0c",	      /* the same */
		"\033[>c",	      /* DA 2 */
		"\033[=c",	      /* DA 3 */
		"\033Z",	      /* DECID */
		"\033[5n",	      /* DSR */
		"\033[6n",	      /* CPR */
		"\033[?6n",	      /* DECXCPR */
		"\033[x",	      /* DECREQTPARM */
		"\033[?1$p",	      /* DECRQM */
		"\033[21t",	      /* the window's title */
		"\033[8;1;1t",	      /* resizes it */
		"\033[22;0t",	      /* title stack */
		"\033[>q",	      /* XTVERSION */
		"\033[?u",	      /* keyboard protocol */
		"\033[>1u",	      /* changes it */
		"\033[>4;2m",	      /* modifyOtherKeys */
		"\033[i",	      /* prints */
		"\033[?5i",	      /* auto print */
		"\033[1;2;3;4;5;6*y", /* DECRQCRA: what is on the screen */
		"\033['|",	      /* locator */
		"\033[1;2;3;4;5T",    /* highlight tracking */
		"\033[?1000h",	      /* mouse */
		"\033[?1003;1006h",   /* mouse */
		"\033[?1004h",	      /* focus */
		"\033[?25;1000h",     /* one good, one not */
		"\033[?1034h",	      /* meta keys */
		"\033[?h",	      /* none */
		"\033[2h",	      /* locks the keyboard */
		"\033[20h",	      /* Return types two bytes */
		"\033[12345b",	      /* too often */
		"\033[65539m",	      /* too large */
		"\033%@",	      /* no more UTF-8 */
		"\033#8",	      /* fills the screen */
		"\033 G",	      /* C1 in eight bits */
		"\033l",	      /* memory lock */
		"\033n",	      /* LS2 */
		"\033]0;title\007",
		"\033]52;c;Y3VybA==\007", /* clipboard */
		"\033]52;c;?\033\\",	  /* reads it */
		"\033]10;?\033\\",	  /* answered */
		"\033]4;1;?\007",	  /* the same */
		"\033]8;;http://x/\007",  /* a link */
		"\033]1337;File=x:AAAA\007",
		"\033P$qm\033\\",	    /* DECRQSS */
		"\033P+q544e\033\\",	    /* XTGETTCAP */
		"\033P1;1|17/6c73\033\\",   /* DECUDK: what a key types */
		"\033Pq#0~\033\\",	    /* sixel */
		"\033_Gi=1,a=q;AAAA\033\\", /* APC: kitty's pictures */
		"\033^private\033\\",
		"\033Xstring\033\\",
		"\033ktitle\033\\", /* screen's */
		"\005",		    /* ENQ: answered */
		"\021\023",	    /* flow control */
		"\177",
		"\033\\",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		char text[MOST];

		(void)snprintf(text, sizeof(text), "a%sz", sequences[i]);
		shows(text, "az", true);
		shows(text, "az", false);
	}
}

static void test_characters(void **state)
{
	(void)state;
	shows("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", true);
	/* To a terminal of eight bits the last byte of this one is CSI. */
	shows("\xdb\x9b"
	      "6n",
	      "??6n", false);
	/* C1 controls, as UTF-8 and as bytes; DCS .. ST. */
	shows("\xc2\x9b"
	      "6n",
	      "??6n", true);
	shows("\x9b"
	      "6n",
	      "?6n", true);
	shows("\x90$qm\x9c", "?$qm?", false);
	/* Overlong, surrogate, too large, cut off. */
	shows("\xc0\x9b.\xe0\x80\x9b.\xed\xa0\x80.\xf4\x90\x80\x80.\xe2\x82z", "??.???.???.????.?z",
	      true);
}

/* What is not whole shows nothing; what is too long neither, up to its end. */
static void test_ends(void **state)
{
	char text[MOST] = "a\033[";

	(void)state;
	shows("a\033[1;3", "a", true);
	shows("a\033]0;never", "a", true);
	shows("a\033[3\033[1mb", "a\033[1mb", true);
	shows("a\033[3\nb", "a\nb", true);
	shows("a\033]0;x\030b", "ab", true);
	shows("a\033\033[1mb", "a\033[1mb", true);
	for (size_t i = 0; i < 100; i++)
		(void)strcat(text, "1;");
	(void)strcat(text, "mb");
	shows(text, "ab", true);
}

static void test_reset(void **state)
{
	struct terminal_filter filter = { .utf8 = true };
	unsigned char shown[TERMINAL_FILTER_OUTPUT(MOST)];

	(void)state;
	(void)terminal_filter(&filter, (const unsigned char *)"text\033[6n", 8, shown);
	assert_string_equal(terminal_filter_reset(&filter), "");
	(void)terminal_filter(&filter, (const unsigned char *)"\033[1m", 4, shown);
	assert_non_null(strstr(terminal_filter_reset(&filter), "\033[0m"));
	assert_null(strstr(terminal_filter_reset(&filter), "1049"));
	(void)terminal_filter(&filter, (const unsigned char *)"\033[?1049h", 8, shown);
	assert_non_null(strstr(terminal_filter_reset(&filter), "\033[?1049l"));
	(void)terminal_filter(&filter, (const unsigned char *)"\033[?1049l", 8, shown);
	assert_null(strstr(terminal_filter_reset(&filter), "1049"));
}

/* What came through is let through again, byte for byte: it is whole, and on the list. */
static void test_random(void **state)
{
	static const char alphabet[] = "\033\033\033[[]P?;:0123456789$!> '*hlmnctqpub\\\007\030\n"
				       "ax\x9b\xc2\x80\xe2\x82\xac\xdb";
	unsigned seed = 4;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[64], once[2 * MOST], twice[2 * MOST];
		size_t length, again;

		for (size_t i = 0; i < sizeof(text); i++) {
			seed = seed * 1103515245u + 12345u;
			text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		length = filtered(text, sizeof(text), 1 + (seed >> 8) % sizeof(text), true, once);
		again = filtered(once, length, MOST, true, twice);
		assert_int_equal(again, length);
		assert_memory_equal(once, twice, length);
	}
}

static void test_utf8(void **state)
{
	static const struct {
		const char *all, *type, *lang;
		bool utf8;
	} rows[] = {
		{ NULL, NULL, NULL, false },
		{ NULL, NULL, "C", false },
		{ NULL, NULL, "de_DE.UTF-8", true },
		{ NULL, "", "de_DE.utf8", true },
		{ "C", NULL, "de_DE.UTF-8", false },
		{ "C.UTF-8", "C", "C", true },
		{ NULL, "de_DE.ISO-8859-1", "de_DE.UTF-8", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
		const char *const values[] = { rows[i].all, rows[i].type, rows[i].lang };

		for (size_t n = 0; n < ARRAY_SIZE(names); n++)
			assert_int_equal(
				values[n] ? setenv(names[n], values[n], 1) : unsetenv(names[n]), 0);
		assert_int_equal(printer_takes_utf8(), rows[i].utf8);
	}
}

/* In a child, with a terminal of its own as its controlling one: 0, or the line that does not hold.
 */
static int try_confined(int terminal_fd)
{
	struct winsize size = { .ws_row = 7 };
	struct termios settings;
	char byte = 'x';

	if (setsid() < 0 || ioctl(terminal_fd, TIOCSCTTY, 0) < 0 || terminal_confine(NULL) < 0)
		return __LINE__;
	/* What its loop does. */
	if (tcgetattr(terminal_fd, &settings) < 0 ||
	    tcsetattr(terminal_fd, TCSADRAIN, &settings) < 0 ||
	    ioctl(terminal_fd, TIOCSWINSZ, &size) < 0 || write(terminal_fd, &byte, 1) != 1)
		return __LINE__;
	/* What whoever took it over would. */
	if (ioctl(terminal_fd, TIOCSTI, &byte) == 0 || errno != EPERM)
		return __LINE__;
	if (open("/dev/null", O_RDONLY) >= 0 || errno != ENOSYS)
		return __LINE__;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != ENOSYS)
		return __LINE__;
	return 0;
}

static void test_confined(void **state)
{
	cleanup_close int master_fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	cleanup_close int slave_fd = -1;
	int unlocked = 0, status = 0;
	pid_t pid;

	(void)state;
	if (master_fd >= 0 && ioctl(master_fd, TIOCSPTLCK, &unlocked) == 0)
		slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave_fd < 0)
		skip(); /* no devpts here */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try_confined(slave_fd));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_passes),	   cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_characters), cmocka_unit_test(test_ends),
		cmocka_unit_test(test_reset),	   cmocka_unit_test(test_random),
		cmocka_unit_test(test_utf8),	   cmocka_unit_test(test_confined),
	};

	return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
