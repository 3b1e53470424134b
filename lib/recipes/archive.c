/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs kmodbox-unpack in a sandbox that holds nothing but the archive and an empty scratch, and
 * takes what comes out as what it is: bytes from a process that hostile bytes may have taken over.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/artifacts/exit_code.h"
#include "lib/base/memfd.h"
#include "lib/recipes/archive.h"
#include "lib/recipes/output_tail.h"
#include "lib/recipes/snapshot.h"

static int fail(struct error **error, int errnum, int code, const char *reason)
{
	int r = error_set(error, errnum, "the source archive cannot be taken: %s", reason);

	if (error)
		error_set_code(*error, code);
	return r;
}

/* What the unpacker's end means. */
static int check_end(const struct sandbox_result *result, const struct text *output,
		     struct error **error)
{
	cleanup_free char *how = sandbox_result_describe(result);
	cleanup_free char *line = output_last_line(output);
	const char *reason = line ? line : how ? how : "out of memory";
	const char *prefix = "kmodbox-unpack: ";

	if (result->end == SANDBOX_EXITED && result->status == 0)
		return 0;
	if (result->end == SANDBOX_CANCELLED)
		return fail(error, ECANCELED, EXIT_INTERRUPTED, "interrupted");
	if (result->end == SANDBOX_LIMIT)
		return fail(error,
			    string_starts_with(result->limit, "scratch") ? ENOSPC : ETIMEDOUT,
			    EXIT_LIMIT, how ? how : "a limit was hit");
	if (result->end == SANDBOX_EXITED && string_starts_with(reason, prefix))
		reason += strlen(prefix);
	return fail(error, EINVAL, EXIT_BAD_ARCHIVE, reason);
}

static const struct sandbox_limits limits = {
	.wall_milliseconds = 300 * 1000,
	.silence_milliseconds = 300 * 1000, /* it says nothing while all goes well */
	.cpu_seconds = 120,
	.processes = 4,
	.open_files = 256,	      /* one per directory level */
	.file_bytes = SNAPSHOT_BYTES, /* the snapshot is one file */
	.scratch_bytes = SNAPSHOT_BYTES,
	.scratch_inodes = 2 * SNAPSHOT_ENTRIES,
	.log_bytes = 65536,
};

/*
 * In a scratch of its own, in memory or on disk, from one file into another. Both are borrowed;
 * input_fd is read from its beginning. -ENOSPC: the scratch is full.
 */
static int run_unpacker(const struct sandbox_spec *base, int unpack_fd, const char *const *argv,
			int input_fd, int output_fd, const char *place, uint64_t bytes,
			struct error **error)
{
	static const char *const environment[] = { "LC_ALL=C.UTF-8", NULL };
	const struct sandbox_tree scratch = {
		.path = "/build", .writable = true, .bytes = bytes, .place = place
	};
	cleanup_text struct text output = { 0 };
	struct sandbox_spec spec = SANDBOX_SPEC_INITIAL;
	struct sandbox_result result;
	int r;

	if (lseek(input_fd, 0, SEEK_SET) != 0)
		return fail(error, ESPIPE, EXIT_BAD_ARCHIVE, "it is not a regular file");
	spec.argv = argv;
	spec.exec_fd = unpack_fd;
	spec.environment = environment;
	spec.directory = scratch.path;
	spec.slot = base->slot;
	spec.cgroup_fd = base->cgroup_fd;
	spec.cgroup_absent_because = base->cgroup_absent_because;
	spec.seccomp = base->seccomp;
	spec.optional = base->optional;
	spec.cancel_fd = base->cancel_fd;
	spec.trees = &scratch;
	spec.tree_count = 1;
	spec.toolchain_only = true;
	spec.limits = limits;
	spec.input_file_fd = input_fd;
	spec.output_file_fd = output_fd;
	spec.output = output_keep;
	spec.output_context = &output;
	r = sandbox_run(&spec, &result, error);
	if (r < 0)
		return r;
	r = check_end(&result, &output, error);
	sandbox_result_clear(&result);
	return r;
}

/* One attempt. */
static int unpack(const struct sandbox_spec *base, int unpack_fd, const char *const *argv,
		  int archive_fd, const char *place, uint64_t bytes, int *ret_fd,
		  struct error **error)
{
	cleanup_close int fd = -1;
	int r = memfd_new("source", &fd, error);

	if (r == 0)
		r = run_unpacker(base, unpack_fd, argv, archive_fd, fd, place, bytes, error);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int unpack_where_it_fits(const struct sandbox_spec *base, int unpack_fd,
				const char *const *argv, int archive_fd,
				const struct archive_scratch *scratch, int *ret_fd,
				struct error **error)
{
	const bool limited = scratch && scratch->place && scratch->memory < SNAPSHOT_BYTES;
	cleanup_error struct error *failure = NULL;
	int r = unpack(base, unpack_fd, argv, archive_fd, NULL,
		       limited ? scratch->memory : SNAPSHOT_BYTES, ret_fd, &failure);

	if (r == -ENOSPC && limited)
		return unpack(base, unpack_fd, argv, archive_fd, scratch->place, SNAPSHOT_BYTES,
			      ret_fd, error);
	if (r < 0 && error)
		*error = TAKE_PTR(failure);
	return r;
}

static int take(const struct sandbox_spec *base, int unpack_fd, const char *const *argv,
		int archive_fd, const struct archive_scratch *scratch, int *ret_snapshot_fd,
		struct digest *ret_digest, struct error **error)
{
	cleanup_close int snapshot_fd = -1;
	struct digest digest;
	int r = unpack_where_it_fits(base, unpack_fd, argv, archive_fd, scratch, &snapshot_fd,
				     error);

	if (r < 0)
		return r;
	r = snapshot_from_stream(snapshot_fd, &digest, error);
	if (r < 0 && error) {
		(void)error_context(error, "the source archive cannot be taken");
		error_set_code(*error, EXIT_BAD_ARCHIVE);
	}
	if (r < 0)
		return r;
	*ret_digest = digest;
	*ret_snapshot_fd = TAKE_FD(snapshot_fd);
	return 0;
}

int archive_snapshot(const struct sandbox_spec *base, int unpack_fd, int archive_fd,
		     const struct archive_scratch *scratch, int *ret_snapshot_fd,
		     struct digest *ret_digest, struct error **error)
{
	static const char *const argv[] = { "kmodbox-unpack", NULL };

	return take(base, unpack_fd, argv, archive_fd, scratch, ret_snapshot_fd, ret_digest, error);
}

int archive_tarball_snapshot(const struct sandbox_spec *base, int unpack_fd, int archive_fd,
			     const struct archive_scratch *scratch, int *ret_snapshot_fd,
			     struct error **error)
{
	static const char *const argv[] = { "kmodbox-unpack", "tarball", NULL };
	struct digest digest;

	return take(base, unpack_fd, argv, archive_fd, scratch, ret_snapshot_fd, &digest, error);
}

int archive_pack(const struct sandbox_spec *base, int unpack_fd, int snapshot_fd,
		 const char *compression, int *ret_archive_fd, struct error **error)
{
	const char *const argv[] = { "kmodbox-unpack", "pack", compression, NULL };
	cleanup_close int archive_fd = -1;
	int r = memfd_new("archive", &archive_fd, error);

	if (r == 0)
		r = run_unpacker(base, unpack_fd, argv, snapshot_fd, archive_fd, NULL, 0, error);
	if (r == 0)
		r = memfd_seal(archive_fd, error);
	if (r == 0)
		*ret_archive_fd = TAKE_FD(archive_fd);
	return r;
}
