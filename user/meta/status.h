/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process is doing, and whether it may open more files, as a record. */
#ifndef HS_META_STATUS_H
#define HS_META_STATUS_H

#include <stdint.h>

#include "hopscope/event.h"

/*
 * Fill *status from PROC_ROOT/PID (proc_root: "/proc"). time_ns goes into the record. fds and
 * fd_limit are 0 where we may not look. 0, or -errno: -ESRCH when there is no such process (a
 * thread's id is none).
 */
int hs_status_read(const char *proc_root, uint32_t pid, uint64_t time_ns, struct hs_ev_status *status);

#endif
