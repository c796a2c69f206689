/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel functions that not every kernel has, called by their BTF id. libbpf would resolve an extern
 * for all programs, those too that are not loaded; and where the kernel has no such function it looks
 * into all modules, which takes CAP_SYS_ADMIN: the agent would not start without.
 */
#ifndef HS_PROBE_KFUNC_H
#define HS_PROBE_KFUNC_H

#include <stdint.h>

struct bpf_object;

/* The BTF id of a function of the kernel itself; -errno: -ENOENT it has none. Takes milliseconds. */
int hs_kfunc_find(const char *name);

/* Every call of this helper, which no kernel has, becomes a call of that function. 0 or -errno. */
int hs_kfunc_link(struct bpf_object *object, int32_t helper, int id);

#endif
