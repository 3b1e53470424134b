/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks the installer: its requests as functions. It decides; these only speak its protocol. */
#ifndef KMODBOX_ORCHESTRATOR_INSTALLER_CLIENT_H
#define KMODBOX_ORCHESTRATOR_INSTALLER_CLIENT_H

#include "installer/installer_protocol.h"
#include "lib/recipes/recipe.h"
#include "orchestrator/orchestrator.h"
#include "orchestrator/signer_client.h"

/* Registers a source and approves it. write_source: SOURCETREE/M-V is made from the snapshot. */
int installer_client_add(const struct orchestrator *orchestrator, const struct recipe *recipe,
			 int snapshot_fd, const struct digest *source, bool write_source,
			 struct error **error) must_check;
/* What a build left beside its modules: "Module.symvers", ".dep_NAME" or any other safe name. */
struct published_data {
	const char *name; /* borrowed */
	int fd;		  /* sealed memfd; borrowed */
};

/* Hands over a signed build with its log and record (sealed memfds), and such data. */
int installer_client_publish(const struct orchestrator *orchestrator, const struct package *package,
			     const struct target *target, const struct signed_set *set, int log_fd,
			     int record_fd, const struct published_data *data, size_t data_count,
			     struct error **error) must_check;
/* Puts an archive (a sealed memfd) into M/V/tarball/, in the place of one of that name. */
int installer_client_tarball(const struct orchestrator *orchestrator, const struct package *package,
			     const char *name, int fd, struct error **error) must_check;
/* The log of a build that failed. */
int installer_client_failed_log(const struct orchestrator *orchestrator,
				const struct package *package, const struct target *target,
				int log_fd, int record_fd, struct error **error) must_check;
/* INSTALLER_INSTALL, UNINSTALL, UNBUILD or REMOVE. target NULL: the module version as a whole. */
int installer_client_request(const struct orchestrator *orchestrator,
			     enum installer_request request, const struct package *package,
			     const struct target *target, struct installer_installed *ret_installed,
			     struct error **error) must_check;

#endif
