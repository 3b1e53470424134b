/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layout of archives of builds, their names, and snapshots taken apart and put together. The
 * corpora of the fuzz targets are replayed here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_parts.h"
#include "orchestrator/tarball.h"

#define LLVMFuzzerTestOneInput fuzz_manifest
#define check check_manifest
#include "tests/fuzz/fuzz_manifest.c"
#undef LLVMFuzzerTestOneInput
#undef check
#define LLVMFuzzerTestOneInput fuzz_archive
#define check check_archive
#include "tests/fuzz/fuzz_archive.c"

/* Lines of a type and a path, as in the corpus. */
static int read_layout(const char *lines, struct tarball *tarball, struct error **error)
{
	cleanup_free char *text = strdup(lines);
	char *rest = text;
	char *line;
	int r = 0;

	while (r == 0 && (line = strsep(&rest, "\n")))
		if (line[0] != '\0')
			r = tarball_note(tarball, line[0], line + 1, error);
	return r < 0 ? r : tarball_finish(tarball, error);
}

#define BUILD "ddkms_main_tree\nddkms_main_tree/6.1\nddkms_main_tree/6.1/x86_64\n"
#define MODULES BUILD "ddkms_main_tree/6.1/x86_64/module\n"
#define CONF "ddkms_source_tree\nfdkms_source_tree/dkms.conf\n"

static void test_layout(void **state)
{
	cleanup_tarball struct tarball tarball = { 0 };

	(void)state;
	assert_int_equal(read_layout(BUILD "ddkms_main_tree/6.1/x86_64/log\n"
					   "fdkms_main_tree/6.1/x86_64/log/make.log\n"
					   "ddkms_main_tree/6.1/x86_64/module\n"
					   "fdkms_main_tree/6.1/x86_64/module/Module.symvers\n"
					   "fdkms_main_tree/6.1/x86_64/module/a.ko\n"
					   "ddkms_main_tree/6.1/x86_64/module/d.ko\n"
					   "fdkms_main_tree/6.1/x86_64/module/d.ko/x.ko\n"
					   "xdkms_main_tree/6.1/x86_64/module/z.ko\n"
					   "fdkms_main_tree/6.1/x86_64/.dep_base\n"
					   "fdkms_main_tree/6.1/x86_64/.dep_b/x\n"
					   "ddkms_main_tree/6.1/x86_64/.dep_d\n"
					   "fdkms_main_tree/6.1/x86_64/module/.dep_m\n"
					   "fdkms_main_tree/6.1/x86_64/ticket\n"
					   "ddkms_main_tree/6.12\nddkms_main_tree/6.12/aarch64\n"
					   "fdkms_main_tree/dkms_dbversion\n" CONF,
				     &tarball, NULL),
			 0);
	assert_int_equal(tarball.kind, TARBALL_SOURCE);
	assert_string_equal(tarball.directory, "dkms_source_tree");
	assert_int_equal(tarball.build_count, 2);
	assert_string_equal(tarball.builds[0].kernel, "6.1");
	assert_string_equal(tarball.builds[0].architecture, "x86_64");
	assert_true(tarball.builds[0].has_log && tarball.builds[0].has_symvers);
	assert_int_equal(tarball.builds[0].module_count, 2);
	assert_string_equal(tarball.builds[0].modules[0], "a");
	assert_string_equal(tarball.builds[0].modules[1], "z");
	assert_int_equal(tarball.builds[0].need_count, 1);
	assert_string_equal(tarball.builds[0].needs[0], "base");
	assert_string_equal(tarball.builds[1].kernel, "6.12");
	assert_string_equal(tarball.builds[1].architecture, "aarch64");
	assert_int_equal(tarball.builds[1].module_count, 0);
}

static void test_kinds(void **state)
{
	static const struct {
		const char *lines;
		enum tarball_kind kind;
		const char *directory;
	} cases[] = {
		{ CONF, TARBALL_SOURCE, "dkms_source_tree" },
		{ "ddkms_binaries_only\nfdkms_binaries_only/dkms.conf\n" BUILD, TARBALL_BINARIES,
		  "dkms_binaries_only" },
		/* Both: the source counts. */
		{ "ddkms_binaries_only\nfdkms_binaries_only/dkms.conf\n" CONF, TARBALL_SOURCE,
		  "dkms_source_tree" },
		{ "fdkms.conf\ndsrc\n", TARBALL_PLAIN, "" },
		{ "ddemo-0.1\nfdemo-0.1/dkms.conf\nfdemo-0.1/x\n", TARBALL_PLAIN, "demo-0.1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_tarball struct tarball tarball = { 0 };

		assert_int_equal(read_layout(cases[i].lines, &tarball, NULL), 0);
		assert_int_equal(tarball.kind, cases[i].kind);
		assert_string_equal(tarball.directory, cases[i].directory);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *lines;
		int code;
		const char *words;
	} cases[] = {
		{ "fREADME\n", EXIT_NO_MODULE, "no dkms.conf" },
		{ "ddemo\nfdemo/dkms.conf\nfother\n", EXIT_NO_MODULE, "no dkms.conf" },
		{ "ddkms_source_tree\nldkms_source_tree/dkms.conf\n", EXIT_NO_MODULE,
		  "no dkms.conf" },
		{ "ddkms_source_tree\nddkms_source_tree/dkms.conf\n", EXIT_NO_MODULE,
		  "no dkms.conf" },
		{ BUILD, EXIT_NO_MODULE, "no dkms.conf" },
		{ "ddkms_main_tree/-6.1\nddkms_main_tree/-6.1/x86_64\n", EXIT_BAD_ARCHIVE,
		  "kernel or architecture that cannot be" },
		{ "ddkms_main_tree/6.1/a b\n", EXIT_BAD_ARCHIVE, "kernel or architecture" },
		{ "ddkms_main_tree/6.1/0123456789012345678901234567890123\n", EXIT_BAD_ARCHIVE,
		  "kernel or architecture" },
		{ MODULES "ldkms_main_tree/6.1/x86_64/module/m.ko\n", EXIT_BAD_ARCHIVE,
		  "is a link" },
		{ BUILD "ldkms_main_tree/6.1/x86_64/.dep_base\n", EXIT_BAD_ARCHIVE, "is a link" },
		{ BUILD "fdkms_main_tree/6.1/x86_64/.dep_\n", EXIT_BAD_ARCHIVE,
		  "no name for a module" },
		{ BUILD "fdkms_main_tree/6.1/x86_64/.dep_.x\n", EXIT_BAD_ARCHIVE,
		  "no name for a module" },
		{ BUILD "fdkms_main_tree/6.1/x86_64/.dep_-x\n", EXIT_BAD_ARCHIVE,
		  "no name for a module" },
		{ MODULES "fdkms_main_tree/6.1/x86_64/module/.ko\n", EXIT_BAD_ARCHIVE,
		  "no name for a module" },
		{ MODULES "fdkms_main_tree/6.1/x86_64/module/$(id).ko\n", EXIT_BAD_ARCHIVE,
		  "no name for a module" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_tarball struct tarball tarball = { 0 };
		cleanup_error struct error *error = NULL;
		cleanup_free char *text = NULL;

		assert_true(read_layout(cases[i].lines, &tarball, &error) < 0);
		text = error_describe(error);
		if (!strstr(text, cases[i].words) || error_code(error) != cases[i].code)
			fail_msg("case %zu: (%d) %s", i, error_code(error), text);
	}
}

static void test_too_many(void **state)
{
	static const struct {
		const char *before, *behind;
		char type;
		unsigned maximum;
	} rows[] = {
		{ "dkms_main_tree/6.", "/x86_64", 'd', TARBALL_BUILDS },
		{ "dkms_main_tree/6.1/x86_64/module/m", ".ko", 'f', TICKET_FILES },
		{ "dkms_main_tree/6.1/x86_64/.dep_m", "", 'f', TARBALL_NEEDS },
	};
	char path[128];

	(void)state;
	for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
		cleanup_tarball struct tarball tarball = { 0 };
		cleanup_error struct error *error = NULL;
		unsigned count = 0;
		int r = rows[row].type == 'd'
				? 0
				: tarball_note(&tarball, 'd', "dkms_main_tree/6.1/x86_64", NULL);

		for (; r == 0 && count < 5000; count++) {
			(void)snprintf(path, sizeof(path), "%s%u%s", rows[row].before, count,
				       rows[row].behind);
			r = tarball_note(&tarball, rows[row].type, path, &error);
		}
		assert_int_equal(error_code(error), EXIT_BAD_ARCHIVE);
		assert_int_equal(count, rows[row].maximum + 1);
	}
}

static void expect_name(const char *module, size_t count, const char *expected)
{
	static const char *const kernels[] = { "6.1.0-56-amd64", "6.12.1", "6.12.2", "6.12.3",
					       "6.12.4",	 "6.12.5", "6.12.6" };
	static const char *const architectures[] = { "x86_64",	"aarch64", "aarch64", "aarch64",
						     "aarch64", "aarch64", "aarch64" };
	cleanup_free char *name = tarball_name(module, "0.1", kernels, architectures, count);

	assert_string_equal(name, expected);
	assert_true(name_is_safe(name));
}

static void test_names(void **state)
{
	(void)state;
	expect_name("demo", 0, "demo-0.1-source-only.dkms.tar.gz");
	expect_name("demo", 1, "demo-0.1-kernel6.1.0-56-amd64-x86_64.dkms.tar.gz");
	expect_name("demo", 2,
		    "demo-0.1-kernel6.1.0-56-amd64-x86_64-kernel6.12.1-aarch64.dkms.tar.gz");
	expect_name("demo", 7, "demo-0.1-manykernels.dkms.tar.gz");
	assert_string_equal(tarball_compression("a.dkms.tar.gz"), "gzip");
	assert_string_equal(tarball_compression("a.tgz"), "gzip");
	assert_string_equal(tarball_compression("a.tar.xz"), "xz");
	assert_string_equal(tarball_compression("a.tar.bz2"), "bzip2");
	assert_string_equal(tarball_compression("a.tar.zst"), "zstd");
	assert_string_equal(tarball_compression("a.tar"), "none");
}

static int snapshot_of(const char *bytes, size_t length)
{
	struct digest digest;
	int fd = -1;

	assert_int_equal(memfd_from_bytes("test", bytes, length, &fd, NULL), 0);
	assert_int_equal(snapshot_check(fd, &digest, NULL), 0);
	return fd;
}

#define ENTRY(type, length, path, size, content) type length "\0" path size "\0\0\0\0\0\0\0" content
#define SNAPSHOT(entries) entries "\0", sizeof(entries "\0") - 1

static void test_parts(void **state)
{
	cleanup_close int one_fd = snapshot_of(SNAPSHOT(
		SNAPSHOT_MAGIC ENTRY("f", "\1", "a", "\2", "hi") ENTRY("l", "\1", "b", "\1", "a")));
	cleanup_close int file_fd = -1, joined_fd = -1, part_fd = -1;
	cleanup_error struct error *error = NULL;
	struct digest before, after;

	(void)state;
	assert_int_equal(memfd_from_bytes("file", "demo\n", 5, &file_fd, NULL), 0);
	const struct snapshot_part parts[] = {
		{ .path = "binaries/NAME", .fd = file_fd, .is_file = true },
		{ .path = "main/6.1/x86_64", .fd = one_fd },
		{ .path = "main/6.1-a/x86_64", .fd = -1 },
		{ .path = "main/6.12/x86_64", .fd = one_fd },
		{ .path = "source", .fd = one_fd },
	};
	if (snapshot_join(parts, ARRAY_SIZE(parts), &joined_fd, &error) < 0)
		fail_msg("%s", error_describe(error));
	assert_int_equal(digest_file(one_fd, &before, NULL), 0);
	assert_int_equal(snapshot_subtree(joined_fd, "source", &part_fd, &after, NULL), 0);
	assert_true(digest_equal(&before, &after));
	part_fd = close_fd(part_fd);
	assert_int_equal(snapshot_subtree(joined_fd, "main/6.12/x86_64", &part_fd, &after, NULL),
			 0);
	assert_true(digest_equal(&before, &after));
	part_fd = close_fd(part_fd);
	assert_int_equal(snapshot_subtree(joined_fd, "sour", &part_fd, &after, &error), -ENOENT);
	assert_int_equal(snapshot_subtree(joined_fd, "binaries/NAME", &part_fd, &after, NULL),
			 -ENOENT);
	assert_int_equal(part_fd, -1);
	joined_fd = close_fd(joined_fd);
	/* In no order, and one within another. */
	assert_true(snapshot_join((const struct snapshot_part[]){ parts[4], parts[1] }, 2,
				  &joined_fd, NULL) < 0);
	assert_true(snapshot_join(
			    (const struct snapshot_part[]){ parts[4],
							    { .path = "source/a", .fd = one_fd } },
			    2, &joined_fd, NULL) < 0);
}

/* A link that is good in the whole, and leads out of the part. */
static void test_part_that_leads_out(void **state)
{
	cleanup_close int fd = snapshot_of(SNAPSHOT(SNAPSHOT_MAGIC ENTRY("d", "\1", "d", "\0", "")
							    ENTRY("l", "\3", "d/l", "\4", "../x")));
	cleanup_error struct error *error = NULL;
	struct digest digest;
	int part_fd = -1;

	(void)state;
	assert_int_equal(snapshot_subtree(fd, "d", &part_fd, &digest, &error), -ELOOP);
	assert_int_equal(part_fd, -1);
}

static void replay(const char *directory, int (*target)(const uint8_t *data, size_t size))
{
	cleanup_list DIR *list = NULL;
	const char *name;
	size_t count = 0;

	assert_int_equal(list_open(AT_FDCWD, directory, &list, NULL), 0);
	while ((name = list_next(list))) {
		cleanup_text struct text text = { 0 };

		assert_int_equal(read_file(dirfd(list), name, 1 << 20, &text, NULL), 0);
		assert_int_equal(target((const uint8_t *)text.data, text.length), 0);
		count++;
	}
	assert_true(count >= 9);
}

static void test_corpora(void **state)
{
	(void)state;
	replay("tests/fuzz/corpus/manifest", fuzz_manifest);
	replay("tests/fuzz/corpus/archive", fuzz_archive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_part_that_leads_out),
		cmocka_unit_test(test_corpora),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
