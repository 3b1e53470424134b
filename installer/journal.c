/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every operation here may be interrupted anywhere and carried out again. */
#include "installer/journal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/base/digest.h"
#include "lib/base/files.h"
#include "lib/base/text.h"

#define OWN ".kmodbox"
#define JOURNAL_NAME "journal"
#define JOURNAL OWN "/" JOURNAL_NAME
#define MAGIC "kmodbox-journal-1 "
#define JOURNAL_MAXIMUM (UINT64_C(64) << 20)

const char *journal_stage_path(enum tree tree)
{
	return tree == TREE_DKMS ? OWN "/stage" : INSTALL_STAGE;
}

void trees_step(const struct trees *trees)
{
	if (trees->step)
		trees->step();
}

int journal_write(const struct transaction *transaction, struct error **error)
{
	cleanup_text struct text text = { 0 };
	char hex[DIGEST_HEX_SIZE];
	struct digest digest;
	int r = text_append_format(&text, MAGIC "%s\n", transaction->name);

	for (size_t i = 0; r == 0 && i < transaction->count; i++) {
		const struct operation *operation = &transaction->operations[i];

		r = text_append_format(&text, "%c %d %u %s\n", (char)operation->kind,
				       (int)operation->tree, operation->number, operation->path);
	}
	if (r < 0)
		return error_set_errno(error, -r, "cannot write the journal");
	r = digest_bytes(text.data, text.length, &digest, error);
	if (r < 0)
		return r;
	digest_to_hex(&digest, hex);
	r = text_append_format(&text, "sha256 %s\n", hex);
	if (r < 0)
		return error_set_errno(error, -r, "cannot write the journal");
	trees_step(transaction->trees);
	return write_file_atomically(transaction->trees->fds[TREE_DKMS], JOURNAL, text.data,
				     text.length, 0600, error);
}

static int do_put(const struct transaction *transaction, const struct operation *operation,
		  struct error **error)
{
	int stage_fd = transaction->stage_fds[operation->tree];
	int tree_fd = transaction->trees->fds[operation->tree];
	cleanup_close int parent_fd = -1;
	const char *slash = strrchr(operation->path, '/'), *name = NULL;
	cleanup_free char *parent =
		slash ? strndup(operation->path, (size_t)(slash - operation->path)) : NULL;
	struct stat status;
	char staged[12];
	int r = slash && !parent ? error_set(error, ENOMEM, "out of memory") : 0;

	(void)snprintf(staged, sizeof(staged), "%u", operation->number);
	if (r == 0 && fstatat(stage_fd, staged, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : path_error(error, errno, "cannot examine", staged);
	if (r == 0 && parent)
		r = make_directories(tree_fd, parent, 0755, error);
	if (r == 0)
		r = open_parent_beneath(tree_fd, operation->path, &parent_fd, &name, error);
	if (r == 0 && S_ISDIR(status.st_mode))
		r = remove_tree(parent_fd, name, error);
	if (r < 0)
		return r;
	trees_step(transaction->trees);
	if (renameat(stage_fd, staged, parent_fd, name) < 0)
		return path_error(error, errno, "cannot put into place", operation->path);
	return 0;
}

/* As rmdir -p does it, but not above the first number components. */
static int do_prune(const struct transaction *transaction, const struct operation *operation,
		    struct error **error)
{
	cleanup_free char *path = strdup(operation->path);
	int tree_fd = transaction->trees->fds[operation->tree];
	uint32_t depth = 1;

	if (!path)
		return error_set(error, ENOMEM, "out of memory");
	for (const char *p = path; *p; p++)
		depth += *p == '/';
	for (; depth > operation->number; depth--) {
		cleanup_error struct error *reason = NULL;
		cleanup_close int parent_fd = -1;
		const char *name = NULL;
		char *slash = strrchr(path, '/');

		trees_step(transaction->trees);
		if (open_parent_beneath(tree_fd, path, &parent_fd, &name, &reason) == 0 &&
		    unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return 0; /* not empty, or not ours to remove: it may stay */
		if (slash)
			*slash = '\0';
	}
	return 0;
}

static int carry_out(const struct transaction *transaction, const struct operation *operation,
		     struct error **error)
{
	switch (operation->kind) {
	case OPERATION_PUT:
		return do_put(transaction, operation, error);
	case OPERATION_REMOVE:
		if (transaction_has(transaction, OPERATION_PUT, operation->tree, operation->path))
			return 0;
		trees_step(transaction->trees);
		return remove_tree(transaction->trees->fds[operation->tree], operation->path,
				   error);
	case OPERATION_PRUNE:
		return do_prune(transaction, operation, error);
	case OPERATION_TREE:
		return 0;
	}
	return error_set(error, EBADMSG, "unknown operation in the journal");
}

/* It must be gone for good before the stages go: one that came back would not find them. */
static int remove_journal(const struct trees *trees, struct error **error)
{
	cleanup_close int fd = -1;
	int r = open_beneath(trees->fds[TREE_DKMS], OWN, O_RDONLY | O_DIRECTORY, 0, &fd, error);

	if (r < 0)
		return r;
	trees_step(trees);
	if (unlinkat(fd, JOURNAL_NAME, 0) < 0 || fsync(fd) < 0)
		return error_set_errno(error, errno, "cannot remove the journal");
	return 0;
}

int journal_finish(struct transaction *transaction, struct error **error)
{
	static const enum operation_kind order[] = { OPERATION_PUT, OPERATION_REMOVE,
						     OPERATION_PRUNE };
	int r = 0;

	for (size_t k = 0; k < ARRAY_SIZE(order); k++)
		for (size_t i = 0; r == 0 && i < transaction->count; i++)
			if (transaction->operations[i].kind == order[k])
				r = carry_out(transaction, &transaction->operations[i], error);
	for (int i = 0; r == 0 && i < TREE_COUNT; i++)
		if (transaction->stage_fds[i] >= 0 && syncfs(transaction->stage_fds[i]) < 0)
			r = error_set_errno(error, errno, "cannot write to the disk");
	if (r < 0)
		return r;
	return remove_journal(transaction->trees, error);
}

static void clean_directory(const struct trees *trees, enum tree tree, const char *path,
			    const char *prefix)
{
	cleanup_list DIR *list = NULL;
	const char *name;

	if (list_open(trees->fds[tree], path, &list, NULL) < 0)
		return;
	while ((name = list_next(list))) {
		if (!string_starts_with(name, prefix))
			continue;
		trees_step(trees);
		(void)!remove_tree(dirfd(list), name, NULL);
	}
}

void journal_clean(const struct trees *trees)
{
	/* Stages of another dkms tree may be in the same install tree: only our own go. */
	for (enum tree i = TREE_DKMS; i < TREE_COUNT; i++) {
		clean_directory(trees, i, journal_stage_path(i), trees->id);
		(void)unlinkat(trees->fds[i], journal_stage_path(i), AT_REMOVEDIR);
	}
	/* What write_file_atomically() left when it was killed. */
	clean_directory(trees, TREE_DKMS, OWN, ".");
}

static int damaged(struct error **error)
{
	return error_set(error, EBADMSG,
			 "the journal " JOURNAL " of the dkms tree is damaged; keep a copy, remove "
			 "it, then check what `status` says");
}

/* "KIND TREE NUMBER PATH" with its newline replaced by a NUL. */
static int parse_operation(char *line, struct transaction *transaction, struct error **error)
{
	char *blank = strlen(line) > 4 ? strchr(line + 4, ' ') : NULL;
	uint64_t number;

	if (!blank || !strchr("TPRE", line[0]) || line[1] != ' ' || line[2] < '0' ||
	    line[2] >= '0' + TREE_COUNT || line[3] != ' ')
		return damaged(error);
	*blank = '\0';
	if (parse_u64(line + 4, UINT32_MAX, &number) < 0 ||
	    !path_is_safe(blank + 1, strlen(blank + 1)))
		return damaged(error);
	return journal_add(transaction, (enum operation_kind)line[0], (enum tree)(line[2] - '0'),
			   (uint32_t)number, blank + 1, error);
}

/* text is cut into its lines. */
static int parse_journal(struct text *text, struct transaction *transaction, struct error **error)
{
	size_t trailer = strlen("sha256 \n") + DIGEST_HEX_SIZE - 1;
	char hex[DIGEST_HEX_SIZE], *line, *end;
	struct digest found;
	int r;

	if (text->length < trailer || strlen(text->data) != text->length)
		return damaged(error);
	end = text->data + text->length - trailer;
	text->data[text->length - 1] = '\0';
	r = digest_bytes(text->data, text->length - trailer, &found, error);
	if (r < 0)
		return r;
	digest_to_hex(&found, hex);
	if (!string_starts_with(end, "sha256 ") || !string_equal(end + strlen("sha256 "), hex) ||
	    !string_starts_with(text->data, MAGIC))
		return damaged(error);
	*end = '\0';
	line = text->data + strlen(MAGIC);
	(void)snprintf(transaction->name, sizeof(transaction->name), "%.*s",
		       (int)strcspn(line, "\n"), line);
	for (char *next = strchr(line, '\n'); r == 0 && next && next[1];) {
		line = next + 1;
		next = strchr(line, '\n');
		if (next)
			*next = '\0';
		r = parse_operation(line, transaction, error);
	}
	return r;
}

/*
 * The stages of the trees that took part. Their random names also prove that these are the trees
 * in question: device numbers do not, they may change when the machine starts anew.
 */
static int open_stages(struct transaction *transaction, struct error **error)
{
	const struct trees *trees = transaction->trees;
	char path[80];

	for (size_t i = 0; i < transaction->count; i++) {
		const struct operation *operation = &transaction->operations[i];

		if (operation->kind != OPERATION_TREE)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", journal_stage_path(operation->tree),
			       transaction->name);
		if (open_beneath(trees->fds[operation->tree], path, O_RDONLY | O_DIRECTORY, 0,
				 &transaction->stage_fds[operation->tree], NULL) < 0)
			return error_set(
				error, ESTALE,
				"an earlier change was interrupted; it also concerns the "
				"tree /%s: run kmodbox once with the same --dkmstree, "
				"--sourcetree and --installtree as then, which finishes it",
				operation->path);
	}
	return 0;
}

static int recover(struct trees *trees, struct error **error)
{
	cleanup_transaction struct transaction *transaction = NULL;
	cleanup_error struct error *reason = NULL;
	cleanup_text struct text text = { 0 };
	int r = read_file(trees->fds[TREE_DKMS], JOURNAL, JOURNAL_MAXIMUM, &text, &reason);

	if (r == -ENOENT) {
		journal_clean(trees);
		return 0;
	}
	if (r < 0) {
		if (error)
			*error = TAKE_PTR(reason);
		return r;
	}
	r = transaction_begin(trees, &transaction, error);
	if (r < 0)
		return r;
	trees->unfinished = true;
	r = parse_journal(&text, transaction, error);
	if (r == 0)
		r = open_stages(transaction, error);
	if (r == 0)
		r = journal_finish(transaction, error);
	if (r < 0)
		return error_context(error, "an interrupted change could not be finished");
	trees->unfinished = false;
	return 0; /* freeing the transaction cleans the stages */
}

static int read_id(struct trees *trees, struct error **error)
{
	cleanup_error struct error *reason = NULL;
	cleanup_text struct text text = { 0 };
	uint64_t random;
	int r = read_file(trees->fds[TREE_DKMS], OWN "/id", sizeof(trees->id), &text, &reason);

	if (r == -ENOENT) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return error_set_errno(error, errno, "cannot get random bytes");
		(void)snprintf(trees->id, sizeof(trees->id), "%016llx", (unsigned long long)random);
		r = write_file_atomically(trees->fds[TREE_DKMS], OWN "/id", trees->id,
					  strlen(trees->id), 0600, error);
		return trees_result(trees, TREE_DKMS, r, error);
	}
	if (r < 0 || text.length != sizeof(trees->id) - 1 || !name_is_safe(text.data))
		return error_set(error, EBADMSG,
				 "the file " OWN "/id of the dkms tree is damaged; remove it");
	memcpy(trees->id, text.data, sizeof(trees->id));
	return 0;
}

int trees_lock(struct trees *trees, struct error **error)
{
	int r = make_directories(trees->fds[TREE_DKMS], OWN, 0755, error);

	if (r == 0)
		r = open_beneath(trees->fds[TREE_DKMS], OWN "/lock",
				 O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600, &trees->lock_fd,
				 error);
	if (r < 0)
		return trees_result(trees, TREE_DKMS, r, error);
	return flock(trees->lock_fd, LOCK_EX) < 0
		       ? error_set_errno(error, errno, "cannot lock the dkms tree")
		       : 0;
}

int trees_open(struct trees *trees, struct error **error)
{
	int r = trees->lock_fd < 0 ? trees_lock(trees, error) : 0;

	trees->unfinished = false;
	if (r == 0)
		r = read_id(trees, error);
	return r < 0 ? r : recover(trees, error);
}

void trees_close(struct trees *trees)
{
	trees->lock_fd = close_fd(trees->lock_fd);
}
