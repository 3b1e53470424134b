/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every part of kmodbox knows of the files of a build. */
#ifndef KMODBOX_ARTIFACTS_BUILD_FILES_H
#define KMODBOX_ARTIFACTS_BUILD_FILES_H

#include <stdint.h>

/* Bytes of one module, at most, whoever looks at it. */
#define BUILD_MODULE_MAXIMUM (UINT64_C(256) << 20)
/* Of all modules of a build together, signed or not: they are kept in memory. */
#define BUILD_MODULES_MAXIMUM (UINT64_C(2) << 30)
/* Of its log, whatever its limits say. */
#define BUILD_LOG_MAXIMUM (UINT64_C(256) << 20)
/* DKMS's: beside a build a file per package it was built with, which holds that one's version. */
#define BUILD_DEPENDENCY_MARK ".dep_"

#endif
