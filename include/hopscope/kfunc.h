/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that stand for kernel functions in the programs, until the loader knows their BTF ids: user/probe/kfunc.h. */
#ifndef HOPSCOPE_KFUNC_H
#define HOPSCOPE_KFUNC_H

#define HS_KFUNC_TASK_WORK 0x68730001

#endif
