/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owned file descriptors and memory: variables that release what they hold when they leave scope.
 * After the cleanup attribute of GCC as systemd and crun use it. Trusts nothing, allocates nothing.
 */
#ifndef KMODBOX_BASE_CLEANUP_H
#define KMODBOX_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The caller must look at the result. */
#define must_check __attribute__((warn_unused_result))
#define printf_like(format_index, first_index)                                                     \
	__attribute__((format(printf, format_index, first_index)))

/* Runs FUNCTION(&variable) when the variable leaves its scope. */
#define cleanup(function) __attribute__((cleanup(function)))

/* For the rare call whose failure changes nothing; a cast to void does not silence must_check. */
#define ignore_result(expression)                                                                  \
	do {                                                                                       \
		__typeof__(expression) ignored_ = (expression);                                    \
		(void)ignored_;                                                                    \
	} while (0)

/* Closes FD if it is one; keeps errno; returns -1, for `fd = close_fd(fd)`. */
static inline int close_fd(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		(void)close(fd); /* the descriptor is gone even after EINTR: close(2) */
		errno = saved;
	}
	return -1;
}

static inline void cleanup_free_function(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_function(int *fd)
{
	*fd = close_fd(*fd);
}

static inline void cleanup_fclose_function(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

/* Memory from malloc(), freed at the end of the scope. Initialise it. */
#define cleanup_free cleanup(cleanup_free_function)
/* A file descriptor, closed at the end of the scope. Initialise it, to -1 if nothing else. */
#define cleanup_close cleanup(cleanup_close_function)
#define cleanup_fclose cleanup(cleanup_fclose_function)

/* Hands ownership on: gives the value and leaves "nothing" behind. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *take_fd_ = &(fd);                                                             \
		int take_v_ = *take_fd_;                                                           \
		*take_fd_ = -1;                                                                    \
		take_v_;                                                                           \
	})
#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) *take_p_ = &(pointer);                                         \
		__typeof__(pointer) take_v_ = *take_p_;                                            \
		*take_p_ = NULL;                                                                   \
		take_v_;                                                                           \
	})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
