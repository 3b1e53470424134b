/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root's patches and scripts, see overlay.h. */
#include "orchestrator/overlay.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "orchestrator/configuration.h"

#define FILES_MAXIMUM 256u
#define FILE_MAXIMUM (UINT64_C(4) << 20)

static int out_of_memory(struct error **error)
{
	return error_set(error, ENOMEM, "out of memory");
}

/* One file, if it is there. */
static int read_one(int directory_fd, const char *place, const char *path,
		    struct overlay_file **files, size_t *count, struct error **error)
{
	struct overlay_file file = { 0 };
	struct overlay_file *grown;
	int r = configuration_read(directory_fd, place, path, FILE_MAXIMUM, &file.text,
				   &file.executable, error);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	grown = realloc(*files, (*count + 1) * sizeof(*grown));
	file.path = strdup(path);
	if (grown)
		*files = grown;
	if (!grown || !file.path) {
		free(file.path);
		text_clear(&file.text);
		return out_of_memory(error);
	}
	grown[(*count)++] = file;
	return 0;
}

static int is_shown(const struct dirent *entry)
{
	return !string_equal(entry->d_name, ".") && !string_equal(entry->d_name, "..");
}

static int read_patches(int module_fd, const char *place, struct overlay *overlay,
			struct error **error)
{
	cleanup_free char *folder = format_string("%s/patches", place);
	cleanup_close int fd = -1;
	struct dirent **entries = NULL;
	int count, r;

	if (!folder)
		return out_of_memory(error);
	r = configuration_open_below(module_fd, place, "patches", &fd, error);
	if (r == -ENOTDIR)
		return error_set_errno(error, ENOTDIR, "%s", folder);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	count = scandirat(fd, ".", &entries, is_shown, alphasort);
	if (count < 0)
		return error_set_errno(error, errno, "%s", folder);
	if ((unsigned)count > FILES_MAXIMUM)
		r = error_set(error, E2BIG, "%s holds more than %u files", folder, FILES_MAXIMUM);
	for (int i = 0; i < count; i++) {
		if (r == 0)
			r = read_one(fd, folder, entries[i]->d_name, &overlay->patches,
				     &overlay->patch_count, error);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* "scripts/prepare.sh" of "scripts/prepare.sh --quick". */
static int read_script(int module_fd, const char *place, const char *script,
		       struct overlay *overlay, struct error **error)
{
	size_t length = strcspn(script, " ");
	cleanup_free char *path = strndup(script, length);

	if (!path)
		return out_of_memory(error);
	/* What is no path below the source is never run, and so has no override. */
	if (string_starts_with(path, "./"))
		memmove(path, path + 2, length - 1);
	if (!path_is_safe(path, strlen(path)))
		return 0;
	for (size_t i = 0; i < overlay->script_count; i++) {
		if (string_equal(overlay->scripts[i].path, path))
			return 0;
	}
	return read_one(module_fd, place, path, &overlay->scripts, &overlay->script_count, error);
}

static int digest_files(const struct overlay *overlay, struct digest *ret_digest,
			struct error **error)
{
	const struct overlay_file *const lists[] = { overlay->patches, overlay->scripts };
	const size_t counts[] = { overlay->patch_count, overlay->script_count };
	cleanup_text struct text all = { 0 };
	int r = 0;

	for (size_t list = 0; list < ARRAY_SIZE(lists); list++) {
		r = r ? r : text_append_u64(&all, counts[list]);
		for (size_t i = 0; r == 0 && i < counts[list]; i++) {
			const struct overlay_file *file = &lists[list][i];

			r = text_append_format(&all, "%s%c%c", file->path, '\0',
					       file->executable ? 'x' : 'f');
			r = r ? r : text_append_u64(&all, file->text.length);
			if (r == 0 && file->text.length > 0)
				r = text_append(&all, file->text.data, file->text.length);
		}
	}
	return r < 0 ? out_of_memory(error) : digest_bytes(all.data, all.length, ret_digest, error);
}

int overlay_load(const struct places *places, const struct recipe *recipe,
		 struct overlay *ret_overlay, struct error **error)
{
	cleanup_free char *place =
		format_string("%s/%s", places->dkms_config, recipe->package_name);
	cleanup_overlay struct overlay overlay = { 0 };
	cleanup_close int module_fd = -1;
	int r;

	if (!place)
		return out_of_memory(error);
	r = places->dkms_config_fd < 0
		    ? -ENOENT
		    : configuration_open_below(places->dkms_config_fd, places->dkms_config,
					       recipe->package_name, &module_fd, error);
	/* "demo" may be a file, which is none of ours. */
	if (r == -ENOENT || r == -ENOTDIR) {
		*ret_overlay = overlay;
		return 0;
	}
	if (r < 0)
		return r;
	r = read_patches(module_fd, place, &overlay, error);
	for (size_t i = 0; r == 0 && i < RECIPE_SCRIPTS; i++) {
		if (recipe->scripts[i])
			r = read_script(module_fd, place, recipe->scripts[i], &overlay, error);
	}
	if (r == 0 && overlay.patch_count + overlay.script_count > 0)
		r = digest_files(&overlay, &overlay.digest, error);
	if (r < 0) {
		if (error && *error && !error_code(*error))
			error_set_code(*error, EXIT_USAGE);
		return r;
	}
	*ret_overlay = overlay;
	overlay = (struct overlay){ 0 };
	return 0;
}

static int write_one(const struct overlay_file *file, int directory_fd, struct error **error)
{
	cleanup_close int parent_fd = -1;
	cleanup_close int fd = -1;
	const char *name;
	int r = 0;

	if (strchr(file->path, '/')) {
		cleanup_free char *parent =
			strndup(file->path, (size_t)(strrchr(file->path, '/') - file->path));

		r = parent ? make_directories(directory_fd, parent, 0755, error)
			   : out_of_memory(error);
	}
	if (r == 0)
		r = open_parent_beneath(directory_fd, file->path, &parent_fd, &name, error);
	if (r < 0)
		return r;
	/* A link of the source in its place would lead to where it is not meant for. */
	if (unlinkat(parent_fd, name, 0) < 0 && errno != ENOENT)
		return error_set_errno(error, errno, "%s", file->path);
	r = open_beneath(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL,
			 file->executable ? 0755 : 0644, &fd, error);
	if (r == 0 && file->text.length > 0) {
		r = write_all(fd, file->text.data, file->text.length);
		if (r < 0)
			r = error_set_errno(error, -r, "%s", file->path);
	}
	return r;
}

int overlay_write_patches(const struct overlay *overlay, int directory_fd, struct error **error)
{
	cleanup_close int fd = -1;
	int r;

	if (overlay->patch_count == 0)
		return 0;
	r = make_directories(directory_fd, "patches", 0755, error);
	if (r == 0)
		r = open_beneath(directory_fd, "patches", O_RDONLY | O_DIRECTORY, 0, &fd, error);
	for (size_t i = 0; r == 0 && i < overlay->patch_count; i++)
		r = write_one(&overlay->patches[i], fd, error);
	return r;
}

int overlay_write_scripts(const struct overlay *overlay, int directory_fd, struct error **error)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < overlay->script_count; i++)
		r = write_one(&overlay->scripts[i], directory_fd, error);
	return r;
}

void overlay_clear(struct overlay *overlay)
{
	for (size_t i = 0; i < overlay->patch_count; i++) {
		free(overlay->patches[i].path);
		text_clear(&overlay->patches[i].text);
	}
	for (size_t i = 0; i < overlay->script_count; i++) {
		free(overlay->scripts[i].path);
		text_clear(&overlay->scripts[i].text);
	}
	free(overlay->patches);
	free(overlay->scripts);
	*overlay = (struct overlay){ 0 };
}
