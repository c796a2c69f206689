/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of hooks: for each signal its ladder of providers, best first. */
#ifndef HS_PROBE_HOOKS_H
#define HS_PROBE_HOOKS_H

#include <stddef.h>

#include "base/hook.h"

#define HS_RUNG_PROGRAMS 4

struct hs_hook_def {
	const char *name, *gives, *lost;
	struct hs_rung_def {
		const char *name;
		const char *programs[HS_RUNG_PROGRAMS]; /* all of them, or the rung is refused */
		const char *misses; /* what a better rung would see, a phrase; NULL: nothing */
		const char *calls;  /* the kernel function that not every kernel has; NULL: none */
	} ladder[HS_HOOK_RUNGS];
};

enum {
	HS_HOOK_CONNECTION,
	HS_HOOK_CONNECT,
	HS_HOOK_ACCEPT,
	HS_HOOK_RETRANSMIT,
	HS_HOOK_RETRANSMIT_SYN_ACK,
	HS_HOOK_RESET_RECEIVED,
	HS_HOOK_RESET_SENT,
	HS_HOOK_SOCKET_ERROR,
	HS_HOOK_DROP,
	HS_HOOK_ICMP,
	HS_HOOK_PAYLOAD,
	HS_HOOK_READ,
	HS_HOOK_SNAPSHOT,
	HS_HOOK_COUNT,
};

extern const struct hs_hook_def hs_hook_defs[HS_HOOK_COUNT];

#endif
