/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reference modules that are kept, see reference_cache.h. A file is three lines (where the kernel's
 * headers are, the key, the digest of the module) and the module.
 */
#include "orchestrator/reference_cache.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "orchestrator/build_step.h"

#define FORMAT "kmodbox-reference-1\n"
#define PREFIX "reference-"
#define MAXIMUM (UINT64_C(4) << 20) /* a module made of nothing, stripped */

/* "reference-6.1.0-56-amd64-x86_64-0123456789abcdef". NULL: out of memory. */
static char *file_name(const struct build *build)
{
	const struct kernel *kernel = build->target->kernel;
	cleanup_free char *place =
		format_string("%s\n%s\n%s", kernel->root, kernel->build, build->profile->name);
	char hex[DIGEST_HEX_SIZE];
	struct digest digest;

	if (!place || digest_bytes(place, strlen(place), &digest, NULL) < 0)
		return NULL;
	digest_to_hex(&digest, hex);
	return format_string(PREFIX "%s-%s-%.16s", kernel->release, kernel->architecture, hex);
}

/* Nobody else may have written it. */
static int read_own(int cache_fd, const char *name, struct text *ret_text)
{
	cleanup_close int fd = -1;
	struct stat status;
	uint64_t size;
	int r = open_regular_beneath(cache_fd, name, MAXIMUM, &fd, &size, NULL);

	if (r < 0)
		return r;
	if (fstat(fd, &status) < 0 || status.st_uid != geteuid() || status.st_mode & 022)
		return -EPERM;
	return read_fd(fd, MAXIMUM, ret_text, NULL);
}

/* "NAME HEX\n" at text->data + *position; moves on behind it. */
static bool parse_digest(const struct text *text, size_t *position, const char *name,
			 struct digest *ret_digest)
{
	const size_t length = strlen(name);
	const char *line = text->data + *position;
	char hex[DIGEST_HEX_SIZE] = { 0 };

	if (text->length - *position < length + DIGEST_HEX_SIZE ||
	    memcmp(line, name, length) != 0 || line[length + DIGEST_HEX_SIZE - 1] != '\n')
		return false;
	memcpy(hex, line + length, DIGEST_HEX_SIZE - 1);
	*position += length + DIGEST_HEX_SIZE;
	return digest_from_hex(hex, ret_digest) == 0;
}

/* The place in its second line; NULL: it is no such file. */
static char *parse_place(const struct text *text, size_t *ret_end)
{
	const size_t start = strlen(FORMAT);
	const char *end;

	if (text->length <= start || memcmp(text->data, FORMAT, start) != 0)
		return NULL;
	end = memchr(text->data + start, '\n', text->length - start);
	if (!end)
		return NULL;
	*ret_end = (size_t)(end - text->data) + 1;
	return strndup(text->data + start, *ret_end - 1 - start);
}

int reference_cache_read(const struct build *build, const struct digest *key, int *ret_module_fd,
			 struct digest *ret_digest)
{
	const int cache_fd = build->orchestrator->cache_fd;
	cleanup_free char *name = cache_fd < 0 ? NULL : file_name(build);
	cleanup_text struct text text = { 0 };
	struct digest found, expected, digest;
	cleanup_free char *place = NULL;
	size_t at = 0;

	if (!name || read_own(cache_fd, name, &text) < 0)
		return -ENOENT;
	place = parse_place(&text, &at);
	if (!place || !parse_digest(&text, &at, "key ", &found) ||
	    !parse_digest(&text, &at, "sha256 ", &expected) || !digest_equal(&found, key) ||
	    digest_bytes(text.data + at, text.length - at, &digest, NULL) < 0 ||
	    !digest_equal(&digest, &expected))
		return -ENOENT;
	if (memfd_from_bytes("reference", text.data + at, text.length - at, ret_module_fd, NULL) <
	    0)
		return -ENOENT;
	*ret_digest = digest;
	return 0;
}

static bool is_gone(const char *path)
{
	struct stat status;

	return lstat(path, &status) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Where the headers are found: by it is seen when they are gone. NULL: out of memory. */
static char *find_place(const struct build *build)
{
	const struct kernel *kernel = build->target->kernel;
	const char *root = string_equal(kernel->root, "/") ? "" : kernel->root;
	const char *tree = build->orchestrator->places.module_tree;
	char *place = format_string("%s%s/%s/build", root, tree, kernel->release);

	/* As kernel_load(): either may be the one. */
	if (place && is_gone(place)) {
		free(place);
		place = format_string("%s/usr%s/%s/build", root, tree, kernel->release);
	}
	return place;
}

/* Those of kernels that were removed since. */
static void sweep(int cache_fd)
{
	cleanup_list DIR *list = NULL;
	const char *name;

	if (list_open(cache_fd, ".", &list, NULL) < 0)
		return;
	while ((name = list_next(list))) {
		cleanup_text struct text text = { 0 };
		cleanup_free char *place = NULL;
		size_t end = 0;

		if (!string_starts_with(name, PREFIX) || read_own(cache_fd, name, &text) < 0)
			continue;
		place = parse_place(&text, &end);
		if (place && is_gone(place))
			ignore_result(unlinkat(cache_fd, name, 0));
	}
}

static int format_head(const char *place, const struct digest *key, const uint8_t *module,
		       size_t size, struct text *text)
{
	char key_hex[DIGEST_HEX_SIZE], hex[DIGEST_HEX_SIZE];
	struct digest digest;
	int r = strchr(place, '\n') ? -EINVAL : digest_bytes(module, size, &digest, NULL);

	if (r < 0)
		return r;
	digest_to_hex(key, key_hex);
	digest_to_hex(&digest, hex);
	return text_append_format(text, FORMAT "%s\nkey %s\nsha256 %s\n", place, key_hex, hex);
}

int reference_cache_write(const struct build *build, const struct digest *key, int module_fd)
{
	const int cache_fd = build->orchestrator->cache_fd;
	cleanup_free char *name = cache_fd < 0 ? NULL : file_name(build);
	cleanup_free char *place = name ? find_place(build) : NULL;
	cleanup_text struct text text = { 0 };
	const uint8_t *module;
	size_t size;
	int r;

	if (!place)
		return -ENOENT;
	r = memfd_map(module_fd, MAXIMUM, &module, &size, NULL);
	if (r < 0)
		return r;
	r = format_head(place, key, module, size, &text);
	if (r == 0)
		r = text_append(&text, module, size);
	memfd_unmap(module, size);
	if (r == 0 && text.length > MAXIMUM)
		r = -EFBIG;
	if (r == 0)
		r = write_file_atomically(cache_fd, name, text.data, text.length, 0644, NULL);
	if (r == 0)
		sweep(cache_fd);
	return r;
}
