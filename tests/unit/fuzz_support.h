/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The corpora of fuzz targets, run by unit tests. The targets' abort() is the failure. */
#ifndef KMODBOX_TESTS_FUZZ_SUPPORT_H
#define KMODBOX_TESTS_FUZZ_SUPPORT_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/files.h"

typedef int fuzz_target(const uint8_t *data, size_t size);

/* In memory of just its size, so that a read past its end is seen by the sanitiser. */
static inline void fuzz_run(fuzz_target *target, const char *bytes, size_t length)
{
	cleanup_free uint8_t *copy = malloc(length + (length == 0));

	assert_non_null(copy);
	if (length > 0)
		memcpy(copy, bytes, length);
	assert_int_equal(target(copy, length), 0);
}

/* Each input whole, then as mutate makes others of it. How many inputs there were. */
static inline unsigned fuzz_replay(const char *corpus, fuzz_target *target,
				   void (*mutate)(struct text *text))
{
	cleanup_close int corpus_fd = open(corpus, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_list DIR *list = NULL;
	unsigned count = 0;
	const char *name;

	assert_true(corpus_fd >= 0);
	assert_int_equal(list_open(corpus_fd, ".", &list, NULL), 0);
	for (; (name = list_next(list)); count++) {
		cleanup_text struct text text = { 0 };

		assert_int_equal(read_file(corpus_fd, name, 1 << 16, &text, NULL), 0);
		fuzz_run(target, text.data, text.length);
		mutate(&text);
	}
	return count;
}

#endif
