/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reference module of a kernel, through the real kmodbox-signer: what it says is expected of
 * what is signed then, it never lets pass what is refused without it, and what is none is refused.
 */
#include "tests/unit/signer_child.h"

#define HASH "RANDSTRUCT_HASHED_SEED_"
#define FLAGS "SMP mod_unload modversions "
#define LONGER ".section .gnu.linkonce.this_module,\"aw\"\n.subsection 1\n\t.zero 64\n"

static int prepare(void **state)
{
	static const char randomised[] = "CONFIG_RANDSTRUCT=y\n";
	cleanup_free char *text = format_string("%s%s", config, randomised);

	(void)state;
	prepare_home();
	assert_int_equal(mkdirat(home.fd, "randomised", 0755), 0);
	scratch_write(&home, "randomised/.config", text, strlen(text), 0644);
	scratch_write(&home, "randomised/Module.symvers", LAYOUT PRINTK, strlen(LAYOUT PRINTK),
		      0644);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	remove_home();
	return 0;
}

static int send_reference(struct child *child, const struct text *module, const char *kernel)
{
	struct signer_reference request = { .architecture = "x86_64" };
	cleanup_close int fd = -1;

	assert_int_equal(MESSAGE_STRING_SET(request.kernel, kernel), 0);
	assert_int_equal(memfd_from_bytes("reference", module->data, module->length, &fd, NULL), 0);
	return call(child, SIGNER_REFERENCE, &request, sizeof(request), fd, 0, 0);
}

/* One whose vermagic ends otherwise; as long as it was. */
static void replace(struct text *module, const char *old, const char *new)
{
	char *at = memmem(module->data, module->length, old, strlen(old));

	assert_non_null(at);
	assert_int_equal(strlen(old), strlen(new));
	memcpy(at, new, strlen(new));
}

static void test_expected(void **state)
{
	const struct module plain = { 0 }, longer = { .extra = LONGER };
	cleanup_text struct text module = { 0 }, other = { 0 };
	struct child child = { 0 };

	(void)state;
	make_module(&plain, &module);
	make_module(&longer, &other);
	start(&child);
	/* Without a reference nobody knows how long struct module is. */
	assert_int_equal(sign(&child, &other), 0);
	assert_int_equal(fetch(&child, 0), 0);
	assert_int_equal(send_reference(&child, &module, RELEASE), 0);
	assert_int_equal(sign(&child, &module), 0);
	assert_int_equal(fetch(&child, 0), 0);
	assert_true(sign(&child, &other) < 0);
	assert_refused(&child, 36, "misplaced data");
	/* Whoever sends a wrong one has what is right refused, and no more. */
	assert_int_equal(send_reference(&child, &other, RELEASE), 0);
	assert_true(sign(&child, &module) < 0);
	assert_int_equal(error_code(child.error), 36);
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_never_laxer(void **state)
{
	const struct module plain = { 0 };
	cleanup_text struct text module = { 0 }, wrong = { 0 };
	struct child child = { 0 };

	(void)state;
	make_module(&plain, &wrong);
	make_module(&plain, &module);
	replace(&wrong, FLAGS, "SMP preempt mod_unload ver ");
	start(&child);
	assert_true(sign(&child, &wrong) < 0);
	assert_refused(&child, 32, "version magic");
	assert_true(send_reference(&child, &wrong, RELEASE) < 0);
	assert_refused(&child, 33, "of different kernels");
	assert_true(sign(&child, &wrong) < 0);
	assert_refused(&child, 32, "version magic");
	assert_true(send_reference(&child, &module, "6.1.0-other") < 0);
	assert_refused(&child, 33, "no known kernel");
	module.length /= 2;
	assert_true(send_reference(&child, &module, RELEASE) < 0);
	assert_refused(&child, 33, "is none");
	assert_int_equal(stop(&child, NULL), 0);
}

/* Another compiler than that of the reference is worth a warning, and no more. */
static void test_compiler(void **state)
{
	const struct module theirs = { .extra = ".ident \"GCC: 12\"\n" };
	const struct module ours = { .extra = ".ident \"clang 14\"\n.ident \"GCC: 11\"\n" };
	cleanup_text struct text module = { 0 }, other = { 0 };
	struct child child = { 0 };
	struct signer_signed got;

	(void)state;
	make_module(&theirs, &module);
	make_module(&ours, &other);
	start(&child);
	assert_int_equal(send_reference(&child, &module, RELEASE), 0);
	assert_int_equal(sign(&child, &module), 0);
	assert_int_equal(fetch(&child, 0), 0);
	memcpy(&got, child.reply.payload, sizeof(got));
	assert_string_equal(got.verdict.checker.compiler, "GCC: 12");
	assert_string_equal(got.verdict.checker.text, "will load");
	assert_int_equal(sign(&child, &other), 0);
	assert_int_equal(fetch(&child, 0), 0);
	memcpy(&got, child.reply.payload, sizeof(got));
	assert_non_null(strstr(got.verdict.checker.text, "compiled by 'clang 14', the kernel's "
							 "modules by 'GCC: 12'"));
	assert_int_equal(stop(&child, NULL), 0);
}

/* It cannot be sent while a signing is under way. */
static void test_state(void **state)
{
	const struct module plain = { 0 };
	cleanup_text struct text module = { 0 };
	struct child child = { 0 };

	(void)state;
	make_module(&plain, &module);
	start(&child);
	assert_int_equal(begin(&child, 1), 0);
	assert_int_equal(send_reference(&child, &module, RELEASE), -EPIPE);
	assert_int_not_equal(stop(&child, NULL), 0);
}

/* With CONFIG_RANDSTRUCT the seed's hash is known from nowhere else. */
static void test_randomised(void **state)
{
	static const char seeded[] = ".string \"x=" FLAGS "\"\n";
	const struct module plain = { .extra = seeded };
	cleanup_text struct text module = { 0 }, other = { 0 };
	struct child child = { .kernel = "randomised" };

	(void)state;
	/* "vermagic=...modversions " and NUL, then "x=SMP ...": one string, the hash in it. */
	make_module(&plain, &module);
	make_module(&plain, &other);
	for (int i = 0; i < 2; i++) {
		struct text *text = i ? &other : &module;
		char *end = memmem(text->data, text->length, FLAGS, sizeof(FLAGS));

		assert_non_null(end);
		memcpy(end + strlen(FLAGS), i ? HASH "2_____" : HASH "1_____", strlen(HASH) + 6);
	}
	start(&child);
	assert_true(sign(&child, &module) < 0);
	assert_int_equal(error_code(child.error), 33);
	assert_error(&child.error, "CONFIG_RANDSTRUCT");
	assert_true(send_reference(&child, &good, RELEASE) < 0);
	assert_error(&child.error, "randomised");
	assert_int_equal(send_reference(&child, &module, RELEASE), 0);
	assert_int_equal(sign(&child, &module), 0);
	assert_int_equal(fetch(&child, 0), 0);
	assert_true(sign(&child, &other) < 0);
	assert_int_equal(error_code(child.error), 32);
	assert_error(&child.error, "version magic");
	assert_int_equal(stop(&child, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expected),   cmocka_unit_test(test_never_laxer),
		cmocka_unit_test(test_compiler),   cmocka_unit_test(test_state),
		cmocka_unit_test(test_randomised),
	};

	return cmocka_run_group_tests_name("signer_reference", tests, prepare, clean);
}
