/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all requests of the installer share. */
#include "installer/installer.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"

void installer_reset(struct installer *installer)
{
	installer->transaction = transaction_free(installer->transaction);
	installer->directory_fd = close_fd(installer->directory_fd);
	installer->file_fd = close_fd(installer->file_fd);
	ticket_clear(&installer->ticket);
	approval_clear(&installer->approval);
	free(TAKE_PTR(installer->received));
	installer->count = installer->data_count = 0;
}

int path_join(char ret_path[PATH_LENGTH], struct error **error, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(ret_path, PATH_LENGTH, format, arguments);
	va_end(arguments);
	if (length < 0 || length >= PATH_LENGTH)
		return error_set(error, ENAMETOOLONG, "a path of %d bytes is too long", length);
	return 0;
}

/* No safe name has a blank or a slash: an entry cannot be part of another, nor reach over two. */
bool installer_is_named(const struct installer *installer, const char *version)
{
	char entry[2 * TICKET_NAME + 4];

	(void)snprintf(entry, sizeof(entry), " %s/%s ", installer->target.module, version);
	return installer->only_packages && strstr(installer->only_packages, entry);
}

bool installer_is_reserved(const char *name)
{
	return string_equal(name, "source") || string_equal(name, "build") ||
	       string_equal(name, "tarball");
}

int installer_check_target(const struct installer *installer, bool kernel, struct error **error)
{
	const struct installer_target *target = &installer->target;
	char listed[TICKET_NAME + 2];
	bool good = MESSAGE_STRING_IS_VALID(target->module) && name_is_safe(target->module) &&
		    MESSAGE_STRING_IS_VALID(target->version) && name_is_safe(target->version) &&
		    !string_equal(target->version, "original_module") &&
		    !string_starts_with(target->version, "kernel-");

	if (kernel)
		good = good && MESSAGE_STRING_IS_VALID(target->kernel) &&
		       name_is_safe(target->kernel) && !installer_is_reserved(target->kernel) &&
		       MESSAGE_STRING_IS_VALID(target->architecture) &&
		       name_is_safe(target->architecture);
	if (!good)
		return error_refuse(error, EXIT_INSTALL_REFUSED, EINVAL,
				    "the name of a module, version, kernel or architecture cannot "
				    "be accepted; letters, digits and _.+~:- can");
	(void)snprintf(listed, sizeof(listed), "/%s/", kernel ? target->kernel : "");
	if ((kernel && installer->only_kernels && !strstr(installer->only_kernels, listed)) ||
	    (installer->only_packages && !installer_is_named(installer, target->version) &&
	     !installer_is_named(installer, "")) ||
	    (target->force && !installer->may_force))
		return error_refuse(error, EXIT_INSTALL_REFUSED, EPERM,
				    "%s/%s: this was not asked for on the command line",
				    target->module, target->version);
	return 0;
}

bool installer_exists(const struct installer *installer, enum tree tree, const char *path)
{
	cleanup_close int fd = -1;

	return open_beneath(installer->trees.fds[tree], path, O_PATH | O_NOFOLLOW, 0, &fd, NULL) !=
	       -ENOENT;
}

int installer_require_added(const struct installer *installer, struct error **error)
{
	const struct installer_target *target = &installer->target;
	char path[INSTALLER_PATH];

	(void)snprintf(path, sizeof(path), "%s/%s/source", target->module, target->version);
	return installer_exists(installer, TREE_DKMS, path)
		       ? 0
		       : error_refuse(error, EXIT_STATE, ENOENT, "%s/%s is not added; add it first",
				      target->module, target->version);
}

int installer_put_alone(struct installer *installer, const char *directory, const char *name,
			int fd, struct error **error)
{
	const struct installer_target *target = &installer->target;
	cleanup_transaction struct transaction *transaction = NULL;
	char path[INSTALLER_PATH];
	int r = installer_require_added(installer, error);

	(void)snprintf(path, sizeof(path), "%s/%s/%s/%s", target->module, target->version,
		       directory, name);
	if (r == 0)
		r = transaction_begin(&installer->trees, &transaction, error);
	if (r == 0)
		r = transaction_put_file(transaction, TREE_DKMS, path, fd, error);
	return r < 0 ? r : transaction_commit(transaction, error);
}

void installer_build_path(const struct installer *installer, const char *version,
			  const char *suffix, char ret_path[INSTALLER_PATH])
{
	const struct installer_target *target = &installer->target;

	(void)snprintf(ret_path, INSTALLER_PATH, "%s/%s/%s/%s%s", target->module, version,
		       target->kernel, target->architecture, suffix);
}

int installer_open_installed(const struct installer *installer, const char *version, int *ret_fd,
			     struct error **error)
{
	char path[INSTALLER_PATH];

	installer_build_path(installer, version, "/installed", path);
	if (!installer_exists(installer, TREE_DKMS, path))
		installer_build_path(installer, version, "/module", path);
	return open_beneath(installer->trees.fds[TREE_DKMS], path, O_RDONLY | O_DIRECTORY, 0,
			    ret_fd, error);
}

int module_open(int directory_fd, const char *path, int *ret_fd, struct digest *ret_digest,
		struct error **error)
{
	cleanup_close int fd = -1;
	uint64_t size;
	int r = open_regular_beneath(directory_fd, path, BUILD_MODULE_MAXIMUM, &fd, &size, error);

	if (r == 0 && ret_digest)
		r = digest_file(fd, ret_digest, error);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

void installer_active(const struct installer *installer, char ret_version[TICKET_NAME])
{
	const struct installer_target *target = &installer->target;
	char path[INSTALLER_PATH], link[INSTALLER_PATH], suffix[INSTALLER_PATH];
	ssize_t length;

	*ret_version = '\0';
	(void)snprintf(suffix, sizeof(suffix), "/%s/%s", target->kernel, target->architecture);
	(void)snprintf(path, sizeof(path), "%s/kernel-%s-%s", target->module, target->kernel,
		       target->architecture);
	length = readlinkat(installer->trees.fds[TREE_DKMS], path, link, sizeof(link) - 1);
	if (length <= 0)
		return;
	link[length] = '\0';
	if (!string_ends_with(link, suffix))
		return;
	link[(size_t)length - strlen(suffix)] = '\0';
	if (name_is_safe(link)) /* one name, of less than TICKET_NAME bytes */
		memcpy(ret_version, link, strlen(link) + 1);
}

int installer_verify(const struct installer *installer, const void *bytes, size_t size,
		     struct ticket *ret_ticket, struct error **error)
{
	const struct installer_target *target = &installer->target;
	cleanup_ticket struct ticket ticket = { 0 };
	int r;

	if (!installer->key)
		return error_set(error, ENOKEY, "no key to verify tickets with was given");
	r = ticket_verify(bytes, size, installer->key, &ticket, error);
	if (r < 0) {
		error_set_code(*error, EXIT_INSTALL_REFUSED);
		return r;
	}
	if (!string_equal(ticket.module, target->module) ||
	    !string_equal(ticket.version, target->version) ||
	    !string_equal(ticket.kernel, target->kernel) ||
	    !string_equal(ticket.architecture, target->architecture))
		return error_refuse(error, EXIT_INSTALL_REFUSED, EPERM,
				    "the ticket is not for %s/%s, %s (%s)", target->module,
				    target->version, target->kernel, target->architecture);
	*ret_ticket = ticket;
	ticket = (struct ticket){ 0 };
	return 0;
}

int installer_check_file(const struct ticket_file *file, int fd, struct error **error)
{
	struct digest digest;
	struct stat status;
	int r = digest_file(fd, &digest, error);

	if (r == 0 && fstat(fd, &status) < 0)
		r = error_set_errno(error, errno, "cannot examine %s", file->name);
	if (r < 0)
		return r;
	if ((uint64_t)status.st_size != file->size || !digest_equal(&digest, &file->digest))
		return error_refuse(error, EXIT_INSTALL_REFUSED, EBADMSG,
				    "%s is not the file that was signed for installation; build "
				    "the module again with --force",
				    file->name);
	return 0;
}

static int walk_entry(int fd, const char *path, const char *name, unsigned depth, walk_visit *visit,
		      void *context, struct error **error)
{
	cleanup_close int below_fd = -1;
	char full[PATH_LENGTH];
	struct stat status;
	int r;

	if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : path_error(error, errno, "cannot examine", name);
	if (!S_ISREG(status.st_mode) && (!S_ISDIR(status.st_mode) || depth == 0))
		return 0;
	r = path_join(full, error, "%s%s%s", path, *path ? "/" : "", name);
	if (r < 0 || S_ISREG(status.st_mode))
		return r < 0 ? r : visit(context, fd, full, name, error);
	r = open_beneath(fd, name, O_RDONLY | O_DIRECTORY, 0, &below_fd, error);
	return r < 0 ? r : walk_files(below_fd, full, depth - 1, visit, context, error);
}

int walk_files(int directory_fd, const char *path, unsigned depth, walk_visit *visit, void *context,
	       struct error **error)
{
	cleanup_list DIR *list = NULL;
	const char *name;
	int r = list_open(directory_fd, ".", &list, error);

	while (r == 0 && (name = list_next(list)))
		r = walk_entry(directory_fd, path, name, depth, visit, context, error);
	return r;
}
