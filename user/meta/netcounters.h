/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own counters of a network namespace, as a record. */
#ifndef HS_META_NETCOUNTERS_H
#define HS_META_NETCOUNTERS_H

#include <stdint.h>

#include "hopscope/event.h"

/*
 * Fill *counters with those of netns (an inode), read through PROC_ROOT/PID of a process in it
 * (proc_root: "/proc"). time_ns goes into the record. What this kernel does not count is 0.
 * 0, or -errno: -ESRCH when there is no such process, or it is in another namespace by now.
 */
int hs_netcounters_read(const char *proc_root, uint32_t pid, uint32_t netns, uint64_t time_ns,
			struct hs_ev_counters *counters);

#endif
