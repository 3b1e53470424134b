/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests of kmodbox-unpack share: the program, a sandbox for it, archives in memory. */
#ifndef KMODBOX_TESTS_ARCHIVE_WORLD_H
#define KMODBOX_TESTS_ARCHIVE_WORLD_H

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/base/memfd.h"
#include "lib/recipes/snapshot.h"
#include "tests/unit/sandbox_fixture.h"

struct world {
	struct sandbox_fixture fixture;
	char *reason; /* why no sandbox can be made, or NULL */
	int unpack_fd;
};

static inline int set_up(void **state)
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
	if (sandbox_fixture_open(&world->fixture, &error) < 0)
		world->reason = error_describe(error);
	if (world->unpack_fd < 0) {
		free(world->reason);
		world->reason = strdup("kmodbox-unpack is not built");
	}
#ifdef __SANITIZE_ADDRESS__
	free(world->reason);
	world->reason = strdup("the sanitizer's shadow memory is larger than a sandbox may have");
#endif
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;

	sandbox_fixture_close(&world->fixture);
	close_fd(world->unpack_fd);
	free(world->reason);
	free(world);
	return 0;
}

static inline void require_sandbox(const struct world *world)
{
	if (world->reason) {
		print_message("skipped: %s\n", world->reason);
		skip();
	}
}

/* An archive in a memory file, to be filled by put() and closed by archive_end(). */
static inline struct archive *archive_begin(int format, int filter, int *ret_fd)
{
	struct archive *archive = archive_write_new();

	assert_int_equal(memfd_new("archive", ret_fd, NULL), 0);
	assert_int_equal(archive_write_set_format(archive, format), ARCHIVE_OK);
	assert_int_equal(archive_write_add_filter(archive, filter), ARCHIVE_OK);
	assert_int_equal(archive_write_open_fd(archive, *ret_fd), ARCHIVE_OK);
	return archive;
}

static inline void archive_end(struct archive *archive)
{
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
}

/* bytes NULL: that many zeros. */
static inline void put(struct archive *archive, mode_t type, const char *name, const char *link,
		       const void *bytes, size_t length)
{
	static const char zeros[65536];
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, type == S_IFDIR ? 0755 : 0644);
	if (link && type == S_IFLNK)
		archive_entry_set_symlink(entry, link);
	else if (link)
		archive_entry_set_hardlink(entry, link);
	archive_entry_set_size(entry, (la_int64_t)length);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	while (length > 0) {
		size_t part = bytes || length < sizeof(zeros) ? length : sizeof(zeros);

		assert_int_equal(archive_write_data(archive, bytes ? bytes : zeros, part), part);
		length -= part;
	}
	archive_entry_free(entry);
}

static inline void put_text(struct archive *archive, const char *name, const char *text)
{
	put(archive, S_IFREG, name, NULL, text, strlen(text));
}

static inline void expect_bytes(int snapshot_fd, const char *path, const void *expected,
				size_t length)
{
	cleanup_close int fd = -1;
	const uint8_t *bytes;
	size_t size;

	assert_int_equal(snapshot_read_file(snapshot_fd, path, 1 << 20, &fd, NULL), 0);
	assert_int_equal(memfd_map(fd, 1 << 20, &bytes, &size, NULL), 0);
	assert_int_equal(size, length);
	assert_memory_equal(bytes, expected, size);
	memfd_unmap(bytes, size);
}

static inline void expect_text(int snapshot_fd, const char *path, const char *text)
{
	expect_bytes(snapshot_fd, path, text, strlen(text));
}

#endif
