/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Approvals: one accepted form, and what lies outside one is refused with the remedy. */
#include "lib/artifacts/approval.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/message.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD "kmodbox-approval-1\nmodule demo\nversion 0.1\n"
#define GOOD HEAD "source " HEX "\nkernels 6.1.*\nfile demo\nfile demo-backlight\n"

static void assert_says(const struct error *error, const char *words)
{
	cleanup_free char *text = error_describe(error);

	assert_non_null(text);
	if (!strstr(text, words))
		fail_msg("'%s' is not in '%s'", words, text);
}

static void test_round_trip(void **state)
{
	cleanup_approval struct approval approval = { 0 };
	cleanup_text struct text text = { 0 };

	(void)state;
	assert_int_equal(approval_parse(GOOD, strlen(GOOD), &approval, NULL), 0);
	assert_string_equal(approval.module, "demo");
	assert_string_equal(approval.version, "0.1");
	assert_string_equal(approval.kernels, "6.1.*");
	assert_int_equal(approval.source.bytes[1], 0x11);
	assert_int_equal(approval.file_count, 2);
	assert_string_equal(approval.files[1], "demo-backlight");
	assert_int_equal(approval_format(&approval, &text), 0);
	assert_string_equal(text.data, GOOD);
}

static void test_only_that_form_is_read(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"kmodbox-approval-1\n",
		"kmodbox-approval-2\nmodule demo\nversion 0.1\nsource " HEX
		"\nkernels *\nfile demo\n",
		" " GOOD,
		GOOD "\n",
		GOOD "file",
		GOOD "file x",
		GOOD "file \n",
		GOOD "file demo\n",
		GOOD "file ../demo\n",
		GOOD "file a b\n",
		GOOD "kernels *\n",
		GOOD "sign everything\n",
		HEAD "kernels *\nfile demo\n",
		HEAD "source " HEX "\nfile demo\n",
		HEAD "source " HEX "\nkernels *\n",
		HEAD "source " HEX "\nkernels \nfile demo\n",
		HEAD "source " HEX "\nkernels *\nkernels *\nfile demo\n",
		HEAD "source " HEX "\nkernels *\r\nfile demo\n",
		HEAD "source " HEX "0\nkernels *\nfile demo\n",
		HEAD "source 0\nkernels *\nfile demo\n",
		HEAD "source  " HEX "\nkernels *\nfile demo\n",
		HEAD "version 0.1\nsource " HEX "\nkernels *\nfile demo\n",
		"kmodbox-approval-1\nversion 0.1\nmodule demo\nsource " HEX
		"\nkernels *\nfile demo\n",
		"kmodbox-approval-1\nmodule ../x\nversion 0.1\nsource " HEX
		"\nkernels *\nfile demo\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_approval struct approval approval = { 0 };
		cleanup_error struct error *error = NULL;

		assert_int_equal(approval_parse(bad[i], strlen(bad[i]), &approval, &error),
				 -EBADMSG);
		assert_non_null(error);
		assert_null(approval.files);
	}
}

/* Every shorter text but the one that ends with a whole first file line; no byte behind is read. */
static void test_truncated_is_refused(void **state)
{
	const size_t one_file = strlen(GOOD) - strlen("file demo-backlight\n");

	(void)state;
	for (size_t length = 0; length <= strlen(GOOD); length++) {
		cleanup_approval struct approval approval = { 0 };
		cleanup_free char *copy = malloc(length + 1);
		bool good = length == one_file || length == strlen(GOOD);

		assert_non_null(copy);
		memcpy(copy, GOOD, length);
		assert_int_equal(approval_parse(copy, length, &approval, NULL),
				 good ? 0 : -EBADMSG);
	}
}

static void test_a_nul_is_refused(void **state)
{
	cleanup_approval struct approval approval = { 0 };
	char text[] = GOOD;

	(void)state;
	text[strlen("kmodbox-approval-1\nmodule d")] = '\0';
	assert_int_equal(approval_parse(text, sizeof(text) - 1, &approval, NULL), -EBADMSG);
}

static void test_files_are_counted(void **state)
{
	(void)state;
	for (unsigned count = TICKET_FILES; count <= TICKET_FILES + 1; count++) {
		cleanup_approval struct approval approval = { 0 };
		cleanup_text struct text text = { 0 };

		assert_int_equal(text_append_string(&text, HEAD "source " HEX "\nkernels *\n"), 0);
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(text_append_format(&text, "file m%u\n", i), 0);
		assert_int_equal(approval_parse(text.data, text.length, &approval, NULL),
				 count == TICKET_FILES ? 0 : -EBADMSG);
	}
}

static void test_format_refuses_what_could_not_be_read(void **state)
{
	static char files[2][TICKET_NAME] = { "demo", "demo\nkernels *" };
	struct approval approval = { .module = "demo", .version = "1", .kernels = "*" };
	cleanup_text struct text text = { 0 };

	(void)state;
	approval.files = files;
	approval.file_count = 2;
	assert_int_equal(approval_format(&approval, &text), -EINVAL);
	approval.file_count = 0;
	assert_int_equal(approval_format(&approval, &text), -EINVAL);
	assert_int_equal(MESSAGE_STRING_SET(approval.kernels, "*\nfile evil"), 0);
	approval.file_count = 1;
	assert_int_equal(approval_format(&approval, &text), -EINVAL);
	assert_int_equal(MESSAGE_STRING_SET(approval.kernels, "*"), 0);
	assert_null(text.data);
	assert_int_equal(approval_format(&approval, &text), 0);
	assert_non_null(text.data);
}

static int write_approval(int directory_fd, const char *path, const char *text)
{
	return write_file_atomically(directory_fd, path, text, strlen(text), 0600, NULL);
}

static void test_load(void **state)
{
	char directory[] = "/tmp/kmodbox-approval-XXXXXX";
	cleanup_approval struct approval approval = { 0 };
	cleanup_error struct error *missing = NULL, *other = NULL, *bad = NULL, *unsafe = NULL;
	cleanup_close int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(directory));
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(mkdirat(fd, "demo", 0700), 0);
	assert_int_equal(write_approval(fd, "demo/0.1", GOOD), 0);
	assert_int_equal(write_approval(fd, "demo/0.2", GOOD), 0);
	assert_int_equal(write_approval(fd, "demo/0.3", ""), 0);
	assert_int_equal(symlinkat("0.1", fd, "demo/link"), 0);

	assert_int_equal(approval_load(fd, "demo", "9", &approval, &missing), -ENOENT);
	assert_int_equal(error_code(missing), EXIT_APPROVAL);
	assert_says(missing, "kmodbox add --force -m demo -v 9");
	assert_int_equal(approval_load(fd, "demo", "0.2", &approval, &other), -EBADMSG);
	assert_int_equal(error_code(other), EXIT_APPROVAL);
	assert_int_equal(approval_load(fd, "demo", "0.3", &approval, &bad), -EBADMSG);
	assert_int_equal(approval_load(fd, "demo", "link", &approval, NULL), -ELOOP);
	assert_int_equal(approval_load(fd, "demo/..", "demo", &approval, &unsafe), -EINVAL);
	assert_null(approval.files);
	assert_int_equal(approval_load(fd, "demo", "0.1", &approval, NULL), 0);
	assert_int_equal(approval.file_count, 2);

	assert_int_equal(remove_tree(fd, "demo", NULL), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void test_checks(void **state)
{
	cleanup_approval struct approval approval = { 0 };
	cleanup_error struct error *source_error = NULL, *kernel_error = NULL, *file_error = NULL;
	struct digest source;

	(void)state;
	assert_int_equal(approval_parse(GOOD, strlen(GOOD), &approval, NULL), 0);
	source = approval.source;
	assert_int_equal(approval_check_source(&approval, &source, "6.1.0-56-amd64", NULL), 0);
	assert_int_equal(
		approval_check_source(&approval, &source, "6.12.117+deb12-amd64", &kernel_error),
		-EPERM);
	assert_int_equal(error_code(kernel_error), EXIT_APPROVAL);
	assert_says(kernel_error, "kernels '6.1.*' only");
	assert_int_equal(approval_check_source(&approval, &source, "6.1./../x", NULL), -EPERM);
	source.bytes[31] ^= 1;
	assert_int_equal(approval_check_source(&approval, &source, "6.1.0-56-amd64", &source_error),
			 -EPERM);
	assert_int_equal(error_code(source_error), EXIT_APPROVAL);
	assert_says(source_error, "its source changed");
	assert_says(source_error, "kmodbox add --force -m demo -v 0.1");

	assert_int_equal(approval_check_file(&approval, "demo", NULL), 0);
	assert_int_equal(approval_check_file(&approval, "demo-backlight", NULL), 0);
	assert_int_equal(approval_check_file(&approval, "demo_backlight", NULL), -EPERM);
	assert_int_equal(approval_check_file(&approval, "evil\033[2J", &file_error), -EPERM);
	assert_int_equal(error_code(file_error), EXIT_APPROVAL);
	assert_says(file_error, "'?' is not in its approval");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_only_that_form_is_read),
		cmocka_unit_test(test_truncated_is_refused),
		cmocka_unit_test(test_a_nul_is_refused),
		cmocka_unit_test(test_files_are_counted),
		cmocka_unit_test(test_format_refuses_what_could_not_be_read),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_checks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
