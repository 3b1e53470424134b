/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A snapshot as a tar archive: the same snapshot always gives the same bytes. Owners, times and all
 * modes but "executable" are not in it, so they are fixed here. Names begin with "./", as in
 * DKMS's.
 */
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/text.h"
#include "lib/recipes/snapshot_reader.h"
#include "lib/recipes/unpack.h"

static const struct {
	const char *name;
	int (*add)(struct archive *archive);
	const char *options;
} compressions[] = {
	{ "none", archive_write_add_filter_none, NULL },
	{ "gzip", archive_write_add_filter_gzip, "gzip:!timestamp" },
	{ "bzip2", archive_write_add_filter_bzip2, NULL },
	{ "xz", archive_write_add_filter_xz, NULL },
	{ "zstd", archive_write_add_filter_zstd, NULL },
};

static int fail(struct archive *archive, struct error **error)
{
	const char *reason = archive ? archive_error_string(archive) : NULL;

	return error_set(error, EIO, "cannot write the archive: %s",
			 reason ? reason : "out of memory");
}

static bool is_link(char type)
{
	return type == 'l' || type == 'o';
}

static int fill(struct archive_entry *entry, char type, const char *path,
		const struct snapshot_reader *reader)
{
	cleanup_free char *name = format_string("./%s", path);
	cleanup_free char *target = NULL;

	if (!name)
		return -ENOMEM;
	archive_entry_set_pathname(entry, name);
	archive_entry_set_uname(entry, "root");
	archive_entry_set_gname(entry, "root");
	archive_entry_set_mtime(entry, 1, 0); /* as snapshot_unpack() */
	archive_entry_set_filetype(entry, type == 'd'	  ? S_IFDIR
					  : is_link(type) ? S_IFLNK
							  : S_IFREG);
	archive_entry_set_perm(entry, type == 'f' ? 0644 : is_link(type) ? 0777 : 0755);
	if (is_link(type)) {
		target = strndup((const char *)reader->content, reader->length);
		if (!target)
			return -ENOMEM;
		archive_entry_set_symlink(entry, target);
	} else if (type != 'd') {
		archive_entry_set_size(entry, (la_int64_t)reader->length);
	}
	return 0;
}

static int put(struct archive *archive, char type, const char *path,
	       const struct snapshot_reader *reader, struct error **error)
{
	struct archive_entry *entry = archive_entry_new();
	int r = 0;

	if (!entry || fill(entry, type, path, reader) < 0)
		r = error_set_errno(error, ENOMEM, "cannot write the archive");
	else if (archive_write_header(archive, entry) != ARCHIVE_OK)
		r = fail(archive, error);
	else if ((type == 'f' || type == 'x') && reader->length > 0 &&
		 archive_write_data(archive, reader->content, reader->length) !=
			 (la_ssize_t)reader->length)
		r = fail(archive, error);
	if (entry)
		archive_entry_free(entry);
	return r;
}

static int open_output(struct archive *archive, const char *compression, struct error **error)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(compressions) && !string_equal(compressions[i].name, compression))
		i++;
	if (i == ARRAY_SIZE(compressions))
		return error_set(error, EINVAL, "'%s' is no compression", compression);
	if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
	    compressions[i].add(archive) != ARCHIVE_OK ||
	    (compressions[i].options &&
	     archive_write_set_options(archive, compressions[i].options) != ARCHIVE_OK) ||
	    archive_write_open_fd(archive, UNPACK_OUTPUT_FD) != ARCHIVE_OK)
		return fail(archive, error);
	return 0;
}

static int put_all(struct archive *archive, struct error **error)
{
	cleanup(snapshot_reader_close) struct snapshot_reader reader = { 0 };
	int r = snapshot_reader_open(UNPACK_INPUT_FD, &reader, error);

	if (r == 0)
		r = put(archive, 'd', "", &reader, error);
	if (r < 0)
		return r;
	while ((r = snapshot_reader_next(&reader, error)) > 0) {
		r = put(archive, reader.rules.type, reader.rules.path, &reader, error);
		if (r < 0)
			return r;
	}
	return r;
}

int unpack_pack(const char *compression, struct error **error)
{
	struct archive *archive = archive_write_new();
	int r = archive ? open_output(archive, compression, error) : fail(NULL, error);

	if (r == 0)
		r = put_all(archive, error);
	if (r == 0 && archive_write_close(archive) != ARCHIVE_OK)
		r = fail(archive, error);
	if (archive)
		(void)archive_write_free(archive);
	return r;
}
