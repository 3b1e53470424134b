/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Source archives, good and hostile, through kmodbox-unpack: once as a plain program (so that the
 * sanitizers see it too) and once the way it is used, in its sandbox.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/memfd.h"
#include "lib/recipes/archive.h"
#include "lib/recipes/snapshot.h"
#include "tests/unit/sandbox_fixture.h"

struct member {
	mode_t type; /* S_IFREG...; 0 ends a list */
	const char *name;
	const char *link; /* target of S_IFLNK; of a hard link where type is S_IFREG */
	const char *content;
};

struct world {
	struct sandbox_fixture fixture;
	char *reason; /* why no sandbox can be made, or NULL */
	int unpack_fd;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	cleanup_error struct error *error = NULL;
	char path[4096] = "";
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);
	char *slash;

	assert_non_null(world);
	assert_true(length > 0);
	slash = strrchr(path, '/');
	assert_non_null(slash);
	memcpy(slash, "/../bin/kmodbox-unpack", 23);
	world->unpack_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (world->unpack_fd < 0)
		print_message("skipped: %s is not built\n", path);
	if (sandbox_fixture_open(&world->fixture, &error) < 0)
		world->reason = error_describe(error);
#ifdef __SANITIZE_ADDRESS__
	world->reason = strdup("the sanitizer's shadow memory is larger than a sandbox may have");
#endif
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	sandbox_fixture_close(&world->fixture);
	close_fd(world->unpack_fd);
	free(world->reason);
	free(world);
	return 0;
}

static void require_program(const struct world *world)
{
	if (world->unpack_fd < 0)
		skip();
}

static void require_sandbox(const struct world *world)
{
	require_program(world);
	if (world->reason) {
		print_message("skipped: %s\n", world->reason);
		skip();
	}
}

static void write_member(struct archive *archive, const struct member *member)
{
	struct archive_entry *entry = archive_entry_new();
	size_t length = member->content ? strlen(member->content) : 0;

	archive_entry_set_pathname(entry, member->name);
	archive_entry_set_filetype(entry, member->type);
	archive_entry_set_perm(entry, string_ends_with(member->name, ".sh") ? 0755 : 0644);
	archive_entry_set_mtime(entry, 1700000000, 0);
	if (member->link && member->type == S_IFLNK)
		archive_entry_set_symlink(entry, member->link);
	else if (member->link)
		archive_entry_set_hardlink(entry, member->link);
	archive_entry_set_size(entry, (la_int64_t)length);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	if (length)
		assert_int_equal(archive_write_data(archive, member->content, length), length);
	archive_entry_free(entry);
}

/* An archive in a memory file; filter is one of ARCHIVE_FILTER_*. */
static int make_archive(int format, int filter, const struct member *members)
{
	struct archive *archive = archive_write_new();
	int fd = -1;

	assert_int_equal(memfd_new("archive", &fd, NULL), 0);
	assert_int_equal(archive_write_set_format(archive, format), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter(archive, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_open_fd(archive, fd), ARCHIVE_OK);
	for (; members->type; members++)
		write_member(archive, members);
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
	return fd;
}

static _Noreturn void start_unpack(int unpack_fd, int archive_fd, int scratch_fd, int error_fd,
				   int output_fd)
{
	char name[] = "kmodbox-unpack";
	char *const argv[] = { name, NULL };
	char *const envp[] = { NULL };
	int program_fd = fcntl(unpack_fd, F_DUPFD_CLOEXEC, 10);
	int high_output_fd = fcntl(output_fd, F_DUPFD_CLOEXEC, 10);

	if (fchdir(scratch_fd) < 0 || dup2(archive_fd, 0) < 0 || dup2(error_fd, 2) < 0 ||
	    dup2(high_output_fd, 3) < 0 || lseek(0, 0, SEEK_SET) != 0)
		_exit(126);
	(void)fexecve(program_fd, argv, envp);
	_exit(127);
}

/* Runs the program as it is, in a directory of its own; *ret_text is what it said. */
static int unpack_plainly(const struct world *world, int archive_fd, int *ret_fd, char **ret_text)
{
	char path[] = "/tmp/kmodbox-archive-XXXXXX";
	cleanup_close int output_fd = -1, error_fd = -1, scratch_fd = -1, tmp_fd = -1;
	cleanup_text struct text said = { 0 };
	struct digest digest;
	int status;
	pid_t pid;

	assert_non_null(mkdtemp(path));
	scratch_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(memfd_new("output", &output_fd, NULL), 0);
	assert_int_equal(memfd_new("error", &error_fd, NULL), 0);
	pid = fork();
	if (pid == 0)
		start_unpack(world->unpack_fd, archive_fd, scratch_fd, error_fd, output_fd);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(remove_tree(tmp_fd, path + 5, NULL), 0);
	assert_int_equal(lseek(error_fd, 0, SEEK_SET), 0);
	assert_int_equal(read_fd(error_fd, 65536, &said, NULL), 0);
	*ret_text = text_take(&said);
	if (WEXITSTATUS(status) != 0)
		return -WEXITSTATUS(status);
	assert_int_equal(snapshot_from_stream(output_fd, &digest, NULL), 0);
	*ret_fd = TAKE_FD(output_fd);
	return 0;
}

static void expect_file(int snapshot_fd, const char *path, const char *content)
{
	cleanup_close int fd = -1;
	const uint8_t *bytes;
	size_t size;

	assert_int_equal(snapshot_read_file(snapshot_fd, path, 65536, &fd, NULL), 0);
	assert_int_equal(memfd_map(fd, 65536, &bytes, &size, NULL), 0);
	assert_int_equal(size, strlen(content));
	assert_memory_equal(bytes, content, size);
	memfd_unmap(bytes, size);
}

static const struct member good[] = {
	{ S_IFDIR, "demo-v0.1/", NULL, NULL },
	{ S_IFREG, "demo-v0.1/dkms.conf", NULL, "PACKAGE_NAME=demo\n" },
	{ S_IFREG, "demo-v0.1/src/deep/demo.c", NULL, "int x;\n" }, /* no member for src/ */
	{ S_IFDIR, "demo-v0.1/src/", NULL, NULL },
	{ S_IFLNK, "demo-v0.1/src/conf", "../dkms.conf", NULL },
	{ S_IFREG, "./demo-v0.1/build.sh", NULL, "#!/bin/sh\n" },
	{ 0 },
};

static void test_all_formats_give_the_same_source(void **state)
{
	static const struct {
		int format;
		int filter;
	} kinds[] = {
		{ ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FILTER_NONE },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP },
		{ ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FILTER_XZ },
		{ ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FILTER_ZSTD },
		{ ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_BZIP2 },
		{ ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE },
	};
	struct world *world = *state;
	struct digest first = { 0 };

	require_program(world);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup_close int archive_fd = make_archive(kinds[i].format, kinds[i].filter, good);
		cleanup_close int fd = -1;
		cleanup_free char *said = NULL;
		struct digest digest;

		if (unpack_plainly(world, archive_fd, &fd, &said) < 0)
			fail_msg("kind %zu was refused: %s", i, said);
		assert_string_equal(said, "");
		assert_int_equal(digest_file(fd, &digest, NULL), 0);
		if (i == 0)
			first = digest;
		assert_true(digest_equal(&first, &digest));
		expect_file(fd, "dkms.conf", "PACKAGE_NAME=demo\n");
		expect_file(fd, "src/deep/demo.c", "int x;\n");
	}
}

static void test_what_is_not_alone_stays(void **state)
{
	static const struct member two[] = { { S_IFREG, "dkms.conf", NULL, "a" },
					     { S_IFREG, "src/dkms.conf", NULL, "b" },
					     { 0 } };
	static const struct member one[] = { { S_IFREG, "dkms.conf", NULL, "a" }, { 0 } };
	struct world *world = *state;

	require_program(world);
	for (size_t i = 0; i < 2; i++) {
		cleanup_close int archive_fd =
			make_archive(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, i ? one : two);
		cleanup_close int fd = -1;
		cleanup_free char *said = NULL;

		assert_int_equal(unpack_plainly(world, archive_fd, &fd, &said), 0);
		expect_file(fd, "dkms.conf", "a");
	}
}

static void test_hard_link_becomes_a_copy(void **state)
{
	static const struct member members[] = { { S_IFREG, "d/a", NULL, "content" },
						 { S_IFREG, "d/b", "d/a", NULL },
						 { 0 } };
	struct world *world = *state;
	cleanup_close int archive_fd =
		make_archive(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, members);
	cleanup_close int fd = -1;
	cleanup_free char *said = NULL;

	require_program(world);
	assert_int_equal(unpack_plainly(world, archive_fd, &fd, &said), 0);
	expect_file(fd, "b", "content");
}

static const struct {
	const char *words;
	struct member members[4];
} hostile[] = {
	{ "member '../evil': is no plain relative path", { { S_IFREG, "../evil", NULL, "x" } } },
	{ "member 'd/../../evil': is no plain", { { S_IFREG, "d/../../evil", NULL, "x" } } },
	{ "member 'd/../': is no plain", { { S_IFDIR, "d/..", NULL, NULL } } },
	{ "member '/tmp/evil': has an absolute path", { { S_IFREG, "/tmp/evil", NULL, "x" } } },
	{ "member 'd//evil': is no plain", { { S_IFREG, "d//evil", NULL, "x" } } },
	{ "member 'd/a\\x0ab': is no plain", { { S_IFREG, "d/a\nb", NULL, "x" } } },
	{ "member 'd/\\x1b[31mred': is no plain", { { S_IFREG, "d/\033[31mred", NULL, "x" } } },
	{ "is a symbolic link that leads out", { { S_IFLNK, "d/link", "/etc/passwd", NULL } } },
	{ "is a symbolic link that leads out", { { S_IFLNK, "d/link", "../../x", NULL } } },
	{ "'link' is a symbolic link that leads out", /* only out when "d/" is taken off */
	  { { S_IFLNK, "d/link", "../x", NULL } } },
	{ "member 'd/link/passwd': lies below a member that is no",
	  { { S_IFLNK, "d/link", "/etc", NULL }, { S_IFREG, "d/link/passwd", NULL, "x" } } },
	{ "member 'd/link': is in the archive twice",
	  { { S_IFLNK, "d/link", "target", NULL }, { S_IFREG, "d/link", NULL, "x" } } },
	{ "member 'd/hard': is a hard link to what is no earlier file",
	  { { S_IFREG, "d/hard", "/etc/passwd", NULL } } },
	{ "member 'd/hard': is a hard link", { { S_IFREG, "d/hard", "../../etc/passwd", NULL } } },
	{ "member 'd/hard': is a hard link",
	  { { S_IFLNK, "d/link", "/etc/passwd", NULL }, { S_IFREG, "d/hard", "d/link", NULL } } },
	{ "member 'd/hard': is a hard link", { { S_IFREG, "d/hard", "d/hard", NULL } } },
	{ "member 'd/hard': is a hard link", { { S_IFREG, "d/hard", ".", NULL } } },
	{ "member 'd/fifo': is a device, FIFO", { { S_IFIFO, "d/fifo", NULL, NULL } } },
	{ "member 'd/null': is a device, FIFO", { { S_IFCHR, "d/null", NULL, NULL } } },
	{ "member 'd/sda': is a device, FIFO", { { S_IFBLK, "d/sda", NULL, NULL } } },
	{ "member 'd/a': is in the archive twice",
	  { { S_IFREG, "d/a", NULL, "x" }, { S_IFREG, "d/a", NULL, "y" } } },
	{ "member 'd/a/b': lies below a member that is no",
	  { { S_IFREG, "d/a", NULL, "x" }, { S_IFREG, "d/a/b", NULL, "y" } } },
	{ "member 'd/a/': is in the archive twice",
	  { { S_IFREG, "d/a", NULL, "x" }, { S_IFDIR, "d/a", NULL, NULL } } },
	{ "the archive is empty", { { 0 } } },
};

static void test_hostile_members_are_refused(void **state)
{
	struct world *world = *state;

	require_program(world);
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		cleanup_close int archive_fd = make_archive(
			ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FILTER_NONE, hostile[i].members);
		cleanup_close int fd = -1;
		cleanup_free char *said = NULL;
		int r = unpack_plainly(world, archive_fd, &fd, &said);

		if (r != -EXIT_BAD_ARCHIVE || !strstr(said, hostile[i].words))
			fail_msg("case %zu gave %d: '%s' lacks '%s'", i, r, said, hostile[i].words);
		assert_true(string_starts_with(said, "kmodbox-unpack: "));
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1); /* one line */
	}
}

static void test_deep_nesting_is_refused(void **state)
{
	struct world *world = *state;
	char name[512] = "";
	struct member members[] = { { S_IFREG, name, NULL, "x" }, { 0 } };

	require_program(world);
	/* The top is taken off: 64 below it are allowed, 65 are not. */
	for (int extra = 0; extra < 2; extra++) {
		cleanup_close int archive_fd = -1, fd = -1;
		cleanup_free char *said = NULL;
		size_t length = 0;

		while (length < 2u * (SNAPSHOT_DEPTH + (size_t)extra)) {
			name[length++] = 'd';
			name[length++] = '/';
		}
		name[length] = 'f';
		archive_fd = make_archive(ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FILTER_NONE, members);
		if (extra == 0) {
			assert_int_equal(unpack_plainly(world, archive_fd, &fd, &said), 0);
			continue;
		}
		assert_int_equal(unpack_plainly(world, archive_fd, &fd, &said), -EXIT_BAD_ARCHIVE);
		assert_non_null(strstr(said, "nested more than 64"));
	}
}

/* The header promises 8 GiB: refused before a byte of it is written. */
static void test_member_that_is_too_large_is_refused(void **state)
{
	static const struct member members[] = { { S_IFREG, "d/large", NULL, "x" }, { 0 } };
	struct world *world = *state;
	cleanup_close int archive_fd =
		make_archive(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, members);
	cleanup_close int fd = -1;
	cleanup_free char *said = NULL;
	uint8_t header[512];
	char field[13];
	unsigned sum = 0;

	require_program(world);
	assert_int_equal(pread(archive_fd, header, sizeof(header), 0), sizeof(header));
	memcpy(header + 124, "77777777777", 12);
	memset(header + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(header); i++)
		sum += header[i];
	(void)snprintf(field, sizeof(field), "%06o", sum);
	memcpy(header + 148, field, 7);
	assert_int_equal(pwrite(archive_fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(unpack_plainly(world, archive_fd, &fd, &said), -EXIT_BAD_ARCHIVE);
	assert_string_equal(said, "kmodbox-unpack: member 'd/large': is too large\n");
}

static void test_what_is_no_archive_is_refused(void **state)
{
	struct world *world = *state;
	cleanup_close int whole_fd =
		make_archive(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, good);
	static const char text[] = "#!/bin/sh\nexit 0\n";
	char bytes[64];

	require_program(world);
	assert_int_equal(pread(whole_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	for (int i = 0; i < 3; i++) {
		const void *content = i == 0 ? "" : i == 1 ? (const void *)text : bytes;
		size_t length = i == 0 ? 0 : i == 1 ? sizeof(text) : sizeof(bytes);
		cleanup_close int archive_fd = -1, fd = -1;
		cleanup_free char *said = NULL;

		assert_int_equal(memfd_from_bytes("test", content, length, &archive_fd, NULL), 0);
		assert_int_equal(unpack_plainly(world, archive_fd, &fd, &said), -EXIT_BAD_ARCHIVE);
		if (!strstr(said, i == 2 ? "gzip" : "no archive that can be read"))
			fail_msg("case %d said '%s'", i, said);
	}
}

static int take(const struct world *world, int archive_fd, int *ret_fd, struct digest *ret_digest,
		struct error **error)
{
	return archive_snapshot(&world->fixture.spec, world->unpack_fd, archive_fd, NULL, ret_fd,
				ret_digest, error);
}

static void test_sandboxed_archive_becomes_a_snapshot(void **state)
{
	struct world *world = *state;
	cleanup_close int archive_fd =
		make_archive(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, good);
	cleanup_close int fd = -1, plain_fd = -1;
	cleanup_error struct error *error = NULL;
	cleanup_free char *said = NULL;
	struct digest digest, plain;

	require_sandbox(world);
	if (take(world, archive_fd, &fd, &digest, &error) < 0)
		fail_msg("%s", error_describe(error));
	expect_file(fd, "src/deep/demo.c", "int x;\n");
	assert_int_equal(unpack_plainly(world, archive_fd, &plain_fd, &said), 0);
	assert_int_equal(digest_file(plain_fd, &plain, NULL), 0);
	assert_true(digest_equal(&digest, &plain));
}

/* What needs more memory than it may have is unpacked on disk: the same source comes of it. */
static void test_sandboxed_archive_on_disk(void **state)
{
	static char content[300000];
	const struct member members[] = { { S_IFREG, "large/large.c", NULL, content }, { 0 } };
	struct world *world = *state;
	char place[] = "/tmp/kmodbox-archive-XXXXXX";
	const struct archive_scratch rows[] = { { UINT64_MAX, "/nonexistent" },
						{ 65536, NULL },
						{ 65536, place },
						{ 65536, "/nonexistent" } };
	cleanup_close int archive_fd = -1;
	cleanup_error struct error *error = NULL;
	struct digest digests[ARRAY_SIZE(rows)];

	memset(content, 'x', sizeof(content) - 1);
	archive_fd = make_archive(ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, members);
	require_sandbox(world);
	assert_non_null(mkdtemp(place));
	if (geteuid() == 0)
		assert_int_equal(chown(place, FIXTURE_SLOT_UID, FIXTURE_SLOT_UID), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_close int fd = -1, file_fd = -1;
		uint64_t size;
		int r = archive_snapshot(&world->fixture.spec, world->unpack_fd, archive_fd,
					 &rows[i], &fd, &digests[i], &error);

		if (i == 3) {
			cleanup_free char *text = error_describe(error);

			assert_true(r < 0);
			assert_non_null(strstr(text, "/nonexistent"));
			continue;
		}
		if (r < 0)
			fail_msg("%s", error_describe(error));
		assert_true(digest_equal(&digests[0], &digests[i]));
		assert_int_equal(snapshot_read_file(fd, "large.c", sizeof(content), &file_fd, NULL),
				 0);
		assert_int_equal(memfd_require_sealed(fd, SNAPSHOT_BYTES, &size, NULL), 0);
	}
	assert_int_equal(rmdir(place), 0);
}

static void test_sandboxed_hostile_archive_is_an_error(void **state)
{
	static const size_t some[] = { 0, 3, 7, 12, 17, 20 };
	struct world *world = *state;

	require_sandbox(world);
	for (size_t i = 0; i < ARRAY_SIZE(some); i++) {
		cleanup_close int archive_fd = make_archive(
			ARCHIVE_FORMAT_TAR_GNUTAR, ARCHIVE_FILTER_GZIP, hostile[some[i]].members);
		cleanup_error struct error *error = NULL;
		cleanup_free char *text = NULL;
		struct digest digest;
		int fd = -1;

		assert_true(take(world, archive_fd, &fd, &digest, &error) < 0);
		assert_int_equal(fd, -1);
		assert_int_equal(error_code(error), EXIT_BAD_ARCHIVE);
		text = error_describe(error);
		assert_true(string_starts_with(text, "the source archive cannot be taken: "));
		if (!strstr(text, hostile[some[i]].words))
			fail_msg("'%s' lacks '%s'", text, hostile[some[i]].words);
		assert_null(strstr(text, "kmodbox-unpack"));
	}
}

/* A shell in its place, the "archive" its script: nothing that comes out is believed or shown raw.
 */
static void test_taken_over_unpacker_is_not_believed(void **state)
{
	static const struct {
		const char *script;
		const char *words;
		int code;
	} cases[] = {
		{ "printf 'kmodbox-source-1\\nf\\007\\000../evil\\000\\000\\000\\000' >&3\n"
		  "printf '\\000\\000\\000\\000\\000' >&3\n",
		  "'../evil' is not a name", EXIT_BAD_ARCHIVE },
		{ "exit 0\n", "not a snapshot", EXIT_BAD_ARCHIVE },
		{ "printf 'kmodbox-unpack: \\033[2Jowned\\n' >&2; exit 9\n", "\\x1b[2Jowned",
		  EXIT_BAD_ARCHIVE },
		{ "kill -9 $$\n", "SIGKILL", EXIT_BAD_ARCHIVE },
		{ "while :; do echo flood; done\n", "hit a limit: output", EXIT_LIMIT },
	};
	struct world *world = *state;
	cleanup_close int shell_fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

	require_sandbox(world);
	assert_true(shell_fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_error struct error *error = NULL;
		cleanup_close int script_fd = -1;
		cleanup_free char *text = NULL;
		struct digest digest;
		int fd = -1;

		assert_int_equal(memfd_from_bytes("test", cases[i].script, strlen(cases[i].script),
						  &script_fd, NULL),
				 0);
		assert_true(archive_snapshot(&world->fixture.spec, shell_fd, script_fd, NULL, &fd,
					     &digest, &error) < 0);
		assert_int_equal(fd, -1);
		text = error_describe(error);
		if (!strstr(text, cases[i].words))
			fail_msg("case %zu: '%s' lacks '%s'", i, text, cases[i].words);
		assert_int_equal(error_code(error), cases[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_formats_give_the_same_source),
		cmocka_unit_test(test_what_is_not_alone_stays),
		cmocka_unit_test(test_hard_link_becomes_a_copy),
		cmocka_unit_test(test_hostile_members_are_refused),
		cmocka_unit_test(test_deep_nesting_is_refused),
		cmocka_unit_test(test_member_that_is_too_large_is_refused),
		cmocka_unit_test(test_what_is_no_archive_is_refused),
		cmocka_unit_test(test_sandboxed_archive_becomes_a_snapshot),
		cmocka_unit_test(test_sandboxed_archive_on_disk),
		cmocka_unit_test(test_sandboxed_hostile_archive_is_an_error),
		cmocka_unit_test(test_taken_over_unpacker_is_not_believed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
