/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_PROBE_CGROUP_ROOT_H
#define HS_PROBE_CGROUP_ROOT_H

#include <stddef.h>

/* Where cgroup v2 is mounted: /sys/fs/cgroup, or beside v1, or "" nowhere. Cut to size. */
void hs_cgroup_root(char *path, size_t size);

#endif
