/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Staging, the journal and what it leads to. The order of the writes is the whole point. */
#include "installer/transaction.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "installer/journal.h"
#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"

static const char *const tree_names[TREE_COUNT] = { "dkms tree", "source tree", "install tree",
						    "folder of approvals", "ledger" };

int trees_result(const struct trees *trees, enum tree tree, int r, struct error **error)
{
	const char *state = r == -ENOSPC || r == -EDQUOT
				    ? "has no space left on its device; free some there"
			    : r == -EROFS  ? "is on a read-only device; remount it read-write"
			    : r == -EACCES ? "may not be written to; give its owner that right"
					   : NULL;

	if (r >= 0)
		return 0;
	if (!state)
		return error_context(error, "the %s was not changed", tree_names[tree]);
	r = error_context(error, "nothing was changed: the %s %s %s and try again",
			  tree_names[tree], trees->paths[tree], state);
	if (error)
		error_set_code(*error, EXIT_INFRASTRUCTURE);
	return r;
}

int trees_require_writable(const struct trees *trees, unsigned set, struct error **error)
{
	for (enum tree tree = TREE_DKMS; tree < TREE_COUNT; tree++) {
		if (!(set & 1u << tree) || faccessat(trees->fds[tree], ".", W_OK, 0) == 0)
			continue;
		return trees_result(trees, tree,
				    error_set_errno(error, errno, "cannot write there"), error);
	}
	return 0;
}

int transaction_begin(struct trees *trees, struct transaction **ret_transaction,
		      struct error **error)
{
	struct transaction *transaction;
	uint64_t random;

	if (trees->unfinished)
		return error_set(error, EBUSY,
				 "a committed change could not be finished yet; "
				 "remove its cause, then run kmodbox again");
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_set_errno(error, errno, "cannot get random bytes");
	transaction = calloc(1, sizeof(*transaction));
	if (!transaction)
		return error_set(error, ENOMEM, "out of memory");
	transaction->trees = trees;
	for (int i = 0; i < TREE_COUNT; i++)
		transaction->stage_fds[i] = -1;
	(void)snprintf(transaction->name, sizeof(transaction->name), "%s-%016llx", trees->id,
		       (unsigned long long)random);
	*ret_transaction = transaction;
	return 0;
}

int journal_add(struct transaction *transaction, enum operation_kind kind, enum tree tree,
		uint32_t number, const char *path, struct error **error)
{
	char *copy = strdup(path);
	struct operation *grown = NULL;

	if (copy)
		grown = reallocarray(transaction->operations, transaction->count + 1,
				     sizeof(*grown));
	if (!grown) {
		free(copy);
		return error_set(error, ENOMEM, "out of memory");
	}
	transaction->operations = grown;
	grown[transaction->count++] = (struct operation){ kind, tree, number, copy };
	return 0;
}

/* The tree takes part: it gets a stage of this transaction. */
static int join_tree(struct transaction *transaction, enum tree tree, struct error **error)
{
	struct trees *trees = transaction->trees;
	const char *name = trees->paths[tree];
	char path[80];
	int r;

	if (transaction->stage_fds[tree] >= 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%s/%s", journal_stage_path(tree), transaction->name);
	trees_step(trees);
	r = make_directories(trees->fds[tree], path, 0755, error);
	if (r == 0)
		r = open_beneath(trees->fds[tree], path, O_RDONLY | O_DIRECTORY, 0,
				 &transaction->stage_fds[tree], error);
	if (r < 0)
		return trees_result(trees, tree, r, error);
	if (!path_is_safe(name + 1, strlen(name + 1)))
		name = "/?";
	return journal_add(transaction, OPERATION_TREE, tree, 0, name + 1, error);
}

/*
 * Whatever could make an operation fail must show before the commit: a link or another file system
 * on the way, or a directory where a file shall go.
 */
static int check_place(struct transaction *transaction, enum tree tree, const char *path,
		       bool directory, struct error **error)
{
	cleanup_free char *parent = strdup(path);
	cleanup_close int fd = -1;
	int tree_fd = transaction->trees->fds[tree], r = -ENOENT;
	struct stat status;

	if (!parent)
		return error_set(error, ENOMEM, "out of memory");
	if (!path_is_safe(path, strlen(path)))
		return path_error(error, EINVAL, "cannot use the path", path);
	for (char *slash = strrchr(parent, '/'); slash && r == -ENOENT;
	     slash = strrchr(parent, '/')) {
		cleanup_error struct error *reason = NULL;

		*slash = '\0';
		r = open_beneath(tree_fd, parent, O_PATH | O_DIRECTORY, 0, &fd, &reason);
		if (r < 0 && r != -ENOENT && error)
			*error = TAKE_PTR(reason);
	}
	if (r < 0 && r != -ENOENT)
		return r;
	if (!directory && fstatat(tree_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(status.st_mode))
		return path_error(error, EISDIR, "there is a directory in the place of", path);
	return 0;
}

/* Prepares a PUT: ret_name is the new thing's name in the stage. */
static int stage(struct transaction *transaction, enum tree tree, const char *path, bool directory,
		 char ret_name[12], struct error **error)
{
	uint32_t number;
	int r = join_tree(transaction, tree, error);

	if (r == 0)
		r = check_place(transaction, tree, path, directory, error);
	if (r < 0)
		return r;
	number = (uint32_t)transaction->count;
	(void)snprintf(ret_name, 12, "%u", number);
	return journal_add(transaction, OPERATION_PUT, tree, number, path, error);
}

static int make_file(const struct transaction *transaction, int directory_fd, const char *name,
		     int *ret_fd, struct error **error)
{
	trees_step(transaction->trees);
	*ret_fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 0600);
	if (*ret_fd < 0)
		return path_error(error, errno, "cannot make", name);
	return fchmod(*ret_fd, 0644) < 0 ? path_error(error, errno, "cannot set the mode of", name)
					 : 0;
}

int transaction_fill(struct transaction *transaction, enum tree tree, int directory_fd,
		     const char *name, int fd, struct error **error)
{
	cleanup_close int file_fd = -1;
	struct stat status;
	int r = make_file(transaction, directory_fd, name, &file_fd, error);

	if (r == 0 && fstat(fd, &status) < 0)
		r = path_error(error, errno, "cannot examine", name);
	if (r == 0)
		r = copy_bytes(file_fd, fd, (uint64_t)status.st_size, error);
	return trees_result(transaction->trees, tree, r, error);
}

int transaction_put_file(struct transaction *transaction, enum tree tree, const char *path, int fd,
			 struct error **error)
{
	char name[12];
	int r = stage(transaction, tree, path, false, name, error);

	return r < 0 ? r
		     : transaction_fill(transaction, tree, transaction->stage_fds[tree], name, fd,
					error);
}

int transaction_put_bytes(struct transaction *transaction, enum tree tree, const char *path,
			  const void *bytes, size_t length, struct error **error)
{
	cleanup_close int fd = -1;
	char name[12];
	int r = stage(transaction, tree, path, false, name, error);

	if (r < 0)
		return r;
	r = make_file(transaction, transaction->stage_fds[tree], name, &fd, error);
	if (r == 0) {
		r = write_all(fd, bytes, length);
		if (r < 0)
			r = path_error(error, -r, "cannot write", path);
	}
	return trees_result(transaction->trees, tree, r, error);
}

int transaction_open_staged(const struct transaction *transaction, int *ret_fd,
			    struct error **error)
{
	const struct operation *last = &transaction->operations[transaction->count - 1];
	char name[12];

	(void)snprintf(name, sizeof(name), "%u", last->number);
	return open_beneath(transaction->stage_fds[last->tree], name, O_RDONLY | O_NOFOLLOW, 0,
			    ret_fd, error);
}

int transaction_put_link(struct transaction *transaction, enum tree tree, const char *path,
			 const char *target, struct error **error)
{
	char name[12];
	int r = stage(transaction, tree, path, false, name, error);

	if (r < 0)
		return r;
	trees_step(transaction->trees);
	if (symlinkat(target, transaction->stage_fds[tree], name) == 0)
		return 0;
	r = path_error(error, errno, "cannot make the link", path);
	return trees_result(transaction->trees, tree, r, error);
}

int transaction_put_directory(struct transaction *transaction, enum tree tree, const char *path,
			      int *ret_fd, struct error **error)
{
	char name[12];
	int r = stage(transaction, tree, path, true, name, error);

	if (r < 0)
		return r;
	trees_step(transaction->trees);
	if (mkdirat(transaction->stage_fds[tree], name, 0755) < 0)
		r = path_error(error, errno, "cannot make the directory", path);
	else
		r = open_beneath(transaction->stage_fds[tree], name, O_RDONLY | O_DIRECTORY, 0,
				 ret_fd, error);
	return trees_result(transaction->trees, tree, r, error);
}

int transaction_remove(struct transaction *transaction, enum tree tree, const char *path,
		       struct error **error)
{
	int r = join_tree(transaction, tree, error);

	if (r == 0)
		r = check_place(transaction, tree, path, true, error);
	return r < 0 ? r : journal_add(transaction, OPERATION_REMOVE, tree, 0, path, error);
}

int transaction_prune(struct transaction *transaction, enum tree tree, const char *path,
		      unsigned keep, struct error **error)
{
	int r = join_tree(transaction, tree, error);

	return r < 0 ? r : journal_add(transaction, OPERATION_PRUNE, tree, keep, path, error);
}

bool transaction_has(const struct transaction *transaction, enum operation_kind kind,
		     enum tree tree, const char *path)
{
	for (size_t i = 0; i < transaction->count; i++) {
		const struct operation *operation = &transaction->operations[i];

		if (operation->kind == kind && operation->tree == tree &&
		    string_equal(operation->path, path))
			return true;
	}
	return false;
}

int transaction_commit(struct transaction *transaction, struct error **error)
{
	int r;

	/* Everything staged is on the disk before the journal can speak of it. */
	for (int i = 0; i < TREE_COUNT; i++) {
		if (transaction->stage_fds[i] < 0 || syncfs(transaction->stage_fds[i]) == 0)
			continue;
		r = error_set_errno(error, errno, "cannot write to the disk");
		return trees_result(transaction->trees, (enum tree)i, r, error);
	}
	r = journal_write(transaction, error);
	if (r < 0)
		return trees_result(transaction->trees, TREE_DKMS, r, error);
	transaction->committed = true;
	transaction->trees->unfinished = true;
	r = journal_finish(transaction, error);
	if (r < 0) {
		r = error_context(error, "the change is decided but not finished; remove the "
					 "cause, then run kmodbox again, which finishes it");
		if (error)
			error_set_code(*error, EXIT_INFRASTRUCTURE);
		return r;
	}
	transaction->trees->unfinished = false;
	return 0;
}

struct transaction *transaction_free(struct transaction *transaction)
{
	if (!transaction)
		return NULL;
	for (int i = 0; i < TREE_COUNT; i++)
		transaction->stage_fds[i] = close_fd(transaction->stage_fds[i]);
	/* What cannot be removed now is removed by the next start. */
	if (!transaction->trees->unfinished)
		journal_clean(transaction->trees);
	for (size_t i = 0; i < transaction->count; i++)
		free(transaction->operations[i].path);
	free(transaction->operations);
	free(transaction);
	return NULL;
}
