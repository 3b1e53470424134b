/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks the installer, see installer_client.h. */
#include "orchestrator/installer_client.h"

#include <string.h>

static int call(const struct orchestrator *orchestrator, enum installer_request request,
		const void *payload, size_t length, const int *fds, size_t fd_count,
		struct error **error)
{
	cleanup_message struct message reply = { 0 };
	int r = message_call(orchestrator->installer, request, payload, length, fds, fd_count,
			     &reply, 0, 0, error);

	return r == -EPIPE ? error_context(error, "the installer ended") : r;
}

static int fill_target(const struct orchestrator *orchestrator, const struct package *package,
		       const struct target *target, struct installer_target *ret_target,
		       struct error **error)
{
	const struct options *options = orchestrator->options;
	int r;

	*ret_target = (struct installer_target){ .force = options->force,
						 .skip_depmod = options->no_depmod };
	r = MESSAGE_STRING_SET(ret_target->module, package->module);
	if (r == 0)
		r = MESSAGE_STRING_SET(ret_target->version, package->version);
	if (r == 0 && target)
		r = MESSAGE_STRING_SET(ret_target->kernel, target->release);
	if (r == 0 && target)
		r = MESSAGE_STRING_SET(ret_target->architecture, target->architecture);
	return r < 0 ? error_set(error, -r, "a name is too long") : 0;
}

static int send_name(const struct orchestrator *orchestrator, enum installer_request request,
		     const char *name, int fd, struct error **error)
{
	struct installer_file file = { 0 };
	int r = MESSAGE_STRING_SET(file.name, name);

	if (r < 0)
		return error_set(error, -r, "the name '%s' is too long", name);
	return call(orchestrator, request, &file, sizeof(file), &fd, fd >= 0 ? 1 : 0, error);
}

int installer_client_add(const struct orchestrator *orchestrator, const struct recipe *recipe,
			 int snapshot_fd, const struct digest *source, bool write_source,
			 struct error **error)
{
	const struct package package = { .module = recipe->package_name,
					 .version = recipe->package_version };
	struct installer_add add = { .source = *source,
				     .count = (uint32_t)recipe->name_count,
				     .write_source = write_source };
	int r = fill_target(orchestrator, &package, NULL, &add.target, error);

	if (r < 0)
		return r;
	r = call(orchestrator, INSTALLER_ADD, &add, sizeof(add), &snapshot_fd, 1, error);
	for (uint32_t i = 0; r == 0 && i < add.count; i++)
		r = send_name(orchestrator, INSTALLER_ADD_FILE, recipe->names[i], -1, error);
	return r < 0 ? r : call(orchestrator, INSTALLER_ADD_COMMIT, NULL, 0, NULL, 0, error);
}

int installer_client_publish(const struct orchestrator *orchestrator, const struct package *package,
			     const struct target *target, const struct signed_set *set, int log_fd,
			     int record_fd, const struct published_data *data, size_t data_count,
			     struct error **error)
{
	const int fds[] = { log_fd, record_fd };
	struct installer_target payload;
	int r = fill_target(orchestrator, package, target, &payload, error);

	if (r == 0)
		r = call(orchestrator, INSTALLER_PUBLISH, &payload, sizeof(payload),
			 &set->ticket_fd, 1, error);
	for (size_t i = 0; r == 0 && i < set->count; i++)
		r = send_name(orchestrator, INSTALLER_PUBLISH_FILE, set->files[i].result.name,
			      set->files[i].fd, error);
	for (size_t i = 0; r == 0 && i < data_count; i++)
		r = send_name(orchestrator, INSTALLER_PUBLISH_DATA, data[i].name, data[i].fd,
			      error);
	return r < 0 ? r : call(orchestrator, INSTALLER_PUBLISH_COMMIT, NULL, 0, fds, 2, error);
}

int installer_client_tarball(const struct orchestrator *orchestrator, const struct package *package,
			     const char *name, int fd, struct error **error)
{
	struct installer_tarball payload = { 0 };
	int r = fill_target(orchestrator, package, NULL, &payload.target, error);

	if (r < 0)
		return r;
	r = MESSAGE_STRING_SET(payload.file.name, name);
	if (r < 0)
		return error_set(error, -r, "the archive's name '%s' is too long", name);
	return call(orchestrator, INSTALLER_TARBALL, &payload, sizeof(payload), &fd, 1, error);
}

int installer_client_failed_log(const struct orchestrator *orchestrator,
				const struct package *package, const struct target *target,
				int log_fd, int record_fd, struct error **error)
{
	const int fds[] = { log_fd, record_fd };
	struct installer_target payload;
	int r = fill_target(orchestrator, package, target, &payload, error);

	return r < 0 ? r
		     : call(orchestrator, INSTALLER_FAILED_LOG, &payload, sizeof(payload), fds, 2,
			    error);
}

int installer_client_request(const struct orchestrator *orchestrator,
			     enum installer_request request, const struct package *package,
			     const struct target *target, struct installer_installed *ret_installed,
			     struct error **error)
{
	cleanup_message struct message reply = { 0 };
	struct installer_target payload;
	bool counts = request == INSTALLER_INSTALL || request == INSTALLER_UNINSTALL;
	int r = fill_target(orchestrator, package, target, &payload, error);

	if (r < 0)
		return r;
	r = message_call(orchestrator->installer, request, &payload, sizeof(payload), NULL, 0,
			 &reply, counts ? sizeof(*ret_installed) : 0, 0, error);
	if (r == -EPIPE)
		return error_context(error, "the installer ended");
	if (r == 0 && counts)
		memcpy(ret_installed, reply.payload, sizeof(*ret_installed));
	return r;
}
