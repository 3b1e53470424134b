/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libFuzzer: any bytes as what kmodbox-unpack wrote, a snapshot that hostile bytes may have made.
 * Built with -fsanitize=fuzzer,address,undefined from this file, lib/recipes/snapshot*.c and
 * lib/base. What is taken must be one source with one serialisation: taken apart and put together
 * again it is the same bytes, or a crash.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/memfd.h"
#include "lib/base/text.h"
#include "lib/recipes/snapshot.h"
#include "lib/recipes/snapshot_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *context, char type, const char *path, uint64_t length)
{
	size_t *count = context;

	(void)length;
	(*count)++;
	if (!path_is_safe(path, strlen(path)) || !strchr("dfxl", type))
		abort();
	return 0;
}

/* Below a directory of a snapshot, and out of it again. */
static void check(int fd, const struct digest *digest)
{
	const struct snapshot_part part = { .path = "dkms_main_tree/6.1/x86_64", .fd = fd };
	cleanup_close int joined_fd = -1, again_fd = -1;
	struct digest again;
	size_t count = 0;

	if (snapshot_walk(fd, visit, &count, NULL) < 0 || count > SNAPSHOT_ENTRIES)
		abort();
	/* Deeper or longer than may be. */
	if (snapshot_join(&part, 1, &joined_fd, NULL) < 0)
		return;
	if (snapshot_subtree(joined_fd, part.path, &again_fd, &again, NULL) < 0 ||
	    !digest_equal(digest, &again))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_error struct error *error = NULL;
	cleanup_text struct text text = { 0 };
	cleanup_close int fd = -1;
	struct digest digest;

	/* The magic is no riddle. */
	if (text_append_string(&text, SNAPSHOT_MAGIC) < 0 || text_append(&text, data, size) < 0 ||
	    memfd_from_bytes("fuzz", text.data, text.length, &fd, NULL) < 0)
		return 0;
	if (snapshot_check(fd, &digest, &error) == 0)
		check(fd, &digest);
	else if (!error)
		abort();
	return 0;
}
