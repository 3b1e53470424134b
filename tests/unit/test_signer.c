/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The real kmodbox-signer, one module at a time: what it signs, what it refuses, whom it obeys. As
 * the caller, and from root with --uid as well. Modules that need each other: test_signer_siblings.
 */
#include "tests/unit/signer_child.h"

#include <glob.h>

#include "signer/signature.h"
#include "tests/unit/many_descriptors.h"

#define OTHER_UID "65534"

static struct text unknown_symbol, intree;

static int prepare(void **state)
{
	(void)state;
	prepare_home();
	make_module(&(struct module){ .calls = "nowhere" }, &unknown_symbol);
	make_module(&(struct module){ .extra = ".string \"intree=Y\"\n" }, &intree);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	text_clear(&unknown_symbol);
	text_clear(&intree);
	remove_home();
	return 0;
}

static X509 *read_certificate(void)
{
	cleanup_text struct text der = { 0 };
	const uint8_t *bytes;

	scratch_read(&home, "keys/module.crt", &der);
	bytes = (uint8_t *)der.data;
	return d2i_X509(NULL, &bytes, (long)der.length);
}

/* The fetched file: as the ticket says, and after the tool's decompression signed as it must be. */
static void check_signed_file(struct child *child, const struct ticket_file *file, const char *tool)
{
	cleanup_text struct text content = { 0 };
	X509 *certificate = read_certificate();
	struct signer_signed got;
	struct digest digest;
	uint64_t size;

	memcpy(&got, child->reply.payload, sizeof(got));
	assert_string_equal(got.name, file->name);
	assert_string_equal(got.verdict.checker.text, "will load");
	assert_string_equal(got.verdict.checker.license, "GPL");
	assert_int_equal(got.verdict.checker.imports, 1);
	assert_int_equal(digest_bytes(good.data, good.length, &digest, NULL), 0);
	assert_true(digest_equal(&digest, &got.verdict.unsigned_digest));
	assert_int_equal(memfd_require_sealed(child->reply.fds[0], 1 << 24, &size, NULL), 0);
	assert_int_equal(size, file->size);
	assert_int_equal(got.size, file->size);
	assert_int_equal(digest_file(child->reply.fds[0], &digest, NULL), 0);
	assert_true(digest_equal(&digest, &file->digest) && digest_equal(&digest, &got.digest));
	assert_int_equal(lseek(child->reply.fds[0], 0, SEEK_SET), 0);
	assert_int_equal(read_fd(child->reply.fds[0], 1 << 24, &content, NULL), 0);
	if (tool) {
		scratch_write(&home, "packed", content.data, content.length, 0600);
		assert_int_equal(RUN(&home, &content, "sh", "-c", "exec $0 -dc <packed", tool), 0);
	}
	assert_memory_equal(content.data, good.data, good.length);
	assert_int_equal(signature_verify((uint8_t *)content.data, content.length, good.length,
					  certificate, "sha256", NULL),
			 0);
	X509_free(certificate);
}

static void read_ticket(struct child *child, struct ticket *ret_ticket)
{
	cleanup_text struct text public = { 0 };
	const uint8_t *bytes;
	size_t size;

	scratch_read(&home, "keys/ticket.pub", &public);
	assert_int_equal(public.length, 32);
	assert_int_equal(memfd_map(child->reply.fds[0], TICKET_MAXIMUM, &bytes, &size, NULL), 0);
	assert_int_equal(ticket_verify(bytes, size, (uint8_t *)public.data, ret_ticket, NULL), 0);
	memfd_unmap(bytes, size);
}

static uint64_t sign_two(struct child *child, uint32_t compression, const char *suffix,
			 const char *tool)
{
	struct signer_begin request = usual_begin(2);
	cleanup_ticket struct ticket ticket = { 0 };
	cleanup_free char *name = format_string("demo.ko%s", suffix);
	struct signer_ticket reply;

	request.compression = compression;
	assert_int_equal(call_begin(child, &request), 0);
	assert_int_equal(send_demo(child, &good), 0);
	assert_int_equal(send_file(child, &good, "demo", "demo", "extra"), 0);
	assert_int_equal(finish(child), 0);
	memcpy(&reply, child->reply.payload, sizeof(reply));
	assert_string_equal(reply.hash, "sha256");
	assert_string_equal(reply.certificate_subject, "kmodbox module signing key");
	read_ticket(child, &ticket);
	assert_int_equal(ticket.serial, reply.serial);
	assert_string_equal(ticket.module, "demo");
	assert_string_equal(ticket.kernel, RELEASE);
	assert_int_equal(ticket.file_count, 2);
	assert_string_equal(ticket.files[0].directory, "updates/dkms");
	assert_string_equal(ticket.files[0].name, name);
	for (uint32_t i = 2; i-- > 0;) {
		assert_int_equal(fetch(child, i), 0);
		check_signed_file(child, &ticket.files[i], tool);
	}
	return reply.serial;
}

static void check_audit(uint64_t serial)
{
	cleanup_text struct text log = { 0 };
	cleanup_free char *words = format_string(" %lu demo 0.1 " RELEASE " demo.ko.zst ", serial);
	const char *line;
	char digest[65], final[65], certificate[65], end;

	scratch_read(&home, "audit", &log);
	line = strstr(log.data, words);
	assert_non_null(line);
	assert_int_equal(
		sscanf(line + strlen(words), "%64s %64s %64s%c", digest, final, certificate, &end),
		4);
	assert_int_equal(strlen(digest), 64);
	assert_int_equal(strlen(final), 64);
	assert_int_equal(strlen(certificate), 32);
	assert_int_equal(end, '\n');
}

static void check_happy_path(const char *uid)
{
	struct child child = { .uid = uid };
	uint64_t first, second;

	start(&child);
	first = sign_two(&child, KERNEL_COMPRESSION_NONE, "", NULL);
	second = sign_two(&child, KERNEL_COMPRESSION_XZ, ".xz", "xz");
	assert_true(second > first);
	first = sign_two(&child, KERNEL_COMPRESSION_GZIP, ".gz", "gzip");
	assert_true(first > second);
	second = sign_two(&child, KERNEL_COMPRESSION_ZSTD, ".zst", "zstd");
	assert_true(second > first);
	check_audit(second);
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_as_we_are(void **state)
{
	(void)state;
	check_happy_path(NULL);
}

/* kbuild's own module of a real kernel, built over its headers in a mount namespace. */
static int build_module(const char *root, const char *release)
{
	static const char source[] =
		"#include <linux/module.h>\n"
		"static int __init demo_init(void) { pr_info(\"demo\"); return 0; }\n"
		"static void __exit demo_exit(void) { }\n"
		"module_init(demo_init);\nmodule_exit(demo_exit);\n"
		"MODULE_LICENSE(\"GPL\");\n";
	static const char script[] =
		"mount -t overlay overlay -o lowerdir=$0/usr:/usr /usr || exit 99\n"
		"exec make -s -C /usr/src/linux-headers-$1 M=\"$PWD\" modules >make.log 2>&1\n";

	scratch_write(&home, "real/demo.c", source, strlen(source), 0644);
	scratch_write(&home, "real/Makefile", "obj-m := demo.o\n", 16, 0644);
	return RUN(&home, NULL, "unshare", geteuid() == 0 ? "-m" : "-rm", "sh", "-c",
		   "cd real || exit; exec sh -c \"$0\" \"$1\" \"$2\"", script, root, release);
}

static void test_real_kernel(void **state)
{
	cleanup_free char *root = kernel_path("6.1");
	cleanup_free char *pattern = format_string("%s/usr/src/linux-headers-*-amd64", root ?: "");
	struct child child = { 0 };
	cleanup_text struct text module = { 0 };
	struct signer_begin request = usual_begin(1);
	struct signer_signed got;
	glob_t found = { 0 };
	int status;

	(void)state;
	if (!root || glob(pattern, 0, NULL, &found) != 0) {
		print_message("no kernel 6.1 here: make kernels\n");
		skip();
	}
	child.kernel = found.gl_pathv[0];
	child.release = strrchr(child.kernel, '/') + strlen("/linux-headers-");
	assert_int_equal(mkdirat(home.fd, "real", 0755), 0);
	status = build_module(root, child.release);
	if (status == 99 || status == 1) {
		print_message("no overlay in a mount namespace here (%d)\n", status);
		skip();
	}
	assert_int_equal(status, 0);
	scratch_read(&home, "real/demo.ko", &module);
	start(&child);
	assert_int_equal(MESSAGE_STRING_SET(request.kernel, child.release), 0);
	assert_int_equal(call_begin(&child, &request), 0);
	assert_int_equal(send_demo(&child, &module), 0);
	if (finish(&child) < 0)
		fail_msg("%s", error_describe(child.error));
	assert_int_equal(fetch(&child, 0), 0);
	memcpy(&got, child.reply.payload, sizeof(got));
	assert_true(string_starts_with(got.verdict.checker.vermagic, child.release));
	assert_true(got.verdict.checker.imports > 0);
	/* And what is right for this kernel is not for another. */
	assert_int_equal(call_begin(&child, &request), 0);
	assert_int_equal(send_demo(&child, &good), 0);
	assert_int_equal(finish(&child), -ENOEXEC);
	assert_int_equal(error_code(child.error), 32);
	assert_int_equal(stop(&child, NULL), 0);
	globfree(&found);
}

/* A word of /proc/PID/status. */
static void assert_status(pid_t pid, const char *line)
{
	cleanup_free char *path = format_string("/proc/%d/status", pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_text struct text status = { 0 };
	struct stat owner;

	assert_int_equal(read_fd(fd, 65536, &status, NULL), 0);
	if (!strstr(status.data, line))
		fail_msg("no '%s' in:\n%s", line, status.data);
	assert_int_equal(fstat(fd, &owner), 0);
	assert_int_equal(owner.st_uid, 0); /* not its user's: it is not dumpable */
}

static void test_from_root(void **state)
{
	static const char *const lines[] = {
		"\nUid:\t" OTHER_UID "\t" OTHER_UID "\t" OTHER_UID "\t" OTHER_UID "\n",
		"\nGid:\t" OTHER_UID "\t" OTHER_UID "\t" OTHER_UID "\t" OTHER_UID "\n",
		"\nGroups:\t \n",
		"\nCapPrm:\t0000000000000000\n",
		"\nCapEff:\t0000000000000000\n",
		"\nCapBnd:\t0000000000000000\n",
		"\nCapAmb:\t0000000000000000\n",
		"\nNoNewPrivs:\t1\n",
		"\nSeccomp:\t2\n",
	};
	struct child child = { .uid = OTHER_UID };

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can start it with --uid\n");
		skip();
	}
	check_happy_path(OTHER_UID);
	start(&child);
	assert_int_equal(begin(&child, 1), 0); /* so it is past its start */
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_status(child.pid, lines[i]);
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_will_not_load(void **state)
{
	struct child child = { 0 };
	struct text garbage = { (char *)"garbage", 7, 0 };

	(void)state;
	start(&child);
	assert_int_equal(sign(&child, &unknown_symbol), -ENOENT);
	assert_refused(&child, 32, "demo.ko will not load on " RELEASE ": Unknown symbol nowhere");
	assert_int_equal(sign(&child, &garbage), -ENOEXEC);
	assert_refused(&child, 32, "demo.ko will not load on " RELEASE ": ");
	assert_int_equal(sign(&child, &intree), -EPERM);
	assert_refused(&child, 36, "demo.ko is not signed for " RELEASE ": claims to be in-tree");
	assert_int_equal(stop(&child, NULL), 0);
}

/* Nothing is signed on the word of a checker that did not give one. */
static void test_broken_checker(void **state)
{
	static const char *const programs[] = { "/bin/true", "/bin/false", "/etc/passwd" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct child child = { .checker = programs[i] };

		start(&child);
		assert_true(sign(&child, &good) < 0);
		assert_int_equal(error_code(child.error), 33);
		assert_error(&child.error, "demo.ko is not signed");
		assert_int_equal(stop(&child, NULL), 0);
	}
}

static void test_begin_is_refused(void **state)
{
	struct child child = { 0 };
	struct signer_begin request;

	(void)state;
	start(&child);
	request = usual_begin(1);
	request.source.bytes[0] = 1;
	assert_true(call_begin(&child, &request) < 0);
	assert_refused(&child, 36, "-m demo -v 0.1");
	request = usual_begin(1);
	assert_int_equal(MESSAGE_STRING_SET(request.module, "other"), 0);
	assert_true(call_begin(&child, &request) < 0);
	assert_refused(&child, 36, "-m other -v 0.1");
	request = usual_begin(1);
	assert_int_equal(MESSAGE_STRING_SET(request.kernel, "6.1.0-other"), 0);
	assert_true(call_begin(&child, &request) < 0);
	assert_refused(&child, 33, "kernel 6.1.0-other was not named");
	request = usual_begin(1);
	assert_int_equal(MESSAGE_STRING_SET(request.version, "../demo/0.1"), 0);
	assert_true(call_begin(&child, &request) < 0);
	assert_refused(&child, 33, "malformed");
	request = usual_begin(1);
	request.module[100] = 'x'; /* behind the NUL */
	assert_true(call_begin(&child, &request) < 0);
	assert_refused(&child, 33, "malformed");
	request = usual_begin(1);
	request.compression = 4;
	assert_true(call_begin(&child, &request) < 0);
	assert_refused(&child, 33, "malformed");
	assert_true(begin(&child, 0) < 0);
	assert_refused(&child, 33, "0 files cannot be signed at once");
	assert_true(begin(&child, TICKET_FILES + 1) < 0);
	assert_refused(&child, 33, "1025 files cannot be signed at once");
	assert_int_equal(stop(&child, NULL), 0);
}

static void test_file_is_refused(void **state)
{
	static const struct {
		const char *name, *directory;
	} cases[] = {
		{ "demo", "updates/../../etc" },
		{ "demo", "/updates" },
		{ "demo", "updatesx" },
		{ "demo", "build" },
		{ "demo", "" },
		{ "../demo", "updates" },
		{ "-demo", "updates" },
		{ "de mo", "updates" },
		{ "demo\n", "updates" },
	};
	struct child child = { 0 };

	(void)state;
	start(&child);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(begin(&child, 1), 0);
		assert_true(send_file(&child, &good, "demo", cases[i].name, cases[i].directory) <
			    0);
		assert_refused(&child, 33, "is not allowed");
	}
	assert_int_equal(begin(&child, 2), 0);
	assert_int_equal(send_demo(&child, &good), 0);
	assert_true(send_demo(&child, &good) < 0);
	assert_refused(&child, 33, "updates/dkms/demo.ko would be signed twice");
	/* Both names must be approved: what it is, and what it will be found as. */
	assert_int_equal(begin(&child, 1), 0);
	assert_true(send_as(&child, &good, "three") < 0);
	assert_refused(&child, 36, "module file 'three' is not in its approval");
	assert_int_equal(begin(&child, 1), 0);
	assert_true(send_file(&child, &good, "demo", "three", "extra") < 0);
	assert_refused(&child, 36, "module file 'three' is not in its approval");
	assert_int_equal(begin(&child, 1), 0);
	assert_int_equal(send_file(&child, &good, "demo", "demo-two", "extra"), 0);
	assert_int_equal(finish(&child), 0);
	assert_int_equal(fetch(&child, 0), 0);
	assert_int_equal(sign(&child, &good), 0);
	assert_true(fetch(&child, 1) < 0);
	assert_refused(&child, 33, "file 1 is not there");
	assert_int_equal(stop(&child, NULL), 0);
}

/* What is not in the table ends the conversation: nothing more is answered. */
static void assert_ended(struct child *child, const char *words)
{
	cleanup_text struct text messages = { 0 };

	assert_int_equal(begin(child, 1), -EPIPE);
	assert_int_equal(stop(child, &messages), 33);
	if (!strstr(messages.data, words))
		fail_msg("'%s' does not say '%s'", messages.data, words);
}

static void test_wrong_order(void **state)
{
	struct child early = { 0 }, many = { 0 }, few = { 0 }, twice = { 0 }, thrice = { 0 };

	(void)state;
	start(&early);
	assert_int_equal(send_demo(&early, &good), -EPIPE);
	assert_ended(&early, "the request file is not allowed now");
	start(&many);
	assert_int_equal(begin(&many, 1), 0);
	assert_int_equal(send_demo(&many, &good), 0);
	assert_int_equal(send_as(&many, &good, "demo-two"), -EPIPE);
	assert_ended(&many, "the request file is not allowed now");
	start(&few);
	assert_int_equal(begin(&few, 2), 0);
	assert_int_equal(send_demo(&few, &good), 0);
	assert_int_equal(finish(&few), -EPIPE);
	assert_ended(&few, "the request finish is not allowed now");
	start(&twice);
	assert_int_equal(begin(&twice, 1), 0);
	assert_int_equal(begin(&twice, 1), -EPIPE);
	assert_ended(&twice, "the request begin is not allowed now");
	start(&thrice);
	assert_int_equal(begin(&thrice, 1), 0);
	assert_int_equal(send_demo(&thrice, &good), 0);
	assert_int_equal(fetch(&thrice, 0), -EPIPE);
	assert_ended(&thrice, "the request fetch is not allowed now");
}

static void test_unsealed_module(void **state)
{
	struct signer_file file = { .built_name = "demo", .name = "demo", .directory = "extra" };
	cleanup_close int fd = -1;
	struct child child = { 0 };

	(void)state;
	start(&child);
	assert_int_equal(memfd_new("demo", &fd, NULL), 0);
	assert_int_equal(write_all(fd, good.data, good.length), 0);
	assert_int_equal(begin(&child, 1), 0);
	assert_int_equal(call(&child, SIGNER_FILE, &file, sizeof(file), fd, 0, 0), -EPIPE);
	assert_ended(&child, "the request file is refused");
}

/* None, too many for this request, too many for any. */
static void test_descriptors(void **state)
{
	static const struct {
		size_t count;
		const char *words;
	} cases[] = {
		{ 0, "and 0 files, not" },
		{ 2, "and 2 files, not" },
		{ 5, "a malformed message" },
		{ DESCRIPTORS_MAXIMUM, "a malformed message" },
	};
	struct signer_file file = { .built_name = "demo", .name = "demo", .directory = "extra" };
	cleanup_close int fd = -1;

	(void)state;
	assert_int_equal(memfd_from_bytes("demo", good.data, good.length, &fd, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct child child = { 0 };

		start(&child);
		assert_int_equal(begin(&child, 1), 0);
		assert_int_equal(
			send_descriptors(child.socket, SIGNER_FILE, &file, sizeof(file), fd, 300),
			-EINVAL);
		assert_int_equal(send_descriptors(child.socket, SIGNER_FILE, &file, sizeof(file),
						  fd, cases[i].count),
				 0);
		assert_ended(&child, cases[i].words);
	}
}

static void test_keys_that_do_not_match(void **state)
{
	EVP_PKEY *other = EVP_RSA_gen(2048);
	X509 *certificate = make_certificate(other, -1, 10, "digitalSignature", "codeSigning");
	struct child child = { .will_not_start = true };

	(void)state;
	assert_int_equal(renameat(home.fd, "keys/module.crt", home.fd, "module.crt"), 0);
	scratch_write_certificate(&home, "keys/module.crt", certificate);
	start(&child);
	assert_int_equal(begin(&child, 1), -EPIPE);
	assert_ended(&child, "module.key and module.crt do not belong together: put ");
	assert_int_equal(renameat(home.fd, "module.crt", home.fd, "keys/module.crt"), 0);
	X509_free(certificate);
	EVP_PKEY_free(other);
}

/* No audit line, no ticket. */
static void test_audit_cannot_be_written(void **state)
{
	struct child child = { .audit_flags = O_RDONLY | O_APPEND };

	(void)state;
	start(&child);
	assert_true(sign(&child, &good) < 0);
	assert_int_equal(error_code(child.error), 33);
	assert_error(&child.error, "the audit log cannot be written");
	assert_int_equal(fetch(&child, 0), -EPIPE);
	assert_int_equal(stop(&child, NULL), 33);
}

/* A torn line is no reason to stop, and serials grow even where the clock went back. */
static void test_audit_tail(void **state)
{
	static const char *const tails[] = {
		"1 5000000000 a b c d e f 01\n1 5000",
		"1 6000000000 a b c d e f 01\n1 60\n1 6000000007 torn",
		"1 7000000000 a b c d e f 01\n\n1 7000000007 torn\n\n",
	};
	static const uint64_t serials[] = { 5000000001, 6000000001, 7000000008 };
	cleanup_text struct text before = { 0 }, log = { 0 };
	char damaged[5000];

	(void)state;
	scratch_read(&home, "audit", &before);
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		struct child child = { 0 };
		struct signer_ticket reply;

		scratch_write(&home, "audit", tails[i], strlen(tails[i]), 0600);
		start(&child);
		assert_int_equal(sign(&child, &good), 0);
		memcpy(&reply, child.reply.payload, sizeof(reply));
		assert_int_equal(reply.serial, serials[i]);
		assert_int_equal(stop(&child, NULL), 0);
		text_clear(&log);
		scratch_read(&home, "audit", &log);
		assert_memory_equal(log.data, tails[i], strlen(tails[i]));
		assert_int_equal(log.data[log.length - 1], '\n');
	}
	memset(damaged, 'x', sizeof(damaged));
	scratch_write(&home, "audit", damaged, sizeof(damaged), 0600);
	{
		struct child child = { 0 };

		start(&child);
		assert_true(sign(&child, &good) < 0);
		assert_error(&child.error, "the end of the audit log is damaged");
		assert_int_equal(stop(&child, NULL), 0);
	}
	scratch_write(&home, "audit", before.data, before.length, 0600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_we_are),
		cmocka_unit_test(test_from_root),
		cmocka_unit_test(test_real_kernel),
		cmocka_unit_test(test_will_not_load),
		cmocka_unit_test(test_broken_checker),
		cmocka_unit_test(test_begin_is_refused),
		cmocka_unit_test(test_file_is_refused),
		cmocka_unit_test(test_wrong_order),
		cmocka_unit_test(test_unsealed_module),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_keys_that_do_not_match),
		cmocka_unit_test(test_audit_cannot_be_written),
		cmocka_unit_test(test_audit_tail),
	};

	return cmocka_run_group_tests_name("signer", tests, prepare, clean);
}
