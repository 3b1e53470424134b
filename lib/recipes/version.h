/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of versions, of kernels and of modules: that of `sort -V`, which DKMS uses. */
#ifndef KMODBOX_RECIPES_VERSION_H
#define KMODBOX_RECIPES_VERSION_H

/* Negative, 0 or positive: a is lower, of the same rank, higher. */
int version_compare(const char *a, const char *b);

#endif
