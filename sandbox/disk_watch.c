/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Measures trees on disk while foreign code fills them: no file system lets us limit one directory.
 * It walks below descriptors and follows nothing; what moves meanwhile may be counted twice or not
 * at all, and files that are open but unlinked are not found: against these stands disk_is_full().
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "sandbox/disk_internal.h"

/* A descriptor per level; configure scripts nest a few hundred to see what getcwd() does. */
#define DEPTH_MAXIMUM 1000
#define DESCRIPTORS 2048
/* At most a tenth of the time is spent on measuring. */
#define PAUSE_FACTOR 9
#define PAUSE_MINIMUM 500
#define PAUSE_MAXIMUM 5000

struct measure {
	uint64_t bytes;
	uint64_t inodes;
	uint64_t bytes_limit;
	uint64_t inodes_limit;
	char limit[64]; /* which one was hit; empty: none */
};

static void hit(struct measure *measure, const char *what, uint64_t value, const char *unit)
{
	(void)snprintf(measure->limit, sizeof(measure->limit), "scratch (%s%llu %s)", what,
		       (unsigned long long)value, unit);
}

static void count(struct measure *measure, const struct stat *status)
{
	uint64_t bytes = (uint64_t)status->st_blocks * 512;
	uint64_t limit = measure->bytes_limit;

	/* A file with several names is met as often. */
	if (!S_ISDIR(status->st_mode) && status->st_nlink > 1)
		bytes /= status->st_nlink;
	measure->bytes += bytes;
	measure->inodes++;
	if (measure->bytes > limit && limit % (UINT64_C(1) << 30) == 0)
		hit(measure, "", limit >> 30, "GiB");
	else if (measure->bytes > limit)
		hit(measure, "", limit >> 20, "MiB");
	else if (measure->inodes > measure->inodes_limit)
		hit(measure, "", measure->inodes_limit, "files");
}

/* It is there, but cannot be looked into: that it is small nobody can say. */
static void refuse_unreadable(struct measure *measure, int errnum)
{
	if (errnum == EMFILE || errnum == ENFILE)
		hit(measure, "nested ", DEPTH_MAXIMUM, "deep");
	else if (errnum != ENOENT && errnum != ENOTDIR && errnum != ELOOP)
		(void)snprintf(measure->limit, sizeof(measure->limit),
			       "scratch (cannot be measured: %s)", strerrorname_np(errnum));
}

/* Consumes fd. As many entries as the limit of inodes: so it ends, whatever is added meanwhile. */
static void measure_directory(struct measure *measure, int fd, unsigned depth)
{
	DIR *directory = depth < DEPTH_MAXIMUM ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!directory) {
		refuse_unreadable(measure, depth < DEPTH_MAXIMUM ? errno : EMFILE);
		(void)close_fd(fd);
		return;
	}
	while (!measure->limit[0] && (entry = readdir(directory))) {
		struct stat status;
		int child_fd;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		count(measure, &status);
		if (!S_ISDIR(status.st_mode) || measure->limit[0])
			continue;
		child_fd = openat(dirfd(directory), entry->d_name,
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
		if (child_fd < 0)
			refuse_unreadable(measure, errno);
		else
			measure_directory(measure, child_fd, depth + 1);
	}
	(void)closedir(directory);
}

static void measure_tree(const struct setup *setup, size_t index, struct measure *measure)
{
	const struct disk_tree *tree = &setup->disk->trees[index];
	const struct sandbox_limits *limits = &setup->limits;
	uint64_t bytes = setup->spec->trees[index].bytes;
	cleanup_close int place_fd = -1;
	int fd, r;

	*measure = (struct measure){ .bytes_limit = bytes ? bytes : limits->scratch_bytes,
				     .inodes_limit = limits->scratch_inodes };
	r = disk_open_place(tree->place, &place_fd);
	fd = r < 0 ? -1
		   : openat(place_fd, tree->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		measure_directory(measure, fd, 0);
	else
		refuse_unreadable(measure, r < 0 ? -r : errno);
}

static int milliseconds_since(const struct timespec *start)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int)((now.tv_sec - start->tv_sec) * 1000 +
		     (now.tv_nsec - start->tv_nsec) / 1000000);
}

/* Measures all; how long to wait until the next time, or -1: there is no next time. */
static int measure_all(const struct setup *setup)
{
	struct timespec start;
	struct measure measure = { 0 };
	int pause;

	(void)clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; i < setup->spec->tree_count && !measure.limit[0]; i++) {
		if (setup->disk->trees[i].place)
			measure_tree(setup, i, &measure);
	}
	if (measure.limit[0]) {
		ignore_result(message_send(setup->control_fd, SETUP_LIMIT, measure.limit,
					   sizeof(measure.limit), NULL, 0, NULL));
		return -1;
	}
	pause = milliseconds_since(&start) * PAUSE_FACTOR;
	if (pause < PAUSE_MINIMUM)
		return PAUSE_MINIMUM;
	return pause < PAUSE_MAXIMUM ? pause : PAUSE_MAXIMUM;
}

_Noreturn void disk_watch(const struct setup *setup)
{
	const int kept[] = { setup->control_fd, setup->lifeline_fd };
	struct pollfd lifeline = { .fd = setup->lifeline_fd, .events = POLLIN };
	struct rlimit files;
	int pause = PAUSE_MINIMUM;
	int ended;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    setup_close_others(kept, ARRAY_SIZE(kept), NULL) < 0 ||
	    getrlimit(RLIMIT_NOFILE, &files) < 0)
		_exit(127);
	files.rlim_cur = files.rlim_max < DESCRIPTORS ? files.rlim_max : DESCRIPTORS;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	while ((ended = poll(&lifeline, 1, pause)) == 0 || (ended < 0 && errno == EINTR))
		pause = measure_all(setup);
	_exit(0);
}
