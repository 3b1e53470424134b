/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kmodbox-unpack against archives that are too much, and its two other uses: archives of builds,
 * whose modules lose compression and signatures, and packing. All in its sandbox, as it is used.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/recipes/archive.h"
#include "lib/recipes/unpack.h"
#include "tests/unit/archive_world.h"

#define MIB (UINT64_C(1) << 20)

/* The archive is refused with this code, and one line that has these words. */
static void refused(const struct world *world, int archive_fd, int code, const char *words)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct digest digest;
	int fd = -1;

	assert_true(archive_snapshot(&world->fixture.spec, world->unpack_fd, archive_fd, NULL, &fd,
				     &digest, &error) < 0);
	assert_int_equal(fd, -1);
	text = error_describe(error);
	if (!text || !strstr(text, words) || strchr(text, '\n'))
		fail_msg("'%s' lacks '%s', or is no line", text, words);
	assert_int_equal(error_code(error), code);
}

static void test_a_million_members(void **state)
{
	cleanup_close int fd = -1;
	struct archive *archive;
	char name[32];

	require_sandbox(*state);
	archive = archive_begin(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_ZSTD, &fd);
	for (unsigned i = 0; i < 1000000; i++) {
		(void)snprintf(name, sizeof(name), "d/%u/%u", i / 1000, i % 1000);
		put(archive, S_IFREG, name, NULL, NULL, 0);
	}
	archive_end(archive);
	refused(*state, fd, EXIT_BAD_ARCHIVE, "is one too many");
}

/* Directories that only stand in names are counted too. */
static void test_directories_without_members(void **state)
{
	cleanup_close int fd = -1;
	struct archive *archive;
	char name[512];

	require_sandbox(*state);
	archive = archive_begin(ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FILTER_ZSTD, &fd);
	for (unsigned i = 0; i < 4000; i++) {
		size_t length = (size_t)snprintf(name, sizeof(name), "%u", i);

		for (unsigned depth = 0; depth < 60; depth++) {
			name[length++] = '/';
			name[length++] = 'd';
		}
		name[length] = '\0';
		put(archive, S_IFREG, name, NULL, NULL, 0);
	}
	archive_end(archive);
	refused(*state, fd, EXIT_BAD_ARCHIVE, "is one too many");
}

static void test_ten_thousand_deep(void **state)
{
	static char name[20002];
	cleanup_close int fd = -1;
	struct archive *archive;

	require_sandbox(*state);
	for (size_t i = 0; i + 1 < sizeof(name); i += 2)
		memcpy(name + i, "d/", 2);
	name[sizeof(name) - 2] = 'f';
	archive = archive_begin(ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_GZIP, &fd);
	put_text(archive, name, "x");
	archive_end(archive);
	refused(*state, fd, EXIT_BAD_ARCHIVE, "nested more than 64 directories deep");
}

static void test_bombs(void **state)
{
	static const struct {
		int format;
		int filter;
	} kinds[] = {
		{ ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_ZSTD },
	};

	require_sandbox(*state);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup_close int fd = -1;
		struct archive *archive = archive_begin(kinds[i].format, kinds[i].filter, &fd);

		put_text(archive, "d/dkms.conf", "PACKAGE_NAME=demo\n");
		put(archive, S_IFREG, "d/bomb", NULL, NULL, 272 * MIB);
		archive_end(archive);
		refused(*state, fd, EXIT_BAD_ARCHIVE, "more than 200 times as large as it is");
	}
}

/* The checksum of a header that was changed. */
static void mend_header(uint8_t header[512])
{
	char field[8];
	unsigned sum = 0;

	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += header[i];
	(void)snprintf(field, sizeof(field), "%06o", sum);
	memcpy(header + 148, field, 7);
}

/* An archive of one file of a byte, whose header is changed. */
static int one_file(int format, uint8_t header[512])
{
	int fd = -1;
	struct archive *archive = archive_begin(format, ARCHIVE_FILTER_NONE, &fd);

	put(archive, S_IFREG, "d/file", NULL, NULL, 1);
	archive_end(archive);
	assert_int_equal(pread(fd, header, 512, 0), 512);
	return fd;
}

/*
 * A file of GNU's old sparse format, a byte behind a hole: 8 GiB are refused by their number, a GiB
 * by what it is unpacked from, and what is all hole because it would be lost.
 */
static void test_sparse(void **state)
{
	static const struct {
		const char *size;
		const char *offset;
		const char *length;
		const char *words;
	} cases[] = {
		{ "77777777777", "77777777776", "00000000001", "is too large" },
		{ "10000000000", "07777777777", "00000000001", "more than 200" },
		{ "10000000000", "10000000000", "00000000000", "is not as long as" },
	};

	require_sandbox(*state);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t header[512];
		cleanup_close int fd = one_file(ARCHIVE_FORMAT_TAR_GNUTAR, header);

		header[156] = 'S';
		memcpy(header + 386, cases[i].offset, 12);
		memcpy(header + 386 + 12, cases[i].length, 12);
		memcpy(header + 483, cases[i].size, 12);
		mend_header(header);
		assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
		refused(*state, fd, EXIT_BAD_ARCHIVE, cases[i].words);
	}
}

/* Links to one file of a MiB: each would be a copy. */
static void test_hard_links_of_much(void **state)
{
	cleanup_close int fd = -1;
	struct archive *archive;
	char name[32];

	require_sandbox(*state);
	archive = archive_begin(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, &fd);
	put(archive, S_IFREG, "d/file", NULL, NULL, MIB);
	for (unsigned i = 0; i < 4000; i++) {
		(void)snprintf(name, sizeof(name), "d/%u", i);
		put(archive, S_IFREG, name, "d/file", NULL, 0);
	}
	archive_end(archive);
	refused(*state, fd, EXIT_BAD_ARCHIVE, "more than 200");
}

/* An extended header of a GiB, of which nothing is there. */
static void test_huge_pax_header(void **state)
{
	uint8_t header[512];
	cleanup_close int fd = -1;

	require_sandbox(*state);
	fd = one_file(ARCHIVE_FORMAT_TAR_USTAR, header);
	memcpy(header + 124, "10000000000", 12);
	header[156] = 'x';
	mend_header(header);
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	refused(*state, fd, EXIT_BAD_ARCHIVE, "archive");
}

/* Cut off anywhere it is an error, never half a source. */
static void test_truncated(void **state)
{
	static const int filters[] = { ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD,
				       ARCHIVE_FILTER_BZIP2 };

	require_sandbox(*state);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		cleanup_close int fd = -1;
		struct archive *archive = archive_begin(ARCHIVE_FORMAT_TAR_USTAR, filters[i], &fd);
		struct stat status;

		put_text(archive, "d/dkms.conf", "PACKAGE_NAME=demo\n");
		put_text(archive, "d/demo.c", "int x;\n");
		archive_end(archive);
		assert_int_equal(fstat(fd, &status), 0);
		for (off_t length = 0; length < status.st_size - 16; length += 24) {
			cleanup_close int cut_fd = -1;

			assert_int_equal(
				memfd_from_file("cut", fd, (uint64_t)length, &cut_fd, NULL), 0);
			refused(*state, cut_fd, EXIT_BAD_ARCHIVE, "archive");
		}
	}
}

#define SIGNATURE "signature"
#define TRAILER "\1\2\3\4\5\0\0\0\0\0\0\011~Module signature appended~\n"

/* content compressed as a file of its own, in place; what is returned is its length. */
static size_t compress(int filter, const char *content, size_t length, char bytes[4096])
{
	struct archive *archive = archive_write_new();
	size_t used = 0;

	assert_int_equal(archive_write_set_format_raw(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter(archive, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(archive, bytes, 4096, &used), ARCHIVE_OK);
	put(archive, S_IFREG, "data", NULL, content, length);
	archive_end(archive);
	return used;
}

static int take(const struct world *world, int archive_fd, int *ret_fd, struct error **error)
{
	return archive_tarball_snapshot(&world->fixture.spec, world->unpack_fd, archive_fd, NULL,
					ret_fd, error);
}

static void test_modules_lose_signature_and_compression(void **state)
{
	static const char twice[] = "module" SIGNATURE TRAILER SIGNATURE TRAILER;
	static const struct {
		const char *suffix;
		int filter;
	} kinds[] = {
		{ "", ARCHIVE_FILTER_NONE },
		{ ".gz", ARCHIVE_FILTER_GZIP },
		{ ".xz", ARCHIVE_FILTER_XZ },
		{ ".zst", ARCHIVE_FILTER_ZSTD },
	};
	cleanup_error struct error *error = NULL;
	cleanup_close int archive_fd = -1, fd = -1;
	struct archive *archive;
	char name[128], bytes[4096];

	require_sandbox(*state);
	archive = archive_begin(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, &archive_fd);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		(void)snprintf(name, sizeof(name), "./dkms_main_tree/6.1/x86_64/module/m%zu.ko%s",
			       i, kinds[i].suffix);
		put(archive, S_IFREG, name, NULL, bytes,
		    compress(kinds[i].filter, twice, sizeof(twice) - 1, bytes));
	}
	put_text(archive, "./dkms_main_tree/6.1/x86_64/module/plain.ko", "not signed");
	put_text(archive, "./dkms_main_tree/6.1/x86_64/module/Module.symvers", twice);
	put_text(archive, "./dkms_main_tree/dkms_dbversion", "2.0\n");
	put_text(archive, "./dkms_source_tree/prebuilt.ko", "kept" SIGNATURE TRAILER);
	archive_end(archive);
	if (take(*state, archive_fd, &fd, &error) < 0)
		fail_msg("%s", error_describe(error));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		(void)snprintf(name, sizeof(name), "dkms_main_tree/6.1/x86_64/module/m%zu.ko", i);
		expect_text(fd, name, "module");
	}
	expect_text(fd, "dkms_main_tree/6.1/x86_64/module/plain.ko", "not signed");
	expect_text(fd, "dkms_main_tree/6.1/x86_64/module/Module.symvers", twice);
	assert_int_equal(snapshot_read_file(fd, "dkms_main_tree/6.1/x86_64/module/m1.ko.gz", 4096,
					    &archive_fd, NULL),
			 -ENOENT);
}

#define MODULE "dkms_main_tree/6.1/x86_64/module/m.ko"

static void test_hostile_modules(void **state)
{
	static const char longer[] =
		"m\1\2\3\4\5\0\0\0\177\377\377\377~Module signature appended~\n";
	static const struct {
		const char *name;
		const char *link;
		const char *bytes;
		size_t length;
		const char *words;
	} cases[] = {
		{ MODULE, NULL, longer, sizeof(longer) - 1, "a signature longer than itself" },
		{ MODULE ".xz", NULL,
		  "\xfd"
		  "7zXZ\0 no",
		  9, "cannot be decompressed" },
		{ MODULE ".gz", NULL, "\037\213\010\0", 4, "cannot be decompressed" },
		{ MODULE, "../../../../dkms.conf", NULL, 0, "is no regular file" },
		{ MODULE ".zst", "m.ko", NULL, 0, "is no regular file" },
	};

	require_sandbox(*state);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_error struct error *error = NULL;
		cleanup_close int archive_fd = -1;
		cleanup_free char *text = NULL;
		struct archive *archive =
			archive_begin(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, &archive_fd);
		int fd = -1;

		put(archive, cases[i].link ? S_IFLNK : S_IFREG, cases[i].name, cases[i].link,
		    cases[i].bytes, cases[i].length);
		archive_end(archive);
		assert_true(take(*state, archive_fd, &fd, &error) < 0);
		assert_int_equal(fd, -1);
		assert_int_equal(error_code(error), EXIT_BAD_ARCHIVE);
		text = error_describe(error);
		if (!strstr(text, cases[i].words))
			fail_msg("case %zu: '%s' lacks '%s'", i, text, cases[i].words);
	}
}

static void test_module_twice(void **state)
{
	cleanup_error struct error *error = NULL;
	cleanup_close int archive_fd = -1;
	cleanup_free char *text = NULL;
	struct archive *archive;
	char bytes[4096];
	int fd = -1;

	require_sandbox(*state);
	archive = archive_begin(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, &archive_fd);
	put_text(archive, MODULE, "one");
	put(archive, S_IFREG, MODULE ".gz", NULL, bytes,
	    compress(ARCHIVE_FILTER_GZIP, "other", 5, bytes));
	archive_end(archive);
	assert_true(take(*state, archive_fd, &fd, &error) < 0);
	text = error_describe(error);
	assert_non_null(strstr(text, "is there twice, compressed and not"));
}

static void test_packing_is_reproducible_and_comes_back(void **state)
{
	static const char *const compressions[] = { "none", "gzip", "bzip2", "xz", "zstd" };
	const struct world *world = *state;
	cleanup_close int archive_fd = -1, snapshot_fd = -1;
	cleanup_error struct error *error = NULL;
	struct archive *archive;
	struct digest source;

	require_sandbox(world);
	archive = archive_begin(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, &archive_fd);
	put_text(archive, "dkms.conf", "PACKAGE_NAME=demo\n");
	put(archive, S_IFDIR, "empty", NULL, NULL, 0);
	put(archive, S_IFLNK, "src/link", "../dkms.conf", NULL, 0);
	put(archive, S_IFREG, "zeros", NULL, NULL, 100000);
	archive_end(archive);
	assert_int_equal(archive_snapshot(&world->fixture.spec, world->unpack_fd, archive_fd, NULL,
					  &snapshot_fd, &source, &error),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
		cleanup_close int packed_fd = -1, again_fd = -1, back_fd = -1;
		struct digest packed, again, back;

		assert_int_equal(archive_pack(&world->fixture.spec, world->unpack_fd, snapshot_fd,
					      compressions[i], &packed_fd, &error),
				 0);
		assert_int_equal(archive_pack(&world->fixture.spec, world->unpack_fd, snapshot_fd,
					      compressions[i], &again_fd, &error),
				 0);
		assert_int_equal(digest_file(packed_fd, &packed, NULL), 0);
		assert_int_equal(digest_file(again_fd, &again, NULL), 0);
		assert_true(digest_equal(&packed, &again));
		assert_int_equal(archive_snapshot(&world->fixture.spec, world->unpack_fd, packed_fd,
						  NULL, &back_fd, &back, &error),
				 0);
		assert_true(digest_equal(&source, &back));
	}
	assert_true(archive_pack(&world->fixture.spec, world->unpack_fd, snapshot_fd, "lzma",
				 &archive_fd, &error) < 0);
}

/* The same code without its sandbox, so that the sanitizers see it. */
static void test_modules_in_the_open(void **state)
{
	static const char module[] = "module" SIGNATURE TRAILER;
	char path[] = "/tmp/kmodbox-unpack-XXXXXX";
	cleanup_close int tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int top_fd = -1;
	cleanup_text struct text text = { 0 };
	char bytes[4096];
	size_t length = compress(ARCHIVE_FILTER_ZSTD, module, sizeof(module) - 1, bytes);

	(void)state;
	assert_non_null(mkdtemp(path));
	top_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(make_directories(top_fd, "dkms_main_tree/6.1/x86_64/module", 0700, NULL),
			 0);
	assert_int_equal(write_file_atomically(top_fd, MODULE ".zst", bytes, length, 0600, NULL),
			 0);
	assert_int_equal(unpack_modules(top_fd, NULL), 0);
	assert_int_equal(read_file(top_fd, MODULE, 4096, &text, NULL), 0);
	assert_string_equal(text.data, "module");
	assert_int_equal(read_file(top_fd, MODULE ".zst", 4096, &text, NULL), -ENOENT);
	assert_int_equal(write_file_atomically(top_fd, MODULE ".xz", "no", 2, 0600, NULL), 0);
	assert_true(unpack_modules(top_fd, NULL) < 0);
	assert_int_equal(remove_tree(tmp_fd, path + 5, NULL), 0);
}

static void test_packing_in_the_open(void **state)
{
	static const char snapshot[] = SNAPSHOT_MAGIC "f\1\0a\2\0\0\0\0\0\0\0hi"
						      "l\1\0b\1\0\0\0\0\0\0\0a";
	cleanup_close int input_fd = -1, output_fd = -1;
	struct stat status;
	int how = 0;
	pid_t child;

	(void)state;
	assert_int_equal(memfd_from_bytes("test", snapshot, sizeof(snapshot), &input_fd, NULL), 0);
	assert_int_equal(memfd_new("test", &output_fd, NULL), 0);
	child = fork();
	if (child == 0) {
		int high_fd = fcntl(output_fd, F_DUPFD_CLOEXEC, 10);

		if (dup2(input_fd, UNPACK_INPUT_FD) < 0 || dup2(high_fd, UNPACK_OUTPUT_FD) < 0)
			_exit(2);
		_exit(unpack_pack("gzip", NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_int_equal(how, 0);
	assert_int_equal(fstat(output_fd, &status), 0);
	assert_true(status.st_size > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_million_members),
		cmocka_unit_test(test_directories_without_members),
		cmocka_unit_test(test_ten_thousand_deep),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_hard_links_of_much),
		cmocka_unit_test(test_huge_pax_header),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_modules_lose_signature_and_compression),
		cmocka_unit_test(test_hostile_modules),
		cmocka_unit_test(test_module_twice),
		cmocka_unit_test(test_modules_in_the_open),
		cmocka_unit_test(test_packing_in_the_open),
		cmocka_unit_test(test_packing_is_reproducible_and_comes_back),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
