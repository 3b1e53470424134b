/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees, keys and tickets for the tests of the installer. Include after cmocka.h. */
#ifndef KMODBOX_TESTS_INSTALLER_SUPPORT_H
#define KMODBOX_TESTS_INSTALLER_SUPPORT_H

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "installer/installer.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"

#define KERNEL "6.1.0-1-amd64"
#define ARCHITECTURE "x86_64"

static const char *const tree_directories[TREE_COUNT] = { "dkms", "src", "modules", "approvals",
							  "ledger" };

struct world {
	char path[64];
	int fd;
	int trees[TREE_COUNT];
	char *paths[TREE_COUNT];
	EVP_PKEY *key;
	uint8_t raw_key[32];
};

/* A call that must work; its message otherwise. */
#define must(call)                                                                                 \
	do {                                                                                       \
		struct error *must_error = NULL, **error = &must_error;                            \
		int must_r = (call);                                                               \
		if (must_r < 0) {                                                                  \
			char *must_text = error_describe(must_error);                              \
			print_error("%s\n", must_text ? must_text : "no text");                    \
			free(must_text);                                                           \
		}                                                                                  \
		(void)error_free(must_error);                                                      \
		assert_true(must_r >= 0);                                                          \
	} while (0)

static inline void write_text(int fd, const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_LENGTH] = "";

	if (slash) {
		memcpy(parent, path, (size_t)(slash - path));
		must(make_directories(fd, parent, 0755, error));
	}
	must(write_file_atomically(fd, path, text, strlen(text), 0644, error));
}

static inline void assert_text(int fd, const char *path, const char *expected)
{
	cleanup_text struct text text = { 0 };

	must(read_file(fd, path, 1 << 20, &text, error));
	assert_string_equal(text.data, expected);
}

static inline bool is_there(int fd, const char *path)
{
	struct stat status;

	return fstatat(fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* In memory where possible: the many crashes write to the disk. Made again it has the same path. */
static inline void world_make(struct world *world)
{
	size_t size = sizeof(world->raw_key);

	(void)umask(022);
	if (*world->path) {
		assert_int_equal(mkdir(world->path, 0755), 0);
	} else {
		(void)snprintf(world->path, sizeof(world->path), "%s/kmodbox-installer-XXXXXX",
			       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		assert_non_null(mkdtemp(world->path));
	}
	assert_int_equal(chmod(world->path, 0755), 0);
	world->fd = open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(world->fd >= 0);
	for (int i = 0; i < TREE_COUNT; i++) {
		assert_int_equal(mkdirat(world->fd, tree_directories[i], 0755), 0);
		world->trees[i] =
			openat(world->fd, tree_directories[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(world->trees[i] >= 0);
		free(world->paths[i]);
		world->paths[i] = format_string("%s/%s", world->path, tree_directories[i]);
		assert_non_null(world->paths[i]);
	}
	if (!world->key)
		world->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_non_null(world->key);
	assert_int_equal(EVP_PKEY_get_raw_public_key(world->key, world->raw_key, &size), 1);
}

static inline void world_remove(struct world *world)
{
	const char *name = strrchr(world->path, '/') + 1;
	cleanup_close int parent_fd = openat(world->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < TREE_COUNT; i++)
		world->trees[i] = close_fd(world->trees[i]);
	world->fd = close_fd(world->fd);
	must(remove_tree(parent_fd, name, error));
}

/* The last of it, after world_remove(). */
static inline void world_free(struct world *world)
{
	for (int i = 0; i < TREE_COUNT; i++)
		free(TAKE_PTR(world->paths[i]));
	EVP_PKEY_free(TAKE_PTR(world->key));
}

static inline void world_trees(const struct world *world, struct trees *ret_trees)
{
	*ret_trees = (struct trees){ .lock_fd = -1 };
	for (int i = 0; i < TREE_COUNT; i++) {
		ret_trees->fds[i] = world->trees[i];
		ret_trees->paths[i] = world->paths[i];
	}
}

static inline void list_below(int fd, const char *path, struct text *text)
{
	struct dirent **entries = NULL;
	int count = scandirat(fd, path, &entries, NULL, alphasort);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		char full[PATH_LENGTH], target[PATH_LENGTH] = "";
		const char *name = entries[i]->d_name;
		struct stat status;

		if (string_equal(name, ".") || string_equal(name, ".."))
			continue;
		(void)snprintf(full, sizeof(full), "%s/%s", path, name);
		assert_int_equal(fstatat(fd, full, &status, AT_SYMLINK_NOFOLLOW), 0);
		/* These two stay for ever and say nothing. */
		if (string_equal(full, "dkms/.kmodbox/id") ||
		    string_equal(full, "dkms/.kmodbox/lock"))
			continue;
		if (string_equal(full, "dkms/.kmodbox")) {
			list_below(fd, full, text);
			continue;
		}
		assert_int_equal(text_append_format(text, "%o %s ", status.st_mode, full), 0);
		if (S_ISDIR(status.st_mode)) {
			assert_int_equal(text_append_string(text, "\n"), 0);
			list_below(fd, full, text);
		} else if (S_ISLNK(status.st_mode)) {
			assert_true(readlinkat(fd, full, target, sizeof(target) - 1) > 0);
			assert_int_equal(text_append_format(text, "%s\n", target), 0);
		} else {
			cleanup_text struct text content = { 0 };

			must(read_file(fd, full, 1 << 20, &content, error));
			assert_int_equal(status.st_nlink, 1);
			assert_int_equal(text_append_format(text, "%s\n", content.data), 0);
		}
	}
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

/* Everything below the trees, with modes and contents. To be freed. */
static inline char *world_list(const struct world *world)
{
	struct text text = { 0 };

	for (int i = 0; i < TREE_COUNT; i++)
		list_below(world->fd, tree_directories[i], &text);
	return text_take(&text);
}

static inline int sealed(const char *bytes)
{
	int fd = -1;

	must(memfd_from_bytes("test", bytes, strlen(bytes), &fd, error));
	return fd;
}

static inline struct digest digest_of(const char *bytes)
{
	struct digest digest;

	must(digest_bytes(bytes, strlen(bytes), &digest, error));
	return digest;
}

/* A file of a ticket: where and what. */
struct content {
	const char *name;
	const char *directory;
	const char *bytes;
};

static inline int issue(EVP_PKEY *key, uint64_t serial, const char *module, const char *version,
			const struct content *contents, uint32_t count)
{
	cleanup_free struct ticket_file *files = calloc(count, sizeof(*files));
	struct ticket ticket = { .serial = serial,
				 .issued = 1,
				 .source = digest_of("source"),
				 .files = files,
				 .file_count = count };
	int fd = -1;

	assert_non_null(files);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(MESSAGE_STRING_SET(files[i].name, contents[i].name), 0);
		assert_int_equal(MESSAGE_STRING_SET(files[i].directory, contents[i].directory), 0);
		files[i].size = strlen(contents[i].bytes);
		files[i].digest = digest_of(contents[i].bytes);
	}
	assert_int_equal(MESSAGE_STRING_SET(ticket.module, module), 0);
	assert_int_equal(MESSAGE_STRING_SET(ticket.version, version), 0);
	assert_int_equal(MESSAGE_STRING_SET(ticket.kernel, KERNEL), 0);
	assert_int_equal(MESSAGE_STRING_SET(ticket.architecture, ARCHITECTURE), 0);
	must(ticket_issue(&ticket, key, &fd, error));
	return fd;
}

static inline struct installer_target target_of(const char *module, const char *version,
						uint32_t force)
{
	struct installer_target target = { .force = force };

	assert_int_equal(MESSAGE_STRING_SET(target.module, module), 0);
	assert_int_equal(MESSAGE_STRING_SET(target.version, version), 0);
	assert_int_equal(MESSAGE_STRING_SET(target.kernel, KERNEL), 0);
	assert_int_equal(MESSAGE_STRING_SET(target.architecture, ARCHITECTURE), 0);
	return target;
}

/* What `add` leaves, for tests that begin later. */
/* What is approved of it is a source with this content. */
static inline void pretend_approved(const struct world *world, const char *module,
				    const char *version, const char *source)
{
	cleanup_text struct text text = { 0 };
	char path[PATH_LENGTH], file[1][TICKET_NAME] = { "demo" };
	struct approval approval = { .kernels = "*", .files = file, .file_count = 1 };

	assert_int_equal(MESSAGE_STRING_SET(approval.module, module), 0);
	assert_int_equal(MESSAGE_STRING_SET(approval.version, version), 0);
	approval.source = digest_of(source);
	assert_int_equal(approval_format(&approval, &text), 0);
	(void)snprintf(path, sizeof(path), "%s/%s", module, version);
	write_text(world->trees[TREE_APPROVALS], path, text.data);
}

static inline void pretend_added(const struct world *world, const char *module, const char *version)
{
	char path[PATH_LENGTH];

	pretend_approved(world, module, version, "source");
	(void)snprintf(path, sizeof(path), "%s/%s", module, version);
	must(make_directories(world->trees[TREE_DKMS], path, 0755, error));
	(void)snprintf(path, sizeof(path), "%s/%s/source", module, version);
	assert_int_equal(symlinkat("/nowhere", world->trees[TREE_DKMS], path), 0);
}

#endif
