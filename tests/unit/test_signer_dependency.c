/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Modules that use the exports of another package, through the real kmodbox-signer and checker:
 * only of one that was signed here for the same kernel, as it was signed, and by the kernel's
 * rules.
 */
#include "tests/unit/signer_child.h"

/* Lines that make a module export a symbol, in a namespace. */
#define EXPORTS(symbol, space, crc)                                                                \
	".section __ksymtab_strings,\"a\"\n7:\t.string \"" symbol "\"\n8:\t.string \"" space       \
	"\"\n.section __ksymtab,\"a\"\n\t.long init_module-.\n\t.long 7b-.\n\t.long 8b-.\n"        \
	".section __kcrctab,\"a\"\n\t.long " crc "\n"
#define OTHER_KERNEL "6.12.0-test"

static const struct module user = { .calls = "given", .crc = "0xfeedf00d" };
static const struct module importer = { .calls = "given",
					.crc = "0xfeedf00d",
					.extra = ".string \"import_ns=GIVEN\"\n" };
static const struct module other_user = { .calls = "given", .crc = "0xfeedf00e" };
static const struct module provider = { .name = "demo_two",
					.extra = EXPORTS("given", "", "0xfeedf00d") };
static const struct module reserved = { .name = "demo_two",
					.extra = EXPORTS("given", "GIVEN", "0xfeedf00d") };

/* A file that was signed, and its ticket. */
struct dependency {
	char name[TICKET_NAME];
	int fds[2]; /* ticket, file */
};

static void dependency_clear(struct dependency *dependency)
{
	(void)close_fd(dependency->fds[0]);
	(void)close_fd(dependency->fds[1]);
}

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

static struct dependency sign_dependency(struct child *child, const struct module *module,
					 uint32_t compression)
{
	struct signer_begin request = usual_begin(1);
	struct dependency dependency;
	cleanup_text struct text image = { 0 };
	struct signer_signed got;

	make_module(module, &image);
	request.compression = compression;
	assert_int_equal(call_begin(child, &request), 0);
	assert_int_equal(send_as(child, &image, "demo-two"), 0);
	assert_int_equal(finish(child), 0);
	dependency.fds[0] = TAKE_FD(child->reply.fds[0]);
	assert_int_equal(fetch(child, 0), 0);
	dependency.fds[1] = TAKE_FD(child->reply.fds[0]);
	memcpy(&got, child->reply.payload, sizeof(got));
	memcpy(dependency.name, got.name, sizeof(dependency.name));
	return dependency;
}

static int send_dependency(struct child *child, const char *name, const int fds[2])
{
	struct signer_file file = { 0 };

	assert_int_equal(MESSAGE_STRING_SET(file.name, name), 0);
	message_clear(&child->reply);
	child->error = error_free(child->error);
	return message_call(child->socket, SIGNER_DEPENDENCY, &file, sizeof(file), fds, 2,
			    &child->reply, 0, 0, &child->error);
}

/* A signing of this module, with that dependency. */
static int sign_with(struct child *child, const struct module *module,
		     const struct dependency *dependency)
{
	cleanup_text struct text image = { 0 };
	int r = begin(child, 1);

	make_module(module, &image);
	if (r == 0)
		r = send_dependency(child, dependency->name, dependency->fds);
	if (r == 0)
		r = send_demo(child, &image);
	return r < 0 ? r : finish(child);
}

static void test_found(void **state)
{
	static const char *const names[] = { "demo-two.ko", "demo-two.ko.gz", "demo-two.ko.xz",
					     "demo-two.ko.zst" };
	struct child child = { 0 };
	cleanup_text struct text image = { 0 };

	(void)state;
	make_module(&user, &image);
	start(&child);
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(dependency_clear) struct dependency dependency =
			sign_dependency(&child, &provider, i);

		assert_string_equal(dependency.name, names[i]);
		assert_int_equal(sign_with(&child, &user, &dependency), 0);
		assert_int_equal(fetch(&child, 0), 0);
		/* The next signing knows nothing of it. */
		assert_int_equal(sign(&child, &image), -ENOENT);
		assert_refused(&child, 32, "Unknown symbol given");
	}
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_rules_of_the_kernel(void **state)
{
	struct child child = { 0 };
	cleanup(dependency_clear) struct dependency dependency = { .fds = { -1, -1 } };
	cleanup(dependency_clear) struct dependency spaced = { .fds = { -1, -1 } };

	(void)state;
	start(&child);
	dependency = sign_dependency(&child, &provider, KERNEL_COMPRESSION_XZ);
	spaced = sign_dependency(&child, &reserved, KERNEL_COMPRESSION_ZSTD);
	assert_int_equal(sign_with(&child, &other_user, &dependency), -EINVAL);
	assert_refused(&child, 32, "disagrees about version of symbol given");
	assert_int_equal(sign_with(&child, &user, &spaced), -EINVAL);
	assert_refused(&child, 32, "from namespace GIVEN, but does not import it");
	assert_int_equal(sign_with(&child, &importer, &spaced), 0);
	assert_int_equal(fetch(&child, 0), 0);
	assert_int_equal(stop(&child, NULL), 0);
}

/* A copy of the memfd with one bit changed. */
static int changed_copy(int fd)
{
	cleanup_text struct text text = { 0 };
	const uint8_t *bytes;
	size_t size;
	int copy_fd = -1;

	assert_int_equal(memfd_map(fd, UINT32_MAX, &bytes, &size, NULL), 0);
	assert_int_equal(text_append(&text, bytes, size), 0);
	memfd_unmap(bytes, size);
	text.data[size / 2] ^= 1;
	assert_int_equal(memfd_from_bytes("changed", text.data, text.length, &copy_fd, NULL), 0);
	return copy_fd;
}

static void test_not_signed_here(void **state)
{
	struct child child = { 0 };
	cleanup(dependency_clear) struct dependency dependency = { .fds = { -1, -1 } };
	cleanup_close int bad_ticket_fd = -1, bad_file_fd = -1, noise_fd = -1;

	(void)state;
	start(&child);
	dependency = sign_dependency(&child, &provider, KERNEL_COMPRESSION_XZ);
	bad_ticket_fd = changed_copy(dependency.fds[0]);
	bad_file_fd = changed_copy(dependency.fds[1]);
	assert_int_equal(memfd_from_bytes("noise", "noise", 5, &noise_fd, NULL), 0);
	assert_int_equal(begin(&child, 1), 0);
	assert_int_equal(send_dependency(&child, dependency.name,
					 (int[]){ bad_ticket_fd, dependency.fds[1] }),
			 -EKEYREJECTED);
	assert_refused(&child, 36, "demo-two.ko.xz was not signed here; build it with kmodbox");
	assert_int_equal(begin(&child, 1), 0);
	assert_true(send_dependency(&child, dependency.name,
				    (int[]){ noise_fd, dependency.fds[1] }) < 0);
	assert_refused(&child, 36, "was not signed here; build it with kmodbox first");
	assert_int_equal(begin(&child, 1), 0);
	assert_int_equal(
		send_dependency(&child, dependency.name, (int[]){ dependency.fds[0], bad_file_fd }),
		-EBADMSG);
	assert_refused(&child, 36, "is not a file that was signed for demo/0.1");
	/* Its bytes are right, but the ticket knows no such name. */
	assert_int_equal(begin(&child, 1), 0);
	assert_int_equal(send_dependency(&child, "demo-three.ko.xz", dependency.fds), -EBADMSG);
	assert_refused(&child, 36, "demo-three.ko.xz is not a file that was signed for demo/0.1");
	assert_int_equal(begin(&child, 1), 0);
	assert_int_equal(send_dependency(&child, "../demo-two.ko.xz", dependency.fds), -EINVAL);
	assert_refused(&child, 33, "not allowed");
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_other_kernel(void **state)
{
	struct child child = { 0 }, other = { .release = OTHER_KERNEL };
	cleanup(dependency_clear) struct dependency dependency = { .fds = { -1, -1 } };
	struct signer_begin request = usual_begin(1);

	(void)state;
	start(&child);
	dependency = sign_dependency(&child, &provider, KERNEL_COMPRESSION_NONE);
	assert_int_equal(stop(&child, NULL), 0);
	start(&other);
	memset(request.kernel, 0, sizeof(request.kernel));
	assert_int_equal(MESSAGE_STRING_SET(request.kernel, OTHER_KERNEL), 0);
	assert_int_equal(call_begin(&other, &request), 0);
	assert_int_equal(send_dependency(&other, dependency.name, dependency.fds), -EPERM);
	assert_int_equal(error_code(other.error), 36);
	assert_error(&other.error,
		     "was built for " RELEASE " (x86_64); build it with kmodbox for " OTHER_KERNEL);
	assert_int_equal(stop(&other, NULL), 0);
}

/* The kernel has got a symbol of that name since: it is that one which counts. */
static void test_kernel_comes_first(void **state)
{
	static const char *const symvers[] = {
		LAYOUT PRINTK "0xfeedf00e\tgiven\tvmlinux\tEXPORT_SYMBOL\t\n",
		LAYOUT PRINTK,
	};
	struct child child = { 0 };
	cleanup(dependency_clear) struct dependency dependency = { .fds = { -1, -1 } };

	(void)state;
	start(&child);
	dependency = sign_dependency(&child, &provider, KERNEL_COMPRESSION_GZIP);
	assert_int_equal(stop(&child, NULL), 0);
	scratch_write(&home, "kernel/Module.symvers", symvers[0], strlen(symvers[0]), 0644);
	start(&child);
	assert_int_equal(sign_with(&child, &user, &dependency), -EINVAL);
	assert_refused(&child, 32, "disagrees about version of symbol given");
	assert_int_equal(sign_with(&child, &other_user, &dependency), 0);
	assert_int_equal(stop(&child, NULL), 0);
	scratch_write(&home, "kernel/Module.symvers", symvers[1], strlen(symvers[1]), 0644);
}

static void test_order(void **state)
{
	struct child child = { 0 };
	cleanup(dependency_clear) struct dependency dependency = { .fds = { -1, -1 } };
	cleanup_text struct text image = { 0 };

	(void)state;
	make_module(&user, &image);
	start(&child);
	dependency = sign_dependency(&child, &provider, KERNEL_COMPRESSION_NONE);
	/* After the files nothing is to be said any more. */
	assert_int_equal(begin(&child, 1), 0);
	assert_int_equal(send_demo(&child, &image), 0);
	assert_int_equal(send_dependency(&child, dependency.name, dependency.fds), -EPIPE);
	assert_true(stop(&child, NULL) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_rules_of_the_kernel),
		cmocka_unit_test(test_not_signed_here),
		cmocka_unit_test(test_other_kernel),
		cmocka_unit_test(test_kernel_comes_first),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests_name("signer_dependency", tests, prepare, clean);
}
