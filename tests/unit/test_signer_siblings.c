/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules of one package that use each other's exports, through the real kmodbox-signer: order does
 * not matter, versions do, and what one signing knows ends with it.
 */
#include "tests/unit/signer_child.h"

#define SIBLINGS_MAXIMUM 3
#define MANY 64

/* Lines that make a module export a symbol. */
#define EXPORTS(symbol, crc)                                                                       \
	".section __ksymtab_strings,\"a\"\n7:\t.string \"" symbol "\"\n8:\t.string \"\"\n"         \
	".section __ksymtab,\"a\"\n\t.long init_module-.\n\t.long 7b-.\n\t.long 8b-.\n"            \
	".section __kcrctab,\"a\"\n\t.long " crc "\n"

static const struct module user = { .calls = "sibling", .crc = "0xfeedf00d" };
static const struct module other_user = { .calls = "sibling", .crc = "0xfeedf00e" };
static const struct module provider = { .name = "demo_two",
					.extra = EXPORTS("sibling", "0xfeedf00d") };
static const struct module middle = { .name = "demo_two",
				      .calls = "third",
				      .crc = "0x33333333",
				      .extra = EXPORTS("sibling", "0xfeedf00d") };
static const struct module last = { .name = "demo_three", .extra = EXPORTS("third", "0x33333333") };
static const struct module itself = { .calls = "sibling",
				      .crc = "0xfeedf00d",
				      .extra = EXPORTS("sibling", "0xfeedf00d") };
static const struct module ring = { .name = "demo_three",
				    .calls = "sibling",
				    .crc = "0xfeedf00d",
				    .extra = EXPORTS("third", "0x33333333") };
static const struct module shadow = { .name = "demo_two",
				      .extra = EXPORTS("_printk", "0x22222222") };

static int prepare(void **state)
{
	(void)state;
	prepare_home();
	return 0;
}

static int clean(void **state)
{
	(void)state;
	remove_home();
	return 0;
}

/* Their file has a dash where the name has an underscore. */
static int send_module(struct child *child, const struct module *module)
{
	cleanup_free char *name = strdup(module->name ?: "demo");
	cleanup_text struct text image = { 0 };

	for (char *at = strchr(name, '_'); at; at = strchr(at, '_'))
		*at = '-';
	make_module(module, &image);
	return send_as(child, &image, name);
}

/* One signing of these in this order, up to its ticket. */
static int sign_together(struct child *child, const struct module *const *modules)
{
	uint32_t count = 0;

	while (count < SIBLINGS_MAXIMUM && modules[count])
		count++;
	assert_int_equal(begin(child, count), 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(send_module(child, modules[i]), 0);
	return finish(child);
}
#define SIGN_TOGETHER(child, ...)                                                                  \
	sign_together((child), (const struct module *const[SIBLINGS_MAXIMUM]){ __VA_ARGS__ })

static void assert_fetched(struct child *child, uint32_t index, const char *name, uint32_t imports)
{
	struct signer_signed got;

	assert_int_equal(fetch(child, index), 0);
	memcpy(&got, child->reply.payload, sizeof(got));
	assert_string_equal(got.name, name);
	assert_int_equal(got.verdict.checker.imports, imports);
	assert_string_equal(got.verdict.checker.text, "will load");
}

static void assert_lonely(struct child *child)
{
	assert_int_equal(SIGN_TOGETHER(child, &user), -ENOENT);
	assert_refused(child, 32, "demo.ko will not load on " RELEASE ": Unknown symbol sibling");
}

static void test_any_order(void **state)
{
	struct child child = { 0 };

	(void)state;
	start(&child);
	assert_lonely(&child);
	assert_int_equal(SIGN_TOGETHER(&child, &user, &provider), 0);
	assert_fetched(&child, 0, "demo.ko", 2);
	assert_fetched(&child, 1, "demo-two.ko", 1);
	assert_int_equal(SIGN_TOGETHER(&child, &provider, &user), 0);
	assert_fetched(&child, 1, "demo.ko", 2);
	assert_fetched(&child, 0, "demo-two.ko", 1);
	assert_int_equal(stop(&child, NULL), 0);
}

/* The one in the middle exports nothing to anybody before it will load itself. */
static void test_chain(void **state)
{
	struct child child = { 0 };

	(void)state;
	start(&child);
	assert_int_equal(SIGN_TOGETHER(&child, &user, &middle), -ENOENT);
	assert_refused(&child, 32, "Unknown symbol ");
	assert_int_equal(SIGN_TOGETHER(&child, &user, &middle, &last), 0);
	assert_fetched(&child, 0, "demo.ko", 2);
	assert_fetched(&child, 1, "demo-two.ko", 2);
	assert_fetched(&child, 2, "demo-three.ko", 1);
	assert_int_equal(SIGN_TOGETHER(&child, &last, &user, &middle), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(fetch(&child, i), 0);
	assert_int_equal(stop(&child, NULL), 0);
}

/* What the kernel could load in no order: each needs the other, or itself. */
static void test_ring(void **state)
{
	struct child child = { 0 };

	(void)state;
	start(&child);
	assert_int_equal(SIGN_TOGETHER(&child, &middle, &ring), -ENOENT);
	assert_refused(&child, 32,
		       "demo-two.ko will not load on " RELEASE ": Unknown symbol third");
	assert_int_equal(SIGN_TOGETHER(&child, &itself, &last), -ENOENT);
	assert_refused(&child, 32, "demo.ko will not load on " RELEASE ": Unknown symbol sibling");
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_other_version(void **state)
{
	struct child child = { 0 };

	(void)state;
	start(&child);
	assert_int_equal(SIGN_TOGETHER(&child, &other_user, &provider), -EINVAL);
	assert_refused(&child, 32, "demo.ko will not load on " RELEASE ": disagrees about version");
	assert_int_equal(SIGN_TOGETHER(&child, &provider, &other_user), -EINVAL);
	assert_refused(&child, 32, "demo.ko will not load on " RELEASE ": disagrees about version");
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_no_shadow_of_the_kernel(void **state)
{
	struct child child = { 0 };

	(void)state;
	start(&child);
	assert_int_equal(SIGN_TOGETHER(&child, &user, &shadow), -ENOENT);
	assert_refused(&child, 32, "Unknown symbol sibling");
	assert_int_equal(SIGN_TOGETHER(&child, &shadow, &last), -ENOEXEC);
	assert_refused(&child, 32, "exports duplicate symbol _printk (owned by kernel)");
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_next_signing_knows_nothing(void **state)
{
	struct child child = { 0 };

	(void)state;
	start(&child);
	assert_int_equal(SIGN_TOGETHER(&child, &user, &provider), 0);
	assert_int_equal(fetch(&child, 0), 0);
	assert_int_equal(fetch(&child, 1), 0);
	assert_lonely(&child);
	/* Nor after one that was refused. */
	assert_int_equal(SIGN_TOGETHER(&child, &provider, &other_user), -EINVAL);
	assert_lonely(&child);
	assert_int_equal(stop(&child, NULL), 0);
}

/* All modules of a signing are held at once, whatever soft limit the host starts programs with. */
static void test_many_files(void **state)
{
	struct child child = { .open_files = MANY / 2 };
	cleanup_text struct text small = { 0 };
	struct rlimit limit;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < MANY * 2) {
		print_message("only %lu files can be open here\n", limit.rlim_max);
		skip();
	}
	make_module(&(struct module){ 0 }, &small);
	start(&child);
	assert_int_equal(begin(&child, MANY), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		cleanup_free char *directory = format_string("updates/%u", i);

		assert_int_equal(send_file(&child, &small, "demo", "demo", directory), 0);
	}
	assert_int_equal(finish(&child), 0);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(fetch(&child, i), 0);
	assert_int_equal(stop(&child, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_ring),
		cmocka_unit_test(test_other_version),
		cmocka_unit_test(test_no_shadow_of_the_kernel),
		cmocka_unit_test(test_next_signing_knows_nothing),
		cmocka_unit_test(test_many_files),
	};

	return cmocka_run_group_tests_name("signer_siblings", tests, prepare, clean);
}
