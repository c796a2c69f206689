/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_PROBE_CGROUP_ROOT_H
#define HS_PROBE_CGROUP_ROOT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where cgroup v2 is mounted: /sys/fs/cgroup, or beside v1, or "" nowhere. Cut to size. True when it
 * is the root of the hierarchy: a container has a mount of its own, that begins at its own cgroup.
 */
bool hs_cgroup_root(char *path, size_t size);

#endif
