/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits by a cgroup, see cgroup_limits.h. */
#include "sandbox/cgroup_limits.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/limits.h"
#include "sandbox/setup.h"

/* Beside those that count for RLIMIT_NPROC: the helper, which measures trees on disk. */
#define SETUP_PROCESSES 1
#define PERIOD_MICROSECONDS UINT64_C(100000)

static int write_number(int fd, const char *file, uint64_t value, const char *behind,
			struct error **error)
{
	char text[64];
	int r;

	(void)snprintf(text, sizeof(text), "%" PRIu64 "%s", value, behind);
	r = cgroup_write(fd, file, text);
	return r < 0 ? error_set_errno(error, -r, "%s of the sandbox's cgroup", file) : 0;
}

int cgroup_limits_write(int fd, const struct sandbox_limits *limits, unsigned *ret_held,
			struct error **error)
{
	unsigned held = 0;
	int r = 0;

	if (cgroup_has(fd, "memory.max")) {
		held |= CGROUP_HOLDS_MEMORY;
		r = write_number(fd, "memory.max", limits->total_memory_bytes, "", error);
		/* A kernel that does not count swap has none of it. */
		if (r == 0 && cgroup_has(fd, "memory.swap.max"))
			r = write_number(fd, "memory.swap.max", 0, "", error);
		/* All or none: what is left of a build after the kernel's choice is no build. */
		if (r == 0)
			r = write_number(fd, "memory.oom.group", 1, "", error);
	}
	if (r == 0 && cgroup_has(fd, "pids.max")) {
		held |= CGROUP_HOLDS_PROCESSES;
		r = write_number(fd, "pids.max", limits->processes + SETUP_PROCESSES, "", error);
	}
	if (r == 0 && limits->processors && cgroup_has(fd, "cpu.max")) {
		held |= CGROUP_HOLDS_PROCESSORS;
		r = write_number(fd, "cpu.max", limits->processors * PERIOD_MICROSECONDS, " 100000",
				 error);
	}
	if (r == 0)
		*ret_held = held;
	return r;
}

static const char *find_absence(const struct sandbox_spec *spec, unsigned held)
{
	if (spec->cgroup_fd < 0)
		return spec->cgroup_absent_because ? spec->cgroup_absent_because
						   : "nobody delegated a cgroup";
	if (!(held & CGROUP_HOLDS_MEMORY))
		return "the cgroup that was delegated has no memory controller";
	if (!(held & CGROUP_HOLDS_PROCESSES))
		return "the cgroup that was delegated has no pids controller";
	return NULL;
}

static int make(const struct sandbox_spec *spec, const struct sandbox_limits *limits,
		struct cgroup_limits *self, struct error **error)
{
	int r;

	if (!cgroup_is_one(spec->cgroup_fd))
		return error_set(error, EINVAL, "what was delegated is no cgroup of version 2");
	self->parent_fd = spec->cgroup_fd;
	r = cgroup_make(spec->cgroup_fd, "sandbox", self->name, &self->fd);
	if (r < 0)
		return error_set_errno(error, -r, "cgroup %s", self->name);
	self->kill_fd = openat(self->fd, "cgroup.kill", O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	if (self->kill_fd < 0)
		return error_set_errno(error, errno, "cgroup.kill of the sandbox's cgroup");
	return cgroup_limits_write(self->fd, limits, &self->held, error);
}

int cgroup_limits_new(const struct sandbox_spec *spec, const struct sandbox_limits *limits,
		      struct cgroup_limits *ret_limits, struct error **error)
{
	struct cgroup_limits self = CGROUP_LIMITS_NONE;
	int r = spec->cgroup_fd < 0 ? 0 : make(spec, limits, &self, error);

	self.absent_because = find_absence(spec, self.held);
	if (r == 0 && self.absent_because && !(spec->optional & SANDBOX_OPTIONAL_CGROUP))
		r = setup_refuse_absent(sandbox_optional_name(SANDBOX_OPTIONAL_CGROUP),
					self.absent_because, error);
	if (r < 0)
		cgroup_limits_end(&self, NULL, NULL);
	else
		*ret_limits = self;
	return r;
}

/* Of a counter that the kernel starts at 0; what cannot be read did not happen. */
static bool happened(int fd, const char *file, const char *key)
{
	const uint64_t count = cgroup_read(fd, file, key);

	return count != 0 && count != CGROUP_UNKNOWN;
}

void cgroup_limits_end(struct cgroup_limits *self, struct sandbox_result *result, uint32_t *reached)
{
	if (self->fd < 0)
		return;
	/* Where it stays populated it stays: whoever delegated it removes it. */
	ignore_result(cgroup_kill(self->fd, self->kill_fd));
	/* oom: it was this limit, and not that of a cgroup above or the host's own memory. */
	if (reached && happened(self->fd, "memory.events", "oom") &&
	    happened(self->fd, "memory.events", "oom_kill"))
		*reached |= UINT32_C(1) << LIMIT_TOTAL_MEMORY;
	if (reached && happened(self->fd, "pids.events", "max"))
		*reached |= UINT32_C(1) << LIMIT_PROCESSES;
	if (result) {
		const uint64_t peak = cgroup_read(self->fd, "memory.peak", NULL);

		result->memory_peak_bytes = peak == CGROUP_UNKNOWN ? 0 : peak;
	}
	self->fd = close_fd(self->fd);
	self->kill_fd = close_fd(self->kill_fd);
	(void)unlinkat(self->parent_fd, self->name, AT_REMOVEDIR);
}

const char *cgroup_limits_reason(const struct cgroup_limits *self)
{
	return self->held & CGROUP_HOLDS_PROCESSORS
		       ? "the kernel holds memory, processes and processors of all together, "
			 "exactly"
		       : "the kernel holds memory and processes of all together, exactly";
}
