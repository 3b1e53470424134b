/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: one tree, one serialisation; and no other stream is ever taken for one. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <dirent.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"

struct place {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	memcpy(place->path, "/tmp/kmodbox-snapshot-XXXXXX", 29);
	assert_non_null(mkdtemp(place->path));
	place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->fd >= 0);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	int tmp_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close(place->fd);
	assert_int_equal(remove_tree(tmp_fd, place->path + 5, NULL), 0);
	close(tmp_fd);
	free(place);
	return 0;
}

static void write_file(int directory_fd, const char *path, const char *text, mode_t mode)
{
	int fd = openat(directory_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int make_directory(int directory_fd, const char *path)
{
	int fd;

	assert_int_equal(mkdirat(directory_fd, path, 0755), 0);
	fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void entry(struct text *text, char type, const char *path, const char *content)
{
	assert_int_equal(text_append(text, &type, 1), 0);
	assert_int_equal(text_append_u16(text, (uint16_t)strlen(path)), 0);
	assert_int_equal(text_append_string(text, path), 0);
	assert_int_equal(text_append_u64(text, strlen(content)), 0);
	assert_int_equal(text_append_string(text, content), 0);
}

static void magic(struct text *text)
{
	assert_int_equal(text_append_string(text, SNAPSHOT_MAGIC), 0);
}

static void end(struct text *text)
{
	assert_int_equal(text_append(text, "", 1), 0);
}

/* What snapshot_from_stream() says about these bytes; its message in *ret_text. */
static int judge(const void *bytes, size_t length, char **ret_text)
{
	cleanup_error struct error *error = NULL;
	cleanup_close int fd = -1;
	struct digest digest;
	int r;

	assert_int_equal(memfd_new("test", &fd, NULL), 0);
	assert_int_equal(write_all(fd, bytes, length), 0);
	r = snapshot_from_stream(fd, &digest, &error);
	assert_true((r < 0) == (error != NULL));
	if (ret_text)
		*ret_text = error_describe(error);
	return r;
}

static void make_tree(int fd, bool backwards)
{
	if (!backwards) {
		write_file(fd, "a-b", "between", 0644);
		close(make_directory(fd, "a"));
		write_file(fd, "a/inner", "x", 0600);
		write_file(fd, "run.sh", "#!/bin/sh\n", 0700);
	} else {
		write_file(fd, "run.sh", "#!/bin/sh\n", 0755);
		close(make_directory(fd, "a"));
		write_file(fd, "a/inner", "x", 0444);
		write_file(fd, "a-b", "between", 0640);
	}
	close(make_directory(fd, "a/empty"));
	assert_int_equal(symlinkat("../run.sh", fd, "a/link"), 0);
}

static void test_serialisation_is_as_documented(void **state)
{
	struct place *place = *state;
	cleanup_text struct text expected = { 0 };
	cleanup_close int fd = -1;
	struct digest digest, of_bytes;
	const uint8_t *bytes;
	size_t size;

	make_tree(place->fd, false);
	magic(&expected);
	entry(&expected, 'd', "a", "");
	entry(&expected, 'd', "a/empty", "");
	entry(&expected, 'f', "a/inner", "x");
	entry(&expected, 'l', "a/link", "../run.sh");
	entry(&expected, 'f', "a-b", "between"); /* behind the content of "a" though '-' < '/' */
	entry(&expected, 'x', "run.sh", "#!/bin/sh\n");
	end(&expected);

	assert_int_equal(snapshot_from_directory(place->fd, -1, &fd, &digest, NULL), 0);
	assert_int_equal(memfd_map(fd, SNAPSHOT_BYTES, &bytes, &size, NULL), 0);
	assert_int_equal(size, expected.length);
	assert_memory_equal(bytes, expected.data, size);
	assert_int_equal(digest_bytes(bytes, size, &of_bytes, NULL), 0);
	assert_true(digest_equal(&digest, &of_bytes));
	memfd_unmap(bytes, size);
	assert_int_equal(judge(expected.data, expected.length, NULL), 0);
}

static void test_same_source_same_digest(void **state)
{
	struct place *place = *state;
	cleanup_close int one_fd = make_directory(place->fd, "one");
	cleanup_close int two_fd = make_directory(place->fd, "two");
	cleanup_close int first = -1, second = -1, third = -1;
	struct digest one, two, changed;

	make_tree(one_fd, false);
	make_tree(two_fd, true);
	assert_int_equal(snapshot_from_directory(one_fd, -1, &first, &one, NULL), 0);
	assert_int_equal(snapshot_from_directory(two_fd, -1, &second, &two, NULL), 0);
	assert_true(digest_equal(&one, &two));

	/* The executable bit and the content do count. */
	assert_int_equal(fchmodat(two_fd, "run.sh", 0644, 0), 0);
	assert_int_equal(snapshot_from_directory(two_fd, -1, &third, &changed, NULL), 0);
	assert_false(digest_equal(&one, &changed));
	third = close_fd(third);
	assert_int_equal(fchmodat(two_fd, "run.sh", 0755, 0), 0);
	write_file(two_fd, "a-b", "Between", 0644);
	assert_int_equal(snapshot_from_directory(two_fd, -1, &third, &changed, NULL), 0);
	assert_false(digest_equal(&one, &changed));
}

static void check_status(int fd, const char *path, mode_t mode)
{
	struct stat status;

	assert_int_equal(fstatat(fd, path, &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(status.st_mtim.tv_sec, 1);
	assert_int_equal(status.st_mtim.tv_nsec, 0);
	if (!S_ISLNK(mode))
		assert_int_equal(status.st_mode, mode);
	else
		assert_true(S_ISLNK(status.st_mode));
}

static void test_unpack_gives_the_tree_back(void **state)
{
	struct place *place = *state;
	cleanup_close int one_fd = make_directory(place->fd, "one");
	cleanup_close int two_fd = make_directory(place->fd, "two");
	cleanup_close int first = -1, second = -1;
	struct digest one, two;
	mode_t mask;

	make_tree(one_fd, false);
	assert_int_equal(linkat(one_fd, "a-b", one_fd, "hard", 0), 0);
	assert_int_equal(snapshot_from_directory(one_fd, -1, &first, &one, NULL), 0);
	mask = umask(077);
	assert_int_equal(snapshot_unpack(first, two_fd, false, NULL), 0);
	umask(mask);
	check_status(two_fd, ".", S_IFDIR | 0755);
	check_status(two_fd, "a", S_IFDIR | 0755);
	check_status(two_fd, "a/empty", S_IFDIR | 0755);
	check_status(two_fd, "a/inner", S_IFREG | 0644);
	check_status(two_fd, "a/link", S_IFLNK);
	check_status(two_fd, "run.sh", S_IFREG | 0755);
	assert_int_equal(snapshot_from_directory(two_fd, -1, &second, &two, NULL), 0);
	assert_true(digest_equal(&one, &two));
}

static void test_unpack_follows_nothing_that_is_there(void **state)
{
	struct place *place = *state;
	cleanup_close int one_fd = make_directory(place->fd, "one");
	cleanup_close int two_fd = make_directory(place->fd, "two");
	cleanup_close int outside_fd = make_directory(place->fd, "outside");
	cleanup_error struct error *error = NULL;
	cleanup_close int snapshot_fd = -1;
	struct digest digest;

	make_tree(one_fd, false);
	assert_int_equal(snapshot_from_directory(one_fd, -1, &snapshot_fd, &digest, NULL), 0);
	assert_int_equal(symlinkat("../outside", two_fd, "a"), 0);
	assert_int_equal(snapshot_unpack(snapshot_fd, two_fd, false, &error), -EEXIST);
	assert_int_equal(faccessat(outside_fd, "inner", F_OK, 0), -1);
	/* The same snapshot goes where nothing is in the way. */
	assert_int_equal(unlinkat(two_fd, "a", 0), 0);
	assert_int_equal(snapshot_unpack(snapshot_fd, two_fd, false, NULL), 0);
}

static void expect_refusal(int fd, int errnum, const char *words)
{
	cleanup_error struct error *error = NULL;
	cleanup_free char *text = NULL;
	struct digest digest;
	int snapshot_fd = -1;

	assert_int_equal(snapshot_from_directory(fd, -1, &snapshot_fd, &digest, &error), -errnum);
	assert_int_equal(snapshot_fd, -1);
	text = error_describe(error);
	assert_non_null(text);
	if (!strstr(text, words))
		fail_msg("'%s' lacks '%s'", text, words);
}

/* Taken from a directory, as it is; not from archives, and not by who writes the source tree. */
static void test_links_that_lead_out(void **state)
{
	static const char *const targets[] = { "/etc/passwd", "../x", "d/../../x", "d/../run" };
	struct place *place = *state;
	cleanup_close int source_fd = make_directory(place->fd, "source");
	cleanup_close int strict_fd = make_directory(place->fd, "strict");

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		cleanup_close int snapshot_fd = -1, output_fd = -1, again_fd = -1;
		cleanup_error struct error *error = NULL;
		char name[16], target[64] = "";
		struct digest digest;

		(void)snprintf(name, sizeof(name), "again-%zu", i);
		again_fd = make_directory(place->fd, name);
		assert_int_equal(symlinkat(targets[i], source_fd, "link"), 0);
		assert_int_equal(
			snapshot_from_directory(source_fd, -1, &snapshot_fd, &digest, NULL), 0);
		assert_int_equal(snapshot_unpack(snapshot_fd, again_fd, true, NULL), 0);
		assert_true(readlinkat(again_fd, "link", target, sizeof(target)) > 0);
		assert_string_equal(target, targets[i]);
		assert_int_equal(snapshot_compare_directory(snapshot_fd, again_fd, NULL), 0);

		assert_int_equal(snapshot_unpack(snapshot_fd, strict_fd, false, &error), -ELOOP);
		assert_int_equal(snapshot_check(snapshot_fd, &digest, NULL), -ELOOP);
		assert_int_equal(memfd_new("strict", &output_fd, NULL), 0);
		assert_int_equal(snapshot_write_directory(source_fd, output_fd, NULL), -ELOOP);
		assert_int_equal(unlinkat(source_fd, "link", 0), 0);
	}
}

static void test_directory_refuses_by_name(void **state)
{
	struct place *place = *state;
	int fd = place->fd;

	make_tree(fd, false);
	assert_int_equal(symlinkat("esc\033[2J", fd, "escape"), 0);
	expect_refusal(fd, EINVAL, "escape");
	assert_int_equal(unlinkat(fd, "escape", 0), 0);
	assert_int_equal(mkfifoat(fd, "a/pipe", 0644), 0);
	expect_refusal(fd, EINVAL, "'a/pipe' is a device, FIFO or socket");
	assert_int_equal(unlinkat(fd, "a/pipe", 0), 0);
	write_file(fd, "a/bad\n\033]0;name", "", 0644);
	expect_refusal(fd, EINVAL, "a/bad\\x0a\\x1b]0;name");
	assert_int_equal(unlinkat(fd, "a/bad\n\033]0;name", 0), 0);
}

static void test_directory_caps(void **state)
{
	struct place *place = *state;
	cleanup_close int sparse_fd = -1;
	char path[200] = "d";

	for (int i = 0; i < SNAPSHOT_DEPTH; i++) {
		assert_int_equal(mkdirat(place->fd, path, 0755), 0);
		memcpy(path + strlen(path), "/d", 3);
	}
	{
		cleanup_close int snapshot_fd = -1;
		struct digest digest;

		assert_int_equal(
			snapshot_from_directory(place->fd, -1, &snapshot_fd, &digest, NULL), 0);
	}
	assert_int_equal(mkdirat(place->fd, path, 0755), 0);
	expect_refusal(place->fd, E2BIG, "nested more than 64");
	assert_int_equal(remove_tree(place->fd, "d", NULL), 0);

	sparse_fd = openat(place->fd, "huge", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (ftruncate(sparse_fd, (off_t)1 << 40) < 0)
		skip(); /* a file system without files of a terabyte */
	expect_refusal(place->fd, EFBIG, "larger than 2048 MiB");
}

/* Files of procfs say they are empty and then are not: as one that grows while it is read. */
static void test_file_that_changes_is_refused(void **state)
{
	cleanup_close int fd = open("/proc/sys/kernel/random", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		skip();
	expect_refusal(fd, EAGAIN, "'boot_id' changed while it was read");
}

static void test_stream_cut_short_is_refused(void **state)
{
	cleanup_text struct text text = { 0 };

	(void)state;
	magic(&text);
	entry(&text, 'd', "a", "");
	entry(&text, 'x', "a/b", "content");
	entry(&text, 'l', "c", "a/b");
	end(&text);
	assert_int_equal(judge(text.data, text.length, NULL), 0);
	for (size_t length = 0; length < text.length; length++)
		assert_int_equal(judge(text.data, length, NULL), -EBADMSG);
	end(&text);
	assert_int_equal(judge(text.data, text.length, NULL), -EBADMSG);
}

static void test_stream_that_breaks_a_rule_is_refused(void **state)
{
	static const struct {
		const char *words;
		struct {
			char type;
			const char *path;
			const char *content;
		} entries[3];
	} cases[] = {
		{ NULL, { { 'd', "a", "" }, { 'f', "a/b", "" }, { 'f', "a-b", "" } } },
		{ "out of order", { { 'f', "b", "" }, { 'f', "a", "" } } },
		{ "out of order", { { 'f', "a", "" }, { 'f', "a", "" } } },
		{ "out of order", { { 'd', "a", "" }, { 'f', "a-b", "" }, { 'f', "a/b", "" } } },
		{ "out of order", { { 'f', "a/b", "" } } },
		{ "out of order", { { 'f', "a", "" }, { 'f', "a/b", "" } } },
		{ "out of order", { { 'l', "a", "b" }, { 'f', "a/b", "" } } },
		{ "out of order", { { 'd', "ab", "" }, { 'f', "b/c", "" } } },
		{ "out of order", { { 'd', "b", "" }, { 'f', "bc/d", "" } } },
		{ "not a name", { { 'f', "..", "" } } },
		{ "not a name", { { 'd', "a", "" }, { 'f', "a/../b", "" } } },
		{ "not a name", { { 'f', "/etc/passwd", "" } } },
		{ "not a name", { { 'd', "a", "" }, { 'f', "a//b", "" } } },
		{ "not a name", { { 'f', "", "" } } },
		{ "'a\\x0ab'", { { 'f', "a\nb", "" } } },
		{ "unknown type", { { 'p', "a", "" } } },
		{ "content of its own", { { 'd', "a", "x" } } },
		{ "an empty or overlong target", { { 'l', "a", "" } } },
		{ "an empty or overlong target", { { 'o', "a", "" } } },
		{ "control characters", { { 'o', "a", "/x\ny" } } },
		{ "of the wrong kind", { { 'l', "a", "/x" } } },
		{ "of the wrong kind", { { 'l', "a", ".." } } },
		{ "of the wrong kind", { { 'd', "a", "" }, { 'l', "a/b", "../../c" } } },
		{ "of the wrong kind", { { 'l', "a", "b/.." } } },
		{ "of the wrong kind", { { 'd', "a", "" }, { 'l', "a/b", "c/../d" } } },
		{ "of the wrong kind", { { 'd', "a", "" }, { 'o', "a/b", "./../c//d" } } },
		{ "leads out", { { 'o', "a", "/x" } } },
		{ "leads out", { { 'd', "a", "" }, { 'o', "a/b", "../../c" } } },
		{ NULL, { { 'd', "a", "" }, { 'l', "a/b", "./../c//d" } } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_text struct text text = { 0 };
		cleanup_free char *said = NULL;
		int r;

		magic(&text);
		for (size_t j = 0; j < ARRAY_SIZE(cases[i].entries) && cases[i].entries[j].path;
		     j++)
			entry(&text, cases[i].entries[j].type, cases[i].entries[j].path,
			      cases[i].entries[j].content);
		end(&text);
		r = judge(text.data, text.length, &said);
		if (!cases[i].words && r < 0)
			fail_msg("case %zu was refused: %s", i, said);
		if (cases[i].words && (r == 0 || !said || !strstr(said, cases[i].words)))
			fail_msg("case %zu: '%s' lacks '%s'", i, said ? said : "", cases[i].words);
	}
}

static void test_stream_with_foreign_lengths(void **state)
{
	cleanup_text struct text text = { 0 };
	cleanup_text struct text nul = { 0 };

	(void)state;
	magic(&text);
	assert_int_equal(text_append(&text, "f\001\000a", 4), 0);
	assert_int_equal(text_append_u64(&text, UINT64_MAX - 3), 0);
	end(&text);
	assert_int_equal(judge(text.data, text.length, NULL), -EBADMSG);

	magic(&nul);
	assert_int_equal(text_append(&nul, "f\003\000a\000b", 6), 0);
	assert_int_equal(text_append_u64(&nul, 0), 0);
	end(&nul);
	assert_int_equal(judge(nul.data, nul.length, NULL), -EINVAL);
}

static void test_stream_has_a_cap_on_entries(void **state)
{
	cleanup_text struct text text = { 0 };
	cleanup_free char *said = NULL;
	char name[16];

	(void)state;
	magic(&text);
	for (unsigned i = 0; i <= SNAPSHOT_ENTRIES; i++) {
		(void)snprintf(name, sizeof(name), "%06u", i);
		entry(&text, 'd', name, "");
	}
	end(&text);
	assert_int_equal(judge(text.data, text.length, &said), -E2BIG);
	assert_non_null(strstr(said, "more than 200000"));
}

static int count(void *context, char type, const char *path, uint64_t length)
{
	unsigned *seen = context;

	(void)length;
	(*seen)++;
	return type == 'x' && strcmp(path, "run.sh") == 0 ? 42 : 0;
}

static void test_single_files_and_walk(void **state)
{
	struct place *place = *state;
	cleanup_close int snapshot_fd = -1, file_fd = -1, unsealed_fd = -1;
	struct digest digest;
	const uint8_t *bytes;
	unsigned seen = 0;
	size_t size;

	make_tree(place->fd, false);
	assert_int_equal(snapshot_from_directory(place->fd, -1, &snapshot_fd, &digest, NULL), 0);
	assert_int_equal(snapshot_read_file(snapshot_fd, "a/inner", 10, &file_fd, NULL), 0);
	assert_int_equal(memfd_map(file_fd, 10, &bytes, &size, NULL), 0);
	assert_int_equal(size, 1);
	assert_int_equal(bytes[0], 'x');
	memfd_unmap(bytes, size);
	assert_int_equal(snapshot_read_file(snapshot_fd, "run.sh", 3, &file_fd, NULL), -EFBIG);
	assert_int_equal(snapshot_read_file(snapshot_fd, "a", 10, &file_fd, NULL), -ENOENT);
	assert_int_equal(snapshot_read_file(snapshot_fd, "a/link", 10, &file_fd, NULL), -ENOENT);
	assert_int_equal(snapshot_walk(snapshot_fd, count, &seen, NULL), 42);
	assert_int_equal(seen, 6);

	/* Only what is sealed is read: nobody can change it under us. */
	assert_int_equal(memfd_new("test", &unsealed_fd, NULL), 0);
	assert_int_equal(write_all(unsealed_fd, SNAPSHOT_MAGIC "\0", strlen(SNAPSHOT_MAGIC) + 1),
			 0);
	assert_int_equal(snapshot_walk(unsealed_fd, count, &seen, NULL), -EINVAL);
	assert_int_equal(memfd_seal(unsealed_fd, NULL), 0);
	assert_int_equal(snapshot_walk(unsealed_fd, count, &seen, NULL), 0);
}

static unsigned count_entries(int directory_fd)
{
	int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fdopendir(fd);
	unsigned count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count - 2; /* "." and ".." */
}

/* On disk: the same bytes, nobody can write them any more, and no name is left. */
static void test_snapshot_on_disk(void **state)
{
	struct place *place = *state;
	cleanup_close int source_fd = make_directory(place->fd, "source");
	cleanup_close int disk_fd = make_directory(place->fd, "disk");
	cleanup_close int again_fd = make_directory(place->fd, "again");
	cleanup_close int in_memory = -1, on_disk = -1, file_fd = -1;
	struct digest of_memory, of_disk, of_stream;
	uint8_t bytes[2][256];
	ssize_t length;

	make_tree(source_fd, false);
	assert_int_equal(snapshot_from_directory(source_fd, -1, &in_memory, &of_memory, NULL), 0);
	assert_int_equal(snapshot_from_directory(source_fd, disk_fd, &on_disk, &of_disk, NULL), 0);
	assert_true(digest_equal(&of_memory, &of_disk));
	length = pread(in_memory, bytes[0], sizeof(bytes[0]), 0);
	assert_true(length > 0 && length < (ssize_t)sizeof(bytes[0]));
	assert_int_equal(pread(on_disk, bytes[1], sizeof(bytes[1]), 0), length);
	assert_memory_equal(bytes[0], bytes[1], (size_t)length);
	assert_int_equal(count_entries(disk_fd), 0);
	assert_int_equal(write(on_disk, "x", 1), -1);
	assert_int_equal(errno, EBADF);

	assert_int_equal(snapshot_check(on_disk, &of_stream, NULL), 0);
	assert_true(digest_equal(&of_memory, &of_stream));
	assert_int_equal(snapshot_unpack(on_disk, again_fd, false, NULL), 0);
	assert_int_equal(snapshot_compare_directory(on_disk, again_fd, NULL), 0);
	assert_int_equal(snapshot_read_file(on_disk, "a-b", 100, &file_fd, NULL), 0);
}

/* In memory as long as it is small; to the byte. */
static void test_large_snapshot_on_disk(void **state)
{
	struct place *place = *state;
	cleanup_close int source_fd = make_directory(place->fd, "source");
	cleanup_close int disk_fd = make_directory(place->fd, "disk");
	cleanup_close int fd = -1;
	struct digest digest, of_large;
	struct error *error = NULL;
	struct stat status;

	make_tree(source_fd, false);
	assert_int_equal(snapshot_from_directory(source_fd, -1, &fd, &digest, NULL), 0);
	assert_int_equal(fstat(fd, &status), 0);
	for (unsigned i = 0; i < 3; i++) {
		cleanup_close int large_fd = -1;
		const uint64_t memory = (uint64_t)status.st_size - (i > 0);

		assert_int_equal(snapshot_from_large_directory(source_fd, memory,
							       i < 2 ? disk_fd : -1, &large_fd,
							       &of_large, NULL),
				 0);
		assert_true(digest_equal(&digest, &of_large));
		/* A file on disk cannot be sealed; one on a tmpfs is so against sealing. */
		assert_int_equal(fcntl(large_fd, F_GET_SEALS) > F_SEAL_SEAL, i != 1);
	}
	assert_int_equal(count_entries(disk_fd), 0);
	assert_int_equal(mkfifoat(source_fd, "fifo", 0600), 0);
	fd = close_fd(fd);
	assert_true(snapshot_from_large_directory(source_fd, 1000, disk_fd, &fd, &digest, &error) <
		    0);
	assert_non_null(error);
	error = error_free(error);
	assert_int_equal(fd, -1);
}

/* The same bytes in a file that somebody could still change are no snapshot. */
static void test_changeable_file_is_no_snapshot(void **state)
{
	static const int flags[] = { O_RDONLY, O_RDWR };
	struct place *place = *state;
	cleanup_text struct text bytes = { 0 };
	struct digest digest;

	magic(&bytes);
	entry(&bytes, 'f', "file", "content");
	end(&bytes);
	for (unsigned i = 0; i < 3; i++) {
		cleanup_close int fd = -1;

		fd = openat(place->fd, "snapshot", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		assert_int_equal(write_all(fd, bytes.data, bytes.length), 0);
		close(fd);
		fd = openat(place->fd, "snapshot", flags[i % 2] | O_CLOEXEC);
		assert_true(fd >= 0);
		/* Named; nameless but writable; nameless and read-only: the one that is taken. */
		if (i > 0)
			assert_int_equal(unlinkat(place->fd, "snapshot", 0), 0);
		assert_int_equal(snapshot_check(fd, &digest, NULL), i == 2 ? 0 : -EINVAL);
	}
}

int main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_PLACE(test_serialisation_is_as_documented),
		WITH_PLACE(test_same_source_same_digest),
		WITH_PLACE(test_unpack_gives_the_tree_back),
		WITH_PLACE(test_unpack_follows_nothing_that_is_there),
		WITH_PLACE(test_links_that_lead_out),
		WITH_PLACE(test_directory_refuses_by_name),
		WITH_PLACE(test_directory_caps),
		cmocka_unit_test(test_file_that_changes_is_refused),
		cmocka_unit_test(test_stream_cut_short_is_refused),
		cmocka_unit_test(test_stream_that_breaks_a_rule_is_refused),
		cmocka_unit_test(test_stream_with_foreign_lengths),
		cmocka_unit_test(test_stream_has_a_cap_on_entries),
		WITH_PLACE(test_single_files_and_walk),
		WITH_PLACE(test_snapshot_on_disk),
		WITH_PLACE(test_large_snapshot_on_disk),
		WITH_PLACE(test_changeable_file_is_no_snapshot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
