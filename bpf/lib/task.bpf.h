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
	return !(bpf_get_current_task_btf()->flags & PF_KTHREAD);
}

/*
 * enum hs_closer bits and wait(2) status of a current process that is exiting, 0 when it is not. Its
 * files are closed, by itself, when both have been set (do_exit() in kernel/exit.c).
 */
static __always_inline __u32 hs_task_exit(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (!(task->flags & PF_EXITING))
		return 0;
	return HS_CLOSER_EXITING | (task->exit_code & HS_CLOSER_STATUS) |
	       (task->signal->oom_mm ? HS_CLOSER_OOM : 0);
}

/* Inside read()? False where we cannot tell. */
static __always_inline bool hs_task_reads(void)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

#ifdef HS_SYSCALL_NUMBER
	return HS_SYSCALL_NUMBER(regs) == HS_SYSCALL_READ;
#else
	return !regs;
#endif
}

/* As bpf_get_current_pid_tgid(), which not every kind of program may call. */
static __always_inline __u64 hs_task_id(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return (__u64)task->tgid << 32 | (__u32)task->pid;
}

#endif
