/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of what may be asked when, and the answers; see signer.h. */
#include "signer/signer.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "lib/artifacts/build_files.h"
#include "lib/artifacts/exit_code.h"
#include "lib/base/files.h"
#include "lib/base/memfd.h"
#include "signer/audit.h"
#include "signer/compress.h"
#include "signer/signature.h"

#define CONFIG_MAXIMUM (UINT64_C(4) << 20)

/* A signing goes through these in order; every refusal leads back to the first. */
enum {
	STATE_IDLE = 1,
	STATE_FILES = 2,
	STATE_FINISH = 4,
	STATE_FETCH = 8,
};

static void end_signing(struct signer *signer)
{
	for (uint32_t i = 0; signer->results && i < signer->begin.count; i++)
		(void)close_fd(signer->results[i].fd);
	free(signer->results);
	signer->results = NULL;
	approval_clear(&signer->approval);
	text_clear(&signer->imports);
	signer->dependencies = 0;
	signer->begin = (struct signer_begin){ 0 };
	signer->kernel = NULL;
	signer->received = signer->fetched = 0;
	signer->bytes = 0;
	signer->state = STATE_IDLE;
}

void signer_clear(struct signer *signer)
{
	end_signing(signer);
	for (size_t i = 0; i < signer->kernel_count; i++) {
		free(signer->kernels[i].release);
		text_clear(&signer->kernels[i].config);
		text_clear(&signer->kernels[i].symvers);
	}
	free(signer->kernels);
	keys_clear(&signer->keys);
}

int signer_add_kernel(struct signer *signer, const char *release, int headers_fd,
		      struct error **error)
{
	struct signer_kernel *kernels =
		reallocarray(signer->kernels, signer->kernel_count + 1, sizeof(*kernels));
	cleanup_text struct text config = { 0 }, symvers = { 0 };
	cleanup_free char *name = strdup(release);
	int r;

	if (!kernels || !name)
		return error_set(error, ENOMEM, "out of memory");
	signer->kernels = kernels;
	if (!name_is_safe(release))
		return error_set(error, EINVAL, "not a kernel release");
	r = read_file(headers_fd, ".config", CONFIG_MAXIMUM, &config, error);
	if (r == 0)
		r = read_file(headers_fd, "Module.symvers", CHECKER_SYMVERS_MAXIMUM, &symvers,
			      error);
	if (r < 0)
		return error_context(error, "the headers of %s", release);
	kernels[signer->kernel_count++] = (struct signer_kernel){
		.release = TAKE_PTR(name),
		.config = config,
		.symvers = symvers,
	};
	config = symvers = (struct text){ 0 };
	return 0;
}

static struct signer_kernel *find_kernel(const struct signer *signer, const char *release)
{
	for (size_t i = 0; i < signer->kernel_count; i++)
		if (string_equal(signer->kernels[i].release, release))
			return &signer->kernels[i];
	return NULL;
}

/* Every refusal ends the signing. Without a code of its own (32, 36) it is "signing failed". */
static int refuse(struct signer *signer, int r, struct error **error)
{
	end_signing(signer);
	if (error_code(*error) == 0)
		error_set_code(*error, EXIT_SIGNING);
	return r;
}

static int begin_check(struct signer *signer, struct error **error)
{
	const struct signer_begin *begin = &signer->begin;
	int r;

	if (!MESSAGE_STRING_IS_VALID(begin->module) || !name_is_safe(begin->module) ||
	    !MESSAGE_STRING_IS_VALID(begin->version) || !name_is_safe(begin->version) ||
	    !MESSAGE_STRING_IS_VALID(begin->kernel) || !name_is_safe(begin->kernel) ||
	    !MESSAGE_STRING_IS_VALID(begin->architecture) || !name_is_safe(begin->architecture) ||
	    !compress_suffix(begin->compression))
		return error_set(error, EINVAL, "the request to sign is malformed");
	if (begin->count < 1 || begin->count > TICKET_FILES)
		return error_set(error, EINVAL, "%u files cannot be signed at once: 1 to %u can",
				 begin->count, TICKET_FILES);
	signer->kernel = find_kernel(signer, begin->kernel);
	if (!signer->kernel)
		return error_set(error, EPERM,
				 "kernel %s was not named when the signer was started",
				 begin->kernel);
	r = signature_hash_from_config(signer->kernel->config.data, &signer->hash, error);
	if (r == 0)
		r = approval_load(signer->approvals_fd, begin->module, begin->version,
				  &signer->approval, error);
	if (r == 0)
		r = approval_check_source(&signer->approval, &begin->source, begin->kernel, error);
	return r;
}

/* What a module of this name must agree with. */
static int facts_for(const struct signer_kernel *kernel, const char *architecture, const char *name,
		     const struct checker_verdict *reference, struct checker_facts *ret_facts,
		     struct error **error)
{
	return checker_facts_with_reference(
		kernel->config.data, kernel->config.length, kernel->release, architecture, name,
		reference->outcome ? reference : NULL, ret_facts, error);
}

/* Whoever made it: our own checker reads it, and it is only good for being stricter. */
static int handle_reference(void *context, int socket, struct message *message,
			    struct error **error)
{
	struct signer *signer = context;
	struct signer_kernel *kernel = NULL;
	struct signer_reference request;
	struct checker_verdict verdict;
	struct checker_facts facts;
	int r;

	memcpy(&request, message->payload, sizeof(request));
	if (MESSAGE_STRING_IS_VALID(request.kernel) &&
	    MESSAGE_STRING_IS_VALID(request.architecture))
		kernel = find_kernel(signer, request.kernel);
	if (!kernel)
		return refuse(signer, error_set(error, EINVAL, "a reference of no known kernel"),
			      error);
	r = checker_run_reference(signer->checker_fd, message->fds[0], kernel->release,
				  request.architecture, &verdict, error);
	if (r == 0)
		r = facts_for(kernel, request.architecture, "reference", &verdict, &facts, error);
	if (r < 0)
		return refuse(signer, r, error);
	kernel->reference = verdict;
	return message_reply(socket, NULL, 0, NULL, 0, error);
}

static int handle_begin(void *context, int socket, struct message *message, struct error **error)
{
	struct signer *signer = context;
	int r;

	end_signing(signer);
	memcpy(&signer->begin, message->payload, sizeof(signer->begin));
	r = begin_check(signer, error);
	if (r < 0)
		return refuse(signer, r, error);
	signer->results = calloc(signer->begin.count, sizeof(*signer->results));
	if (!signer->results)
		return refuse(signer, error_set(error, ENOMEM, "out of memory"), error);
	for (uint32_t i = 0; i < signer->begin.count; i++)
		signer->results[i].fd = -1;
	signer->state = STATE_FILES;
	return message_reply(socket, NULL, 0, NULL, 0, error);
}

/* Is this a file that we signed, for the kernel at hand, as it was then? */
static int dependency_check(const struct signer *signer, const struct signer_file *file,
			    const struct message *message, struct error **error)
{
	cleanup_ticket struct ticket ticket = { 0 };
	uint8_t public[32];
	struct digest digest;
	size_t size = sizeof(public), ticket_size;
	const uint8_t *bytes;
	int r;

	if (!MESSAGE_STRING_IS_VALID(file->name) || !name_is_safe(file->name))
		return error_set(error, EINVAL, "the name of a dependency's file is not allowed");
	if (EVP_PKEY_get_raw_public_key(signer->keys.ticket_key, public, &size) != 1)
		return openssl_error(error, EIO, "the ticket key cannot be used");
	r = memfd_map(message->fds[0], TICKET_MAXIMUM, &bytes, &ticket_size, error);
	if (r < 0)
		return r;
	r = ticket_verify(bytes, ticket_size, public, &ticket, NULL);
	memfd_unmap(bytes, ticket_size);
	if (r < 0)
		return error_refuse(error, EXIT_APPROVAL, -r,
				    "the dependency %s was not signed here; build it with kmodbox "
				    "first",
				    file->name);
	if (!string_equal(ticket.kernel, signer->begin.kernel) ||
	    !string_equal(ticket.architecture, signer->begin.architecture))
		return error_refuse(error, EXIT_APPROVAL, EPERM,
				    "the dependency %s was built for %s (%s); build it with "
				    "kmodbox for %s (%s) first",
				    file->name, ticket.kernel, ticket.architecture,
				    signer->begin.kernel, signer->begin.architecture);
	r = digest_file(message->fds[1], &digest, error);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < ticket.file_count; i++)
		if (string_equal(ticket.files[i].name, file->name) &&
		    digest_equal(&ticket.files[i].digest, &digest))
			return 0;
	return error_refuse(error, EXIT_APPROVAL, EBADMSG,
			    "the dependency %s is not a file that was signed for %s/%s; build that "
			    "again with --force",
			    file->name, ticket.module, ticket.version);
}

/* Its exports are read anew: a ticket says that a file was checked, not what is in it. */
static int dependency_read(struct signer *signer, const char *name, int fd, struct error **error)
{
	const struct signer_kernel *kernel = signer->kernel;
	cleanup_free char *stem = strndup(name, ticket_module_stem(name));
	cleanup_close int symvers_fd = -1;
	struct checker_verdict verdict;
	struct checker_facts facts;
	int r;

	if (!stem)
		return error_set(error, ENOMEM, "out of memory");
	r = facts_for(kernel, signer->begin.architecture, stem, &kernel->reference, &facts, error);
	if (r < 0)
		return r;
	facts.purpose = CHECKER_EXPORTS;
	r = memfd_from_bytes("symvers", kernel->symvers.data, kernel->symvers.length, &symvers_fd,
			     error);
	if (r == 0)
		r = checker_run(signer->checker_fd, fd, symvers_fd, &facts, CHECKER_MILLISECONDS,
				&verdict, &signer->imports, error);
	if (r < 0)
		return r;
	if (verdict.outcome != CHECKER_WILL_LOAD)
		return error_refuse(error, EXIT_WILL_NOT_LOAD, verdict.errnum,
				    "the dependency %s cannot be used on %s: %.*s", name,
				    kernel->release, (int)strcspn(verdict.text, "\n"),
				    verdict.text);
	if (signer->imports.length > CHECKER_SYMVERS_MAXIMUM)
		return error_set(error, E2BIG, "the dependencies export too many symbols");
	return 0;
}

static int handle_dependency(void *context, int socket, struct message *message,
			     struct error **error)
{
	struct signer *signer = context;
	struct signer_file file;
	int r;

	memcpy(&file, message->payload, sizeof(file));
	if (signer->dependencies++ == TICKET_FILES)
		r = error_set(error, E2BIG, "more than %u files of dependencies", TICKET_FILES);
	else
		r = dependency_check(signer, &file, message, error);
	if (r == 0)
		r = dependency_read(signer, file.name, message->fds[1], error);
	return r < 0 ? refuse(signer, r, error) : message_reply(socket, NULL, 0, NULL, 0, error);
}

static int file_check(const struct signer *signer, const struct signer_file *file,
		      struct ticket_file *ret_file, struct error **error)
{
	int r;

	if (!MESSAGE_STRING_IS_VALID(file->built_name) || !name_is_safe(file->built_name) ||
	    !MESSAGE_STRING_IS_VALID(file->name) || !name_is_safe(file->name) ||
	    !MESSAGE_STRING_IS_VALID(file->directory) ||
	    !ticket_directory_is_allowed(file->directory))
		return error_set(error, EINVAL,
				 "a module's name or directory is not allowed: it goes below "
				 "updates, extra or kernel");
	r = snprintf(ret_file->name, sizeof(ret_file->name), "%s.ko%s", file->name,
		     compress_suffix(signer->begin.compression));
	if (r < 0 || (size_t)r >= sizeof(ret_file->name))
		return error_set(error, ENAMETOOLONG, "the name %s is too long", file->name);
	memcpy(ret_file->directory, file->directory, sizeof(ret_file->directory));
	for (uint32_t i = 0; i < signer->received; i++)
		if (string_equal(signer->results[i].file.name, ret_file->name) &&
		    string_equal(signer->results[i].file.directory, ret_file->directory))
			return error_set(error, EEXIST, "%s/%s would be signed twice",
					 ret_file->directory, ret_file->name);
	r = approval_check_file(&signer->approval, file->built_name, error);
	return r < 0 ? r : approval_check_file(&signer->approval, file->name, error);
}

static int handle_file(void *context, int socket, struct message *message, struct error **error)
{
	struct signer *signer = context;
	struct signer_result *result = &signer->results[signer->received];
	struct signer_file file;
	int r;

	memcpy(&file, message->payload, sizeof(file));
	r = file_check(signer, &file, &result->file, error);
	if (r < 0)
		return refuse(signer, r, error);
	memcpy(result->built_name, file.built_name, sizeof(result->built_name));
	result->fd = TAKE_FD(message->fds[0]);
	if (++signer->received == signer->begin.count)
		signer->state = STATE_FINISH;
	return message_reply(socket, NULL, 0, NULL, 0, error);
}

static int refuse_module(const struct signer *signer, const struct signer_result *result,
			 struct error **error)
{
	const struct checker_verdict *verdict = &result->verdict.checker;
	const char *name = result->built_name, *line;
	const bool policy = verdict->outcome == CHECKER_POLICY;
	int r, length;

	line = checker_verdict_reason(verdict, name, &length);
	r = error_set(error, verdict->errnum, "%s.ko %s %s: %.*s (%s)", name,
		      policy ? "is not signed for" : "will not load on", signer->kernel->release,
		      length, line, strerrorname_np(verdict->errnum) ?: "?");
	error_set_code(*error, policy ? EXIT_APPROVAL : EXIT_WILL_NOT_LOAD);
	return r;
}

/* Our own look at what we are about to sign: its kernel's facts, our checker. */
static int check_module(const struct signer *signer, struct signer_result *result, int symvers_fd,
			struct text *symbols, struct error **error)
{
	const struct signer_kernel *kernel = signer->kernel;
	struct checker_facts facts;
	int r;

	r = facts_for(kernel, signer->begin.architecture, result->built_name, &kernel->reference,
		      &facts, error);
	if (r == 0)
		r = checker_run(signer->checker_fd, result->fd, symvers_fd, &facts,
				CHECKER_MILLISECONDS, &result->verdict.checker, symbols, error);
	if (r == 0 && symbols->length > CHECKER_SYMVERS_MAXIMUM)
		r = error_set(error, E2BIG, "the modules export too many symbols");
	return r < 0 ? error_context(error, "%s.ko is not signed", result->built_name) : 0;
}

/*
 * First each alone; then those that will not load behind the exports of those that will, until that
 * leads no further. So their order does not matter, and nobody's own exports are his to use.
 */
static int check_modules(struct signer *signer, struct error **error)
{
	const struct text *symvers = &signer->kernel->symvers, *imports = &signer->imports;
	const struct signer_result *failed;
	cleanup_text struct text symbols = { 0 };
	size_t known;

	if (text_append(&symbols, symvers->data, symvers->length) < 0 ||
	    text_append(&symbols, imports->data, imports->length) < 0)
		return error_set(error, ENOMEM, "out of memory");
	do {
		cleanup_close int fd = -1;
		int r = memfd_from_bytes("symvers", symbols.data, symbols.length, &fd, error);

		failed = NULL;
		known = symbols.length;
		for (uint32_t i = 0; r == 0 && i < signer->received; i++) {
			struct signer_result *result = &signer->results[i];

			if (result->verdict.checker.outcome == CHECKER_WILL_LOAD)
				continue;
			r = check_module(signer, result, fd, &symbols, error);
			if (!failed && result->verdict.checker.outcome != CHECKER_WILL_LOAD)
				failed = result;
		}
		if (r < 0)
			return r;
	} while (failed && symbols.length > known);
	return failed ? refuse_module(signer, failed, error) : 0;
}

/* Sign, read back, compress. The module's seals keep it as it was checked. */
static int sign_module(struct signer *signer, struct signer_result *result, struct error **error)
{
	cleanup_text struct text content = { 0 };
	const uint8_t *module;
	size_t size;
	int r;

	r = memfd_map(result->fd, BUILD_MODULE_MAXIMUM, &module, &size, error);
	if (r < 0)
		return r;
	r = digest_bytes(module, size, &result->verdict.unsigned_digest, error);
	if (r == 0)
		r = signature_make(module, size, signer->keys.module_key, signer->keys.certificate,
				   signer->hash, &content, error);
	memfd_unmap(module, size);
	result->fd = close_fd(result->fd);
	if (r == 0)
		r = signature_verify((const uint8_t *)content.data, content.length, size,
				     signer->keys.certificate, signer->hash, error);
	if (r == 0)
		r = compress_text(signer->begin.compression, &content, error);
	if (r < 0)
		return r;
	result->file.size = content.length;
	signer->bytes += content.length;
	if (signer->bytes > BUILD_MODULES_MAXIMUM)
		return error_set(error, EFBIG, "the modules are too large to be signed together");
	r = digest_bytes(content.data, content.length, &result->file.digest, error);
	if (r < 0)
		return r;
	return memfd_from_bytes("signed-module", content.data, content.length, &result->fd, error);
}

static int audit_lines(const struct signer *signer, const struct ticket *ticket,
		       struct text *ret_lines)
{
	for (uint32_t i = 0; i < ticket->file_count; i++) {
		const struct signer_result *result = &signer->results[i];
		char before[DIGEST_HEX_SIZE], after[DIGEST_HEX_SIZE];
		int r;

		digest_to_hex(&result->verdict.unsigned_digest, before);
		digest_to_hex(&result->file.digest, after);
		r = text_append_format(ret_lines, "%" PRIu64 " %" PRIu64 " %s %s %s %s %s %s %s\n",
				       ticket->issued, ticket->serial, ticket->module,
				       ticket->version, ticket->kernel, result->file.name, before,
				       after, signer->keys.serial);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_ticket(const struct signer *signer, uint64_t serial, uint64_t now, int *ret_fd,
		       struct error **error)
{
	cleanup_ticket struct ticket ticket = { .serial = serial,
						.issued = now,
						.source = signer->begin.source,
						.file_count = signer->received };
	cleanup_text struct text lines = { 0 };
	cleanup_close int fd = -1;
	int r;

	memcpy(ticket.module, signer->begin.module, sizeof(ticket.module));
	memcpy(ticket.version, signer->begin.version, sizeof(ticket.version));
	memcpy(ticket.kernel, signer->begin.kernel, sizeof(ticket.kernel));
	memcpy(ticket.architecture, signer->begin.architecture, sizeof(ticket.architecture));
	ticket.files = calloc(ticket.file_count, sizeof(*ticket.files));
	if (!ticket.files)
		return error_set(error, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < ticket.file_count; i++)
		ticket.files[i] = signer->results[i].file;
	r = ticket_issue(&ticket, signer->keys.ticket_key, &fd, error);
	if (r < 0)
		return r;
	/* On disk before the ticket leaves: what was signed and not written down does not exist. */
	if (audit_lines(signer, &ticket, &lines) < 0)
		return error_set(error, ENOMEM, "out of memory");
	r = audit_append(signer->audit_fd, &lines, error);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int handle_finish(void *context, int socket, struct message *message, struct error **error)
{
	struct signer *signer = context;
	struct signer_ticket reply = { 0 };
	cleanup_close int fd = -1;
	uint64_t now;
	int r;

	(void)message;
	r = check_modules(signer, error);
	for (uint32_t i = 0; r == 0 && i < signer->received; i++)
		r = sign_module(signer, &signer->results[i], error);
	now = (uint64_t)time(NULL);
	if (r == 0)
		r = audit_begin(signer->audit_fd, now, &reply.serial, error);
	if (r == 0) {
		r = make_ticket(signer, reply.serial, now, &fd, error);
		audit_end(signer->audit_fd);
	}
	if (r < 0)
		return refuse(signer, r, error);
	memcpy(reply.certificate_subject, signer->keys.subject, sizeof(signer->keys.subject));
	(void)snprintf(reply.hash, sizeof(reply.hash), "%s", signer->hash);
	signer->state = STATE_FETCH;
	return message_reply(socket, &reply, sizeof(reply), &fd, 1, error);
}

static int handle_fetch(void *context, int socket, struct message *message, struct error **error)
{
	struct signer *signer = context;
	struct signer_signed reply = { 0 };
	cleanup_close int fd = -1;
	struct signer_result *result;
	struct signer_fetch fetch;

	memcpy(&fetch, message->payload, sizeof(fetch));
	if (fetch.index >= signer->begin.count || signer->results[fetch.index].fd < 0)
		return refuse(
			signer,
			error_set(error, EINVAL, "file %u is not there to be fetched", fetch.index),
			error);
	result = &signer->results[fetch.index];
	memcpy(reply.name, result->file.name, sizeof(reply.name));
	reply.size = result->file.size;
	reply.digest = result->file.digest;
	reply.verdict = result->verdict;
	fd = TAKE_FD(result->fd);
	if (++signer->fetched == signer->begin.count)
		end_signing(signer);
	return message_reply(socket, &reply, sizeof(reply), &fd, 1, error);
}

static const struct message_rule rules[] = {
	{ SIGNER_BEGIN, "begin", STATE_IDLE, sizeof(struct signer_begin), 0, 0, handle_begin },
	{ SIGNER_REFERENCE, "reference", STATE_IDLE, sizeof(struct signer_reference), 1,
	  BUILD_MODULE_MAXIMUM, handle_reference },
	{ SIGNER_FILE, "file", STATE_FILES, sizeof(struct signer_file), 1, BUILD_MODULE_MAXIMUM,
	  handle_file },
	{ SIGNER_DEPENDENCY, "dependency", STATE_FILES, sizeof(struct signer_file), 2,
	  BUILD_MODULE_MAXIMUM, handle_dependency },
	{ SIGNER_FINISH, "finish", STATE_FINISH, 0, 0, 0, handle_finish },
	{ SIGNER_FETCH, "fetch", STATE_FETCH, sizeof(struct signer_fetch), 0, 0, handle_fetch },
};

int signer_serve(struct signer *signer, int socket, struct error **error)
{
	signer->state = STATE_IDLE;
	return message_serve(socket, rules, ARRAY_SIZE(rules), &signer->state, signer, error);
}
