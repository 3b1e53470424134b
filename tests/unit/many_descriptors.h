/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request with as many descriptors as somebody hostile would send, past message_send(). */
#ifndef KMODBOX_TESTS_MANY_DESCRIPTORS_H
#define KMODBOX_TESTS_MANY_DESCRIPTORS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/cleanup.h"

/* SCM_MAX_FD of the kernel's include/net/scm.h: sendmsg() takes no more, EINVAL. */
#define DESCRIPTORS_MAXIMUM 253

/* fd, count times. 0 or -errno. */
static inline int send_descriptors(int socket, uint32_t type, const void *payload, size_t length,
				   int fd, size_t count)
{
	uint32_t header[2] = { type, (uint32_t)length };
	cleanup_free struct cmsghdr *control = calloc(1, CMSG_SPACE(sizeof(int) * count));
	struct iovec parts[] = { { header, sizeof(header) },
				 { (void *)(uintptr_t)payload, length } };
	struct msghdr message = { .msg_iov = parts,
				  .msg_iovlen = 2,
				  .msg_control = control,
				  .msg_controllen = CMSG_SPACE(sizeof(int) * count) };

	if (!control)
		return -ENOMEM;
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int) * count);
	for (size_t i = 0; i < count; i++)
		memcpy(CMSG_DATA(control) + i * sizeof(int), &fd, sizeof(int));
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

#endif
