/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A module's source as one sealed file: the canonical serialisation of a tree. Its SHA-256 is the
 * source digest that approvals name. Depth first, each directory before what it holds, the names in
 * a directory ascending bytewise; times, owners and all permission bits but "executable by owner"
 * are left out. So the same source always gives the same bytes. Every later step sees this copy.
 *
 *	"kmodbox-source-1\n", then per entry, little-endian:
 *	u8 type ('d', 'f', 'x' executable file, 'l' symlink, 'o' one that leads out), u16 path
 *	length, path, u64 content length, content (link target for 'l' and 'o', nothing for 'd');
 *	u8 0 at the end.
 *
 * Paths are path_is_safe(), at most SNAPSHOT_DEPTH components. Symbolic links stay inside the tree:
 * relative, as many ".." as there are directories above them, only in front. Others ("install-sh ->
 * /usr/share/automake-1.16/install-sh") are taken from directories alone: in a sandbox they lead to
 * what it shows there; nothing else follows a link of a source. Special files are refused by name.
 */
#ifndef KMODBOX_RECIPES_SNAPSHOT_H
#define KMODBOX_RECIPES_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/digest.h"
#include "lib/base/error.h"

#define SNAPSHOT_MAGIC "kmodbox-source-1\n"
#define SNAPSHOT_ENTRIES 200000u
#define SNAPSHOT_BYTES (UINT64_C(2) << 30) /* the whole snapshot */
#define SNAPSHOT_DEPTH 64

/*
 * Reads a directory. Hard links are taken as separate files. -EAGAIN: a file changed while it was
 * read. place_fd -1: into a sealed memfd, as other processes of ours want it. Else a directory on
 * disk, in which it is a file without a name, open for reading only: for the caller's own use, and
 * as large as SNAPSHOT_BYTES without costing memory.
 */
int snapshot_from_directory(int directory_fd, int place_fd, int *ret_fd, struct digest *ret_digest,
			    struct error **error) must_check;
/* The same in memory, or in place_fd (-1: there is none) where it has more than memory bytes. */
int snapshot_from_large_directory(int directory_fd, uint64_t memory, int place_fd, int *ret_fd,
				  struct digest *ret_digest, struct error **error) must_check;
/*
 * Takes what a jailed program wrote (hostile) into a memfd: seals it, checks every rule above
 * (magic, order, names, lengths, link targets, caps, nothing behind the end) and computes the
 * digest.
 */
int snapshot_from_stream(int memfd, struct digest *ret_digest, struct error **error) must_check;
/* The same for a file that is finished already (sealed, or without name and writer). */
int snapshot_check(int fd, struct digest *ret_digest, struct error **error) must_check;
/* Is the directory just this source? -EBUSY and the first difference where it is not. */
int snapshot_compare_directory(int snapshot_fd, int directory_fd, struct error **error) must_check;
/*
 * Writes the tree into an empty directory: files 0644 or 0755, directories 0755, all times 1
 * (1970). On failure the tree is left as far as it came. outward: with links that lead out; else
 * they are refused.
 */
int snapshot_unpack(int snapshot_fd, int directory_fd, bool outward,
		    struct error **error) must_check;
/* One regular file of it as a new sealed memfd; -ENOENT if there is none. */
int snapshot_read_file(int snapshot_fd, const char *path, uint64_t maximum, int *ret_fd,
		       struct error **error) must_check;
/*
 * Calls visit for each entry in order: type, path (NUL-terminated copy), content length. For
 * counting and listing. A non-zero return ends the walk and is returned.
 */
int snapshot_walk(int snapshot_fd,
		  int (*visit)(void *context, char type, const char *path, uint64_t length),
		  void *context, struct error **error) must_check;

/*
 * The first half of snapshot_from_directory(), for a process that keeps nothing of it: writes to
 * output_fd, which the other side then checks. Links that lead out are refused.
 */
int snapshot_write_directory(int directory_fd, int output_fd, struct error **error) must_check;

#endif
