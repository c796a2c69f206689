/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who the current process is. */
#ifndef HS_TASK_BPF_H
#define HS_TASK_BPF_H

#include "lib/emit.bpf.h"

/*
 * Introduce the current process unless that was done. Call it in process context only. Always
 * 0; a function of its own (bpf/task.bpf.c) so that the kernel verifies it once.
 */
extern int hs_task_introduce(void);

static __always_inline bool hs_task_is_user(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return !(BPF_CORE_READ(task, flags) & PF_KTHREAD);
}

#endif
