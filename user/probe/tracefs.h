/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HS_PROBE_TRACEFS_H
#define HS_PROBE_TRACEFS_H

#include <stddef.h>

/*
 * The ids of tracepoint events ("syscalls/sys_enter_connect"), as perf_event_open(2) wants them.
 * They are read from a mounted tracefs, or, where none is mounted, by a child process
 * that mounts one in a mount namespace of its own: the host sees nothing of it. Returns how
 * it was done ("mounted", "private mount"), or NULL with errno set. ids[i] is -1 for an event
 * that does not exist.
 */
const char *hs_tracefs_event_ids(const char *const *events, int *ids, size_t count);

#endif
