/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ADD and REMOVE: a module version enters and leaves the DKMS tree, and with it root's approval to
 * sign what is built from just this source. The source is hostile; it is hashed and copied here.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "installer/installer.h"
#include "lib/base/files.h"
#include "lib/recipes/snapshot.h"

int source_add(struct installer *installer, struct message *message, struct error **error)
{
	struct installer_add *add = &installer->add;
	struct approval *approval = &installer->approval;
	struct installer_target *target = &installer->target;

	memcpy(add, message->payload, sizeof(*add));
	if (add->write_source && !installer->may_write_source)
		return error_refuse(error, EXIT_INSTALL_REFUSED, EPERM,
				    "%s/%s: its source was not asked to be written", target->module,
				    target->version);
	if (add->count == 0 || add->count > TICKET_FILES)
		return error_refuse(error, EXIT_INSTALL_REFUSED, EINVAL,
				    "%s/%s: an approval names 1 to %u module files, not %u",
				    target->module, target->version, TICKET_FILES, add->count);
	/*
	 * What was approved is approved anew by `add --force` alone, not by a forced build, and
	 * only where root named it: an archive could have any name.
	 */
	if (!installer->may_approve_anew || !installer_is_named(installer, target->version))
		target->force = 0;
	if (!target->force && installer_require_added(installer, NULL) == 0)
		return error_refuse(error, EXIT_STATE, EEXIST,
				    "%s/%s is already added; remove it first, or replace it with "
				    "add --force and -m %s -v %s",
				    target->module, target->version, target->module,
				    target->version);
	approval->files = calloc(add->count, sizeof(*approval->files));
	if (!approval->files)
		return error_set(error, ENOMEM, "out of memory");
	memcpy(approval->module, target->module, sizeof(approval->module));
	memcpy(approval->version, target->version, sizeof(approval->version));
	(void)snprintf(approval->kernels, sizeof(approval->kernels), "*");
	approval->source = add->source;
	installer->file_fd = TAKE_FD(message->fds[0]);
	return 0;
}

int source_add_file(struct installer *installer, struct message *message, struct error **error)
{
	struct approval *approval = &installer->approval;
	struct installer_file file;

	memcpy(&file, message->payload, sizeof(file));
	if (!MESSAGE_STRING_IS_VALID(file.name) || !name_is_safe(file.name) ||
	    approval->file_count == installer->add.count)
		return error_refuse(error, EXIT_INSTALL_REFUSED, EINVAL,
				    "%s/%s: a module file that cannot be approved",
				    approval->module, approval->version);
	memcpy(approval->files[approval->file_count++], file.name, sizeof(file.name));
	return 0;
}

/* The source as it is on the disk now, or as it will be: it must be what was evaluated. */
static int check_source(struct installer *installer, const char *name, struct error **error)
{
	const struct installer_add *add = &installer->add;
	cleanup_close int source_fd = -1;
	struct digest digest;
	int r = digest_file(installer->file_fd, &digest, error);

	if (r == 0 && !digest_equal(&digest, &add->source))
		return error_refuse(error, EXIT_INSTALL_REFUSED, EBADMSG,
				    "the source of %s/%s is not the one that was announced",
				    installer->target.module, installer->target.version);
	if (r < 0 || add->write_source)
		return r;
	r = open_beneath(installer->trees.fds[TREE_SOURCE], name, O_RDONLY | O_DIRECTORY, 0,
			 &source_fd, error);
	if (r < 0)
		return error_refuse(error, EXIT_NO_SOURCE, -r,
				    "the source of %s/%s must be a directory of the source tree, "
				    "and no link",
				    installer->target.module, installer->target.version);
	r = snapshot_compare_directory(installer->file_fd, source_fd, error);
	if (r == -EBUSY)
		return error_refuse(error, EXIT_INSTALL_REFUSED, EBUSY,
				    "the source of %s/%s changed while it was added; add it again "
				    "when nobody writes there",
				    installer->target.module, installer->target.version);
	return r;
}

static int stage_source(struct installer *installer, struct transaction *transaction,
			const char *name, struct error **error)
{
	const struct installer_target *target = &installer->target;
	cleanup_close int fd = -1;
	int r;

	if (!target->force && installer_exists(installer, TREE_SOURCE, name))
		return error_refuse(
			error, EXIT_STATE, EEXIST,
			"the source tree already holds %s; remove it first, or replace it "
			"with add --force and -m %s -v %s",
			name, target->module, target->version);
	r = transaction_put_directory(transaction, TREE_SOURCE, name, &fd, error);
	if (r == 0) {
		r = snapshot_unpack(installer->file_fd, fd, false, error);
		r = trees_result(&installer->trees, TREE_SOURCE, r, error);
	}
	return r;
}

/* DKMSTREE/M/V/source and build/ as DKMS makes them. */
static int stage_entry(struct installer *installer, struct transaction *transaction,
		       const char *source, struct error **error)
{
	const struct installer_target *target = &installer->target;
	cleanup_free char *link = NULL;
	cleanup_close int fd = -1;
	char path[INSTALLER_PATH];
	int r;

	link = format_string("%s/%s", installer->trees.paths[TREE_SOURCE], source);
	if (!link)
		return error_set(error, ENOMEM, "out of memory");
	(void)snprintf(path, sizeof(path), "%s/%s/source", target->module, target->version);
	r = transaction_put_link(transaction, TREE_DKMS, path, link, error);
	(void)snprintf(path, sizeof(path), "%s/%s/build", target->module, target->version);
	if (r == 0 && !installer_exists(installer, TREE_DKMS, path))
		r = transaction_put_directory(transaction, TREE_DKMS, path, &fd, error);
	return r;
}

int source_add_commit(struct installer *installer, struct message *message, struct error **error)
{
	cleanup_transaction struct transaction *transaction = NULL;
	const struct installer_add *add = &installer->add;
	cleanup_text struct text text = { 0 };
	char name[2 * TICKET_NAME];
	int r;

	(void)message;
	(void)snprintf(name, sizeof(name), "%s-%s", installer->target.module,
		       installer->target.version);
	if (installer->approval.file_count != add->count ||
	    approval_format(&installer->approval, &text) < 0)
		return error_refuse(error, EXIT_INSTALL_REFUSED, EINVAL,
				    "%s/%s: the module files to approve are not what was announced",
				    installer->target.module, installer->target.version);
	r = transaction_begin(&installer->trees, &transaction, error);
	if (r == 0)
		r = check_source(installer, name, error);
	if (r == 0 && add->write_source)
		r = stage_source(installer, transaction, name, error);
	if (r == 0)
		r = stage_entry(installer, transaction, name, error);
	(void)snprintf(name, sizeof(name), "%s/%s", installer->target.module,
		       installer->target.version);
	if (r == 0)
		r = transaction_put_bytes(transaction, TREE_APPROVALS, name, text.data, text.length,
					  error);
	return r < 0 ? r : transaction_commit(transaction, error);
}

/* Builds are directories beside these of DKMS. */
static int refuse_builds(int dkms_fd, const char *path, struct error **error)
{
	cleanup_list DIR *list = NULL;
	const char *name;
	int r = list_open(dkms_fd, path, &list, error);

	while (r == 0 && (name = list_next(list))) {
		struct stat status;

		if (!installer_is_reserved(name) &&
		    fstatat(dirfd(list), name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(status.st_mode))
			r = error_refuse(error, EXIT_STATE, EBUSY,
					 "%s still has builds; unbuild them first", path);
	}
	return r;
}

int source_remove(struct installer *installer, struct message *message, struct error **error)
{
	cleanup_transaction struct transaction *transaction = NULL;
	const struct installer_target *target = &installer->target;
	char path[INSTALLER_PATH];
	int r;

	(void)message;
	(void)snprintf(path, sizeof(path), "%s/%s", target->module, target->version);
	if (!installer_exists(installer, TREE_DKMS, path))
		return error_refuse(error, EXIT_STATE, ENOENT, "%s is not in the dkms tree", path);
	r = refuse_builds(installer->trees.fds[TREE_DKMS], path, error);
	if (r == 0)
		r = transaction_begin(&installer->trees, &transaction, error);
	for (unsigned i = 0; r == 0 && i < 2; i++) {
		enum tree tree = i == 0 ? TREE_DKMS : TREE_APPROVALS;

		r = transaction_remove(transaction, tree, path, error);
		if (r == 0)
			r = transaction_prune(transaction, tree, target->module, 0, error);
	}
	return r < 0 ? r : transaction_commit(transaction, error);
}

int source_tarball(struct installer *installer, struct message *message, struct error **error)
{
	struct installer_tarball tarball;

	memcpy(&tarball, message->payload, sizeof(tarball));
	if (!MESSAGE_STRING_IS_VALID(tarball.file.name) || !name_is_safe(tarball.file.name))
		return error_refuse(error, EXIT_INSTALL_REFUSED, EINVAL,
				    "the archive's name cannot be accepted; letters, digits and "
				    "_.+~:- can");
	return installer_put_alone(installer, "tarball", tarball.file.name, message->fds[0], error);
}
