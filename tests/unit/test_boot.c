/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest of a boot test says, read and judged; also what no kernel would say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/artifacts/exit_code.h"
#include "orchestrator/boot.h"

static const struct boot_kernel no_kernel = { .image_fd = -1, .tree_fd = -1 };
static const struct boot_spec spec = { .kernel = &no_kernel,
				       .release = "6.1",
				       .architecture = "x86_64",
				       .module = "demo",
				       .version = "1" };

/* One that is needed, then two of the package. The plan: 1 2 3 load, 4 waits, 5 6 unload. */
static struct boot three(void)
{
	static const char *const names[] = { "needed", "first", "second" };
	struct boot boot = BOOT_INITIAL;

	boot.modules = calloc(ARRAY_SIZE(names), sizeof(*boot.modules));
	assert_non_null(boot.modules);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		boot.modules[i] = (struct boot_module){
			.name = strdup(names[i]), .fd = -1, .own = i > 0, .unload_errnum = -1
		};
	boot.count = ARRAY_SIZE(names);
	boot.result.end = VM_DONE;
	return boot;
}

static void judged(const struct boot *boot, int code, const char *text)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *said = NULL;
	int r = boot_judge(&spec, boot, &error);

	if (code == 0) {
		assert_int_equal(r, 0);
		return;
	}
	assert_true(r < 0);
	assert_int_equal(error_code(error), code);
	said = error_describe(error);
	assert_non_null(strstr(said, text));
}

static void test_good(void **state)
{
	cleanup_boot struct boot boot = three();
	cleanup_free char *letters = NULL;

	(void)state;
	boot_read_events(&boot,
			 "ready 6.1\nbegin 1\nend 1 0 0\nbegin 2\nlog 4 first: taints kernel\n"
			 "log 6 hello\nend 2 0 4096\nbegin 3\nlog 3 no card\nend 3 19 12288\n"
			 "begin 4\nend 4 0 12288\nbegin 5\nend 5 2 12288\nbegin 6\nend 6 11 "
			 "12288\ndone\n",
			 "");
	assert_int_equal(boot.modules[0].outcome, BOOT_LOADED);
	assert_int_equal(boot.modules[0].unload_errnum, -1);
	assert_int_equal(boot.modules[1].outcome, BOOT_LOADED);
	assert_int_equal(boot.modules[1].unload_errnum, EAGAIN);
	assert_string_equal(boot.modules[1].log.data, "4 first: taints kernel\n6 hello\n");
	letters = boot_taint_letters(boot.modules[1].taint);
	assert_string_equal(letters, "O");
	assert_int_equal(boot.modules[2].outcome, BOOT_NO_DEVICE);
	assert_int_equal(boot.modules[2].taint, 8192);
	/* It was not there to be unloaded. */
	assert_int_equal(boot.modules[2].unload_errnum, -1);
	judged(&boot, 0, NULL);
}

static void test_refused(void **state)
{
	cleanup_boot struct boot boot = three();

	(void)state;
	boot_read_events(&boot,
			 "begin 1\nend 1 0 0\nbegin 2\nlog 4 first: loading out-of-tree module "
			 "taints kernel.\nlog 4 first: Unknown symbol foo (err -2)\nend 2 2 0\n",
			 "");
	assert_int_equal(boot.modules[1].outcome, BOOT_REFUSED);
	judged(&boot, EXIT_WILL_NOT_LOAD,
	       "kernel 6.1 refuses first: ENOENT: first: Unknown symbol foo (err -2)");
}

static void test_oops(void **state)
{
	cleanup_boot struct boot boot = three();

	(void)state;
	/* In the pause, and by the taint alone. */
	boot_read_events(&boot,
			 "begin 1\nend 1 0 0\nbegin 2\nend 2 0 0\nbegin 3\nend 3 0 0\nbegin 4\n"
			 "end 4 0 128\nbegin 5\nend 5 0 128\nbegin 6\nend 6 0 128\ndone\n",
			 "");
	assert_int_equal(boot.modules[2].problems, BOOT_OOPS);
	judged(&boot, EXIT_BOOT_TEST, "second loads on kernel 6.1, and breaks it");
}

static void test_problems(void **state)
{
	static const struct {
		const char *line;
		unsigned problems;
		int code;
	} rows[] = {
		{ "BUG: kernel NULL pointer dereference, address: 8", BOOT_OOPS, EXIT_BOOT_TEST },
		{ "WARNING: possible recursive locking detected", BOOT_LOCKDEP, EXIT_BOOT_TEST },
		{ "WARNING: CPU: 0 PID: 7 at x.c:1", BOOT_WARNING, EXIT_APPROVAL },
		{ "INFO: lockdep is turned off.", BOOT_WARNING, EXIT_APPROVAL },
		{ "BUG: KASAN: use-after-free in x", BOOT_SANITIZER, EXIT_BOOT_TEST },
		{ "watchdog: BUG: soft lockup - CPU#0 stuck", BOOT_HANG, EXIT_BOOT_TEST },
		{ "first: INFO: task", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_boot struct boot boot = three();
		cleanup_free char *events =
			format_string("begin 1\nend 1 0 0\nbegin 2\nlog 4 %s\nend 2 0 0\nbegin 3\n"
				      "end 3 0 0\n",
				      rows[i].line);

		boot_read_events(&boot, events, "");
		assert_int_equal(boot.modules[1].problems, rows[i].problems);
		judged(&boot, rows[i].code,
		       rows[i].code == EXIT_APPROVAL
			       ? "first loads on kernel 6.1, and the kernel complains"
			       : "first loads on kernel 6.1, and breaks it");
	}
}

static void test_down(void **state)
{
	cleanup_boot struct boot boot = three();
	cleanup_boot struct boot silent = three();
	cleanup_boot struct boot loud = three();

	(void)state;
	boot.result.end = VM_STOPPED;
	boot_read_events(&boot, "begin 1\nend 1 0 0\nbegin 2\n",
			 "[    1.000000] Kernel panic - not syncing: gone\n");
	assert_int_equal(boot.modules[1].outcome, BOOT_DOWN);
	assert_int_equal(boot.modules[2].outcome, BOOT_NOT_REACHED);
	judged(&boot, EXIT_BOOT_TEST, "goes down when first is loaded: Kernel panic");
	silent.result.end = VM_TIMED_OUT;
	boot_read_events(&silent, "begin 1\nend 1 stuck 0\nbegin 2\n", "");
	assert_int_equal(silent.modules[0].outcome, BOOT_STUCK);
	judged(&silent, EXIT_BOOT_TEST, "the init of needed does not come back");
	loud.result.end = VM_FLOODED;
	boot_read_events(&loud, "begin 1\n", "[    1.000000] again\n");
	judged(&loud, EXIT_BOOT_TEST, "writes without end when needed is loaded: again");
}

/* Said by a module that has taken the guest over. */
static void test_hostile(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n\n",
		"begin\nend\nlog\n",
		"begin 0\nend 0 0 0\n",
		"begin 18446744073709551616\nend 1 0 0\n",
		"begin 99\nlog 1 x\nend 99 0 0\n",
		"begin -1\nend -1 -1 -1\n",
		"end 1 0 0\nlog 1 x\n",
		"begin 1\nend 1 99999999 0\n",
		"begin 1\nend 1 0 99999999999999999999\n",
		"begin 1\nlog\nlog 1\nlog  \nend 1\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_boot struct boot boot = three();

		boot_read_events(&boot, texts[i], "[no end\n]\n[ 1] x");
		judged(&boot, strstr(texts[i], "99999999 0") ? EXIT_WILL_NOT_LOAD : EXIT_BOOT_TEST,
		       "needed");
	}
}

/* However much is said, what is kept has an end. */
static void test_flood(void **state)
{
	cleanup_boot struct boot boot = three();
	cleanup_text struct text events = { 0 };

	(void)state;
	assert_int_equal(text_append_string(&events, "begin 1\n"), 0);
	for (size_t i = 0; i < 20000; i++)
		assert_int_equal(text_append_string(&events, "log 6 again and again\n"), 0);
	boot_read_events(&boot, events.data, "");
	assert_in_range(boot.modules[0].log.length, 1, 65536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_oops),  cmocka_unit_test(test_problems),
		cmocka_unit_test(test_down),  cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
