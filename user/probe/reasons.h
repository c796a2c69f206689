/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why the running kernel drops packets: its own numbers, by the names that we know. */
#ifndef HS_PROBE_REASONS_H
#define HS_PROBE_REASONS_H

#include <stddef.h>
#include <stdint.h>

#include "hopscope/event.h"

#define HS_DROP_REASONS 256 /* as in bpf/drop.bpf.c */

struct hs_reasons {
	char names[HS_DROP_REASONS][HS_DROP_REASON_LEN]; /* by number; "" is not told of */
	uint32_t backlog; /* number of CPU_BACKLOG, 0 none */
};

/* Takes milliseconds. Empty where the kernel has no such reasons (before 5.17). */
void hs_reasons_read(struct hs_reasons *reasons);

/* One of them, by the kernel's name: for hs_reasons_read() and its test. */
void hs_reasons_add(struct hs_reasons *reasons, const char *name, uint32_t number);

#endif
