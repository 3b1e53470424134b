/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks the signer, see signer_client.h. */
#include "orchestrator/signer_client.h"

#include <string.h>

#include "orchestrator/destination.h"

static int call(const struct orchestrator *orchestrator, enum signer_request request,
		const void *payload, size_t length, const int *fds, size_t fd_count,
		struct message *reply, size_t reply_length, size_t reply_fds, struct error **error)
{
	int r = message_call(orchestrator->signer, request, payload, length, fds, fd_count, reply,
			     reply_length, reply_fds, error);

	if (r != -EPIPE)
		return r;
	(void)error_context(error, "the signer ended");
	if (error)
		error_set_code(*error, EXIT_SIGNING);
	return r;
}

static int begin(const struct orchestrator *orchestrator, const struct target *target,
		 const struct recipe *recipe, const struct digest *source, size_t count,
		 struct error **error)
{
	cleanup_message struct message reply = { 0 };
	struct signer_begin payload = { .source = *source,
					.compression = target->kernel->compression,
					.count = (uint32_t)count };
	int r = MESSAGE_STRING_SET(payload.module, recipe->package_name);

	if (r == 0)
		r = MESSAGE_STRING_SET(payload.version, recipe->package_version);
	if (r == 0)
		r = MESSAGE_STRING_SET(payload.kernel, target->release);
	if (r == 0)
		r = MESSAGE_STRING_SET(payload.architecture, target->architecture);
	if (r < 0)
		return error_set(error, -r, "a name is too long");
	return call(orchestrator, SIGNER_BEGIN, &payload, sizeof(payload), NULL, 0, &reply, 0, 0,
		    error);
}

static int send_dependency(const struct orchestrator *orchestrator,
			   const struct signer_dependency *dependency, struct error **error)
{
	cleanup_message struct message reply = { 0 };
	const int fds[] = { dependency->ticket_fd, dependency->file_fd };
	struct signer_file payload = { 0 };
	int r = MESSAGE_STRING_SET(payload.name, dependency->name);

	if (r < 0)
		return error_set(error, -r, "the name '%s' is too long", dependency->name);
	return call(orchestrator, SIGNER_DEPENDENCY, &payload, sizeof(payload), fds,
		    ARRAY_SIZE(fds), &reply, 0, 0, error);
}

static int send_file(const struct orchestrator *orchestrator, const struct recipe_module *module,
		     const struct artifact *artifact, struct signed_file *file,
		     struct error **error)
{
	cleanup_message struct message reply = { 0 };
	cleanup_free char *directory = NULL;
	int r = destination_directory(module->dest_location, &directory, error);

	if (r < 0)
		return r;
	r = MESSAGE_STRING_SET(file->request.built_name, module->built_name);
	if (r == 0)
		r = MESSAGE_STRING_SET(file->request.name, module->dest_name);
	if (r == 0)
		r = MESSAGE_STRING_SET(file->request.directory, directory);
	if (r < 0)
		return error_set(error, -r, "a name is too long");
	return call(orchestrator, SIGNER_FILE, &file->request, sizeof(file->request), &artifact->fd,
		    1, &reply, 0, 0, error);
}

static int fetch(const struct orchestrator *orchestrator, uint32_t index, struct signed_file *file,
		 struct error **error)
{
	cleanup_message struct message reply = { 0 };
	const struct signer_fetch payload = { .index = index };
	int r = call(orchestrator, SIGNER_FETCH, &payload, sizeof(payload), NULL, 0, &reply,
		     sizeof(file->result), 1, error);

	if (r < 0)
		return r;
	memcpy(&file->result, reply.payload, sizeof(file->result));
	if (!MESSAGE_STRING_IS_VALID(file->result.name))
		return error_set(error, EBADMSG, "the signer's answer is malformed");
	file->fd = TAKE_FD(reply.fds[0]);
	return 0;
}

int signer_client_reference(const struct orchestrator *orchestrator, const struct target *target,
			    int module_fd, struct error **error)
{
	cleanup_message struct message reply = { 0 };
	struct signer_reference payload = { 0 };
	int r = MESSAGE_STRING_SET(payload.kernel, target->release);

	if (r == 0)
		r = MESSAGE_STRING_SET(payload.architecture, target->architecture);
	if (r < 0)
		return error_set(error, -r, "a name is too long");
	return call(orchestrator, SIGNER_REFERENCE, &payload, sizeof(payload), &module_fd, 1,
		    &reply, 0, 0, error);
}

int signer_client_sign(const struct orchestrator *orchestrator, const struct target *target,
		       const struct recipe *recipe, const struct digest *source,
		       const struct artifact *artifacts,
		       const struct signer_dependency *dependencies, size_t dependency_count,
		       struct signed_set *ret_set, struct error **error)
{
	cleanup_signed_set struct signed_set set = SIGNED_SET_INITIAL;
	cleanup_message struct message reply = { 0 };
	int r;

	set.files = calloc(recipe->module_count, sizeof(*set.files));
	if (!set.files)
		return error_set_errno(error, ENOMEM, "signing");
	for (size_t i = 0; i < recipe->module_count; i++)
		if (!recipe->modules[i].excluded)
			set.files[set.count++].fd = -1;
	r = begin(orchestrator, target, recipe, source, set.count, error);
	for (size_t i = 0; r == 0 && i < dependency_count; i++)
		r = send_dependency(orchestrator, &dependencies[i], error);
	for (size_t i = 0, file = 0; r == 0 && i < recipe->module_count; i++)
		if (!recipe->modules[i].excluded)
			r = send_file(orchestrator, &recipe->modules[i], &artifacts[i],
				      &set.files[file++], error);
	if (r == 0)
		r = call(orchestrator, SIGNER_FINISH, NULL, 0, NULL, 0, &reply, sizeof(set.ticket),
			 1, error);
	if (r < 0)
		return r;
	memcpy(&set.ticket, reply.payload, sizeof(set.ticket));
	set.ticket_fd = TAKE_FD(reply.fds[0]);
	for (size_t i = 0; r == 0 && i < set.count; i++)
		r = fetch(orchestrator, (uint32_t)i, &set.files[i], error);
	if (r < 0)
		return r;
	*ret_set = set;
	set = SIGNED_SET_INITIAL;
	return 0;
}

void signed_set_clear(struct signed_set *set)
{
	for (size_t i = 0; set->files && i < set->count; i++)
		(void)close_fd(set->files[i].fd);
	free(set->files);
	(void)close_fd(set->ticket_fd);
	*set = SIGNED_SET_INITIAL;
}
