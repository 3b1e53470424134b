/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The initial ramdisk of a virtual machine, see vm.h: by libarchive, as the kernel documents it in
 * Documentation/driver-api/early-userspace/buffer-format.rst. */
#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "runners/vm.h"

struct ramdisk {
	struct archive *archive;
	struct text made; /* directories that were made, "|a|a/b|" */
};

static int fail(const struct ramdisk *ramdisk, const char *name, struct error **error)
{
	const char *reason = archive_error_string(ramdisk->archive);

	return error_set(error, EIO, "initial ramdisk: %s: %s", name, reason ? reason : "?");
}

static int add_entry(struct ramdisk *ramdisk, const char *name, mode_t mode, uint64_t size,
		     struct error **error)
{
	struct archive_entry *entry = archive_entry_new();
	int r;

	if (!entry)
		return error_set_errno(error, ENOMEM, "initial ramdisk");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, (int64_t)size);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_nlink(entry, S_ISDIR(mode) ? 2 : 1);
	if (S_ISCHR(mode)) {
		/* The kernel opens it for pid 1 before anything is mounted. */
		archive_entry_set_rdevmajor(entry, 5);
		archive_entry_set_rdevminor(entry, 1);
	}
	r = archive_write_header(ramdisk->archive, entry) == ARCHIVE_OK
		    ? 0
		    : fail(ramdisk, name, error);
	archive_entry_free(entry);
	return r;
}

static int add_directories(struct ramdisk *ramdisk, const char *name, struct error **error)
{
	int r = 0;

	for (const char *slash = strchr(name, '/'); r == 0 && slash;
	     slash = strchr(slash + 1, '/')) {
		cleanup_free char *path = strndup(name, (size_t)(slash - name));
		cleanup_free char *mark = format_string("|%s|", path ? path : "");

		if (!path || !mark)
			return error_set_errno(error, ENOMEM, "initial ramdisk");
		if (ramdisk->made.data && strstr(ramdisk->made.data, mark))
			continue;
		if (text_append(&ramdisk->made, mark, strlen(mark)) < 0)
			return error_set_errno(error, ENOMEM, "initial ramdisk");
		r = add_entry(ramdisk, path, S_IFDIR | 0755, 0, error);
	}
	return r;
}

static int add_file(struct ramdisk *ramdisk, const struct vm_file *file, struct error **error)
{
	char bytes[65536];
	struct stat status;
	off_t at = 0;
	int r;

	if (fstat(file->fd, &status) < 0)
		return error_set_errno(error, errno, "%s", file->name);
	r = add_directories(ramdisk, file->name, error);
	if (r == 0)
		r = add_entry(ramdisk, file->name, S_IFREG | (file->executable ? 0755 : 0644),
			      (uint64_t)status.st_size, error);
	while (r == 0 && at < status.st_size) {
		ssize_t length = pread(file->fd, bytes, sizeof(bytes), at);

		if (length <= 0)
			return error_set_errno(error, length < 0 ? errno : EIO, "%s", file->name);
		if (archive_write_data(ramdisk->archive, bytes, (size_t)length) != length)
			return fail(ramdisk, file->name, error);
		at += length;
	}
	return r;
}

static int fill(struct ramdisk *ramdisk, const struct vm_spec *spec, struct error **error)
{
	const char *plan = spec->plan ? spec->plan : "";
	cleanup_close int plan_fd = -1;
	const struct vm_file guest = { "init", spec->guest_fd, true };
	int r = memfd_from_bytes("plan", plan, strlen(plan), &plan_fd, error);

	if (r == 0)
		r = add_file(ramdisk, &guest, error);
	if (r == 0)
		r = add_file(ramdisk, &(struct vm_file){ "plan", plan_fd, false }, error);
	if (r == 0)
		r = add_entry(ramdisk, "dev", S_IFDIR | 0755, 0, error);
	if (r == 0)
		r = add_entry(ramdisk, "dev/console", S_IFCHR | 0600, 0, error);
	for (size_t i = 0; r == 0 && i < spec->file_count; i++)
		r = add_file(ramdisk, &spec->files[i], error);
	return r;
}

int vm_make_ramdisk(const struct vm_spec *spec, int *ret_fd, struct error **error)
{
	struct ramdisk ramdisk = { .archive = archive_write_new() };
	cleanup_close int fd = -1;
	int r = ramdisk.archive ? memfd_new("initrd", &fd, error)
				: error_set_errno(error, ENOMEM, "initial ramdisk");

	if (r == 0 && (archive_write_set_format_cpio_newc(ramdisk.archive) != ARCHIVE_OK ||
		       archive_write_open_fd(ramdisk.archive, fd) != ARCHIVE_OK))
		r = fail(&ramdisk, "cpio", error);
	if (r == 0)
		r = fill(&ramdisk, spec, error);
	if (r == 0 && archive_write_close(ramdisk.archive) != ARCHIVE_OK)
		r = fail(&ramdisk, "cpio", error);
	(void)archive_write_free(ramdisk.archive);
	text_clear(&ramdisk.made);
	if (r == 0)
		r = memfd_seal(fd, error);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
