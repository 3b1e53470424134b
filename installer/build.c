/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was built enters the DKMS tree (PUBLISH), or its log does when it failed, and leaves it
 * again (UNBUILD). The signer's ticket says which bytes may come; the ledger, that none come twice.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "installer/installer.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"

/* ledger/M/K-A holds the serial that was taken last. */
static int check_serial(const struct installer *installer, struct error **error)
{
	cleanup_error struct error *reason = NULL;
	cleanup_text struct text text = { 0 };
	const struct ticket *ticket = &installer->ticket;
	char path[INSTALLER_PATH];
	uint64_t last = 0;
	int r;

	(void)snprintf(path, sizeof(path), "%s/%s-%s", ticket->module, ticket->kernel,
		       ticket->architecture);
	r = read_file(installer->trees.fds[TREE_LEDGER], path, 32, &text, &reason);
	if (r == -ENOENT)
		return 0;
	if (r == 0) {
		text.data[strcspn(text.data, "\n")] = '\0';
		r = parse_u64(text.data, UINT64_MAX, &last);
	}
	if (r < 0)
		return error_refuse(error, EXIT_INSTALL_REFUSED, -r,
				    "the ledger's entry %s is unusable; restore it", path);
	if (ticket->serial > last)
		return 0;
	/* A new serial is above all in the audit log, and at least the time (signer/audit.c). */
	return error_refuse(error, EXIT_INSTALL_REFUSED, ESTALE,
			    "%s/%s: its ticket is not new (serial %llu, %llu was taken already)%s; "
			    "build the module again",
			    ticket->module, ticket->version, (unsigned long long)ticket->serial,
			    (unsigned long long)last,
			    last < (uint64_t)time(NULL)
				    ? ""
				    : ", or the clock went back and audit.log is lost: set the "
				      "clock right or restore audit.log");
}

static int check_ticket(struct installer *installer, struct error **error)
{
	const struct installer_target *target = &installer->target;
	const uint8_t *bytes;
	size_t size;
	int r = memfd_map(installer->file_fd, TICKET_MAXIMUM, &bytes, &size, error);

	if (r < 0)
		return r;
	r = installer_verify(installer, bytes, size, &installer->ticket, error);
	memfd_unmap(bytes, size);
	if (r == 0)
		r = approval_require_source(installer->trees.fds[TREE_APPROVALS], target->module,
					    target->version, &installer->ticket.source, error);
	return r < 0 ? r : check_serial(installer, error);
}

static int keep_file(void *context, int directory_fd, const char *path, const char *name,
		     struct error **error)
{
	const struct installer *installer = context;
	cleanup_close int fd = -1, kept_fd = -1;
	int r;

	(void)path;
	if (ticket_module_stem(name) == 0)
		return 0;
	r = module_open(directory_fd, name, &fd, NULL, error);
	if (r == 0)
		r = open_beneath(installer->directory_fd, "installed", O_RDONLY | O_DIRECTORY, 0,
				 &kept_fd, error);
	return r < 0 ? r
		     : transaction_fill(installer->transaction, TREE_DKMS, kept_fd, name, fd,
					error);
}

/* A build that is installed and built anew stays known in installed/, for when it is uninstalled.
 */
static int keep_installed(struct installer *installer, struct error **error)
{
	const struct installer_target *target = &installer->target;
	cleanup_close int fd = -1;
	char version[TICKET_NAME];
	int r;

	installer_active(installer, version);
	if (!string_equal(version, target->version))
		return 0;
	r = installer_open_installed(installer, version, &fd, NULL);
	if (r == -ENOENT)
		return 0;
	if (r < 0 || mkdirat(installer->directory_fd, "installed", 0755) < 0)
		return error_set_errno(error, r < 0 ? -r : errno, "cannot keep what is installed");
	return walk_files(fd, "", 0, keep_file, installer, error);
}

static int stage_build(struct installer *installer, const char *path, struct error **error)
{
	struct transaction *transaction;
	int r = transaction_begin(&installer->trees, &installer->transaction, error);

	transaction = installer->transaction;
	if (r == 0)
		r = transaction_put_directory(transaction, TREE_DKMS, path,
					      &installer->directory_fd, error);
	if (r == 0 && (mkdirat(installer->directory_fd, "module", 0755) < 0 ||
		       mkdirat(installer->directory_fd, "log", 0755) < 0))
		r = error_set_errno(error, errno, "cannot make the directories of a build");
	if (r == 0)
		r = keep_installed(installer, error);
	return r < 0 ? trees_result(&installer->trees, TREE_DKMS, r, error) : 0;
}

int build_publish(struct installer *installer, struct message *message, struct error **error)
{
	const struct installer_target *target = &installer->target;
	char path[INSTALLER_PATH];
	int r = installer_require_added(installer, error);

	if (r < 0)
		return r;
	installer->file_fd = TAKE_FD(message->fds[0]);
	r = check_ticket(installer, error);
	if (r < 0)
		return r;
	installer_build_path(installer, target->version, "", path);
	if (!target->force && installer_exists(installer, TREE_DKMS, path))
		return error_refuse(error, EXIT_STATE, EEXIST,
				    "%s is already built; unbuild it first, or use --force", path);
	installer->received = calloc(installer->ticket.file_count, sizeof(bool));
	if (!installer->received)
		return error_set(error, ENOMEM, "out of memory");
	return stage_build(installer, path, error);
}

/* A file for the staged build; name may have one directory before it. */
static int stage_file(struct installer *installer, const char *directory, const char *name, int fd,
		      struct error **error)
{
	cleanup_close int directory_fd = -1;
	int r = open_beneath(installer->directory_fd, directory, O_RDONLY | O_DIRECTORY, 0,
			     &directory_fd, error);

	return r < 0 ? r
		     : transaction_fill(installer->transaction, TREE_DKMS, directory_fd, name, fd,
					error);
}

int build_publish_file(struct installer *installer, struct message *message, struct error **error)
{
	const struct ticket *ticket = &installer->ticket;
	struct installer_file file;
	uint32_t i = 0;
	int r;

	memcpy(&file, message->payload, sizeof(file));
	if (!MESSAGE_STRING_IS_VALID(file.name))
		return error_refuse(error, EXIT_INSTALL_REFUSED, EINVAL, "a malformed name");
	while (i < ticket->file_count && !string_equal(ticket->files[i].name, file.name))
		i++;
	if (i == ticket->file_count || installer->received[i]) {
		cleanup_free char *shown = sanitised(file.name);

		return error_refuse(error, EXIT_INSTALL_REFUSED, EPERM, "%s/%s: the ticket %s %s",
				    ticket->module, ticket->version,
				    i == ticket->file_count ? "does not name" : "names but once",
				    shown ? shown : "?");
	}
	r = installer_check_file(&ticket->files[i], message->fds[0], error);
	if (r == 0)
		r = stage_file(installer, "module", file.name, message->fds[0], error);
	if (r == 0) {
		installer->received[i] = true;
		installer->count++;
	}
	return r;
}

int build_publish_data(struct installer *installer, struct message *message, struct error **error)
{
	static const char *const taken[] = { "module", "log", "installed", "ticket", "build.json" };
	struct installer_file file;
	const char *name = file.name;
	bool good;

	memcpy(&file, message->payload, sizeof(file));
	good = MESSAGE_STRING_IS_VALID(file.name) &&
	       name_is_safe(string_starts_with(name, BUILD_DEPENDENCY_MARK)
				    ? name + strlen(BUILD_DEPENDENCY_MARK)
				    : name) &&
	       installer->data_count++ < INSTALLER_DATA_FILES;
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		good = good && !string_equal(name, taken[i]);
	if (!good)
		return error_refuse(
			error, EXIT_INSTALL_REFUSED, EINVAL,
			"%s/%s: data of the build cannot be kept: it has an unsafe name "
			"or that of something else, or there are more than %u files",
			installer->ticket.module, installer->ticket.version, INSTALLER_DATA_FILES);
	return stage_file(installer, string_equal(name, "Module.symvers") ? "module" : ".", name,
			  message->fds[0], error);
}

int build_publish_commit(struct installer *installer, struct message *message, struct error **error)
{
	struct transaction *transaction = installer->transaction;
	const struct ticket *ticket = &installer->ticket;
	char path[INSTALLER_PATH], serial[32];
	int r;

	if (installer->count != ticket->file_count)
		return error_refuse(error, EXIT_INSTALL_REFUSED, ENOENT,
				    "%s/%s: %u of %u files came", ticket->module, ticket->version,
				    installer->count, ticket->file_count);
	r = stage_file(installer, "log", "make.log", message->fds[0], error);
	if (r == 0)
		r = stage_file(installer, ".", "build.json", message->fds[1], error);
	if (r == 0)
		r = stage_file(installer, ".", "ticket", installer->file_fd, error);
	(void)snprintf(path, sizeof(path), "%s/%s-%s", ticket->module, ticket->kernel,
		       ticket->architecture);
	(void)snprintf(serial, sizeof(serial), "%llu\n", (unsigned long long)ticket->serial);
	if (r == 0)
		r = transaction_put_bytes(transaction, TREE_LEDGER, path, serial, strlen(serial),
					  error);
	(void)snprintf(path, sizeof(path), "%s/%s/build", ticket->module, ticket->version);
	if (r == 0)
		r = transaction_remove(transaction, TREE_DKMS, path, error);
	return r < 0 ? r : transaction_commit(transaction, error);
}

int build_failed_log(struct installer *installer, struct message *message, struct error **error)
{
	static const char *const names[] = { "make.log", "failure.json" };
	cleanup_transaction struct transaction *transaction = NULL;
	const struct installer_target *target = &installer->target;
	char path[INSTALLER_PATH];
	int r = installer_require_added(installer, error);

	if (r == 0)
		r = transaction_begin(&installer->trees, &transaction, error);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s/build/%s", target->module,
			       target->version, names[i]);
		r = transaction_put_file(transaction, TREE_DKMS, path, message->fds[i], error);
	}
	return r < 0 ? r : transaction_commit(transaction, error);
}

int build_unbuild(struct installer *installer, struct message *message, struct error **error)
{
	cleanup_transaction struct transaction *transaction = NULL;
	const struct installer_target *target = &installer->target;
	char path[INSTALLER_PATH], version[TICKET_NAME];
	int r;

	(void)message;
	installer_build_path(installer, target->version, "", path);
	if (!installer_exists(installer, TREE_DKMS, path))
		return error_refuse(error, EXIT_STATE, ENOENT, "%s is not built", path);
	installer_active(installer, version);
	if (string_equal(version, target->version))
		return error_refuse(error, EXIT_STATE, EBUSY, "%s is installed; uninstall it first",
				    path);
	r = transaction_begin(&installer->trees, &transaction, error);
	if (r == 0)
		r = transaction_remove(transaction, TREE_DKMS, path, error);
	*strrchr(path, '/') = '\0';
	if (r == 0)
		r = transaction_prune(transaction, TREE_DKMS, path, 2, error);
	return r < 0 ? r : transaction_commit(transaction, error);
}
