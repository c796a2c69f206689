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

/* Inside read()? False where the kernel (before 5.15) or we cannot tell. */
static __always_inline bool hs_task_reads(void)
{
	struct pt_regs *regs;

	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return false;
	regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(regs, orig_ax) == 0;
#elif defined(__TARGET_ARCH_arm64)
	return BPF_CORE_READ(regs, syscallno) == 63;
#else
	return !regs;
#endif
}

#endif
