/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The supervisor of refused calls, see denied.h. */
#include "sandbox/denied.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/base/files.h"
#include "lib/base/syscalls.h"

/* So many are answered at once; whoever asks on waits after each few. */
#define FREE_ANSWERS 1000u
#define ANSWERS_PER_PAUSE 16u
#define PAUSE_MILLISECONDS 10u

struct denied {
	int listener_fd; /* owned */
	/* As large as the running kernel's, which may have grown beyond our header's. */
	struct seccomp_notif *question;
	struct seccomp_notif_resp *answer;
	size_t question_size, answer_size;
	uint64_t next; /* not before this time, in milliseconds */
	struct denied_calls calls;
};

int denied_new(int listener_fd, struct denied **ret_denied, struct error **error)
{
	struct denied *denied = calloc(1, sizeof(*denied));
	struct seccomp_notif_sizes sizes;
	int r = sys_seccomp_notification_sizes(&sizes);

	if (!denied) {
		(void)close_fd(listener_fd);
		return error_set_errno(error, ENOMEM, "supervisor");
	}
	denied->listener_fd = listener_fd;
	if (r == 0) {
		denied->question_size = sizes.seccomp_notif > sizeof(*denied->question)
						? sizes.seccomp_notif
						: sizeof(*denied->question);
		denied->answer_size = sizes.seccomp_notif_resp > sizeof(*denied->answer)
					      ? sizes.seccomp_notif_resp
					      : sizeof(*denied->answer);
		denied->question = calloc(1, denied->question_size);
		denied->answer = calloc(1, denied->answer_size);
		r = denied->question && denied->answer ? 0 : -ENOMEM;
	}
	if (r < 0) {
		(void)denied_free(denied);
		return error_set_errno(error, -r, "supervisor");
	}
	*ret_denied = denied;
	return 0;
}

int denied_poll_fd(const struct denied *denied, uint64_t now_milliseconds,
		   int *timeout_milliseconds)
{
	if (!denied || denied->listener_fd < 0)
		return -1;
	if (now_milliseconds >= denied->next)
		return denied->listener_fd;
	if ((uint64_t)*timeout_milliseconds > denied->next - now_milliseconds)
		*timeout_milliseconds = (int)(denied->next - now_milliseconds);
	return -1;
}

void denied_note(struct denied_calls *calls, const struct seccomp_data *data, const char *program,
		 size_t length)
{
	struct denied_call call = { .count = 1 };
	uint64_t arguments[CALL_ARGUMENTS];

	calls->total++;
	for (size_t i = 0; i < CALL_ARGUMENTS; i++)
		arguments[i] = data->args[i];
	call_describe(data->nr, arguments, call.what);
	memcpy(call.program, program, length < DENIED_PROGRAM ? length : DENIED_PROGRAM - 1);
	call.program[strcspn(call.program, "\n")] = '\0';
	for (size_t i = 0; i < calls->count; i++) {
		if (string_equal(calls->list[i].what, call.what) &&
		    string_equal(calls->list[i].program, call.program)) {
			calls->list[i].count++;
			return;
		}
	}
	if (calls->count < DENIED_CALLS)
		calls->list[calls->count++] = call;
}

/* With the caller's own name for itself, while it waits for us; "" where it cannot be read. */
static void record(struct denied *denied)
{
	uint64_t id = denied->question->id;
	cleanup_close int fd = -1;
	char path[32], program[DENIED_PROGRAM - 1];
	ssize_t length;

	(void)snprintf(path, sizeof(path), "/proc/%u/comm", denied->question->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, program, sizeof(program));
	/* Still the process that asked, not a later one with its number? */
	if (length <= 0 || ioctl(denied->listener_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
		length = 0;
	denied_note(&denied->calls, &denied->question->data, program, (size_t)length);
}

/* ENOENT: it was killed while it waited. */
static bool answer(struct denied *denied)
{
	memset(denied->question, 0, denied->question_size);
	if (ioctl(denied->listener_fd, SECCOMP_IOCTL_NOTIF_RECV, denied->question) < 0)
		return errno == ENOENT || errno == EINTR;
	record(denied);
	memset(denied->answer, 0, denied->answer_size);
	denied->answer->id = denied->question->id;
	denied->answer->error = -EPERM;
	ignore_result(ioctl(denied->listener_fd, SECCOMP_IOCTL_NOTIF_SEND, denied->answer));
	return true;
}

void denied_serve(struct denied *denied, uint64_t now_milliseconds)
{
	const uint64_t *total = &denied->calls.total;

	/* Not for ever: there are other things to wait for. */
	for (unsigned i = 0; i < FREE_ANSWERS; i++) {
		struct pollfd ready = { .fd = denied->listener_fd, .events = POLLIN };

		if (poll(&ready, 1, 0) <= 0)
			return;
		if (!(ready.revents & POLLIN) || !answer(denied)) {
			/* The last process with the filter is gone. */
			denied->listener_fd = close_fd(denied->listener_fd);
			return;
		}
		if (*total >= FREE_ANSWERS && *total % ANSWERS_PER_PAUSE == 0) {
			denied->next = now_milliseconds + PAUSE_MILLISECONDS;
			return;
		}
	}
}

const struct denied_calls *denied_calls(const struct denied *denied)
{
	return &denied->calls;
}

struct denied *denied_free(struct denied *denied)
{
	if (!denied)
		return NULL;
	(void)close_fd(denied->listener_fd);
	free(denied->question);
	free(denied->answer);
	free(denied);
	return NULL;
}

int denied_append_summary(const struct denied_calls *calls, struct text *text)
{
	uint64_t listed = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < calls->count; i++) {
		const struct denied_call *call = &calls->list[i];
		bool seen = false;
		uint64_t count = 0;

		listed += call->count;
		for (size_t k = 0; k < i; k++)
			seen = seen || string_equal(calls->list[k].what, call->what);
		if (seen)
			continue;
		/* By whatever program. */
		for (size_t k = i; k < calls->count; k++)
			count += string_equal(calls->list[k].what, call->what)
					 ? calls->list[k].count
					 : 0;
		r = text_append_format(text, "%s%s x%llu", i > 0 ? ", " : "", call->what,
				       (unsigned long long)count);
	}
	if (r == 0 && calls->total > listed)
		r = text_append_format(text, ", others x%llu",
				       (unsigned long long)(calls->total - listed));
	return r;
}
