/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc tells about a process, as the same record that the kernel side sends. */
#ifndef HS_META_PROCFS_H
#define HS_META_PROCFS_H

#include <stddef.h>
#include <stdint.h>

#include "hopscope/event.h"

/* Arguments as procfs has them whole: a Java class path is longer than the kernel side keeps. */
#define HS_PROCFS_ARGS_LEN 8192
#define HS_PROCFS_RECORD_MAX (HS_EV_PROCESS_MAX - HS_ARGS_LEN + HS_PROCFS_ARGS_LEN)

/*
 * Fill a process record from PROC_ROOT/PID (proc_root: "/proc"). buffer holds size bytes,
 * HS_PROCFS_RECORD_MAX are enough. time_ns goes into the record. Returns the record's size, or
 * -ESRCH when there is no such process (a thread's id is none), -EACCES when it may not be
 * read, -ENOSPC, -EBADMSG when its stat makes no sense, or another -errno.
 * start_ns is what procfs tells, in clock ticks (10 ms): the kernel's own record is finer.
 * Of the lines in PID/cgroup the one with the most to say wins (a container or pod, then a
 * unit; v2 before v1).
 */
int hs_procfs_process(const char *proc_root, uint32_t pid, uint64_t time_ns, void *buffer,
		      size_t size);

#endif
