/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modules.dep and its like, made by kmodbox-depmod from the tree as it will be and put into place
 * by the same transaction as the modules. As with DKMS, a tree without modules.dep gets none.
 */
#include <string.h>

#include "installer/depmod_protocol.h"
#include "installer/installer.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"

/* An entry of the layer: what comes as a link to the staged file, what goes as one to nothing. */
static int layer_entry(const struct transaction *transaction, const struct operation *operation,
		       size_t skip, struct error **error)
{
	int stage_fd = transaction->stage_fds[TREE_INSTALL];
	char path[PATH_LENGTH], staged[12];
	int r = path_join(path, error, "layer/%s", operation->path + skip);

	if (r < 0)
		return r;
	if (operation->kind == OPERATION_REMOVE &&
	    transaction_has(transaction, OPERATION_PUT, TREE_INSTALL, operation->path))
		return 0;
	*strrchr(path, '/') = '\0';
	r = make_directories(stage_fd, path, 0755, error);
	if (r < 0)
		return r;
	path[strlen(path)] = '/';
	(void)snprintf(staged, sizeof(staged), "%u", operation->number);
	if (operation->kind == OPERATION_PUT)
		r = linkat(stage_fd, staged, stage_fd, path, 0);
	else
		r = symlinkat("/dev/null", stage_fd, path);
	if (r < 0 && errno != EEXIST)
		return path_error(error, errno, "cannot stage", path);
	return 0;
}

static int make_layer(const struct transaction *transaction, const char *kernel,
		      struct error **error)
{
	char prefix[TICKET_NAME + 1];
	int r = make_directories(transaction->stage_fds[TREE_INSTALL], "layer", 0755, error);

	(void)snprintf(prefix, sizeof(prefix), "%s/", kernel);
	for (size_t i = 0; r == 0 && i < transaction->count; i++) {
		const struct operation *operation = &transaction->operations[i];

		if (operation->tree == TREE_INSTALL &&
		    (operation->kind == OPERATION_PUT || operation->kind == OPERATION_REMOVE) &&
		    string_starts_with(operation->path, prefix))
			r = layer_entry(transaction, operation, strlen(prefix), error);
	}
	return trees_result(transaction->trees, TREE_INSTALL, r, error);
}

static int fetch(struct installer *installer, struct transaction *transaction, const char *kernel,
		 uint32_t index, struct error **error)
{
	cleanup_message struct message reply = { .fd_count = 0 };
	struct depmod_fetch request = { .index = index };
	struct depmod_file file;
	char path[PATH_LENGTH];
	bool known = false;
	uint64_t size = 0;
	int r = message_call(installer->depmod_socket, DEPMOD_FETCH, &request, sizeof(request),
			     NULL, 0, &reply, sizeof(file), 1, error);

	if (r < 0)
		return r;
	memcpy(&file, reply.payload, sizeof(file));
	for (size_t i = 0; MESSAGE_STRING_IS_VALID(file.name) && i < ARRAY_SIZE(depmod_files); i++)
		known = known || string_equal(file.name, depmod_files[i]);
	if (!known)
		return error_set(error, EBADMSG, "depmod made a file that is no module index");
	r = memfd_require_sealed(reply.fds[0], DEPMOD_FILE_MAXIMUM, &size, error);
	(void)snprintf(path, sizeof(path), "%s/%s", kernel, file.name);
	if (r == 0 && transaction_has(transaction, OPERATION_PUT, TREE_INSTALL, path))
		r = error_set(error, EBADMSG, "depmod made %s twice", file.name);
	return r < 0 ? r
		     : transaction_put_file(transaction, TREE_INSTALL, path, reply.fds[0], error);
}

static int run_depmod(struct installer *installer, struct transaction *transaction,
		      const char *kernel, struct error **error)
{
	cleanup_message struct message reply = { .fd_count = 0 };
	struct depmod_run request = { 0 };
	struct depmod_done done;
	char path[PATH_LENGTH];
	int r;

	if (installer->depmod_socket < 0)
		return error_set(error, ENOENT, "there is no kmodbox-depmod to ask");
	(void)snprintf(request.kernel, sizeof(request.kernel), "%s", kernel);
	(void)snprintf(request.stage, sizeof(request.stage), "%s", transaction->name);
	r = message_call(installer->depmod_socket, DEPMOD_RUN, &request, sizeof(request), NULL, 0,
			 &reply, sizeof(done), 0, error);
	if (r < 0)
		return r;
	memcpy(&done, reply.payload, sizeof(done));
	if (done.count > ARRAY_SIZE(depmod_files))
		return error_set(error, EBADMSG, "depmod made too many files");
	for (uint32_t i = 0; r == 0 && i < done.count; i++)
		r = fetch(installer, transaction, kernel, i, error);
	(void)snprintf(path, sizeof(path), "%s/modules.dep", kernel);
	if (r == 0 && !transaction_has(transaction, OPERATION_PUT, TREE_INSTALL, path))
		r = error_set(error, EBADMSG, "depmod made no modules.dep");
	return r;
}

int index_stage(struct installer *installer, struct transaction *transaction, struct error **error)
{
	const struct installer_target *target = &installer->target;
	char path[PATH_LENGTH];
	int r;

	(void)snprintf(path, sizeof(path), "%s/modules.dep", target->kernel);
	if (target->skip_depmod || transaction->stage_fds[TREE_INSTALL] < 0 ||
	    !installer_exists(installer, TREE_INSTALL, path))
		return 0;
	r = make_layer(transaction, target->kernel, error);
	if (r < 0)
		return r;
	r = run_depmod(installer, transaction, target->kernel, error);
	installer->installed.depmod = r == 0;
	if (r == 0)
		return 0;
	(void)error_context(error, "the module index of %s cannot be made, nothing was changed",
			    target->kernel);
	if (error_code(*error) != EXIT_INFRASTRUCTURE)
		error_set_code(*error, EXIT_INSTALL_ABORTED);
	return r;
}
