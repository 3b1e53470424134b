/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a source goes that is large against the memory that /proc/meminfo says is available. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/source.h"
#include "tests/unit/orchestrator_support.h"

#define SOURCE_BYTES 300000

static bool fake_memory(const struct place *place, const char *text)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/meminfo", place->path);
	return write_path(path, text) && mount(path, "/proc/meminfo", NULL, MS_BIND, NULL) == 0;
}

/* A source of some 300 KB. */
static bool make_source(const struct place *place)
{
	cleanup_close int fd = -1;

	if (mkdirat(place->fd, "demo-1", 0755) < 0 || mkdirat(place->fd, "cache", 0755) < 0)
		return false;
	fd = openat(place->fd, "demo-1/large", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return fd >= 0 && ftruncate(fd, SOURCE_BYTES) == 0;
}

static bool is_sealed(int fd)
{
	return fcntl(fd, F_GET_SEALS) > F_SEAL_SEAL; /* alone: a file on a tmpfs */
}

/* What is added is handed over, sealed; what is read again goes where there is room. */
static int large_sources(const struct place *place)
{
	static const struct {
		const char *memory;
		uint64_t maximum;
		bool large;
	} rows[] = {
		{ "MemTotal: 9 kB\nMemAvailable:    8000 kB\n", 1024000, false },
		{ "MemAvailable:    2000 kB\n", 256000, true },
		{ "MemTotal: 9 kB\n", UINT64_MAX, false },
		{ "MemAvailable: many kB\n", UINT64_MAX, false },
	};
	char module[] = "demo", version[] = "1", scratch[] = "/scratch";
	struct options options = { .module = module, .version = version };
	cleanup_close int cache_fd = -1;
	struct orchestrator part = { .options = &options,
				     .places = { .source_tree = (char *)(uintptr_t)place->path,
						 .source_tree_fd = place->fd },
				     .package = { module, version, -1 },
				     .scratch_place = scratch };

	if (!be_root_apart())
		return CANNOT;
	expect(make_source(place));
	part.cache_fd = cache_fd = openat(place->fd, "cache", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_source struct source added = SOURCE_INITIAL, named = SOURCE_INITIAL;

		if (!fake_memory(place, rows[i].memory))
			return CANNOT;
		expect(source_memory_maximum() == rows[i].maximum);
		expect(source_read_named(&part, &named, NULL) == 0);
		expect(is_sealed(named.snapshot_fd));
		expect(source_read_added(&part, &part.package, &added, NULL) == 0);
		expect(is_sealed(added.snapshot_fd) == !rows[i].large);
		expect(digest_equal(&added.digest, &named.digest));
		expect(source_place(&part, added.snapshot_fd) == (rows[i].large ? scratch : NULL));
		expect(umount("/proc/meminfo") == 0);
	}
	return 0;
}

static void test_large_sources(void **state)
{
	in_child(large_sources, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_large_sources) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
